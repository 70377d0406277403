"""Numbers in the code shrink as those of a switch do, with all that belongs to them."""

import ast
from pathlib import Path

import pytest

from audits.switches import read_switches
from harness.configure.attempted import Attempted
from harness.configure.attempts import next_configuration
from harness.configure.configuration import first_configuration
from harness.configure.setting import texts
from harness.configure.shrinking.target import ShrinkTarget, StreamShape
from harness.protocol.code_constants import parsed_with
from harness.protocol.job import Outcome, RunState

STREAM = StreamShape(tokens=2_049, vocab_size=1_024, documents=12)

BOUND = {
    "class attribute": "class Cache:\n    BUCKETS = 4_194_304\n",
    "instance attribute": "class Cache:\n    def __init__(self):\n        self.BUCKETS = 1 << 22\n",
    "module": "NGRAM_BUCKETS: int = 2**22\n",
    "default": "def build(order, buckets=4 * 1024 * 1024, *, alpha=0.5):\n    pass\n",
    "keyword-only default": "def build(*, order=5, num_buckets=4194304):\n    pass\n",
    "keyword": "cache = Cache(order=5, buckets=4194304)\n",
}


@pytest.mark.parametrize("text", BOUND.values(), ids=BOUND)
def test_a_table_in_the_code_keeps_its_load(text: str, tmp_path: Path) -> None:
    """As one with a switch does: 4,194,304 buckets of 62 million tokens are 128 of 2,049."""
    (tmp_path / "train_gpt.py").write_text(text)
    (given,) = first_configuration(read_switches(tmp_path), STREAM).code_constants.values()
    assert given.text == "128"
    assert str(given.origin) == "ladder: 128 for 4194304, a number in the code"


def test_a_mask_follows_its_table(tmp_path: Path) -> None:
    """One that belongs to no table is arithmetic and stays."""
    text = "BUCKETS = 4194304\nMASK = 4194303\nHASH_MASK = 0xFFFFFFFF\n"
    (tmp_path / "train_gpt.py").write_text(text)
    found = first_configuration(read_switches(tmp_path), STREAM)
    assert texts(found.code_constants) == {"1:BUCKETS": "128", "2:MASK": "127"}


def test_a_table_that_has_no_name_keeps_its_load(tmp_path: Path) -> None:
    """`np.zeros(1 << 22)` in a comprehension (#797), with its mask and its modulus; arrays over all
    16-bit tokens, and of any other length, stay.
    """
    text = (
        "tables = {n: np.zeros(1 << 22, np.uint32) for n in orders}\n"
        "key = (h & 0xFFFFFFFF ^ ctx) & np.uint64((1 << 22) - 1)\n"
        "slot = h % 4194304\n"
        "other = h % 1000003 & 0xFFFFFFFF\n"
        "bytes_of = np.zeros(65536, np.int16)\n"
        "scores = np.zeros(1000000)\n"
    )
    (tmp_path / "train_gpt.py").write_text(text)
    given = texts(first_configuration(read_switches(tmp_path), STREAM).code_constants)
    assert given == {
        "1:zeros 4194304": "128",
        "2:mask 4194303": "127",
        "3:modulus 4194304": "128",
    }
    code = ast.unparse(parsed_with(text.encode(), "train_gpt.py", given))
    assert "(h & 4294967295 ^ ctx) & np.uint64(127)" in code


QUANTISER = "keep = t.numel() <= 65536\nINT8_KEEP_FLOAT_MAX_NUMEL = 65_536\n"


def test_a_calibrated_quantiser_quantises_small_matrices(tmp_path: Path) -> None:
    """As it does the contest's: 65,536 of 512 x 512 is 1,024 of 64 x 64. Where no token decides how
    a weight is rounded, and in a model of its own size, nothing changes.
    """
    (tmp_path / "train_gpt.py").write_text(QUANTISER)
    assert not first_configuration(read_switches(tmp_path), STREAM).code_constants
    (tmp_path / "train_gpt.py").write_text(QUANTISER + "hessians = collect_hessians(model)\n")
    switches = read_switches(tmp_path)
    given = texts(first_configuration(switches, STREAM).code_constants)
    assert given == {"1:numel 65536": "1024", "2:INT8_KEEP_FLOAT_MAX_NUMEL": "1024"}
    assert not first_configuration(
        switches, STREAM, ShrinkTarget(shrink_model=False)
    ).code_constants


def test_an_average_holds_what_was_trained(tmp_path: Path) -> None:
    """`ema_decay = 0.997` keeps 99 % of the first weights over three steps; other rates stay."""
    text = "ema_decay = 0.997\nweight_decay = 0.04\nema_decay_of = {}\nbeta = 0.95\n"
    (tmp_path / "train_gpt.py").write_text(text)
    assert texts(first_configuration(read_switches(tmp_path), STREAM).code_constants) == {
        "1:ema_decay": "0.5"
    }


