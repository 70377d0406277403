"""What comes next: chosen by what the script complained of."""

from dataclasses import replace
from pathlib import Path

import pytest

from audits.switches import Switches, read_switches
from harness.configure.attempted import Attempted, Lack
from harness.configure.attempts import MAX_ATTEMPTS, next_configuration
from harness.configure.configuration import (
    Configuration,
    configured,
    first_configuration,
    native_target,
)
from harness.configure.record_script import RecordScript
from harness.configure.setting import texts
from harness.configure.shrinking.target import StreamShape
from harness.protocol.asked import AskedSetting, Way
from harness.protocol.job import Outcome, RunState

STREAM = StreamShape(tokens=4_096, vocab_size=1_024, documents=32)
ENDED = Outcome(RunState.ENDED, 1.0)


def failed(cause: str) -> Outcome:
    return Outcome(RunState.FAILED, 1.0, cause)


def mismatched(tried: list[Configuration]) -> list[Attempted]:
    return [Attempted(one, failed("RuntimeError: size mismatch")) for one in tried]


def test_a_clock_that_stops_at_once_is_replaced(switches: Switches) -> None:
    """Zero means no cap in nearly all scripts; one formats it."""
    first = first_configuration(switches, STREAM)
    cause = "TypeError: unsupported format string passed to NoneType.__format__"
    second = next_configuration(switches, STREAM, [Attempted(first, failed(cause))])
    assert texts(first.environment)["MAX_WALLCLOCK_SECONDS"] == "0.0"
    assert second is not None and float(texts(second.environment)["MAX_WALLCLOCK_SECONDS"]) > 10_000


def test_a_setting_that_names_a_missing_file_is_left_out(switches: Switches) -> None:
    """The run says so in `why`."""
    first = first_configuration(switches, STREAM)
    cause = "FileNotFoundError: prefix file not found: prefix.xz"
    second = next_configuration(switches, STREAM, [Attempted(first, failed(cause))])
    assert texts(first.environment)["PREFIX_FILE"] == "prefix.xz"
    assert second is not None and "PREFIX_FILE" not in second.environment
    assert "PREFIX_FILE" in second.why


def test_a_setting_that_the_script_cannot_read_is_left_out(switches: Switches) -> None:
    """Another version's: the folder says 3.0 where the script wants a whole number."""
    first = first_configuration(switches, STREAM)
    (name, text) = next((n, g.text) for n, g in first.environment.items() if n == "PREFIX_FILE")
    cause = f"ValueError: invalid literal for int() with base 10: '{text}'"
    second = next_configuration(switches, STREAM, [Attempted(first, failed(cause))])
    assert second is not None and name not in second.environment
    assert "cannot read" in second.why


def test_a_size_below_what_the_script_takes_gets_the_bound_that_it_names(
    switches: Switches,
) -> None:
    """And only that one: the rest stays as it was; a bound that holds is no complaint."""
    first = first_configuration(switches, STREAM)
    name = "NGRAM_BUCKETS"
    second = next_configuration(
        switches, STREAM, [Attempted(first, failed(f"ValueError: {name} must be >=1024, got 9"))]
    )
    assert second is not None and texts(second.environment) == texts(first.environment) | {
        name: "1024"
    }
    assert f"{name} at least 1024" in second.why
    third = next_configuration(
        switches, STREAM, [Attempted(first, failed(f"ValueError: {name} must be >=2, got 1"))]
    )
    assert third is None or texts(third.environment)[name] == texts(first.environment)[name]


def test_required_options_that_lead_to_data_are_given(switches: Switches) -> None:
    """And an option that leads elsewhere ends the attempts."""
    first = first_configuration(switches, STREAM)
    usage = "error: the following arguments are required: --val-pattern, --out-dir"
    second = next_configuration(switches, STREAM, [Attempted(first, failed(usage))])
    assert second is not None
    assert second.arguments[:2] == (
        "--val-pattern",
        "./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin",
    )
    assert (
        next_configuration(switches, STREAM, [Attempted(first, failed(usage + ", --mystery"))])
        is None
    )


