"""Which vocabulary a script asks for, and a tokenizer file for it.

Guarantees: the vocabulary has exactly the size that the script, as configured, asks for; a
tokenizer of that size in the folder, or one that the user gives, goes before one that we train on
the embedded corpus (BPE with byte fallback, ids pad 0, bos 1, eos 2, unk 3 as in the contest);
trained ones are kept in the cache.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from audits.bounded import Bounds, Unfinished, in_child
from audits.files import files_below
from audits.switches import Switches, as_number
from harness.errors import SubmissionError
from harness.streams.vocabulary import Vocabulary
from reference_model.data.cache import cache_folder, keep
from reference_model.data.corpus import embedded_name, read_sources
from reference_model.data.errors import DataError
from reference_model.data.tokenizer import load_tokenizer, train_tokenizer

DEFAULT_SIZE = 1_024
MAX_MODEL_BYTES = 16 << 20  # one of 65,536 entries has 1.2 MB
MODEL = Bounds(wall_s=30.0, memory_bytes=1 << 30)  # of opening one
BYTE_SPECIALS = 4  # pad, bos, eos, unk; then the 256 bytes
BYTE_SIZE = BYTE_SPECIALS + 256
_NAMED_SIZE = re.compile(r"(?:sp|bpe_|fineweb_)(\d{3,5})(?!\d)")
_BYTE_TABLE = re.compile(r"^(TOKENIZER_META|TOKEN_BYTES|BYTE_(LUT|TABLE))_(PATH|FILE)$")
_DEFAULT_SIZE = re.compile(r"VOCAB_SIZE['\"]\s*,\s*['\"]?(\d+)")  # where no tree could be read


def vocabulary_of(
    switches: Switches, environment: Mapping[str, str], given: Sequence[Path] = ()
) -> Vocabulary:
    """The vocabulary that the script has under this environment."""
    paths = switches.paths_under(environment)
    size = size_of(switches, environment, paths)
    wanted = tokenizer_paths(paths)
    if size <= BYTE_SIZE + 8 and not any(path.endswith(".model") for path in wanted):
        return Vocabulary(size, "plain bytes", None)
    names = [Path(path).name for path in wanted]
    models = [path for path in files_below(switches.target.root) if path.suffix == ".model"]
    found = sorted(models, key=lambda path: (path.name not in names, path))
    inside = [path for path in found if _opens(path)]
    for path in [*inside, *given]:
        if (model := _model_of(path, size)) is not None:
            place = "the folder" if path in inside else "the user"
            return Vocabulary(size, f"{path.name} of {place}", model)
    return Vocabulary(size, "trained on the embedded corpus", trained_model(size))


def size_of(switches: Switches, environment: Mapping[str, str], paths: Mapping[str, str]) -> int:
    """A switch, else a constant of the script, else what its tokenizer's name says."""
    stated = as_number(environment.get("VOCAB_SIZE", switches.value("VOCAB_SIZE")))
    if stated is None:
        constants = {key.rpartition(".")[2].upper(): v for key, v in switches.attributes.items()}
        constant = constants.get("VOCAB_SIZE")
        stated = float(constant) if isinstance(constant, int | float) else None
    if stated is None:
        names = _NAMED_SIZE.findall(" ".join([*tokenizer_paths(paths), *paths.values()]))
        names = names or _DEFAULT_SIZE.findall(switches.text)
        stated = float(names[0]) if names else None
    return int(stated or DEFAULT_SIZE)


def tokenizer_paths(paths: Mapping[str, str]) -> list[str]:
    """The paths that lead to a tokenizer."""
    return [
        path
        for key, path in paths.items()
        if path.endswith(".model") or ("tokenizer" in key.lower() and Path(path).suffix)
    ]


def byte_tables_elsewhere(switches: Switches) -> list[str]:
    """Switches that lead to a table of bytes a token which the folder does not hold.

    The scripts of #1143 and its heirs read one where it lies beside the tokenizer, and count by the
    tokenizer where it does not. Theirs was wrong by 4 to 6 % (#1271), and came with no folder.
    """
    root = switches.target.root
    named = {name: switches.value(name) for name in switches.switches if _BYTE_TABLE.search(name)}
    return sorted(n for n, path in named.items() if not path or not (root / path).is_file())


def trained_model(size: int) -> bytes:
    """A .model file with exactly this many entries, trained once."""
    path = cache_folder() / "tokenizers" / embedded_name() / f"bpe_{size}.model"
    if (model := _model_of(path, size)) is not None:
        return model
    try:
        model = train_tokenizer(_texts(), size)
    except DataError as error:
        raise SubmissionError(
            f"the script needs a tokenizer of {size} entries, and none can be trained on the "
            f"embedded corpus: give one with --tokenizer ({error})"
        ) from error
    keep(path, model)
    if _model_of(path, size) is None:
        raise SubmissionError(
            f"the script needs a tokenizer of {size} entries, more than the embedded corpus "
            "carries: give one with --tokenizer"
        )
    return model


def _texts() -> Iterable[str]:
    return (text for source in read_sources() for text in source.documents)


def _opens(path: Path) -> bool:
    """Whether a file of the folder is a tokenizer: a child tries it first."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_MODEL_BYTES:
        return False
    try:
        return in_child(lambda: load_tokenizer(path).vocab_size() > 0, MODEL)
    except (DataError, Unfinished):
        return False


def _model_of(path: Path, size: int) -> bytes | None:
    """The file's bytes when it is a tokenizer of this size."""
    if not path.is_file():
        return None
    try:
        processor = load_tokenizer(path)
    except DataError:
        return None  # some folders hold other things under this name
    return path.read_bytes() if processor.vocab_size() == size else None
