"""Reading judges the number that the folder submits; what is printed beside it is a note."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audits.findings import Finding
from audits.rules.cases import script

Scan = Callable[..., list[Finding]]

BOTH = script("""
    def evaluate(net):
        loss_sum, token_count, byte_count = torch.zeros(()), torch.zeros(()), torch.zeros(())
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss_sum += net(x, y)
            token_count += y.numel()
            byte_count += byte_table[y].sum()
        loss = loss_sum / token_count
        return loss, loss / math.log(2.0) * (token_count / byte_count)


    def say(tag, loss, bits):
        print(SAID)


    loss, bits = evaluate(model)
    say("sliding", loss, bits)
    for start in range(0, len(val_tokens), 512):
        model(*batch(val_tokens, start)).backward()
        optimizer.step()
    loss, bits = evaluate(model)
    say("adapted", loss, bits)
""")
SPELLINGS = (
    'f"final_{tag}_window val_loss:{loss:.4f} val_bpb:{bits:.4f}"',
    '"final_" + tag + "_window", "val_loss:", loss, "val_bpb:", bits',
    '"final_{}_window val_loss:{:.4f} val_bpb:{:.4f}".format(tag, loss, bits)',
    '"final_%s_window val_loss:%.4f val_bpb:%.4f" % (tag, loss, bits)',
)
LOG = """\
step:9/9 val_loss:2.1000 val_bpb:1.2500
final_sliding_window val_loss:2.0000 val_bpb:1.2000
final_adapted_window val_loss:1.5000 val_bpb:0.9000
"""


def folder(declared: float | None, said: str = SPELLINGS[0], log: str = LOG) -> dict[str, str]:
    files = {"train_gpt.py": BOTH.replace("SAID", said), "train.log": log}
    return files if declared is None else {**files, "submission.json": f'{{"val_bpb": {declared}}}'}


def statuses(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(one.rule, one.status) for one in findings if one.rule == "ORDER-2"}


def test_what_is_printed_beside_the_submitted_number_is_a_note(scan: Scan) -> None:
    """A folder that submits its window's score may show what adaptation would have given."""
    findings = scan(folder(1.2))

    assert statuses(findings) == {("ORDER-2", "info")}
    assert {one.status for one in findings} == {"info"}
    (note,) = (one.message for one in findings if one.rule == "ORDER-2")
    assert "train.log line 2: final_sliding_window val_loss:2.0000" in note


@pytest.mark.parametrize("said", SPELLINGS)
def test_the_submitted_number_is_judged(scan: Scan, said: str) -> None:
    """The same script, whose folder submits the adapted score: however the line is put together."""
    assert statuses(scan(folder(0.9, said))) == {("ORDER-2", "fail")}


@pytest.mark.parametrize(
    ("declared", "said", "log"),
    [
        (None, SPELLINGS[0], LOG),  # nothing is declared
        (1.1, SPELLINGS[0], LOG),  # what is declared was not printed
        (1.2, SPELLINGS[0], LOG.replace("final_", "the_last_")),  # by whom, nobody knows
        (1.2, SPELLINGS[0].replace("{tag}", "{len(tag)}"), LOG),  # by either
        (1.2, SPELLINGS[0].replace("final_", "DIAGNOSTIC "), LOG.replace("final_", "DIAGNOSTIC ")),
        (1.2, SPELLINGS[0].replace("{bits:.4f}", "{2.0:.4f}").replace("{loss:.4f}", "1"), LOG),
    ],
)
def test_where_nothing_tells_every_score_is_judged(
    scan: Scan, declared: float | None, said: str, log: str
) -> None:
    """Only a number that the folder declares, and a line that its script wrote, excuse another."""
    assert statuses(scan(folder(declared, said, log))) == {("ORDER-2", "fail")}