def test_a_run_that_had_no_time_to_end_takes_fewer_steps(switches: Switches) -> None:
    """However we word that we stopped it, and whatever it printed last."""
    first = first_configuration(switches, STREAM)
    stopped = Outcome(RunState.TIMED_OUT, 600.0, "no end within its 600 s")
    second = next_configuration(switches, STREAM, [Attempted(first, stopped, "step 3 of 9")])
    assert second is not None and second.target.iterations < first.target.iterations
    assert second.why.startswith("fewer steps, larger batches")
    tried = [first, second]
    while found := next_configuration(
        switches, STREAM, [Attempted(one, stopped, "step 3 of 9") for one in tried]
    ):
        tried.append(found)
    # What took too long is never answered by the folder's own sizes.
    assert all(one.target.shrink_model and one.target.width <= 64 for one in tried)


def test_a_model_too_shallow_for_its_own_layer_numbers_gets_them_back(switches: Switches) -> None:
    """Made two layers deep for want of time, it fails at layer 4 however often it is tried."""
    first = first_configuration(switches, STREAM)
    target = replace(first.target, layers=2, own_sizes=True)
    shallow = configured(switches, STREAM, target)
    broken = Attempted(shallow, failed("IndexError: index 4 is out of bounds for dimension 0"))
    again = next_configuration(switches, STREAM, [Attempted(first, ENDED), broken])
    assert again is not None and again.target.layers == 0 and again.target.own_sizes


def test_a_loop_that_the_clock_ends_gets_one_that_counts(tmp_path: Path) -> None:
    """At once where a `while` looks at it, else where a run did not end; never elsewhere."""
    script = tmp_path / "train_gpt.py"
    stopped = Outcome(RunState.TIMED_OUT, 600.0, "no end within its 600 s")
    script.write_text("import time\nwhile time.time() < 600:\n    pass\n")
    counted = first_configuration(read_switches(tmp_path), STREAM)
    assert counted.target.counted_clock
    broken = Attempted(counted, failed("queue.Empty"))
    again = next_configuration(read_switches(tmp_path), STREAM, [broken])
    assert again is not None and not again.target.counted_clock
    script.write_text("import time\nfor step in steps():\n    if time.time() > 600: break\n")
    switches = read_switches(tmp_path)
    first = first_configuration(switches, STREAM)
    second = next_configuration(switches, STREAM, [Attempted(first, stopped)])
    assert not first.target.counted_clock
    assert second is not None and second.target.counted_clock


def test_attempts_end(switches: Switches) -> None:
    """Whatever the script says, and without trying one configuration twice."""
    tried: list[Configuration] = []
    while (found := next_configuration(switches, STREAM, mismatched(tried))) is not None:
        tried.append(found)
    assert 1 < len(tried) <= MAX_ATTEMPTS
    assert len({found.target for found in tried}) == len(tried)


def test_no_size_cures_a_missing_package(switches: Switches) -> None:
    """The cause is final; trying again only takes time."""
    tried = [first_configuration(switches, STREAM)]
    cause = "ModuleNotFoundError: No module named 'fla'"
    assert (
        next_configuration(switches, STREAM, [Attempted(one, failed(cause)) for one in tried])
        is None
    )


def test_native_attempts_never_shrink_the_model_and_never_repeat_themselves(
    switches: Switches,
) -> None:
    """A configuration that tells the script nothing new would end as the last one did."""
    tried = [first_configuration(switches, STREAM, native_target(switches))]
    while found := next_configuration(switches, STREAM, mismatched(tried)):
        tried.append(found)
    assert all("MODEL_DIM" not in found.environment for found in tried)
    assert len({str(found.settings_key()) for found in tried}) == len(tried)


def test_what_is_too_large_for_a_gpu_is_compiled_and_stays_large(switches: Switches) -> None:
    """Nothing is, at first; sizes of the code are not read by value where the model is its own."""
    first = first_configuration(switches, STREAM, native_target(switches))
    assert not first.target.compiled
    end = Outcome(RunState.FAILED, 9.0, "OutOfMemoryError: CUDA out of memory")
    second = next_configuration(switches, STREAM, [Attempted(first, end)])
    assert second is not None and second.target.compiled
    late = Outcome(RunState.TIMED_OUT, 90.0, "timed out")
    tried = [Attempted(first, late), Attempted(replace(first, target=second.target), late)]
    third = next_configuration(switches, STREAM, tried)
    assert third is None or not (third.target.by_value or third.target.own_sizes)


