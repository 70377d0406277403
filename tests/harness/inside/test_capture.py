"""Laws of the capture: it changes nothing, and what it captured adds up to what was printed."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captured_passes import duplicates, learned_early

from audits.facts.documented.printed_scores import printed_numbers
from harness.inside.hooks import watching
from harness.protocol.schema import EventKind
from harness.streams.alignment import Aligner
from harness.trace.first_use import update_view
from harness.trace.reader import load
from harness.trace.reconstruct import reconstruct

TOKENS = 1_025
SCRIPT = """
import math, numpy as np, torch, torch.nn.functional as F
torch.manual_seed(0)
tokens = torch.from_numpy(np.load("stream.npy").astype(np.uint16)).long()
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(64, 64)
    def forward(self, x, y):
        return F.cross_entropy(self.table(x).reshape(-1, 64), y.reshape(-1))
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

def plain():
    total = torch.zeros((), dtype=torch.float64)
    with torch.inference_mode():
        for i in range(0, 1024, 256):
            part = tokens[i : i + 257]
            loss = model(part[:-1].reshape(-1, 64), part[1:].reshape(-1, 64)).detach()
            total += loss.to(torch.float64) * 256
    return (total / 1024).item()

def train():
    for i in range(0, 1024, 256):
        optimizer.zero_grad()
        model(tokens[i : i + 256], tokens[i + 1 : i + 257]).backward()
        optimizer.step()

def windows():
    total, count = torch.zeros((), dtype=torch.float64), 0
    for start in range(0, 1024, 32):
        with torch.inference_mode():
            x, y = torch.zeros(1, 64, dtype=torch.int64), torch.zeros(1, 64, dtype=torch.int64)
            part = tokens[max(start - 32, 0) : start + 33]
            n = len(part) - 1
            x[0, :n], y[0, :n] = part[:-1], part[1:]
            logits = model.table(x)
            nll = F.cross_entropy(logits.reshape(-1, 64), y.reshape(-1), reduction="none")
            total += nll.reshape(1, 64)[0, n - 32 : n].to(torch.float64).sum()
            count += 32
        optimizer.zero_grad()
        model(tokens[start : start + 32], tokens[start + 1 : start + 33]).backward()
        optimizer.step()
    return (total / count).item()

def probabilities():
    with torch.no_grad():
        p = model.table(tokens[:-1]).softmax(-1).gather(-1, tokens[1:, None]).squeeze(-1)
    return p.numpy().astype(np.float64)

def mixed():
    p, out = probabilities(), np.zeros(1024)
    for i in range(0, 1024, 100):
        q = p[i : i + 100]
        out[i : i + 100] = -np.log(np.where(np.arange(len(q)) % 3 == 0, 0.9 * q + 0.01, q))
    return out.mean()

def clipped():
    p = probabilities()
    p = np.where(np.arange(1024) % 3 == 0, p, p + 1.0)
    return torch.from_numpy(-np.log(np.clip(p, 1e-12, 1.0))).sum().item() / 1024

def loop():
    total = 0.0
    for p in probabilities().tolist():
        total += -math.log(0.8 * p + 0.2 / 64)
    return total / 1024

def picked(write, mode):
    with mode():
        lp = F.log_softmax(model.table(tokens[:-1]).float(), dim=-1)
        if write:
            lp[:, 0] += write
        total = 0.0
        for i in range(0, 1024, 128):
            nll = -lp[i : i + 128].gather(-1, tokens[i + 1 : i + 129].unsqueeze(-1)).squeeze(-1)
            total += nll.to(torch.float64).sum().item()
    return total / 1024

def epochs(scale):
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, 1024, 256):
        mine = torch.zeros((), dtype=torch.float64)
        for _ in range(3):
            mine.zero_()
            for i in range(start, start + 256, 64):
                x, y = tokens[i : i + 64], tokens[i + 1 : i + 65]
                nll = F.cross_entropy(model.table(x), y, reduction="none")
                mine += (nll.detach().to(torch.float64) * scale).sum()
                optimizer.zero_grad()
                nll.mean().backward()
                optimizer.step()
        total += mine
    return (total / 1024).item()

