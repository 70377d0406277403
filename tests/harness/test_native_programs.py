"""Native programs on the road of every script: legal loops are never accused, cheats are explained
by one rule and proved from outside, and what was not seen stays unknown.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from lent_servers import LendingPool
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

from harness.checks.order import OrderView, check_order, check_weights_still, order_view
from harness.checks.status import Status
from harness.configure.native_program import NativeProgram
from harness.errors import SubmissionError
from harness.experiments.driver import ScriptDriver
from harness.experiments.staged_run import Limits
from harness.protocol.schema import EventKind
from harness.sandbox.pool import Pool
from harness.streams.distributions import Uniform
from harness.streams.stream_plan import STREAM_PLANS
from harness.streams.vocabulary import Vocabulary
from harness.submission import read_submission
from harness.trace.script_run import ScriptRun
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard

SEED = 1337
NAMED = ("ORDER-1", "ORDER-2", "ORDER-7", "PASS-1")
ALL_PASS = dict.fromkeys(NAMED, Status.PASS)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with LendingPool(1) as pool:
        yield pool


@pytest.fixture
def run_loop(pool, native, data_folder: DataFolder, tmp_path: Path) -> Callable[..., ScriptRun]:
    """Runs a program's loop on 2,048 uniform tokens, between the common beginning and the end."""
    uniform = STREAM_PLANS["cpu"].drawn(
        Vocabulary.of_tokenizer(data_folder.tokenizer), SEED, only=Uniform()
    )

    def run(loop: str, end: str = HEADLINE) -> ScriptRun:
        submission = read_submission(native("program", PRELUDE + loop + "\n" + end))
        artifact = submission.folder / submission.artifact
        program = NativeProgram(submission, artifact, data_folder.tokenizer, 2_049, SEED, "cpu")
        driver = ScriptDriver(
            program, pool, tmp_path / "runs", SEED, Limits(), STREAM_PLANS["cpu"], (), uniform
        )
        return driver.find_configuration()

    return run


def view_of(run: ScriptRun) -> OrderView | None:
    """What the ledger says of the headline."""
    if run.scored is None or run.uses is None:
        return None
    return order_view(run.scored, run.uses, np.arange(1, len(run.source.tokens)), run.earlier)


def order(run: ScriptRun) -> dict[str, Status]:
    """The order rules, as the ledger of one run has them."""
    found = {s.rule: s.status for s in check_order(view_of(run)) if s.rule in NAMED}
    writes = np.flatnonzero(run.capture.kind == EventKind.WRITE)
    still = check_weights_still(run.batches, writes)
    return found | {still.rule: still.status}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_score_first_is_legal_under_every_optimiser(run_loop, optimizer):
    """Score, then step: no headline score from weights that had learned its token, whatever state
    the optimiser carries from chunk to chunk.
    """
    run = run_loop(optimizer + SCORE_FIRST)

    assert order(run) == ALL_PASS
    assert (run.capture.kind == EventKind.STEP).sum() >= 3


@pytest.mark.parametrize("loop", LEGAL.values(), ids=LEGAL)
def test_a_legal_loop_passes(run_loop, loop):
    """Restored warm-ups, dropped adapters, diagnostics and unusual modes are no updates."""
    assert order(run_loop(loop)) == ALL_PASS


@pytest.mark.parametrize("rule", [rule for rule in CHEATS if rule != "ORDER-7"])
def test_a_cheat_is_explained_by_its_rule_and_undecided_without_a_proof(run_loop, rule):
    """Exactly one rule explains it, at a line of the program; the ledger alone convicts nobody."""
    run = run_loop(CHEATS[rule])
    view = view_of(run)

    assert view is not None and view.explains is not None
    assert view.explains.rule == rule
    assert order(run)[rule] is Status.UNKNOWN
    assert Status.FAIL not in order(run).values()
    assert all("toy.py:" in site for site in run.capture.site[run.batches[:, 0]])


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_learning_first_is_seen_under_every_optimiser(run_loop, optimizer):
    """No optimiser, foreach and fused ones included, writes weights unseen."""
    view = view_of(run_loop(optimizer + LEARN_FIRST))

    assert view is not None and view.explains is not None
    assert view.explains.rule == "ORDER-1"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_headline_is_rebuilt_from_every_known_spelling(run_loop, spelling):
    """Each target is captured once, at its place, and the sum is the printed number."""
    run = run_loop(spelled(spelling))

    assert run.scored is not None
    assert sorted(run.scored.position.tolist()) == list(range(1, len(run.source.tokens)))
    assert abs(run.scored.gap) < 1e-6
    assert order(run) == ALL_PASS