def test_what_a_run_asked_for_is_told_to_the_next(switches: Switches) -> None:
    """With the rules that any name has; what needs no other value starts no other run."""
    first = first_configuration(switches, STREAM)
    ended = Attempted(first, ENDED, printed=True)
    unread = {"TRAIN_BATCH_TOKENS": "524288", "VALUE_RESIDUAL": "1"}
    more = switches.with_asked(unread, {"--model-dim": "768"}, {})
    second = next_configuration(more, STREAM, [ended])
    assert second is not None and second.learnt
    assert texts(second.environment) == texts(first.environment) | {"TRAIN_BATCH_TOKENS": "512"}
    assert second.arguments == ("--model-dim", "96")
    assert next_configuration(more, STREAM, [Attempted(second, ENDED, printed=True)]) is None
    harmless = switches.with_asked({"VALUE_RESIDUAL": "1"}, {}, {})
    assert next_configuration(harmless, STREAM, [ended]) is None


def test_a_run_that_we_ended_to_learn_names_is_made_to_its_end(switches: Switches) -> None:
    """Where none of the names has a size to tell: the same once more. One that ended by itself
    without a number is answered otherwise.
    """
    first = first_configuration(switches, STREAM)
    second = next_configuration(switches, STREAM, [Attempted(first, ENDED, cut_short=True)])
    assert second is not None and second.learnt
    assert second.settings_key() == first.settings_key()
    other = next_configuration(switches, STREAM, [Attempted(first, ENDED)])
    assert other is None or other.settings_key() != first.settings_key()


def test_a_run_without_a_training_step_gets_another_clock(switches: Switches) -> None:
    """Zero stops some scripts at once; a layer that is zero at the start then passes nothing on."""
    first = first_configuration(switches, STREAM)
    idle = Attempted(first, ENDED, printed=True, lacks=(Lack.NO_STEP,))
    second = next_configuration(switches, STREAM, [idle])
    assert second is not None and float(texts(second.environment)["MAX_WALLCLOCK_SECONDS"]) > 10_000


def test_zero_is_no_clock_only_where_the_script_compares_it_with_zero(tmp_path: Path) -> None:
    """Elsewhere `elapsed >= max_seconds` would end the training before its first step."""
    (tmp_path / "train_gpt.py").write_text(
        "import os, time\n"
        "max_seconds = float(os.environ.get('MAX_WALLCLOCK_SECONDS', 600.0))\n"
        "for step in steps():\n    if time.time() >= max_seconds:\n        break\n"
    )
    first = first_configuration(read_switches(tmp_path), STREAM)
    assert texts(first.environment)["MAX_WALLCLOCK_SECONDS"] == "100000.0"


OF_FIELDS = """
import argparse, os
from dataclasses import dataclass, fields
@dataclass
class Plan:
    seq_len: int = 1024
    batch_tokens: int = 524288
    iterations: int = 20000
parser = argparse.ArgumentParser()
for f in fields(Plan):
    parser.add_argument("--" + f.name, type=f.type, default=f.default)
cfg = parser.parse_args()
"""
OVER_NAMES = """
import os
SEQ_LEN = 1024
BATCH_TOKENS = 524288
ITERATIONS = 20000
for known in [name for name in dir() if name.isupper()]:
    if known in os.environ:
        globals()[known] = int(os.environ[known])
"""


@pytest.mark.parametrize(("text", "way"), [(OF_FIELDS, Way.OPTION), (OVER_NAMES, Way.ENVIRONMENT)])
def test_a_default_that_is_ours_or_absent_is_the_number_of_the_code(
    text: str, way: Way, tmp_path: Path
) -> None:
    """Sizes that only the code names are exchanged; a script that makes settings of those very
    numbers tells ours, or that there are none set. The next attempt is as small as the first.
    """
    (tmp_path / "train_gpt.py").write_text(text)
    script = RecordScript(read_switches(tmp_path))
    first = script.first(STREAM, native=False)
    small = {key.rpartition(":")[2]: one.text for key, one in first.code_constants.items()}
    assert {"512", "64"} <= {*small.values()}
    option = way is Way.OPTION
    asked = [
        AskedSetting(f"--{name}" if option else name, way, number if option else None)
        for name, number in small.items()
    ]
    second = script.next(STREAM, [Attempted(first, ENDED, asked=tuple(asked), cut_short=True)])
    assert second is not None
    told = (*second.arguments, *texts(second.environment).values())
    assert {"512", "64", *small.values()} <= {*told}
