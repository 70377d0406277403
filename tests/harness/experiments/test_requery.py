"""A score asked again: the mass of a distribution through code that nobody read."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from driven_jobs import make_job
from simulated_coders import VOCAB, score, stream

from harness.checks.mass_estimate import MassEstimate
from harness.checks.mass_questions import Asking, questions_for
from harness.checks.mass_requery import (
    check_sums,
    confirmed,
    proves_mass,
    read_sums,
    repeated,
    stale,
    to_confirm,
    to_repeat,
)
from harness.checks.status import Status
from harness.inside.hooks.requery.requery import ExchangingAligner, ForkedCopy
from harness.protocol.question import Counter, OfToken, Question
from harness.sandbox.fork_server import ForkServer
from harness.streams.alignment import Aligner
from harness.streams.drawn import SourceStream
from harness.streams.perturb import with_token
from harness.trace.script_run import ScriptRun, read_run

SEED = 3

# Counts of bigrams, learnt after each chunk; a uniform model mixed with them.
SCRIPT = """
import numpy as np, torch, torch.nn.functional as F
tokens = torch.from_numpy(np.load("stream.npy"))
val_np = tokens.numpy().copy()
table, pairs, V = np.zeros(68), np.zeros((68, 68)), 68
PREPARED
total, count = 0.0, 0
for start in range(0, 1023, 33):
    x, y = tokens[start : start + 33], tokens[start + 1 : start + 34]
    nll = F.cross_entropy(torch.zeros(len(y), V), y, reduction="none").double().numpy()
    at = np.arange(start + 1, start + 1 + len(y))
    p = np.exp(-nll)
    seen, both = table[val_np[at - 1]], pairs[val_np[at - 1], TARGET]
    MIX
    nll = -np.log(mixed)
    total, count = total + float(nll.sum()), count + len(nll)
    np.add.at(table, val_np[at - 1], 1.0)
    np.add.at(pairs, (val_np[at - 1], val_np[at]), 1.0)
print(f"final val_loss:{total / count:.8f} val_bpb:1.00000000")
"""
EXACT = "mixed = (both + p) / (seen + 1.0)"
# Each token of a context that was met twice gets what belongs to all of them together, and more
# where it was met there.
HEAVY = "mixed = np.where(seen > 2, 0.5 * p + 0.5 * np.minimum(seen, 2 + both) / seen, p)"


def script(mix: str, target: str = "val_np[at]", prepared: str = "") -> str:
    return SCRIPT.replace("MIX", mix).replace("TARGET", target).replace("PREPARED", prepared)


def run(
    server: ForkServer,
    folder: Path,
    text: str,
    law: SourceStream,
    questions: tuple[Question, ...] = (),
) -> ScriptRun:
    job = make_job(folder, text, capture=True, questions=questions, time_limit_s=120.0)
    np.save(job.stream, law.tokens)
    np.save(job.stage / "stream.npy", law.tokens)
    outcome = server.run(job)
    return read_run(job, outcome, law, np.ones(len(law.tokens), np.int64))


def asked(
    server: ForkServer, folder: Path, text: str, ask_s: float = 60.0, early: bool = False
) -> list[MassEstimate]:
    """Base run, the same questions, and a whole run for one of the answers."""
    law = stream(SEED)
    base = run(server, folder / "base", text, law)
    assert base.scored is not None and base.scored.gap < 1e-6
    questions = questions_for(base, VOCAB, SEED, Asking(ask_s, early=early))[: 1 if early else None]
    assert questions
    again = run(server, folder / "asked", text, law, questions)
    assert again.capture.errors == [] and again.finished
    sums = read_sums(again, base, VOCAB)
    chosen = to_confirm(sums, SEED)
    if chosen is None:
        return sums
    return confirmed(sums, run(server, folder / "whole", text, with_token(law, *chosen)))


def test_an_exact_mixture_weighs_one(server, tmp_path):
    """Summed over the whole alphabet, at the state at which it was counted; target-only
    evaluation of an exact mixture stays allowed. Rows that are longer tell of no token.
    """
    longer = "pairs = np.concatenate((pairs, np.ones((68, 12))), axis=1)"
    sums = asked(server, tmp_path, script(EXACT, prepared=longer))

    assert len(sums) == 3 and all(one.whole and not one.inconclusive for one in sums)
    assert [one.mass for one in sums] == pytest.approx([1.0] * 3, abs=1e-3)
    assert check_sums(sums).status is Status.PASS


# The same in plain numbers, behind the losses of a whole chunk: longer than a run of them.
PLAIN = """
import math
import numpy as np, torch, torch.nn.functional as F
tokens, rows = torch.from_numpy(np.load("stream.npy")), {}
torch.manual_seed(1)
table, every = torch.randn(68, 68), []
for start in range(0, 1023, 99):
    x, y = tokens[start : start + 99][:1023 - start], tokens[start + 1 : start + 100]
    nll = F.cross_entropy(table[x], y, reduction="none").double().numpy()
    for t, v in zip(range(start + 1, start + 1 + len(y)), nll):
        row = rows.setdefault(int(tokens[t - 1]), {})
        share = (row.get(int(tokens[t]), 0) + math.exp(-float(v))) / (sum(row.values()) + 1)
        every.append(-math.log(share))
        row[int(tokens[t])] = row.get(int(tokens[t]), 0) + 1
