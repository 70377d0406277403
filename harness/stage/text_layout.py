"""Rows of a stream as the text that a script reads: parquet shards, and a tokenizer of its kind.

Guarantees: encoding what is written gives back the stream's tokens, document by document; a table
of bytes says what our own counting says. The tokenizer's file is what `tiktoken` itself pickles.
Does not cover: formats other than those of `audits/contests`.
"""

import hashlib
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from audits.contests.contest import Contest
from harness.stage.data_layout import StageData
from harness.streams.characters import CharacterVocabulary
from reference_model.data.shards import write_shard

BUFFERED = 1_024  # documents that a loader wants before it packs a row
IDS = "bin-uint16"  # no text, and no tokenizer
HOME = ".home"  # of a run, in its stage
ENCODING = b"ctiktoken.core\nEncoding\n"  # a class by name: GLOBAL of the pickle protocol
# Any split would do: no merge crosses a character.
SPLIT = r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]|\s"


def write_text(
    contest: Contest, vocabulary: CharacterVocabulary, data: StageData, stage: Path
) -> None:
    """Shards and tokenizer, where the contest says that its scripts look for them."""
    own, tokenizer = contest.data, contest.tokenizer
    assert own is not None and tokenizer is not None
    folder = _place(stage, own.folder)
    folder.mkdir(parents=True, exist_ok=True)
    if own.kind == IDS:
        for number, name in enumerate(own.train):
            write_shard(folder / name, data.train[number % len(data.train)])
        write_shard(folder / own.validation, data.validation)
        return
    for number, name in enumerate(own.train):
        shard = data.train[number % len(data.train)]
        _write_shard(folder / name, own.column, _texts(shard, vocabulary))
    _write_shard(folder / own.validation, own.column, _texts(data.validation, vocabulary))
    pickled = _place(stage, tokenizer.file)
    pickled.parent.mkdir(parents=True, exist_ok=True)
    pickled.write_bytes(pickled_encoding(vocabulary))
    if tokenizer.digest:
        digest = hashlib.sha256(pickled.read_bytes()).hexdigest()
        _place(stage, tokenizer.digest).write_text(digest, encoding="ascii")
    if tokenizer.table:
        table = torch.from_numpy(vocabulary.table.base.astype(np.int32))
        torch.save(table, _place(stage, tokenizer.table))


def kept_files(contest: Contest) -> tuple[str, ...]:
    """What nobody may change, relative to the stage: frozen files, the validation shard, the
    tokenizer and its table.
    """
    own, tokenizer = contest.data, contest.tokenizer
    found = [one.path for one in contest.files.frozen]
    if own is not None:
        found.append(f"{own.folder}/{own.validation}")
    if tokenizer is not None:
        found += filter(None, (tokenizer.file, tokenizer.table))
    return tuple(str(_place(Path(), path)) for path in found)


def pickled_encoding(vocabulary: CharacterVocabulary) -> bytes:
    """What `pickle.dumps` gives of a `tiktoken.Encoding`, without that package: a new object of its
    class, then its state.
    """
    state = {
        "name": "characters",
        "pat_str": SPLIT,
        "mergeable_ranks": vocabulary.ranks,
        "special_tokens": vocabulary.special_ids,
    }
    plain = pickle.dumps(state, protocol=2)
    begin, end = plain[:2], plain[2:-1]  # PROTO 2 ... STOP
    return begin + ENCODING + b")\x81" + end + b"b."  # EMPTY_TUPLE NEWOBJ, the state, BUILD STOP


def _place(stage: Path, path: str) -> Path:
    return stage / HOME / path.removeprefix("~/") if path.startswith("~/") else stage / path


def _texts(tokens: np.ndarray, vocabulary: CharacterVocabulary) -> list[str]:
    """One text a document, without what opens it."""
    starts = np.flatnonzero(tokens == vocabulary.boundary)
    parts = np.split(tokens, starts[1:])
    return [vocabulary.text_of(part[1:]) for part in parts]


def _write_shard(path: Path, column: str, texts: Sequence[str]) -> None:
    """Over and over, as loaders read a short shard themselves, a file at a time."""
    texts = [*texts] * max(1, BUFFERED // len(texts))
    pq.write_table(pa.table({column: pa.array(texts, pa.string())}), path)
