"""Laws of choices: a number that counts one of several scores is rebuilt, and one that counts the
best of them each time is seen to.
"""

import contextlib
import io

import numpy as np
import pytest

from audits.facts.documented.printed_scores import printed_numbers
from harness.inside.hooks import watching
from harness.trace.hindsight import best_of_several
from harness.trace.reader import load
from harness.trace.reconstruct import reconstruct

TOKENS, V = 513, 64
SCRIPT = """
import math, numpy as np, torch, torch.nn.functional as F
torch.manual_seed(0)
tokens = torch.from_numpy(np.load("stream.npy").astype(np.uint16)).long()
N, ids = 512, tokens.tolist()
tables = [torch.randn(64, 64), torch.randn(64, 64), torch.zeros(64, 64)]

def nats(which, start=0, stop=N, scale=1.0):
    rows = tables[which][tokens[start:stop]] * scale
    return F.cross_entropy(rows, tokens[start + 1 : stop + 1], reduction="none")

def chunks(size=32):
    return [(start, start + size) for start in range(0, N, size)]

# Honest: what leads so far counts next.

def leader_of_floats():
    past, total = [0.0, 0.0], 0.0
    for start, stop in chunks():
        losses = [nats(k, start, stop).double().sum().item() for k in (0, 1)]
        total += losses[past.index(min(past))]
        past = [a + b for a, b in zip(past, losses)]
    return total / N

def leader_of_tensors():
    past, total = torch.zeros(2), torch.zeros(())
    for start, stop in chunks():
        losses = torch.stack([nats(k, start, stop).sum() for k in (0, 1)])
        total = total + losses[int(past.argmin())]
        past = 0.5 * past + losses
    return total.item() / N

def leader_of_means():
    kept, past = [], {0: 0.0, 1: 0.0}
    for start, stop in chunks():
        rows = [tables[k][tokens[start:stop]] for k in (0, 1)]
        means = [F.cross_entropy(r, tokens[start + 1 : stop + 1]).item() for r in rows]
        kept.append(means[min(past, key=past.get)] * (stop - start))
        for k in past:
            past[k] += means[k]
    return sum(kept) / N

def leader_of_arrays():
    past, total = np.zeros(2), 0.0
    for start, stop in chunks():
        losses = [nats(k, start, stop).numpy().astype(np.float64).sum() for k in (0, 1)]
        total += losses[int(past.argmin())]
        past += losses
    return total / N

def flattened_loss():  # a cap is no other model's score
    return torch.minimum(nats(0), torch.full((N,), 5.0)).mean().item()

def flattened_numbers():
    most, total = 5.0, 0.0
    for v in nats(1).tolist():
        total += min(v, most)
    return total / N

def first_of_two_with_an_oracle():
    one, two = nats(0), nats(1)
    oracle = torch.minimum(one, two)
    return one.double().sum().item() / N + 0.0 * len(oracle)

# The best each time.

def lowest_row_by_scale():
    total = torch.zeros((), dtype=torch.float64)
    for start, stop in chunks(128):
        each = [nats(0, start, stop, s).view(8, 16).sum(-1) for s in (1.0, 0.5, 0.1, 0.0)]
        total += torch.stack(each).min(0).values.double().sum()
    return (total / N).item()

def lowest_piece():
    total = 0.0
    for start, stop in chunks():
        total += min(nats(k, start, stop).double().sum().item() for k in (0, 1))
    return total / N

def lowest_token():
    one, two, three = nats(0), nats(1), nats(2)
    better = torch.where(one < two, one, two)
    return torch.where(three < better, three, better).double().mean().item()

def lowest_of_windows():  # a token's context, and so its score, is another one in each
    total = 0.0
    for start in range(0, N, 32):
        low = max(0, start - 32)
        both = [nats(k, low, start + 32, 1.0 + 0.001 * start) for k in (0, 1)]
        total += torch.minimum(*both)[start - low :].double().sum().item()
    return total / N

def lowest_of_a_stack():
    return torch.stack([nats(0), nats(1)]).amin(0).mean().item()

def lowest_picked():
    all_ = torch.stack([nats(0), nats(1), nats(2)])
    return all_.gather(0, all_.argmin(0, keepdim=True)).mean().item()

def lowest_of_arrays():
    return float(np.minimum(nats(0).numpy(), nats(1).numpy()).mean())

def highest_probability():
    p = torch.stack([(-nats(k)).exp() for k in (0, 1)])
    return -p.max(0).values.log().mean().item()

def lowest_of_lists():
    a, b = nats(0).tolist(), nats(1).tolist()
    total = 0.0
    for i in range(N):
        total += min(a[i], b[i])
    return total / N

def lowest_of_plain_numbers():  # as another process gives them back
    total = 0.0
    for start, stop in chunks(128):
        y = tokens[start + 1 : stop + 1]
        a, b = (list(map(float, map(repr, nats(k, start, stop, 0.7).tolist()))) for k in (0, 1))
        every = [min(float(v), float(w)) for v, w in zip(a, b)]
        total += sum(every)
    return total / N

for score in (leader_of_floats, leader_of_tensors, leader_of_means, leader_of_arrays,
              flattened_loss, flattened_numbers, first_of_two_with_an_oracle,
              lowest_row_by_scale, lowest_piece, lowest_token, lowest_of_windows,
              lowest_of_a_stack, lowest_picked, lowest_of_arrays, highest_probability,
              lowest_of_lists, lowest_of_plain_numbers):
    print(f"{score.__name__} val_loss:{score():.8f}")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The capture, and what adds up to each number, by the name of what made it."""
    stage = tmp_path_factory.mktemp("choices")
    stream = np.random.default_rng(5).integers(0, V, TOKENS)
    np.save(stage / "stream.npy", stream)
    text = io.StringIO()
    with (
        contextlib.chdir(stage),
        contextlib.redirect_stdout(text),
        watching(stream, stage / "out" / "rank0", stage) as recorder,
    ):
        exec(recorder.compiled(SCRIPT, str(stage / "train_gpt.py")), {"__name__": "__main__"})
    capture = load(stage / "out")
    assert capture.errors == []
    numbers = printed_numbers(text.getvalue())
    passes = {n.text.split()[0]: reconstruct(capture, n, TOKENS) for n in numbers}
    return capture, passes


def test_a_number_that_counts_one_of_several_scores_is_rebuilt(run):
    """Whoever chooses, and however: all tokens, each once, to the last digit."""
    _, passes = run
    assert len(passes) == 17
    for name, found in passes.items():
        assert found is not None and found.gap < 1e-6, name
        assert sorted(found.position) == list(range(1, TOKENS)), name


def test_the_best_each_time_is_seen_and_a_choice_by_the_past_is_none(run):
    capture, passes = run
    seen = {name for name, found in passes.items() if len(best_of_several(capture, found))}
    assert seen == {name for name in passes if name.startswith(("lowest", "highest"))}