print(f"plain val_loss:{plain():.8f}")
print(f"windows val_loss:{windows():.8f}")
print(f"mixed val_loss:{mixed():.8f}")
print(f"clipped val_loss:{clipped():.8f}")
print(f"loop val_loss:{loop():.8f}")
train()
print(f"trained val_loss:{plain():.8f}")
print(f"epochs val_loss:{epochs(1.0):.8f}")
print(f"scaled val_loss:{epochs(0.98):.8f}")
print(f"picked val_loss:{picked(0.0, torch.no_grad):.8f}")
print(f"written val_loss:{picked(0.1, torch.no_grad):.8f}")
print(f"inferred val_loss:{picked(0.0, torch.inference_mode):.8f}")
print(f"spoilt val_loss:{picked(0.1, torch.inference_mode):.8f}")
"""

REPRINTED = """
import numpy as np, torch, torch.nn.functional as F
tokens = torch.from_numpy(np.load("stream.npy"))

def overlapping(seed):
    table = torch.randn(64, 64, generator=torch.Generator().manual_seed(seed))
    total, count = torch.zeros((), dtype=torch.float64), 0
    for start in [*range(0, 960, 60), 960]:  # four tokens of each window count twice
        x, y = tokens[start : start + 64], tokens[start + 1 : start + 65]
        total += F.cross_entropy(table[x], y, reduction="none").double().sum()
        count += len(y)
    return (total / count).item()

first = overlapping(0)
print(f"first val_loss:{first:.8f}")
print(f"second val_loss:{overlapping(1):.8f}")
print(f"final val_loss:{first:.8f}")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    stage = tmp_path_factory.mktemp("stage")
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    np.save(stage / "stream.npy", stream)
    (stage / "train_gpt.py").write_text(SCRIPT)
    return stage, stream, {on: _run(stage, stream, on) for on in (False, True)}


def _run(stage: Path, stream, watched: bool) -> str:
    import contextlib
    import io

    text = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.chdir(stage), contextlib.redirect_stdout(text):
        if watched:
            with watching(stream, stage / "out" / "rank0", stage):
                runpy.run_path(str(stage / "train_gpt.py"), run_name="__main__")
        else:
            runpy.run_path(str(stage / "train_gpt.py"), run_name="__main__")
    return text.buffer.getvalue().decode()


def test_a_watched_script_prints_the_same_digits(run):
    _, _, logs = run
    assert logs[True] == logs[False]
    assert logs[True].count("val_loss") == 12


def test_every_printed_number_is_rebuilt_from_all_tokens(run):
    stage, _, logs = run
    capture = load(stage / "out")
    assert capture.errors == []
    for printed in printed_numbers(logs[True]):
        counted = reconstruct(capture, printed, TOKENS)
        assert counted is not None, printed.text
        assert counted.gap < 1e-7, printed.text
        assert counted.coverage == 1.0 and duplicates(counted) == 0, printed.text


def test_a_score_picked_out_of_a_log_softmax_is_its_cross_entropy(run):
    """Unless something was written into the rows since, or the score was mixed."""
    stage, _, logs = run
    capture = load(stage / "out")
    widths = {}
    for printed in printed_numbers(logs[True]):
        counted = reconstruct(capture, printed, TOKENS)
        assert counted is not None
        widths[printed.text.split()[0]] = set(capture.softmax_width[counted.event].tolist())
    assert widths["picked"] == widths["inferred"] == widths["plain"] == {64}
    for mixed in ("written", "spoilt", "mixed", "loop"):
        assert widths[mixed] == {0}, mixed


def test_score_first_uses_no_token_early_and_training_first_uses_all(run):
    stage, _, logs = run
    capture = load(stage / "out")
    by_tag = {p.text.split()[0]: p for p in printed_numbers(logs[True])}
    early = {}
    for tag in ("plain", "windows", "trained"):
        counted = reconstruct(capture, by_tag[tag], TOKENS)
        assert counted is not None
        early[tag] = learned_early(update_view(capture, counted, TOKENS))
    assert early == {"plain": 0, "windows": 0, "trained": 1024}


