"""What a script of a contest is told comes from the contest's file."""

from pathlib import Path

import pytest

from audits.contests import load_contest
from audits.switches import read_switches
from harness.configure.attempted import Attempted
from harness.configure.contest_script import ContestScript
from harness.configure.setting import OriginKind, texts
from harness.configure.shrinking.target import StreamShape
from harness.protocol.job import Outcome, RunState

SHAPE = StreamShape(1, 1, 1)
TRAIN = """
from prepare import MAX_SEQ_LEN, evaluate_bpb
TOTAL_BATCH_SIZE = 2**19
DEVICE_BATCH_SIZE = 128
DEPTH = 8
print(f"val_bpb: {evaluate_bpb(None, None, DEVICE_BATCH_SIZE):.6f}")
"""
PREPARE = """
MAX_SEQ_LEN = 2048
EVAL_TOKENS = 40 * 524288
TIME_BUDGET = 300
def evaluate_bpb(model, tokenizer, batch_size):
    return EVAL_TOKENS / batch_size
"""


@pytest.fixture
def script(tmp_path: Path) -> ContestScript:
    """A folder of the contest."""
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    (tmp_path / "prepare.py").write_text(PREPARE, encoding="utf-8")
    return ContestScript(load_contest("autoresearch"), read_switches(tmp_path, "train.py"))


def test_sizes_are_exchanged_where_the_files_have_them(script: ContestScript) -> None:
    """Each by its formula, in whichever file; a size that the script does not have is left."""
    found = texts(script.first(SHAPE, native=False).code_constants)
    sizes = {key.rpartition(":")[2]: int(text) for key, text in found.items()}

    assert sizes == {
        "MAX_SEQ_LEN": 256,
        "EVAL_TOKENS": 16 * 256,
        "TIME_BUDGET": 3,
        "TOTAL_BATCH_SIZE": 4 * 256,
        "DEVICE_BATCH_SIZE": 4,
        "DEPTH": 2,
    }
    assert all(key.startswith("prepare.py:") for key in found if "EVAL_TOKENS" in key)
    assert script.real_length == 2_048


def test_a_scoring_size_follows_the_stream(script: ContestScript) -> None:
    """All of the stream is scored, so that no size of ours may leave tokens of it out."""
    first = script.first(SHAPE, native=False)
    kinds = {key.rpartition(":")[2]: one.origin.kind for key, one in first.code_constants.items()}

    assert script.plan.stream_tokens == 16 * 257
    assert kinds["EVAL_TOKENS"] is OriginKind.STAGE and kinds["DEPTH"] is OriginKind.SHRUNK
    longer = texts(script.longer(SHAPE, first, 40).code_constants)
    assert [text for key, text in longer.items() if "TIME_BUDGET" in key] == ["40"]


def test_a_name_that_ends_so_is_exchanged_where_the_plain_one_is_no_number(tmp_path: Path) -> None:
    """A port that chooses among defaults: each of them; a plain number goes before."""
    text = TRAIN.replace("DEPTH = 8", "CPU_DEPTH = 4\nDEFAULT_DEPTH = 8\nDEPTH = CPU_DEPTH")
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    (tmp_path / "prepare.py").write_text(PREPARE, encoding="utf-8")
    port = ContestScript(load_contest("autoresearch"), read_switches(tmp_path, "train.py"))
    found = texts(port.first(SHAPE, native=False).code_constants)
    depths = {key.rpartition(":")[2]: text for key, text in found.items() if "DEPTH" in key}

    assert depths == {"CPU_DEPTH": "2", "DEFAULT_DEPTH": "2"}


def test_there_is_one_more_configuration(script: ContestScript) -> None:
    """What took too long is made smaller by its own names; what failed keeps the model's sizes."""
    first = script.first(SHAPE, native=False)
    slow = Attempted(first, Outcome(RunState.TIMED_OUT, 100.0))
    second = script.next(SHAPE, [slow])

    assert second is not None
    assert {**second.code_constants, **first.code_constants} == second.code_constants
    assert script.next(SHAPE, [slow, slow]) is None
    failed = script.next(SHAPE, [Attempted(first, Outcome(RunState.FAILED, 1.0))])
    assert failed is not None
    left_out = set(first.code_constants) - set(failed.code_constants)
    assert [key.rpartition(":")[2] for key in left_out] == ["DEPTH"]


def test_where_a_batch_holds_more_than_all_rows_there_are_more_of_them(
    script: ContestScript,
) -> None:
    """A batch of 64 rows that the code names by its number: none is scored of sixteen."""
    first = script.first(SHAPE, native=False)
    outcome = Outcome(RunState.FAILED, 1.0, "ZeroDivisionError: float division by zero")
    more = script.next(SHAPE, [Attempted(first, outcome)])
    assert more is not None
    longer = script.longer(SHAPE, more, 40)
    scored = [key for key in more.code_constants if key.endswith("EVAL_TOKENS")]

    assert more.stream_factor == longer.stream_factor == 8
    assert {one.code_constants[scored[0]].text for one in (more, longer)} == {str(128 * 256)}


def test_rows_are_tried_at_the_length_that_the_contest_scores(script: ContestScript) -> None:
    """Two of them, one a call, and every size that follows the length follows it."""
    at = script.at_length
    assert at is not None
    sizes = {
        key.rpartition(":")[2]: one.text for key, one in at.configuration.code_constants.items()
    }

    assert at.plan.stream_tokens == 2 * (2_048 + 1)
    assert (sizes["MAX_SEQ_LEN"], sizes["EVAL_TOKENS"]) == ("2048", "4096")
    assert (sizes["DEVICE_BATCH_SIZE"], sizes["TOTAL_BATCH_SIZE"]) == ("1", "2048")
