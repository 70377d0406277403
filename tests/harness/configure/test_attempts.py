"""The configuration ladder: small sizes, the folder's own settings, and climbing."""

from pathlib import Path

import pytest

from audits.switches import Switches, read_switches
from harness.configure.attempts import MAX_RUNGS, Rung, first_rung, native_size, next_rung
from harness.configure.shrink_rules import Ratio, Size, StreamShape, small

STREAM = StreamShape(tokens=4_096, vocab_size=1_024, documents=32, doc_tokens=128)
RATIO = Ratio(512.0, 8.0, 4.0, 2_048.0, Size(), STREAM)

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
    assert set(first_rung(switches, STREAM).environment) <= set(switches.switches)


def test_a_technique_that_only_the_readme_switches_on_is_on(switches: Switches) -> None:
    """Half of the adaptive scripts have it off by default."""
    given = first_rung(switches, STREAM).environment["TTT_ENABLED"]
    assert given.text == "1"
    assert given.source == "README.md line 2"


def test_weights_that_the_folder_does_not_hold_are_not_loaded(tmp_path: Path) -> None:
    """A snapshot of the author's machine is left out and named; one in the folder is loaded; a
    value that the command leaves empty is not given.
    """
    (tmp_path / "train_gpt.py").write_text(
        SCRIPT
        + "snapshot = os.environ.get('LOAD_SNAPSHOT', '')\ncap = os.environ.get('VAL_CAP', '5')\n"
    )
    (tmp_path / "run.sh").write_text("LOAD_SNAPSHOT=mine.pt VAL_CAP= python train_gpt.py\n")

    rung = first_rung(read_switches(tmp_path), STREAM)
    assert "LOAD_SNAPSHOT" not in rung.environment and "VAL_CAP" not in rung.environment
    assert rung.size.without == {"LOAD_SNAPSHOT"}

    (tmp_path / "mine.pt").write_bytes(b"weights")
    there = first_rung(read_switches(tmp_path), STREAM).environment
    assert there["LOAD_SNAPSHOT"].text == "mine.pt"


def test_sizes_shrink_and_depth_stays(switches: Switches) -> None:
    """Layer-indexed switches assume the depth; every value says what it was."""
    rung = first_rung(switches, STREAM)
    values = rung.variables()
    assert values["MODEL_DIM"] == "64" and values["NUM_HEADS"] == "4"
    assert values["NUM_KV_HEADS"] == "2"
    assert values["TRAIN_SEQ_LEN"] == "64" and values["ITERATIONS"] == "3"
    assert "NUM_LAYERS" not in values
    assert rung.environment["MODEL_DIM"].source == "ladder: 64 for 512"


def test_what_decides_the_mixture_stays(switches: Switches) -> None:
    """An entropy threshold in nats does not depend on the size of the stream."""
    assert "NGRAM_ENT_THRESH" not in first_rung(switches, STREAM).environment


def test_an_attribute_without_a_switch_is_patched(switches: Switches) -> None:
    """The file itself is never edited."""
    assert first_rung(switches, STREAM).attributes() == {"Hyperparameters.eval_stride": "32"}


@pytest.mark.parametrize("buckets", [1 << 20, 1 << 22, 1 << 24])
def test_tables_keep_their_load(buckets: int) -> None:
    """Tokens per bucket as in the contest, to a factor of two: the size of the lie follows it."""
    value = small("NGRAM_EVAL_BUCKETS", buckets, RATIO)
    assert value is not None and int(value) & (int(value) - 1) == 0
    contest, here = 62_021_632 / buckets, STREAM.tokens / value
    assert 0.5 <= here / contest <= 2.0


