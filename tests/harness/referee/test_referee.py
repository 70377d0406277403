"""The referee against real worker processes that hold toy predictors, honest and otherwise."""

import numpy as np
import pytest
from toy_predictors import HONEST, counter_with, uniform_with

from harness.checks.status import Finding
from harness.referee.ledger import Mark
from harness.streams.probes import N_CUTS, N_OPENED


def statuses(judged: dict[str, Finding]) -> dict[str, str]:
    return {rule: status.status.value for rule, status in judged.items()}


ALL_PASS = dict.fromkeys(
    ("NORM-1", "CAUSAL-1", "ORDER-1", "ORDER-2", "ORDER-7", "PASS-1", "PASS-3"), "pass"
)


def test_an_honest_adaptive_predictor_passes_everything(native, run_native, judged):
    """A bigram counter: every rule of the law passes, and what it learned lowers its score."""
    run = run_native(native("predictor", HONEST))

    found = judged(run)
    assert statuses(found) == ALL_PASS
    assert "no parameters to change" in found["ORDER-7"].message  # it counts, and has no weights
    assert run.complete and len(run.probes) == N_CUTS + N_OPENED
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
    assert found["NORM-1"].evidence[0]["worst_mass"] == pytest.approx(mass, rel=1e-4)
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
    assert ("parameters unchanged" in found["ORDER-7"].message) == (status == "pass")
    assert found["ORDER-7"].witness == "worker"  # it is the worker's own word
