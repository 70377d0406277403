"""The trace of a reading depends on the files alone."""

from __future__ import annotations

import ast

from audits import facts
from audits.facts.documented.configuration import Configuration
from audits.rules.cases import script

TWO_OPTIMIZERS_ON_ONE_LINE = script("""
    team = [model, copy.deepcopy(model)]
    opts = [torch.optim.SGD(team[0].parameters()), torch.optim.SGD(team[1].parameters())]
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        for number in range(2):
            team[number](x, y).backward()
            opts[number].step()
        add(model(x, y), y)
""")


def updated_lines() -> list[list[int]]:
    """The lines of what each update changes, in the order in which the trace has them."""
    files = {"train_gpt.py": ast.parse(TWO_OPTIMIZERS_ON_ONE_LINE)}
    trace = facts.read(files.get, "train_gpt.py", Configuration(), explore=False)
    return [sorted(target.line for target in update.targets) for update in trace.updates]


def test_the_order_of_events_hangs_on_the_code_alone() -> None:
    """Of two objects made at one line, the first one made comes first, wherever they lie."""
    first = updated_lines()
    assert len(first) == 2
    kept: list[object] = []
    for number in range(20):
        kept.append([object() for _ in range(37 * number)])  # moves what is made next
        assert updated_lines() == first