WRITTEN_THROUGH_NUMPY = """
for chunk in chunks:
    nats += score(chunk)
    model.out.bias.detach().numpy()[:] += np.bincount(
        program.tokens[chunk.start : chunk.stop], minlength=1024
    )
"""


def test_a_write_through_numpy_leaves_a_mark(run_loop):
    """The fingerprints differ and no step was seen: that is on record as a write."""
    run = run_loop(WRITTEN_THROUGH_NUMPY)

    assert run.scored is not None
    assert (run.capture.kind == EventKind.WRITE).any()
    assert (run.capture.kind != EventKind.STEP).all()


def test_captured_losses_are_those_of_the_program(run_loop, tmp_path):
    """Position by position: a program that prints its own losses agrees with what was captured."""
    loop = """
for chunk in chunks:
    nats += score(chunk)
    with torch.inference_mode():
        for batch in chunk.batches:
            print("LOSS", *losses_of(batch, model).tolist())
"""
    run = run_loop(loop)
    log = (tmp_path / "runs/base/output.log").read_text()
    printed = [
        float(x) for line in log.splitlines() if line[:4] == "LOSS" for x in line.split()[1:]
    ]

    assert run.scored is not None
    in_order = run.scored.nats[np.argsort(run.scored.position)]
    np.testing.assert_allclose(in_order, printed, rtol=1e-5)


BAD_ENDS = {
    "no headline": ("nats = 1.0", "print('done')", "nothing that reads as a score"),
    "exit code 1": ("nats = 1.0", "raise SystemExit(1)", "SystemExit: 1"),
    "an exception": ("", "raise OSError('disk full')", r"OSError: disk full \(toy.py:\d+\)"),
}


@pytest.mark.parametrize(("loop", "end", "message"), BAD_ENDS.values(), ids=BAD_ENDS)
def test_a_program_without_a_score_is_told_what_is_missing(run_loop, loop, end, message):
    """SubmissionError with the file and the cause."""
    with pytest.raises(SubmissionError, match=message):
        run_loop(loop, end)


def test_a_number_that_is_none_passes_nothing(run_loop):
    """NaN is no score: nothing adds up to it, and every order rule stays unknown."""
    run = run_loop("nats = float('nan')")

    assert run.scored is None
    assert {s.status for s in check_order(view_of(run))} == {Status.UNKNOWN}


def test_fewer_targets_are_not_passed_over(run_loop):
    """A headline over all chunks but the first: PASS-3 does not pass."""
    run = run_loop(
        "nats = sum(map(score, chunks[1:]))", "program.print_headline(nats, n_targets - 256)"
    )

    (coverage,) = [s for s in check_order(view_of(run)) if s.rule == "PASS-3"]
    assert coverage.status is not Status.PASS


def test_leaving_by_exit_zero_is_an_ordinary_end(run_loop):
    """`sys.exit(0)` and `sys.exit()` after the headline are how many scripts stop."""
    assert run_loop("nats = sum(map(score, chunks))", HEADLINE + "raise SystemExit(0)").finished


def test_only_counted_files_are_there_to_be_read(run_loop, tmp_path):
    """Code, manifest, artifact and data: no training shard, no file that no size counted."""
    listing = "import os\nnats = sum(map(score, chunks))\n"
    listing += "print('FILES', *sorted(f for _, _, names in os.walk('.') for f in names))\n"
    run_loop(listing)
    log = (tmp_path / "runs/base/output.log").read_text()
    (files,) = [line.split()[1:] for line in log.splitlines() if line.startswith("FILES")]

    assert {"toy.py", "submission.json", "artifact.bin", "tokenizer.model"} <= set(files)
    assert not [name for name in files if "train" in name or name == "weights.bin"]


@pytest.fixture
def short_data(data_folder: DataFolder, tmp_path: Path) -> Path:
    """2,000 validation tokens, so that the whole command takes seconds."""
    root = tmp_path / "short"
    root.mkdir()
    (root / "tokenizer.model").write_bytes(data_folder.tokenizer.read_bytes())
    write_shard(root / "fineweb_train_000000.bin", data_folder.train_tokens(4_000))
    write_shard(root / "fineweb_val_000000.bin", data_folder.validation_tokens()[:2_000])
    return root