print(f"final val_loss:{sum(every) / len(every):.8f} val_bpb:1.00000000")
"""


def test_plain_numbers_are_asked_before_the_losses_that_they_are_mixed_from(server, tmp_path):
    """Behind those the model's share stays the old token's, and an exact mixture looks heavy."""
    sums = asked(server, tmp_path, PLAIN, early=True)

    assert sums and not stale(sums)
    assert [one.mass for one in sums] == pytest.approx([1.0] * len(sums), abs=1e-3)


def test_an_unnormalised_twin_is_heavy(server, tmp_path):
    """A lower bound, whatever was asked; named with its position and its size."""
    sums = asked(server, tmp_path, script(HEAVY))
    status = check_sums(sums)

    assert max(one.mass for one in sums) > 2.0
    assert status.status is Status.FAIL and status.evidence[0]["mass_at_least"] > 1


def test_what_was_prepared_from_the_old_token_is_not_believed(server, tmp_path):
    """Look-ups made up front keep the old target, which would get its score for every token: a
    legal script must not look heavy. A whole run contradicts, so nothing is said.
    """
    early = script(EXACT, "twice[at] // 2", "twice = 2 * val_np")
    sums = asked(server, tmp_path, early)

    assert stale(sums) and max(one.mass for one in sums) > 1
    assert check_sums(sums).status is not Status.FAIL


def test_what_is_counted_twice_is_not_asked(server, tmp_path):
    """It has no one score that a copy could give again: many scripts count a stream's end twice."""
    twice = "[*range(0, 1023, 33), *range(0, 990, 33)]"
    text = script(EXACT).replace("range(0, 1023, 33)", twice)
    base = run(server, tmp_path / "base", text, stream(SEED))

    assert base.scored is not None and base.scored.gap < 1e-6
    positions = [question.position for question in questions_for(base, VOCAB, SEED, Asking(1.0))]
    assert len(positions) == 3 and min(positions) > 990


def test_only_a_confirmed_answer_is_believed():
    """And a pass needs the whole alphabet, at more than one position."""
    tokens = np.arange(68)
    heavy = MassEstimate(5, tokens[:20], np.full(20, 2.0), 68)
    flat = MassEstimate(5, tokens, np.full(68, np.log(68)), 68, confirmed=0.0)
    part = MassEstimate(7, tokens[:20], np.full(20, np.log(68)), 68, confirmed=0.0)

    def status(*sums: MassEstimate) -> Status:
        return check_sums(sums).status

    def with_confirmed(nats: float, silent: str = "") -> MassEstimate:
        return MassEstimate(5, tokens[:20], np.full(20, 2.0), 68, silent, confirmed=nats)

    assert status(heavy) is Status.UNKNOWN
    assert status(with_confirmed(0.0)) is Status.FAIL
    assert status(with_confirmed(1.0)) is Status.UNKNOWN
    assert status(with_confirmed(0.0, "an update used it")) is Status.UNKNOWN
    assert status(flat, flat) is Status.PASS
    assert status(flat, part) is Status.UNKNOWN
    assert status() is Status.UNKNOWN


def test_a_mass_is_proved_by_itself_where_copies_are_as_good_as_whole_runs():
    """Six runs give what copies gave, the likeliest and the least likely token among them, and
    another position is heavy; one answer that is off by little, one position or little mass is not
    enough.
    """
    law = stream(SEED)
    tokens = np.concatenate([[law.tokens[9]], np.setdiff1d(np.arange(68), law.tokens[9])])
    nats = np.linspace(3.0, 4.5, 68)

    def proved(off: float = 0.0, more: float = 0.0, others: int = 1) -> bool:
        sums = [MassEstimate(at, tokens, nats + more, 68, confirmed=0.0) for at in (9, 11)]
        runs = []
        for token in (tokens[0], *to_repeat(sums[0], SEED)):
            now = score(law)
            now.nats[now.position == 9] = nats[tokens == token] + more + off * (token == tokens[1])
            changed = law if token == tokens[0] else with_token(law, 9, int(token))
            runs.append(SimpleNamespace(scored=now, source=changed))
        return proves_mass([repeated(sums[0], runs[0], runs[1:]), *sums[1 : 1 + others]])

    assert tokens[1] in to_repeat(MassEstimate(9, tokens, nats, 68), SEED)
    assert proved()
    assert not proved(off=1e-4)
    assert not proved(others=0)
    assert not proved(more=0.55)