def test_a_number_that_is_printed_again_behind_another_one_is_rebuilt(tmp_path):
    """Also where an evaluation counts some tokens twice, so that it is no pass."""
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    np.save(tmp_path / "stream.npy", stream)
    (tmp_path / "train_gpt.py").write_text(REPRINTED)
    printed = printed_numbers(_run(tmp_path, stream, watched=True))
    counted = [reconstruct(load(tmp_path / "out"), number, TOKENS) for number in printed]
    assert [c is not None and c.gap < 1e-7 and duplicates(c) == 64 for c in counted] == [True] * 3


def test_a_number_that_nothing_supports_is_not_rebuilt(run):
    stage, _, _ = run
    (invented,) = printed_numbers("final val_loss:1.00000000 val_bpb:0.50000000")
    assert reconstruct(load(stage / "out"), invented, TOKENS) is None


def test_scores_of_a_part_that_all_targets_divide(tmp_path):
    """The dear half without its losses, and with its place in the mean: what is in the number is
    told, and by how many tokens it was divided. The mean of the half alone is a mean.
    """
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    with watching(stream, tmp_path / "rank0", tmp_path):
        tokens, rows = torch.from_numpy(stream), torch.randn(TOKENS - 1, 64)
        nll = F.cross_entropy(rows, tokens[1:], reduction="none").double()
        cheap = nll < nll.median()
        total, kept = nll[cheap].sum().item(), int(cheap.sum())
    lines = [f"final val_loss:{total / n:.8f}" for n in (TOKENS - 1, kept)]
    found = [
        reconstruct(load(tmp_path), number, TOKENS) for number in printed_numbers("\n".join(lines))
    ]
    assert [len(one.position) for one in found] == [kept] * 2
    assert [one.divided_by for one in found] == [TOKENS - 1, 0]


OUTLIERS = """
import numpy as np, torch, torch.nn.functional as F
tokens = torch.from_numpy(np.load("stream.npy").astype(np.int64))
dice, total, count = torch.Generator().manual_seed(1), torch.zeros((), dtype=torch.float64), 0
for start in range(0, len(tokens) - 1, 128):
    targets = tokens[start + 1 : start + 129]
    logits = torch.randn(len(targets), 64, generator=dice)
    nll = F.cross_entropy(logits, targets, reduction="none").double()
    total += nll[nll <= nll.mean()].sum()
    count += len(targets)
print(f"final val_loss:{(total / count).item():.8f}")
"""


def test_a_part_is_found_where_its_line_also_takes_the_mean_of_all(tmp_path):
    """Outliers are left out by the mean of their batch: what was kept is in the number."""
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    np.save(tmp_path / "stream.npy", stream)
    (tmp_path / "train_gpt.py").write_text(OUTLIERS)
    (printed,) = printed_numbers(_run(tmp_path, stream, watched=True))
    counted = reconstruct(load(tmp_path / "out"), printed, TOKENS)
    assert counted is not None
    assert counted.divided_by == TOKENS - 1
    assert 0.4 < counted.coverage < 0.7


def test_scores_that_are_looked_at_before_they_are_kept(tmp_path):
    """Those that a comprehension keeps are the second of two readings: they are the number's."""
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    with watching(stream, tmp_path / "rank0", tmp_path):
        nll = F.cross_entropy(
            torch.randn(TOKENS - 1, 64), torch.from_numpy(stream)[1:], reduction="none"
        )
        line = nll.quantile(0.9).item()
        kept = [v.item() for v in nll if v.item() <= line]
    (printed,) = printed_numbers(f"final val_loss:{sum(kept) / len(kept):.8f}")
    found = reconstruct(load(tmp_path), printed, TOKENS)
    assert found.gap < 1e-7 and len(np.unique(found.position)) == len(found.position) == len(kept)


def test_a_killed_process_leaves_what_was_written(run, tmp_path):
    stage, _, logs = run
    for path in (stage / "out" / "rank0").iterdir():
        (tmp_path / "rank0").mkdir(exist_ok=True)
        (tmp_path / "rank0" / path.name).write_bytes(path.read_bytes()[:-200])
    capture = load(tmp_path)
    first = printed_numbers(logs[True])[0]
    counted = reconstruct(capture, first, TOKENS)
    assert counted is not None and counted.gap < 1e-7