@pytest.mark.parametrize("tokens", [2_048, 4_096, 16_384])
@pytest.mark.parametrize("chunk", [32_768, 131_072, 1_000_000])
def test_a_stream_has_at_least_eight_chunks(tokens: int, chunk: int) -> None:
    """Else nothing is left to score after the first update."""
    stream = StreamShape(tokens, 1_024, tokens // 128, 128)
    value = small("TTT_CHUNK_TOKENS", chunk, Ratio(512.0, 8.0, 4.0, 2_048.0, Size(), stream))
    assert value is not None and tokens / value >= 8
    assert value >= 2 * Size().seq_len


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
    assert small(name, value, RATIO) == expected


def test_a_clock_that_stops_at_once_is_replaced(switches: Switches) -> None:
    """Zero means no cap in nearly all scripts; one formats it."""
    first = first_rung(switches, STREAM)
    cause = "TypeError: unsupported format string passed to NoneType.__format__"
    second = next_rung(switches, STREAM, [first], cause, "")
    assert first.variables()["MAX_WALLCLOCK_SECONDS"] == "0.0"
    assert second is not None and float(second.variables()["MAX_WALLCLOCK_SECONDS"]) > 10_000


def test_a_setting_that_names_a_missing_file_is_left_out(switches: Switches) -> None:
    """The run says so in `why`."""
    first = first_rung(switches, STREAM)
    cause = "FileNotFoundError: prefix file not found: prefix.xz"
    second = next_rung(switches, STREAM, [first], cause, "")
    assert first.variables()["PREFIX_FILE"] == "prefix.xz"
    assert second is not None and "PREFIX_FILE" not in second.environment
    assert "PREFIX_FILE" in second.why


def test_a_setting_that_the_script_cannot_read_is_left_out(switches: Switches) -> None:
    """Another version's: the folder says 3.0 where the script wants a whole number."""
    first = first_rung(switches, STREAM)
    (name, text) = next((n, g.text) for n, g in first.environment.items() if n == "PREFIX_FILE")
    cause = f"ValueError: invalid literal for int() with base 10: '{text}'"
    second = next_rung(switches, STREAM, [first], cause, "")
    assert second is not None and name not in second.environment
    assert "cannot read" in second.why


def test_a_size_below_what_the_script_takes_gets_the_bound_that_it_names(
    switches: Switches,
) -> None:
    """And only that one: the rest stays as it was; a bound that holds is no complaint."""
    first = first_rung(switches, STREAM)
    name = "NGRAM_BUCKETS"
    second = next_rung(switches, STREAM, [first], f"ValueError: {name} must be >=1024, got 9", "")
    assert second is not None and second.variables() == first.variables() | {name: "1024"}
    assert f"{name} at least 1024" in second.why
    third = next_rung(switches, STREAM, [first], f"ValueError: {name} must be >=2, got 1", "")
    assert third is None or third.variables()[name] == first.variables()[name]


def test_required_options_that_lead_to_data_are_given(switches: Switches) -> None:
    """And an option that leads elsewhere ends the ladder."""
    first = first_rung(switches, STREAM)
    usage = "error: the following arguments are required: --val-pattern, --out-dir"
    second = next_rung(switches, STREAM, [first], usage, "")
    assert second is not None
    assert second.arguments[:2] == (
        "--val-pattern",
        "./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin",
    )
    assert next_rung(switches, STREAM, [first], usage + ", --mystery", "") is None


def test_the_ladder_ends(switches: Switches) -> None:
    """Whatever the script says, and without trying one configuration twice."""
    tried: list[Rung] = []
    while (
        rung := next_rung(switches, STREAM, tried, "RuntimeError: size mismatch", "")
    ) is not None:
        tried.append(rung)
    assert 1 < len(tried) <= MAX_RUNGS
    assert len({rung.size for rung in tried}) == len(tried)


def test_no_size_cures_a_missing_package(switches: Switches) -> None:
    """The cause is final; trying again only takes time."""
    tried = [first_rung(switches, STREAM)]
    assert (
        next_rung(switches, STREAM, tried, "ModuleNotFoundError: No module named 'fla'", "") is None
    )


# -------------------------------------------------------------------------------------------------
# on a GPU: as the folder ran it, only shorter

NATIVE = Ratio(512.0, 8.0, 4.0, 2_048.0, Size(native=True, iterations=10), STREAM)


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
    assert small(name, value, NATIVE) == expected


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
    assert small(name, value, NATIVE) is None


def test_a_native_rung_tells_only_the_length(switches: Switches) -> None:
    """What the folder says it ran stays; chunks of the battery are longer than any context."""
    size = native_size(switches)
    rung = first_rung(switches, STREAM, size)
    shrunk = {n for n, given in rung.environment.items() if given.source.startswith("ladder")}
    assert shrunk == {"ITERATIONS", "MAX_WALLCLOCK_SECONDS"}
    assert rung.variables()["TTT_ENABLED"] == "1" and not rung.attributes()
    assert size.seq_len == 2_048 and rung.why == "as the folder says it ran, only shorter"


def test_a_native_ladder_never_shrinks_the_model_and_never_repeats_itself(
    switches: Switches,
) -> None:
    """A rung that tells the script nothing new would end as the last one did."""
    tried = [first_rung(switches, STREAM, native_size(switches))]
    while rung := next_rung(switches, STREAM, tried, "RuntimeError: size mismatch", ""):
        tried.append(rung)
    assert all("MODEL_DIM" not in rung.environment for rung in tried)
    assert len({str(rung.tells()) for rung in tried}) == len(tried)
