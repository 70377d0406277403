"""The referee against real worker processes that hold toy predictors, honest and otherwise."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.checks.causality import check_causality
from harness.checks.coverage import check_coverage
from harness.checks.mass import check_mass
from harness.checks.referee_order import check_referee_order
from harness.checks.status import RuleStatus
from harness.errors import ContractError, SubmissionError, WorkerDied
from harness.evidence import Run
from harness.ledger import Mark

# A bigram counter, mixed with a unigram one: causal, normalised, learns from `adapt` only.
COUNTER = """
import torch

class Counter:
    def __init__(self, context):
        self.vocab_size = V = 1024
        self.pairs = torch.full((V, V), 0.01)
        self.singles = torch.full((V,), 0.1)

    def log_probs(self, windows, scored):
        last = windows[:, -scored:]
        pairs = self.pairs[last]
        p = 0.7 * pairs / pairs.sum(-1, keepdim=True) + 0.3 * self.singles / self.singles.sum()
        return p.log()

    def adapt(self, tokens):
        one = torch.ones(len(tokens) - 1)
        self.pairs.index_put_((tokens[:-1], tokens[1:]), one, accumulate=True)
        self.singles.index_put_((tokens[1:],), one, accumulate=True)
"""

HONEST = COUNTER + "build = Counter\n"


def counter_with(body: str) -> str:
    """The counter with some of its methods replaced; `super()` is the honest one."""
    return COUNTER + "class build(Counter):\n" + body


def uniform_with(body: str) -> str:
    """A fixed uniform predictor with a weight `w` and a buffer `seen`, around a scoring body."""
    return f"""
import os, time
import torch
from torch import nn

