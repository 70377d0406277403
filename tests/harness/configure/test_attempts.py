"""What a script is told: small sizes over the folder's own settings, then what it asks for."""

from pathlib import Path

import pytest

from audits.switches import Switches, read_switches
from harness.configure.attempts import MAX_ATTEMPTS, next_configuration
from harness.configure.configuration import (
    Configuration,
    first_configuration,
    native_target,
)
from harness.configure.setting import OriginKind
from harness.configure.shrinking.rules import shrunk_value
from harness.configure.shrinking.target import Proportions, ShrinkTarget, StreamShape

STREAM = StreamShape(tokens=4_096, vocab_size=1_024, documents=32)
WAS = Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(), STREAM)

SCRIPT = """\
import os
class Hyperparameters:
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    num_heads = int(os.environ.get("NUM_HEADS", 8))
    num_kv_heads = int(os.environ.get("NUM_KV_HEADS", 4))
    num_layers = int(os.environ.get("NUM_LAYERS", 11))
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 2048))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ngram_buckets = int(os.environ.get("NGRAM_BUCKETS", 4194304))
    entropy_center = float(os.environ.get("NGRAM_ENT_THRESH", 4.0))
    prefix = os.environ.get("PREFIX_FILE", "")
    eval_stride = 64
args = Hyperparameters()
"""


@pytest.fixture
def switches(tmp_path: Path) -> Switches:
    (tmp_path / "train_gpt.py").write_text(SCRIPT)
    (tmp_path / "README.md").write_text(
        "```\nTTT_ENABLED=1 PREFIX_FILE=prefix.xz DATA_PATH=/mine torchrun train_gpt.py\n```\n"
    )
    return read_switches(tmp_path)


def test_only_switches_that_the_script_reads_are_set(switches: Switches) -> None:
    """A fixed list would set names that mean something else here."""
    assert set(first_configuration(switches, STREAM).environment) <= set(switches.switches)


def test_a_technique_that_only_the_readme_switches_on_is_on(switches: Switches) -> None:
    """Half of the adaptive scripts have it off by default."""
    given = first_configuration(switches, STREAM).environment["TTT_ENABLED"]
    assert given.text == "1"
    assert str(given.origin) == "README.md line 2"


def test_weights_that_the_folder_does_not_hold_are_not_loaded(tmp_path: Path) -> None:
    """A snapshot of the author's machine is left out and named; one in the folder is loaded; a
    value that the command leaves empty is not given.
    """
    (tmp_path / "train_gpt.py").write_text(
        SCRIPT
        + "snapshot = os.environ.get('LOAD_SNAPSHOT', '')\ncap = os.environ.get('VAL_CAP', '5')\n"
    )
    (tmp_path / "run.sh").write_text("LOAD_SNAPSHOT=mine.pt VAL_CAP= python train_gpt.py\n")

    found = first_configuration(read_switches(tmp_path), STREAM)
    assert "LOAD_SNAPSHOT" not in found.environment and "VAL_CAP" not in found.environment
    assert found.target.omitted == {"LOAD_SNAPSHOT"}

    (tmp_path / "mine.pt").write_bytes(b"weights")
    there = first_configuration(read_switches(tmp_path), STREAM).environment
    assert there["LOAD_SNAPSHOT"].text == "mine.pt"


def test_sizes_shrink_and_depth_stays(switches: Switches) -> None:
    """Layer-indexed switches assume the depth; every value says what it was."""
    found = first_configuration(switches, STREAM)
    values = found.variables()
    assert values["MODEL_DIM"] == "64" and values["NUM_HEADS"] == "4"
    assert values["NUM_KV_HEADS"] == "2"
    assert values["TRAIN_SEQ_LEN"] == "64" and values["ITERATIONS"] == "3"
    assert "NUM_LAYERS" not in values
    assert str(found.environment["MODEL_DIM"].origin) == "ladder: 64 for 512"


def test_what_decides_the_mixture_stays(switches: Switches) -> None:
    """An entropy threshold in nats does not depend on the size of the stream."""
    assert "NGRAM_ENT_THRESH" not in first_configuration(switches, STREAM).environment


def test_an_attribute_without_a_switch_is_patched(switches: Switches) -> None:
    """The file itself is never edited."""
    assert first_configuration(switches, STREAM).attributes() == {
        "Hyperparameters.eval_stride": "32"
    }