@pytest.mark.parametrize(
    "text",
    [
        "BIGRAM_BUCKETS = 1 << 16\n",  # trained: a model of another size would be another model
        "BUCKETS = 2048\n",
        "PRIME = 1_000_003\nSHARD_TOKENS = 100_000_000\n",
        "BUCKETS = 4194304.0\n",
        "BUCKETS = rows << 22\n",
    ],
)
def test_other_numbers_stay(text: str, tmp_path: Path) -> None:
    """What no name calls a counting table, and small ones, are the model's."""
    (tmp_path / "train_gpt.py").write_text(text)
    assert not first_configuration(read_switches(tmp_path), STREAM).code_constants


def test_a_later_attempt_leaves_the_code_alone(tmp_path: Path) -> None:
    """Where an exchanged number breaks a script, the script runs with its own."""
    (tmp_path / "train_gpt.py").write_text(BOUND["module"])
    assert not first_configuration(
        read_switches(tmp_path), STREAM, ShrinkTarget(only_common=True)
    ).code_constants


def test_a_script_without_a_switch_shrinks_by_the_names_in_its_code(tmp_path: Path) -> None:
    """In every file, whatever binds the number; what bears no name of a size stays."""
    (tmp_path / "parts.py").write_text(
        "D_MODEL = 768\nclass Net:\n    def __init__(self, n_heads=12, eps=1e-6):\n        pass\n"
    )
    (tmp_path / "train_gpt.py").write_text(
        "from parts import Net\nCONF = {'iterations': 5000, 'seq_len': 1024, 'port': 29500}\n"
        "def main():\n    batch_tokens = 262144\n    return Net(), batch_tokens\n"
    )
    numbers = texts(first_configuration(read_switches(tmp_path), STREAM).code_constants)
    assert numbers == {
        "2:iterations": "3",
        "2:seq_len": "64",
        "4:batch_tokens": "512",
        "parts.py:1:D_MODEL": "64",
        "parts.py:3:n_heads": "4",
    }


def test_where_there_are_switches_the_code_keeps_its_numbers_until_they_are_too_large(
    tmp_path: Path,
) -> None:
    """A run that took all the memory is answered by the sizes that no switch reaches."""
    (tmp_path / "train_gpt.py").write_text(
        "import os\niterations = int(os.environ.get('ITERATIONS', 5000))\nseq_len = 1024\n"
    )
    switches = read_switches(tmp_path)
    first = first_configuration(switches, STREAM)
    assert not first.code_constants
    cause = "RuntimeError: DefaultCPUAllocator: can't allocate memory"
    failed = Attempted(first, Outcome(RunState.FAILED, 1.0, cause))
    second = next_configuration(switches, STREAM, [failed])
    assert second is not None and texts(second.code_constants) == {"3:seq_len": "64"}


def test_a_size_whose_name_tells_nothing_is_taken_by_its_value_where_it_was_too_large(
    tmp_path: Path,
) -> None:
    """Tokens of a step, steps, a table, an eighth of what may be a width, a length or a batch; the
    vocabulary, seeds and numbers that are not round stay.
    """
    names = {"BITE": 524288, "TURNS": 20000, "SLOTS": 4194304, "EYES": 512, "MARK": 20240520}
    names |= {"NVOCAB": 1024}
    rows = [f"{n.lower()} = int(os.environ.get('{n}', {v}))\n" for n, v in names.items()]
    (tmp_path / "train_gpt.py").write_text("import os\n" + "".join(rows))
    switches = read_switches(tmp_path)
    first = first_configuration(switches, STREAM)
    assert not {*names} & {*first.environment}
    cause = "RuntimeError: DefaultCPUAllocator: can't allocate memory"
    failed = Attempted(first, Outcome(RunState.FAILED, 1.0, cause))
    second = next_configuration(switches, STREAM, [failed])
    assert second is not None
    told = {name: text for name, text in texts(second.environment).items() if name in names}
    assert told == {"BITE": "512", "TURNS": "3", "SLOTS": "128", "EYES": "64"}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("width, heads = 512, 8\nsteps, rows = 9000, 448\n", {"1:width": "64", "2:steps": "3"}),
        (
            "M = 'vocab=1024,dim=384,layers=6,heads=6'\nsteps = 9000\n",
            {"1:dim": "48", "1:heads": "4"},
        ),
        (
            "steps = option(9000, 'ITERATIONS', 'of the training')\nwidth = 512\n",
            {"1:ITERATIONS": "3", "2:width": "64"},
        ),
    ],
    ids=["several at once", "in a line of text", "beside a word"],
)
def test_numbers_are_found_however_they_are_named(
    tmp_path: Path, script: str, told: dict[str, str]
) -> None:
    """Names that are bound together, pairs in a text that the script takes apart itself, and words
    beside a number in a call.
    """
    (tmp_path / "train_gpt.py").write_text(script)
    numbers = texts(first_configuration(read_switches(tmp_path), STREAM).code_constants)
    assert told.items() <= numbers.items()
    tree = parsed_with(script, "train_gpt.py", numbers)
    assert all(value in ast.unparse(tree) for value in told.values())


def test_a_text_that_holds_no_settings_stays(tmp_path: Path) -> None:
    """One pair is a word of a message; what is printed, or parsed as a file, is as it was."""
    script = "print('dim=512')\nTEXT = '''[model]\ndim = 512\nheads = 8\nlayers = 9\n'''\n"
    (tmp_path / "train_gpt.py").write_text(script)
    assert not first_configuration(read_switches(tmp_path), STREAM).code_constants