class build(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.vocab_size = 1024
        self.w = nn.Parameter(torch.zeros(1024))
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("noise", torch.zeros(()))
        self.inner = nn.Identity()

    def rows(self, windows, scored):
        rows = torch.log_softmax(self.w.detach(), -1).expand(len(windows), scored, 1024)
        return self.inner(rows).clone()

    def log_probs(self, windows, scored):
{body}

    def adapt(self, tokens):
        pass
"""


@pytest.fixture
def judged(by_rule) -> Callable[[Run], dict[str, RuleStatus]]:
    def judge(run: Run) -> dict[str, RuleStatus]:
        found = [check_mass(run), check_causality(run), *check_referee_order(run)]
        return by_rule(found + check_coverage(run))

    return judge


def statuses(judged: dict[str, RuleStatus]) -> dict[str, str]:
    return {rule: status.status.value for rule, status in judged.items()}


ALL_PASS = dict.fromkeys(
    ("NORM-1", "CAUSAL-1", "ORDER-1", "ORDER-2", "ORDER-7", "PASS-1", "PASS-3"), "pass"
)


def test_an_honest_adaptive_predictor_passes_everything(native, run_native, judged):
    """A bigram counter: every rule of the law passes, and what it learned lowers its score."""
    run = run_native(native("predictor", HONEST))

    assert statuses(judged(run)) == ALL_PASS
    assert run.complete and len(run.probes) == 8
    assert len(run.ledger.updates) == 3  # four chunks; never after the last
    first, last = run.ledger.nats[1:193], run.ledger.nats[-192:]
    assert last.mean() < first.mean() - 0.3


def test_scores_are_what_the_predictor_says_of_the_true_token(native, run_native):
    """The ledger's nats and masses equal a recomputation outside the referee, chunk by chunk."""
    run = run_native(native("predictor", HONEST))
    tokens = run.stream.tokens
    pairs, singles = np.full((1024, 1024), 0.01), np.full(1024, 0.1)
    learned = 1
    for t in range(1, len(tokens)):
        if (t - 1) % 192 == 0:
            np.add.at(pairs, (tokens[learned - 1 : t - 1], tokens[learned:t]), 1)
            np.add.at(singles, tokens[learned:t], 1)
            learned = t
        row = pairs[tokens[t - 1]]
        p = 0.7 * row / row.sum() + 0.3 * singles / singles.sum()
        assert run.ledger.nats[t] == pytest.approx(-np.log(p[tokens[t]]), abs=1e-4)

    np.testing.assert_allclose(run.ledger.mass[1:], 1.0, atol=1e-5)


def test_probes_are_asked_before_the_score_and_in_its_place(native, run_native):
    """Altered futures come first, so a remembered answer cannot serve; each leaves a mark."""
    run = run_native(native("predictor", HONEST))
    marks = [e for e in run.ledger.events if isinstance(e, Mark) and e.what == "probe"]

    assert [m.detail.split()[1] for m in marks] == [str(p.cut) for p in run.probes]
    assert {p.kind for p in run.probes} >= {"chunk edge", "window edge", "interior"}


@pytest.mark.parametrize(("mass", "status"), [(2.0, "fail"), (0.5, "pass")])
def test_mass_above_one_fails_and_below_one_is_reported(native, run_native, judged, mass, status):
    """The sum over the alphabet is the finding; giving probability away only hurts its author."""
    body = f"""
    def log_probs(self, windows, scored):
        return super().log_probs(windows, scored) + torch.tensor({mass}).log()
"""
    found = judged(run_native(native("predictor", counter_with(body)), 300))

    assert statuses(found) == ALL_PASS | {"NORM-1": status}
    assert found["NORM-1"].findings[0]["worst_mass"] == pytest.approx(mass, rel=1e-4)
    assert f"worst sum {mass:.7g}"[:12] in found["NORM-1"].message or mass < 1


def test_a_row_that_weighs_infinitely_much_is_a_mass_finding(native, run_native, judged):
    """An absurd log-probability on a token that does not come is no crash of ours."""
    body = """
    def log_probs(self, windows, scored):
        rows = super().log_probs(windows, scored)
        rows[..., 0] = 1e4
        return rows
"""
    found = judged(run_native(native("predictor", counter_with(body)), 300))

    assert found["NORM-1"].status == "fail"


PEEK = """
    def log_probs(self, windows, scored):
        rows = super().log_probs(windows, scored)
        flat = rows.view(-1, 1024)
        # The stream, laid side by side from all the windows of the batch.
        if len(windows) > 1:
            joined = torch.cat([windows[0], windows[1:, -scored:].reshape(-1)])
            targets = joined[len(windows[0]) - scored + 1 :]
            known = flat[: len(targets)].exp()
            known *= 0.5
            known[torch.arange(len(targets)), targets] += 0.5
            flat[: len(targets)] = known.log()
        return rows
"""


def test_finding_targets_in_other_windows_of_the_batch_is_proved(native, run_native, judged):
    """Rows that read later windows sum to one and are scored first; another future moves them."""
    run = run_native(native("predictor", counter_with(PEEK)))
    found = judged(run)

    assert statuses(found) == ALL_PASS | {"CAUSAL-1": "fail"}
    broken = [p for p in run.probes if p.violated]
    assert all(p.moved_nats > 0.5 and p.noise_nats == 0 for p in broken)
    assert all(p.moved_at is not None and p.moved_at <= p.cut for p in broken)


def test_finding_targets_inside_the_same_window_is_proved(native, run_native, judged):
    """A row that sees the next token of its own window (no causal mask) is caught as well."""
    body = """
    def log_probs(self, windows, scored):
        rows = super().log_probs(windows, scored).exp() * 0.5
        b, i = torch.meshgrid(torch.arange(len(windows)), torch.arange(scored - 1), indexing="ij")
        rows[:, -1] *= 2
        rows[b, i, windows[:, -scored:][:, 1:]] += 0.5
        return rows.log()
"""
    found = judged(run_native(native("predictor", counter_with(body))))

    assert statuses(found) == ALL_PASS | {"CAUSAL-1": "fail"}


def test_an_unrepeatable_predictor_is_undecided_never_failed(native, run_native, judged):
    """Rows that differ between identical questions: noise explains a move, nothing is claimed."""
    body = """
    def log_probs(self, windows, scored):
        rows = super().log_probs(windows, scored)
        return torch.log_softmax(rows + 0.01 * torch.randn(rows.shape), -1)
"""
    run = run_native(native("predictor", counter_with(body)))
    found = judged(run)

    assert statuses(found) == ALL_PASS | {"CAUSAL-1": "unknown"}
    assert all(p.undecided and p.noise_nats > 1e-3 for p in run.probes)


def test_caches_that_log_probs_keeps_are_rewound_around_probes(native, run_native, judged):
    """With snapshot and restore, a call counter sees true questions only, so nothing moves."""
    body = """
    calls = 0
    def log_probs(self, windows, scored):
        self.calls += 1
        rows = super().log_probs(windows, scored)
        return torch.log_softmax(rows * (1 + 0.05 * self.calls), -1)
"""
    rewind = """
    def snapshot(self):
        return self.calls
    def restore(self, state):
        self.calls = state
"""
    with_rewind = judged(run_native(native("predictor", counter_with(body + rewind), "rewinds")))
    without = judged(run_native(native("predictor", counter_with(body), "remembers")))

    assert statuses(with_rewind) == ALL_PASS
    assert without["CAUSAL-1"].status != "pass"


ORDER_7 = {
    "a parameter written through .data inside inference_mode": (
        "        self.w.data.add_(0.25)\n        return self.rows(windows, scored)",
        "fail",
    ),
    "inference_mode turned off around a module": (
        "        with torch.inference_mode(False), torch.enable_grad():\n"
        "            return self.rows(windows.clone(), scored).detach()",
        "fail",
    ),
    "a buffer changed only": (
        "        self.seen += 1\n        return self.rows(windows, scored)",
        "pass",
    ),
    "nothing changed": ("        return self.rows(windows, scored)", "pass"),
}


@pytest.mark.parametrize(("body", "status"), ORDER_7.values(), ids=ORDER_7)
def test_weights_and_flags_while_scoring(native, run_native, judged, body, status):
    """ORDER-7 fails where parameters move or inference_mode is off; buffers are only reported."""
    run = run_native(native("predictor", uniform_with(body)), 100)
    found = judged(run)

    assert found["ORDER-7"].status == status
    assert "fail" not in {s for rule, s in statuses(found).items() if rule != "ORDER-7"}
    assert ("buffers changed" in found["ORDER-7"].message) == ("seen" in body)
    assert found["ORDER-7"].witness == "worker"  # it is the worker's own word


BROKEN = {
    "float64": ("        return self.rows(windows, scored).double()", "float64.*torch.float32"),
    "a wrong shape": (
        "        return self.rows(windows, scored)[:, :-1]",
        r"shape \(1, 31, 1024\)",
    ),
    "NaN": ("        return self.rows(windows, scored) * float('nan')", "positions 1-32 hold NaN"),
    "probability zero": (
        "        return self.rows(windows, scored) - float('inf')",
        "position 1: .*probability zero",
    ),
    "no tensor": ("        return None", "returned NoneType"),
}


@pytest.mark.parametrize(("body", "message"), BROKEN.values(), ids=BROKEN)
def test_an_answer_outside_the_contract_says_what_was_asked(native, run_native, body, message):
    """A ContractError that names what came and what the contract asks for."""
    with pytest.raises(ContractError, match=message):
        run_native(native("predictor", uniform_with(body)), 100)


def test_an_exception_of_the_submission_comes_with_its_place(native, run_native):
    """Type, message, file and line of the submission's own error, and what it printed."""
    body = "        print('about to fail')\n        raise KeyError('missing table')"

    with pytest.raises(SubmissionError, match=r"KeyError.*missing table.*toy\.py:\d+") as raised:
        run_native(native("predictor", uniform_with(body)), 100)
    assert "about to fail" in str(raised.value)


def test_a_crash_and_a_hang_end_as_a_dead_worker_with_its_last_words(native, run_native):
    """A killed process names its exit; a hang ends at the time limit, not later."""
    crash = "        print('last words', flush=True)\n        os.abort()"
    with pytest.raises(WorkerDied, match=r"ended \(exit -6\)") as raised:
        run_native(native("predictor", uniform_with(crash), "crashes"), 100)
    assert "last words" in raised.value.log_tail

    hang = "        print('going to sleep')\n        time.sleep(600)"
    started = time.monotonic()
    with pytest.raises(WorkerDied, match="gave no answer within its 4 s") as raised:
        run_native(native("predictor", uniform_with(hang), "hangs"), 100, time_limit_s=4.0)
    assert time.monotonic() - started < 8
    assert "going to sleep" in raised.value.log_tail


def test_a_worker_that_died_takes_its_children_with_it(native, run_native, tmp_path):
    """Nothing that a submission started outlives its run, also when the worker itself is gone."""
    pid_file = tmp_path / "pid"
    body = f"""
        import subprocess
        child = subprocess.Popen(["sleep", "300"])
        open({str(pid_file)!r}, "w").write(str(child.pid))
        os._exit(3)
"""
    with pytest.raises(WorkerDied, match="exit 3"):
        run_native(native("predictor", uniform_with(body)), 100)
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 2
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    survived = _alive(pid)
    if survived:
        os.kill(pid, 9)

    assert not survived


def _alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return state not in ("", "Z")


def test_printing_does_no_harm(native, run_native, judged):
    """stdout and stderr are not the channel: nonsense, JSON and megabytes go to the log."""
    body = """
        import sys
        print('{"op": "rows", "fields": {}, "arrays": {}}')
        print("x" * 200_000, file=sys.stderr)
        sys.stdout.buffer.write(bytes(range(256)))
        return self.rows(windows, scored)
"""
    run = run_native(native("predictor", uniform_with(body)), 100)

    assert statuses(judged(run)) == ALL_PASS


GARBAGE = {
    "text": b"hello, referee\n" * 4,
    "a huge length": b"\xff\xff\xff\xff",
    "an empty message": b"\x00\x00\x00\x00",
    "forged rows without rows": b'\x00\x00\x00\x2c{"op": "rows", "fields": {}, "arrays": {}      }',
    "forged rows of another kind": b'\x00\x00\x00\x41{"op":"rows","fields":{},"arrays":'
    b'{"rows":{"dtype":"object"}}     }',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_on_the_channel_is_the_submissions_error(native, run_native, garbage):
    """A submission that finds the descriptor and writes on it is told so; the harness goes on."""
    body = f"""
        import sys
        os.write(int(sys.argv[1]), {garbage!r})
        return self.rows(windows, scored)
"""
    with pytest.raises(SubmissionError):
        run_native(native("predictor", uniform_with(body)), 100)


def test_a_predictor_over_another_alphabet_is_refused(native, run_native):
    """512 entries against a tokenizer of 1,024: an error with a cure, before any score."""
    code = uniform_with("        pass").replace("self.vocab_size = 1024", "self.vocab_size = 512")

    with pytest.raises(ContractError, match=r"512 entries.*1024.*--data"):
        run_native(native("predictor", code), 100)


FACTORIES = {
    "no such factory": ("x = 1", "defines no 'build'"),
    "a syntax error": ("def build(:", "SyntaxError"),
    "a failing import": ("import no_such_module_anywhere", "no_such_module_anywhere"),
    "an exit at import": ("import sys; sys.exit(0)", "ended"),
}


@pytest.mark.parametrize(("code", "message"), FACTORIES.values(), ids=FACTORIES)
def test_a_file_that_cannot_be_loaded_is_the_submissions_error(native, run_native, code, message):
    """Whatever the file does instead of defining its factory, the message names it."""
    with pytest.raises(SubmissionError, match=message):
        run_native(native("predictor", code), 100)


def test_the_worker_sees_only_what_was_counted(native, run_native):
    """The worker's folder holds code and manifest; a data file beside them is not there to read."""
    body = "        raise RuntimeError(sorted(os.listdir()))"
    folder = native("predictor", uniform_with(body))
    (folder / "table.npy").write_bytes(b"not counted")

    with pytest.raises(SubmissionError, match=r"\['submission.json', 'toy.py'\]"):
        run_native(folder, 100)


def test_the_worker_inherits_no_secrets(native, run_native, monkeypatch):
    """The environment is a short list; a token of the caller's is not in it."""
    monkeypatch.setenv("CALLERS_SECRET", "hunter2")
    body = "        raise RuntimeError('CALLERS_SECRET' in os.environ)"

    with pytest.raises(SubmissionError, match="RuntimeError: False"):
        run_native(native("predictor", uniform_with(body)), 100)


def test_a_broken_run_keeps_its_evidence(native, run_native, tmp_path):
    """Half-way through, the ledger's file already holds every score, and scores.npz follows."""
    body = """
        self.seen += 1
        if self.seen > 5:
            raise RuntimeError("half-way")
        return self.rows(windows, scored)
"""
    kept: list[Run] = []
    with pytest.raises(SubmissionError, match="half-way"):
        run_native(native("predictor", uniform_with(body)), into=kept)
    (run,) = kept
    lines = [json.loads(line) for line in run.ledger.path.read_text().splitlines()]

    assert not run.complete
    assert [line["event"] for line in lines].count("SCORE") == len(run.ledger.scores) > 0
    assert Path(run.ledger.path).with_name("scores.npz").exists()