@pytest.mark.parametrize("buckets", [1 << 20, 1 << 22, 1 << 24])
def test_tables_keep_their_load(buckets: int) -> None:
    """Tokens per bucket as in the contest, to a factor of two: the size of the lie follows it."""
    value = shrunk_value("NGRAM_EVAL_BUCKETS", buckets, WAS)
    assert value is not None and int(value) & (int(value) - 1) == 0
    contest, here = 62_021_632 / buckets, STREAM.tokens / value
    assert 0.5 <= here / contest <= 2.0


@pytest.mark.parametrize("tokens", [2_048, 4_096, 16_384])
@pytest.mark.parametrize("chunk", [32_768, 131_072, 1_000_000])
def test_a_stream_has_at_least_eight_chunks(tokens: int, chunk: int) -> None:
    """Else nothing is left to score after the first update."""
    stream = StreamShape(tokens, 1_024, tokens // 128)
    value = shrunk_value(
        "TTT_CHUNK_TOKENS", chunk, Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(), stream)
    )
    assert value is not None and tokens / value >= 8
    assert value >= 2 * ShrinkTarget().seq_len


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("VAL_BATCH_SIZE", 524_288, 1_024),
        ("EMA_DECAY", 0.997, 0.5),
        ("BIGRAM_DIM", 128, 16),
        ("ROPE_DIMS", 16, 8),
        ("TORCH_COMPILE", 1, 0),
        ("DISABLE_COMPILE", 0, 1),
        ("NGRAM_HASH_BITS", 22, 8),
        ("PHASED_TTT_PREFIX_DOCS", 2_000, 8),
        ("MY_OWN_TTT_EPOCHS", 30, 3),
        ("TTT_CHUNK_SIZE", 48, 16),
        ("NUM_LAYERS", 11, None),
        ("MUON_BACKEND_STEPS", 5, None),
        ("NGRAM_ORDER", 7, None),
        ("TTT_MOMENTUM", 0.9, None),
        ("EVAL_STRIDE", 0, None),
        ("SEED", 1_337, None),
    ],
)
def test_names_are_known_by_their_form(name: str, value: float, expected: float | None) -> None:
    """4,125 of 6,526 names occur in one script only."""
    assert shrunk_value(name, value, WAS) == expected


def test_a_clock_that_stops_at_once_is_replaced(switches: Switches) -> None:
    """Zero means no cap in nearly all scripts; one formats it."""
    first = first_configuration(switches, STREAM)
    cause = "TypeError: unsupported format string passed to NoneType.__format__"
    second = next_configuration(switches, STREAM, [first], cause, "")
    assert first.variables()["MAX_WALLCLOCK_SECONDS"] == "0.0"
    assert second is not None and float(second.variables()["MAX_WALLCLOCK_SECONDS"]) > 10_000


def test_a_setting_that_names_a_missing_file_is_left_out(switches: Switches) -> None:
    """The run says so in `why`."""
    first = first_configuration(switches, STREAM)
    cause = "FileNotFoundError: prefix file not found: prefix.xz"
    second = next_configuration(switches, STREAM, [first], cause, "")
    assert first.variables()["PREFIX_FILE"] == "prefix.xz"
    assert second is not None and "PREFIX_FILE" not in second.environment
    assert "PREFIX_FILE" in second.why


def test_a_setting_that_the_script_cannot_read_is_left_out(switches: Switches) -> None:
    """Another version's: the folder says 3.0 where the script wants a whole number."""
    first = first_configuration(switches, STREAM)
    (name, text) = next((n, g.text) for n, g in first.environment.items() if n == "PREFIX_FILE")
    cause = f"ValueError: invalid literal for int() with base 10: '{text}'"
    second = next_configuration(switches, STREAM, [first], cause, "")
    assert second is not None and name not in second.environment
    assert "cannot read" in second.why


def test_a_size_below_what_the_script_takes_gets_the_bound_that_it_names(
    switches: Switches,
) -> None:
    """And only that one: the rest stays as it was; a bound that holds is no complaint."""
    first = first_configuration(switches, STREAM)
    name = "NGRAM_BUCKETS"
    second = next_configuration(
        switches, STREAM, [first], f"ValueError: {name} must be >=1024, got 9", ""
    )
    assert second is not None and second.variables() == first.variables() | {name: "1024"}
    assert f"{name} at least 1024" in second.why
    third = next_configuration(
        switches, STREAM, [first], f"ValueError: {name} must be >=2, got 1", ""
    )
    assert third is None or third.variables()[name] == first.variables()[name]


