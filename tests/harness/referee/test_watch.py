"""Watched programs: legal loops are never accused, cheats are named only beside a proof, and what
was not seen stays unknown.
"""

import numpy as np
import pytest
from toy_programs import (
    ADAMW,
    CHEATS,
    HEADLINE,
    LEARN_FIRST,
    LEGAL,
    OPTIMIZERS,
    PRELUDE,
    SCORE_FIRST,
    SPELLINGS,
    spelled,
)

from harness.checks.headline import find_headline
from harness.checks.program_order import NAMED, check_program_order
from harness.checks.status import Level, Status
from harness.errors import ContractError, SubmissionError
from harness.referee.ledger import Mark
from harness.referee.program_run import headline
from harness.referee.run import Run
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard

N_TOKENS = 640


@pytest.fixture
def watched(native, run_native):
    """Runs a program's loop, between the common beginning and the headline."""

    def run(loop: str, end: str = HEADLINE) -> Run:
        return run_native(native("program", PRELUDE + loop + "\n" + end), N_TOKENS)

    return run


def order(run: Run, proved: bool) -> dict[str, Status]:
    """The order rules of a run, the source test refuted or not."""
    return {s.rule: s.status for s in check_program_order(run, find_headline(run), proved)}


ALL_PASS = dict.fromkeys(NAMED, Status.PASS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_score_first_is_legal_under_every_optimiser(watched, optimizer):
    """Score, then step: no headline score from weights that had learned its token, whatever state
    the optimiser carries from chunk to chunk.
    """
    run = watched(optimizer + SCORE_FIRST)

    assert order(run, proved=True) == ALL_PASS
    assert run.ledger.used_unscored == []
    assert len(run.ledger.updates) >= 3


@pytest.mark.parametrize("loop", LEGAL.values(), ids=LEGAL)
def test_a_legal_loop_passes_even_beside_a_refuted_source(watched, loop):
    """Restored warm-ups, dropped adapters, diagnostics and unusual modes are no updates; the order
    rules pass although the source test is taken to have refuted something.
    """
    assert order(watched(loop), proved=True) == ALL_PASS


@pytest.mark.parametrize("rule", CHEATS)
def test_a_cheat_is_named_beside_a_proof_and_undecided_without(watched, rule):
    """Exactly one rule explains it: fail where the source test refuted, else unknown."""
    run = watched(CHEATS[rule])
    proved, unproved = order(run, proved=True), order(run, proved=False)

    assert proved == dict.fromkeys(NAMED, Status.UNKNOWN) | {rule: Status.FAIL}
    assert set(unproved.values()) == {Status.UNKNOWN}
    assert any(e.score.learned and "toy.py:" in e.score.site for e in run.captured)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_learning_first_is_seen_under_every_optimiser(watched, optimizer):
    """No optimiser, foreach and fused ones included, writes weights unseen."""
    assert order(watched(optimizer + LEARN_FIRST), proved=True)["ORDER-1"] is Status.FAIL


def test_the_headline_is_rebuilt_from_every_known_spelling(watched):
    """Each target is captured once, at its place, and the sum is the printed number."""
    run = watched(spelled(*SPELLINGS))
    found = find_headline(run)

    assert sorted(p for e in run.captured for p in e.positions) == list(range(1, N_TOKENS))
    assert len(run.captured) >= len(SPELLINGS)
    assert found is not None and abs(found.gap_nats) < 1e-6
    assert order(run, proved=False) == ALL_PASS


UNSEEN = {
    "an unknown spelling": spelled("-rows.log_softmax(-1)[range(len(targets)), targets].sum()"),
    "scores worked out in numpy": spelled(
        "float(np.log(np.exp(rows.numpy().astype(float)).sum(1)).sum()"
        " - rows.numpy().astype(float)[range(len(targets)), targets.numpy()].sum())"
    ),
    "weights written through numpy": """
for chunk in chunks:
    nats += score(chunk)
    model.out.bias.detach().numpy()[:] += np.bincount(
        program.tokens[chunk.start : chunk.stop], minlength=1024
    )
""",
    "sums that carry a gradient": ADAMW
    + """
for chunk in chunks:
    nats += sum(losses_of(b, model).sum().item() for b in chunk.batches)
    learn(chunk, optimizer)
""",
}


@pytest.mark.parametrize("loop", UNSEEN.values(), ids=UNSEEN)
def test_what_the_hooks_did_not_see_is_unknown(watched, loop):
    """Neither a pass nor an accusation, whatever the source test says."""
    run = watched(loop)

    for proved in (True, False):
        assert set(order(run, proved).values()) == {Status.UNKNOWN}


def test_a_write_through_numpy_leaves_a_mark(watched):
    """The fingerprints differ and no write was seen: that is on record."""
    run = watched(UNSEEN["weights written through numpy"])

    assert find_headline(run) is not None
    assert any(isinstance(e, Mark) and "unattributed" in e.what for e in run.ledger.events)


def test_captured_losses_are_those_of_the_program(watched):
    """Position by position: a program that prints its own losses agrees with what was captured."""
    loop = """
for chunk in chunks:
    nats += score(chunk)
    with torch.inference_mode():
        for batch in chunk.batches:
            print("LOSS", *losses_of(batch, model).tolist())
"""
    run = watched(loop)
    log = run.ledger.path.parent.with_name("main.log").read_text()
    printed = [
        float(x) for line in log.splitlines() if line[:4] == "LOSS" for x in line.split()[1:]
    ]
    found = find_headline(run)

    assert found is not None
    np.testing.assert_allclose(found.nats[1:], printed, rtol=1e-5)


BAD_ENDS = {
    "no headline": ("nats = 1.0", "print('done')", r"no headline; print `val_loss:.*at the end"),
    "a diagnostic only": (
        "nats = sum(map(score, chunks))",
        "program.print_headline(nats, n_targets, tag='DIAGNOSTIC')",
        "no headline",
    ),
    "fewer targets": (
        "nats = sum(map(score, chunks[1:]))",
        "program.print_headline(nats, n_targets - 192)",
        r"covers 447 targets of 639.*PASS-3",
    ),
    "not a number": ("nats = float('nan')", HEADLINE, "no headline"),
    "exit code 1": ("nats = sum(map(score, chunks))", "raise SystemExit(1)", "exited with 1"),
    "an exception": ("", "raise OSError('disk full')", r"OSError: disk full \(at .*toy.py:\d+\)"),
}


@pytest.mark.parametrize(("loop", "end", "message"), BAD_ENDS.values(), ids=BAD_ENDS)
def test_a_program_without_a_claim_is_told_what_is_missing(watched, loop, end, message):
    """SubmissionError with the cause and, where there is one, the cure."""
    with pytest.raises(SubmissionError, match=message):
        watched(loop, end)


FORGED = {
    "a score without arrays": '{"op": "score", "fields": {}, "arrays": {}}',
    "an update without fields": '{"op": "update", "fields": {}, "arrays": {}}',
    "an update of no ranges": '{"op": "update", "fields": {"positions": [[1]], "weights_before": 0,'
    ' "weights_after": 0}, "arrays": {}}',
    "an update out of the stream": '{"op": "update", "fields": {"positions": [[-9, 9999]],'
    ' "weights_before": 0, "weights_after": 0}, "arrays": {}}',
    "an empty score": '{"op": "score", "fields": {}, "arrays": {"positions": {"dtype": "int64",'
    ' "shape": [0], "offset": 0}, "nats": {"dtype": "float64", "shape": [0], "offset": 0}}}',
    "no event": '{"op": "rows", "fields": {}, "arrays": {}}',
}


@pytest.mark.parametrize("body", FORGED.values(), ids=FORGED)
def test_a_forged_event_is_the_submissions_error(native, run_native, body):
    """Well-formed messages that make no sense are refused; none of them brings the harness down."""
    code = f"""
import os, sys
body = {body!r}.encode()
os.write({{SOCKET}}, len(body).to_bytes(4, "big") + body)
"""
    find = "int(open('/proc/self/cmdline').read().split(chr(0))[4])"

    with pytest.raises(ContractError, match=r"malformed|not an event"):
        run_native(native("program", code.replace("{SOCKET}", find)), 100)


def test_leaving_by_exit_zero_is_an_ordinary_end(watched):
    """`sys.exit(0)` and `sys.exit()` after the headline are how many scripts stop."""
    assert watched("nats = sum(map(score, chunks))", HEADLINE + "raise SystemExit(0)").complete


def line(loss: object = "5.1234", tokens: int = N_TOKENS - 1, tag: str = "") -> str:
    return f"{tag}val_loss:{loss} val_bpb:2.5 val_tokens:{tokens}\n"


def test_the_last_headline_that_is_no_diagnostic_counts(short_stream):
    """Later lines replace earlier ones, diagnostics never do; resolution is half the last place."""
    log = line("9.0") + "noise\n" + line("5.12", tag="final ") + line("1.0", tag="Diagnostic ")

    claim = headline(log, short_stream)

    assert (claim.nats_per_token, claim.bits_per_byte) == (5.12, 2.5)
    assert claim.half_unit == pytest.approx(0.005)
    assert claim.text == line("5.12", tag="final ").strip()


@pytest.mark.parametrize(
    "log", ["", "val_loss:5.1\n", line("nan"), line("1e-3"), line().strip() + " and more\n"]
)
def test_other_lines_are_no_headline(short_stream, log):
    """Only the whole line, with all three numbers, is a claim."""
    with pytest.raises(ContractError, match="no headline"):
        headline(log, short_stream)


@pytest.fixture
def short_data(data_folder: DataFolder, tmp_path):
    """2,000 validation tokens, so that the whole command takes seconds."""
    root = tmp_path / "short"
    root.mkdir()
    (root / "tokenizer.model").write_bytes(data_folder.tokenizer.read_bytes())
    write_shard(root / "fineweb_train_000000.bin", data_folder.train_tokens(4_000))
    write_shard(root / "fineweb_val_000000.bin", data_folder.validation_tokens()[:2_000])
    return root


def test_a_legal_program_comes_out_for_review_with_its_order_passed(native, evaluate, short_data):
    """Watched programs cannot be CLEAN: one run shows neither causality nor mass. Not accused."""
    folder = native("program", PRELUDE + ADAMW + SCORE_FIRST + HEADLINE)

    done = evaluate(folder, data=short_data)

    assert (done.report["verdict"], done.code) == ("REVIEW", 3), done.report["rules"]
    assert {done.status(rule) for rule in NAMED} == {"pass"}
    assert (done.status("CAUSAL-1"), done.status("NORM-1")) == ("unknown", "unknown")
    assert (done.status("SOURCE-1"), done.status("BYTES-1")) == ("pass", "pass")
    assert done.report["rules"]["ORDER-1"]["level"] == Level.INSTRUMENTED
    assert done.report["score"]["tokens"] == 1_999


def test_a_crash_half_way_keeps_the_evidence(native, evaluate, short_data):
    """UNRUNNABLE, exit 4, never non-compliant; ledger and report hold what came before."""
    loop = SCORE_FIRST + "    assert chunk.index < 4, 'half-way'\n"
    folder = native("program", PRELUDE + ADAMW + loop + HEADLINE)

    done = evaluate(folder, "--no-static", data=short_data)

    assert (done.report["verdict"], done.code) == ("UNRUNNABLE", 4)
    assert "AssertionError: half-way" in done.report["failure"]
    assert done.report["score"] is None
    ledger = (done.out / "main" / "ledger.jsonl").read_text().splitlines()
    assert sum('"SCORE"' in event for event in ledger) >= 5
    assert (done.out / "main" / "scores.npz").exists()
    assert "says nothing about compliance" in (done.out / "report.md").read_text()