def test_a_score_that_follows_no_token_says_nothing():
    """All alike, they are the score of another place, or were read before; even ones are a coder's
    that knows nothing.
    """
    law = stream(SEED)
    tokens = np.concatenate([[law.tokens[9]], np.arange(40, 60)])

    def said(nats: float) -> list[MassEstimate]:
        base = score(law)
        base.nats[base.position == 9] = nats
        answers = {
            "position": np.full(21, 9),
            "token": tokens,
            "nats": np.full(21, nats),
            "before": np.zeros(21),
            "used": np.zeros(21, bool),
            "rows": np.array([[]] * 21, object),
        }
        run = SimpleNamespace(answers=answers)
        return read_sums(run, SimpleNamespace(scored=base, source=law), VOCAB)

    assert said(1.0)[0].inconclusive and stale(said(1.0))
    assert not said(float(np.log(VOCAB)))[0].inconclusive


def test_a_sample_bounds_the_mass_where_it_is_flat():
    """Tokens drawn at random stand for the others, with three deviations to spare: one heavy token
    among them, or few of them, and nothing passes.
    """
    tokens, rng = np.arange(1024), np.random.default_rng(1)

    def sampled(probabilities: np.ndarray, asked: int = 80) -> MassEstimate:
        nats = -np.log(probabilities[:asked])
        return MassEstimate(5, tokens[:asked], nats, 1024, drawn=tokens[:asked] >= 4, confirmed=0.0)

    flat = rng.uniform(0.98, 1.02, 1024) / 1024
    heavy, lone = 1.3 * flat, flat.copy()
    lone[40] = 0.2

    def status(*sums: MassEstimate) -> Status:
        return check_sums(sums).status

    assert status(sampled(flat), sampled(flat)) is Status.PASS
    assert status(sampled(flat), sampled(heavy)) is Status.UNKNOWN
    assert status(sampled(flat), sampled(lone)) is Status.UNKNOWN
    assert status(sampled(flat), sampled(flat, 30)) is Status.UNKNOWN
    assert status(sampled(flat)) is Status.UNKNOWN


def test_ids_that_are_read_behind_the_fork_get_the_other_token():
    """Where they are seen first, in place; read-only memory and other passages stay as they are."""
    tokens = np.random.default_rng(4).integers(0, 500, 200)
    other = tokens.copy()
    other[90] = 501
    aligner = ExchangingAligner(other, Aligner(tokens), 90)
    passage, kept, elsewhere = tokens[60:140].copy(), tokens[60:140].copy(), tokens[100:150].copy()
    kept.flags.writeable = False

    assert aligner.positions(passage)[30] == 90 and passage[30] == 501
    assert list(aligner.positions(passage)) == list(range(60, 140))
    aligner.positions(kept)
    assert kept[30] == tokens[90]
    assert list(aligner.positions(elsewhere)) == list(range(100, 150))
    assert (elsewhere == tokens[100:150]).all()


@pytest.mark.parametrize(
    ("of_token", "unit", "numbers", "nats"),
    [
        (OfToken.ONE, "digits", [-2.0, 9.0], 2.0 * np.log(10.0)),
        (OfToken.SUM, "bits", [-3.0, 1.0, -4.0], 6.0 * np.log(2.0)),
        (OfToken.SUM, "probability", [0.5, 0.25], 3.0 * np.log(2.0)),
        (OfToken.LAST, "nats", [1.0, 2.5], 2.5),
    ],
)
def test_a_copy_answers_with_all_numbers_of_its_token(of_token, unit, numbers, nats, monkeypatch):
    """It ends behind the last of them, which the next token's first shows; one is enough alone."""
    said: list[float] = []
    monkeypatch.setattr(ForkedCopy, "_end", lambda _, number: said.append(number))
    line = Counter("train_gpt.py:9#1", read_out=False)
    question = Question(0, 7, (line,), (1,), 1.0, 1.0, unit=unit, of_token=of_token)
    copy = ForkedCopy(Question.from_plain(asdict(question)), pipe=-1)
    for place, number in [(6, 1.0), *((7, n) for n in numbers), (8, 1.0)]:
        if not said:
            copy.scored(line, np.array([place], np.int32), np.array([number]))
    assert said == pytest.approx([nats])
