"""The embedded corpus: the prose that every Python installation carries.

Two sources: the language reference in `pydoc_data.topics`, one source a topic, and the docstrings
of the standard library, one source a file. Whitespace is folded to single spaces, which is what
the challenge's tokenizer does to its text as well. A paragraph that was seen before is dropped.
A source longer than MAX_DOCUMENT_CHARS becomes several documents.

Guarantees: deterministic for one Python version; validation holds topics alone, whole ones, none of
which training or the tokenizer see: they lie in one folder of an installation (`HELD_OUT`), which
whoever runs a submission can hide from it; a kill leaves no half-built data.
Does not cover: equality between Python versions (the text differs), nor English in general: this
is technical prose, small on purpose, so that a model trains in a minute.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reference_model.data.cache import cache_folder
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard
from reference_model.data.tokenizer import encode_document, load_tokenizer, train_tokenizer

RECIPE = 2  # raise it when the same Python would now give other text; cached folders are rebuilt
VALIDATION_TOKENS = 65_536  # 256 windows of 256; a pass over it takes seconds on 2 cores
LEAST_TOPIC_BYTES = 200_000  # 2.7 bytes a token, and slack; Python 3.11 has 292,970
TOPIC = "topic "  # begins the name of such a source
HELD_OUT = "pydoc_data"  # the folder of the topics, in the standard library
MAX_DOCUMENT_CHARS = 8_000  # about 3,300 tokens; the challenge's documents average 957
MIN_PARAGRAPH_CHARS = 40  # shorter ones are signatures and table rows
MIN_LETTERS = 0.75  # share of letters and spaces; below are tables, rulers, grammar, code
ABANDONED_AFTER_S = 3_600.0  # a build takes seconds

# Every file that a built folder holds; a folder with anything else is somebody's.
OURS = re.compile(r"corpus\.json|embedded_1024_bpe\.model|fineweb_(train|val)_\d+\.bin")

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

# Test suites, vendored wheels and grammar fixtures: little prose, much repetition.
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3"}


@dataclass(frozen=True)
class Source:
    """Text of one origin; never split between training and validation."""

    name: str
    documents: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        return sum(len(document.encode()) for document in self.documents)


def embedded_name() -> str:
    """Tells apart what another recipe, or the text of another Python, would give."""
    return "embedded-" + "-".join(map(str, _recipe().values()))


def embedded_data(cache: Path | None = None) -> DataFolder:
    """The embedded data set in `cache`, built there first if it is missing or of another recipe;
    by default in the cache of this user.
    """
    cache = Path(cache or cache_folder() / "data" / embedded_name())
    if not _is_current(cache):
        _refuse_foreign(cache)
        cache.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{cache.name}.building-"
        _sweep(cache.parent.glob(f"{prefix}*"))
        building = Path(tempfile.mkdtemp(prefix=prefix, dir=cache.parent))
        try:
            _build(building)
            _move_into_place(building, cache)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return DataFolder.open(cache)


def read_sources() -> list[Source]:
    """Every source of this Python installation, repeated paragraphs dropped, in a fixed order."""
    seen: set[str] = set()
    sources = []
    for name, text in (*_topics(), *_docstrings()):
        fresh = [p for p in _paragraphs(text) if not (p in seen or seen.add(p))]
        if documents := tuple(_group(fresh, MAX_DOCUMENT_CHARS)):
            sources.append(Source(name, documents))
    return sources


# ---------------------------------------------------------------------------------------------
# building the folder


def _build(folder: Path) -> None:
    held_out, training = _hold_out(read_sources())
    model = train_tokenizer(text for source in training for text in source.documents)
    (folder / "embedded_1024_bpe.model").write_bytes(model)
    tokenizer = load_tokenizer(folder / "embedded_1024_bpe.model")

    def encode(source: Source) -> list[int]:
        return [i for text in source.documents for i in encode_document(tokenizer, text)]

    validation: list[int] = []
    train = [i for source in training for i in encode(source)]
    for source in held_out:
        tokens = encode(source)
        fits = len(validation) + len(tokens) <= VALIDATION_TOKENS
        (validation if fits else train).extend(tokens)
    write_shard(folder / "fineweb_train_000000.bin", np.array(train))
    write_shard(folder / "fineweb_val_000000.bin", np.array(validation))
    (folder / "corpus.json").write_text(json.dumps(_recipe()))


def _hold_out(sources: list[Source]) -> tuple[list[Source], list[Source]]:
    """The topics in a pseudo-random order, and all else."""
    shuffled = sorted(sources, key=lambda s: hashlib.sha256(s.name.encode()).digest())
    topics = [source for source in shuffled if source.name.startswith(TOPIC)]
    total = sum(source.n_bytes for source in topics)
    if total < LEAST_TOPIC_BYTES:
        raise DataError(
            f"this Python carries {total} bytes of a language reference, too little to hold"
            f" {LEAST_TOPIC_BYTES} out; its standard library was stripped: use a full"
            " installation, or give --data"
        )
    return topics, [source for source in shuffled if source not in topics]


def _recipe() -> dict[str, object]:
    return {"recipe": RECIPE, "python": sys.version.split()[0]}


def _is_current(cache: Path) -> bool:
    try:
        return json.loads((cache / "corpus.json").read_text()) == _recipe()
    except (OSError, ValueError):
        return False


def _refuse_foreign(cache: Path) -> None:
    """What stands in the way is replaced, so it must be ours: a built corpus, or nothing."""
    if not cache.exists():
        return
    present = sorted(path.name for path in cache.iterdir()) if cache.is_dir() else [cache.name]
    foreign = [name for name in present if not OURS.fullmatch(name)]
    if foreign:
        raise DataError(
            f"{cache}: holds {', '.join(foreign[:3])}, which is no part of the embedded corpus; "
            "it would be replaced: name another folder, or move that away"
        )


def _sweep(abandoned: Iterable[Path]) -> None:
    """Remove what killed builds left; a young one may be another process at work."""
    for folder in abandoned:
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(building: Path, cache: Path) -> None:
    """Rename; whatever stood there goes, unless another process has just put the same there."""
    building.chmod(0o755)  # mkdtemp makes it private
    try:
        os.rename(building, cache)
    except OSError:
        if _is_current(cache):
            return
        os.rename(cache, building.with_name(f"{building.name}.old"))
        shutil.rmtree(building.with_name(f"{building.name}.old"), ignore_errors=True)
        os.rename(building, cache)


# ---------------------------------------------------------------------------------------------
# finding the text


def _topics() -> Iterator[tuple[str, str]]:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "this Python has no pydoc_data.topics; use a full installation, or give --data"
        ) from error
    for name in sorted(topics):
        yield f"{TOPIC}{name}", topics[name]


def _docstrings() -> Iterator[tuple[str, str]]:
    library = Path(sysconfig.get_path("stdlib"))
    for file in sorted(library.rglob("*.py")):
        relative = file.relative_to(library)
        if SKIPPED_FOLDERS.isdisjoint(relative.parts):
            yield f"file {relative.as_posix()}", "\n\n".join(_docstrings_of(file))


def _docstrings_of(file: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some stdlib files hold invalid escapes
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return  # deliberately broken fixtures
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and (docstring := ast.get_docstring(node)):
            yield docstring


def _paragraphs(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text):
        folded = " ".join(block.split())
        if len(folded) >= MIN_PARAGRAPH_CHARS and _is_prose(folded):
            yield folded


def _is_prose(text: str) -> bool:
    return sum(c.isalpha() or c == " " for c in text) >= MIN_LETTERS * len(text)


def _group(paragraphs: list[str], max_chars: int) -> Iterator[str]:
    """Documents of whole paragraphs, each closed before it would pass `max_chars`."""
    group: list[str] = []
    for paragraph in paragraphs:
        if group and len(" ".join((*group, paragraph))) > max_chars:
            yield " ".join(group)
            group = []
        group.append(paragraph)
    if group:
        yield " ".join(group)