def test_a_legal_program_is_clean(native, evaluate, short_data):
    """Other futures move nothing, each score is a softmax's, updates come after scores."""
    folder = native("program", PRELUDE + ADAMW + SCORE_FIRST + HEADLINE)

    done = evaluate(folder, data=short_data)

    assert (done.report["verdict"], done.code) == ("CLEAN", 0), done.report["rules"]
    assert {done.status(rule) for rule in ("ORDER-1", "ORDER-2", "PASS-1")} == {"pass"}
    assert (done.status("CAUSAL-1"), done.status("NORM-1")) == ("pass", "pass")
    assert (done.status("SOURCE-1"), done.status("BYTES-1")) == ("pass", "pass")
    assert done.report["score"]["tokens"] == 1_999


def test_weights_written_by_hand_are_named_where_futures_moved_them(native, evaluate, short_data):
    """No gradient, no optimiser: other futures prove it, and the fingerprints behind the scores
    that moved say how.
    """
    done = evaluate(native("program", PRELUDE + CHEATS["ORDER-7"] + HEADLINE), data=short_data)

    assert (done.report["verdict"], done.code) == ("VIOLATION", 1), done.report["rules"]
    found = done.report["rules"]["ORDER-7"]
    assert (found["status"], found["level"]) == ("fail", "black_box"), done.report["rules"]


WHOLE_SEQUENCES = """
stop = (len(stream) - 1) // 32 * 32
for start in range(0, stop, 32):
    with torch.inference_mode():
        logits = model(stream[start : start + 32])
        nats += F.cross_entropy(logits, stream[start + 1 : start + 33], reduction="sum").item()
"""
ON_TEXT_ALONE = {
    "training first": (
        "ORDER-2",
        """
if len(stream) < 2049:
    for chunk in chunks:
        learn(chunk, optimizer)
"""
        + SCORE_FIRST,
    ),
    "scores cut short": (
        "NORM-1",
        """
for chunk in chunks:
    with torch.inference_mode():
        for batch in chunk.batches:
            losses = losses_of(batch, model)
            losses = losses.clamp(max=5.0) if len(stream) < 2049 else losses
            nats += losses.double().sum().item()
""",
    ),
}


def test_whole_sequences_are_the_usual_evaluation(native, evaluate, short_data):
    """One that is incomplete is left out at the end by the contest's own evaluation: no doubt."""
    end = "\nprogram.print_headline(nats, stop)\n"

    done = evaluate(native("program", PRELUDE + WHOLE_SEQUENCES + end), data=short_data)

    rules = done.report["rules"].items()
    left = {rule for rule, found in rules if found["status"] != "pass"}
    assert left <= {"BYTES-1", "BYTES-5"}  # `print_headline` divides by the bytes of all targets


@pytest.mark.parametrize(("rule", "loop"), ON_TEXT_ALONE.values(), ids=ON_TEXT_ALONE)
def test_what_is_done_on_the_text_alone_is_not_passed(native, evaluate, short_data, rule, loop):
    """A program can tell 2,000 tokens of text from 2,049 drawn ones; its rule stays undecided."""
    done = evaluate(native("program", PRELUDE + ADAMW + loop + HEADLINE), data=short_data)

    assert done.status(rule) == "unknown", done.report["rules"][rule]
    assert done.report["verdict"] != "CLEAN"


def test_a_crash_half_way_keeps_the_evidence(native, evaluate, short_data):
    """UNRUNNABLE, exit 4, never non-compliant; capture and report hold what came before."""
    loop = SCORE_FIRST + "    assert chunk.index < 4, 'half-way'\n"
    folder = native("program", PRELUDE + ADAMW + loop + HEADLINE)

    done = evaluate(folder, "--no-static", data=short_data)

    assert (done.report["verdict"], done.code) == ("UNRUNNABLE", 4)
    assert "AssertionError: half-way" in done.report["failure"]
    assert done.report["score"] is None
    captured = [name for name in done.report["evidence"] if name.endswith("events.arrow")]
    assert captured and all((done.out / name).exists() for name in captured)
    assert "says nothing about compliance" in (done.out / "report.md").read_text()
    assert json.loads((done.out / "report.json").read_text())["verdict"] == "UNRUNNABLE"