def test_required_options_that_lead_to_data_are_given(switches: Switches) -> None:
    """And an option that leads elsewhere ends the attempts."""
    first = first_configuration(switches, STREAM)
    usage = "error: the following arguments are required: --val-pattern, --out-dir"
    second = next_configuration(switches, STREAM, [first], usage, "")
    assert second is not None
    assert second.arguments[:2] == (
        "--val-pattern",
        "./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin",
    )
    assert next_configuration(switches, STREAM, [first], usage + ", --mystery", "") is None


def test_attempts_end(switches: Switches) -> None:
    """Whatever the script says, and without trying one configuration twice."""
    tried: list[Configuration] = []
    while (
        found := next_configuration(switches, STREAM, tried, "RuntimeError: size mismatch", "")
    ) is not None:
        tried.append(found)
    assert 1 < len(tried) <= MAX_ATTEMPTS
    assert len({found.target for found in tried}) == len(tried)


def test_no_size_cures_a_missing_package(switches: Switches) -> None:
    """The cause is final; trying again only takes time."""
    tried = [first_configuration(switches, STREAM)]
    cause = "ModuleNotFoundError: No module named 'fla'"
    assert next_configuration(switches, STREAM, tried, cause, "") is None


# -------------------------------------------------------------------------------------------------
# on a GPU: as the folder ran it, only shorter

NATIVE = Proportions(512.0, 8.0, 2_048.0, ShrinkTarget(native=True, iterations=10), STREAM)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ITERATIONS", 20_000, 10),
        ("WARMUP_STEPS", 20, 1),
        ("MUON_MOMENTUM_WARMUP_STEPS", 1_500, 1),
        ("WARMDOWN_ITERS", 3_500, 1),
        ("MAX_WALLCLOCK_SECONDS", 600.0, 0),
        ("VAL_LOSS_EVERY", 4_000, 0),
        ("PHASED_TTT_PREFIX_DOCS", 2_000, 8),
        ("PHASED_TTT_PREFIX_DOCS", 6, 6),
    ],
)
def test_a_native_run_is_shorter(name: str, value: float, expected: float) -> None:
    """Steps, warm-up, the clock and validation in between; documents as the stream has them."""
    assert shrunk_value(name, value, NATIVE) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_DIM", 512),
        ("NUM_HEADS", 8),
        ("NUM_KV_HEADS", 4),
        ("NUM_LAYERS", 11),
        ("HEAD_DIM", 64),
        ("ROPE_DIMS", 16),
        ("BIGRAM_VOCAB_SIZE", 2_048),
        ("TRAIN_SEQ_LEN", 2_048),
        ("EVAL_STRIDE", 64),
        ("SLIDING_WINDOW", 512),
        ("TRAIN_BATCH_TOKENS", 786_432),
        ("TTT_CHUNK_TOKENS", 32_768),
        ("TTT_EPOCHS", 3),
        ("TTT_LR", 0.002),
        ("TTT_RANK", 96),
        ("EMA_DECAY", 0.997),
        ("NGRAM_BUCKETS", 4_194_304),
        ("TORCH_COMPILE", 1),
    ],
)
def test_a_native_run_keeps_every_other_size(name: str, value: float) -> None:
    """The model, its batches, its technique and its compiler are what is to be measured."""
    assert shrunk_value(name, value, NATIVE) is None


def test_a_native_configuration_tells_only_the_length(switches: Switches) -> None:
    """What the folder says it ran stays; chunks of the battery are longer than any context."""
    target = native_target(switches)
    found = first_configuration(switches, STREAM, target)
    shrunk = {n for n, given in found.environment.items() if given.origin.kind is OriginKind.SHRUNK}
    assert shrunk == {"ITERATIONS", "MAX_WALLCLOCK_SECONDS"}
    assert found.variables()["TTT_ENABLED"] == "1" and not found.attributes()
    assert target.seq_len == 2_048 and found.why == "as the folder says it ran, only shorter"


def test_native_attempts_never_shrink_the_model_and_never_repeat_themselves(
    switches: Switches,
) -> None:
    """A configuration that tells the script nothing new would end as the last one did."""
    tried = [first_configuration(switches, STREAM, native_target(switches))]
    while found := next_configuration(switches, STREAM, tried, "RuntimeError: size mismatch", ""):
        tried.append(found)
    assert all("MODEL_DIM" not in found.environment for found in tried)
    assert len({str(found.settings_key()) for found in tried}) == len(tried)