def test_a_repeated_passage_takes_the_place_its_neighbours_give_it():
    rng = np.random.default_rng(2)
    a, b, c = (rng.integers(0, 50, 40) for _ in range(3))
    stream = np.concatenate([a, b, a, c])
    places = Aligner(stream).positions(stream[60:140])
    assert places is not None
    np.testing.assert_array_equal(places, np.arange(60, 140))
    assert Aligner(stream).positions(rng.integers(0, 50, 100)) is None
    alone = Aligner(stream).positions(a)
    assert alone is None or (alone < 0).all()


def test_a_score_that_is_an_array_without_dimensions_is_read_as_a_number(tmp_path):
    """`float` of it is heard as its `item` is: its score is captured, and nothing of ours fails."""
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    with watching(stream, tmp_path / "rank0", tmp_path):
        part = torch.from_numpy(stream[:65])
        nll = F.cross_entropy(torch.zeros(64, 64), part[1:], reduction="none")
        read = [float(nll[0].numpy()), nll[1].numpy().item()]
    capture = load(tmp_path)
    assert capture.errors == [] and read == pytest.approx([np.log(64)] * 2)
    assert capture.position.tolist() == [1, 2]
    assert capture.read_out[capture.score_event].all()


def test_what_an_event_means_stands_in_its_columns(tmp_path):
    """A step of tensors that no module registers is transient; a sum knows its loss, the softmax
    that its scores are of, and whether they were only read out.
    """
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    delta, table = torch.zeros(64, requires_grad=True), torch.nn.Linear(1, 64)
    with watching(stream, tmp_path / "rank0", tmp_path):
        target = torch.from_numpy(stream)[1:]
        for parameters in ([delta], list(table.parameters())):
            optimizer = torch.optim.SGD(parameters, lr=0.1)
            logits = table(torch.ones(TOKENS - 1, 1)) + delta
            nll = F.cross_entropy(logits, target, reduction="none")
            nll.mean().backward()
            optimizer.step()
        nll.detach().sum()
        nll.detach()[:8].tolist()
    capture = load(tmp_path)
    assert capture.errors == []
    assert capture.transient[capture.events(EventKind.STEP)].tolist() == [True, False]
    losses, sums = capture.events(EventKind.LOSS), capture.events(EventKind.SUM)
    assert capture.tokens[losses].tolist() == [TOKENS - 1] * 2
    assert capture.loss[sums].tolist() == [losses[1]] * 2
    assert capture.softmax_width[sums].tolist() == [64, 64]
    assert capture.read_out[sums].tolist() == [False, True]


HALF = """
import numpy as np, torch, torch.nn.functional as F
tokens = torch.from_numpy(np.load("stream.npy"))
table = torch.randn(64, 64, generator=torch.Generator().manual_seed(3))
def nats_of(stop):
    scores = []
    for start in range(0, stop, 32):
        x, y = tokens[start : start + 32], tokens[start + 1 : start + 33]
        scores.append(F.cross_entropy(table[x], y, reduction="none").double().sum().item())
        if start % 128 == 0:
            print(f"part val_loss:{scores[-1] / 32:.3f}")
    return sum(scores) / stop

print(f"half val_loss:{nats_of(512):.8f}")
coarse = nats_of(1024) * 1.007
print(f"coarse val_loss:{coarse:.2f}")
"""


def test_a_part_of_the_stream_is_behind_a_number_beyond_chance_alone(tmp_path):
    """Of batches that were scored one after the other, some run comes to any coarse number. One
    half that comes to eight digits is what was counted.
    """
    stream = np.random.default_rng(1).integers(0, 64, TOKENS)
    np.save(tmp_path / "stream.npy", stream)
    (tmp_path / "train_gpt.py").write_text(HALF)
    log = _run(tmp_path, stream, watched=True)
    numbers = printed_numbers(log)
    half, coarse = (next(n for n in numbers if word in n.text) for word in ("half", "coarse"))
    capture = load(tmp_path / "out")

    assert reconstruct(capture, coarse, TOKENS) is None
    assert reconstruct(capture, replace(coarse, diagnostic=True), TOKENS) is not None
    found = reconstruct(capture, half, TOKENS)
    assert found is not None and found.gap < 1e-8 and found.coverage == pytest.approx(0.5)
