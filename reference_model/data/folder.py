"""A data folder as the challenge lays it out: train shards, validation shards, one tokenizer.

    <folder>/fineweb_train_*.bin   <folder>/fineweb_val_*.bin   and a *.model file in the folder,
    in its tokenizers/, or in a tokenizers/ one or two levels up (the challenge's own layout).

Guarantees: shards in name order; every id that it hands out is below the vocabulary size; the
fingerprint changes with any byte of any shard or of the tokenizer.
Does not cover: whether train and validation share documents, or whether the shards were made with
this tokenizer beyond the range of ids.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece as spm
import xxhash

from reference_model.data.errors import DataError, ShardError
from reference_model.data.shards import read_shard
from reference_model.data.tokenizer import load_tokenizer

HASH_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class DataFolder:
    """Where one data set lies; nothing large is read until it is asked for."""

    root: Path
    train_shards: tuple[Path, ...]  # in name order, at least one
    val_shards: tuple[Path, ...]  # in name order, at least one
    tokenizer: Path
    vocab_size: int

    @classmethod
    def open(cls, path: Path, tokenizer: Path | None = None) -> "DataFolder":
        """Find and check the pieces; `tokenizer` overrules the search."""
        root = Path(path)
        if not root.is_dir():
            raise DataError(f"{root}: no such data folder")
        tokenizer = Path(tokenizer) if tokenizer else _find_tokenizer(root)
        vocab_size = load_tokenizer(tokenizer).vocab_size()
        train, val = _find_shards(root, "train"), _find_shards(root, "val")
        return cls(root, train, val, tokenizer, vocab_size)

    def load_tokenizer(self) -> spm.SentencePieceProcessor:
        return load_tokenizer(self.tokenizer)

    def validation_tokens(self) -> np.ndarray:
        """(T,) uint16, the validation shards one after the other."""
        return self._concatenate(self.val_shards)

    def train_tokens(self, limit: int | None = None) -> np.ndarray:
        """(T,) uint16, the training shards one after the other, cut after `limit` tokens."""
        return self._concatenate(self.train_shards, limit)

    def fingerprint(self) -> str:
        """32 hex digits over the tokenizer and every shard, in order; the names do not matter."""
        digest = xxhash.xxh3_128()
        for role, files in (
            ("tokenizer", (self.tokenizer,)),
            ("train", self.train_shards),
            ("val", self.val_shards),
        ):
            for file in files:
                digest.update(f"{role} {file.stat().st_size}\n".encode())
                _hash_file(digest, file)
        return digest.hexdigest()

    def tokenizer_sha256(self) -> str:
        return hashlib.sha256(self.tokenizer.read_bytes()).hexdigest()

    def _concatenate(self, shards: tuple[Path, ...], limit: int | None = None) -> np.ndarray:
        parts: list[np.ndarray] = []
        n_tokens = 0
        for shard in shards:
            if limit is not None and n_tokens >= limit:
                break
            parts.append(self._read(shard))
            n_tokens += parts[-1].size
        return np.concatenate(parts)[:limit]

    def _read(self, shard: Path) -> np.ndarray:
        tokens = read_shard(shard)
        if tokens.size and int(tokens.max()) >= self.vocab_size:
            raise ShardError(
                f"{shard}: holds token id {tokens.max()}, but the tokenizer {self.tokenizer} has "
                f"{self.vocab_size} entries; the shard was made with another tokenizer: "
                "put that one beside it"
            )
        return tokens


def _find_shards(root: Path, split: str) -> tuple[Path, ...]:
    shards = tuple(sorted(root.glob(f"fineweb_{split}_*.bin")))
    if not shards:
        raise DataError(
            f"{root}: no {split} shards (fineweb_{split}_*.bin); fetch the challenge's, or build "
            "a folder from text with `python -m reference_model.data.build`"
        )
    return shards


def _find_tokenizer(root: Path) -> Path:
    root = root.resolve()
    for place in (root, *(near / "tokenizers" for near in (root, *root.parents[:2]))):
        if models := sorted(place.glob("*.model")):
            return _choose_tokenizer(root, models)
    raise DataError(
        f"{root}: no SentencePiece tokenizer (*.model) in the folder, its tokenizers/ or a "
        "tokenizers/ one or two levels up; copy the one that made the shards there"
    )


def _choose_tokenizer(root: Path, models: list[Path]) -> Path:
    """The only one, else the one named by the vocabulary in the folder's name (sp1024)."""
    size = re.search(r"sp(\d+)", root.name)
    named = [m for m in models if size and size[1] in re.findall(r"\d+", m.stem)]
    candidates = named or models
    if len(candidates) > 1:
        names = ", ".join(m.name for m in candidates)
        raise DataError(
            f"{models[0].parent}: several tokenizers ({names}) and none is named by {root.name}; "
            "leave one, or name it"
        )
    return candidates[0]


def _hash_file(digest: xxhash.xxh3_128, file: Path) -> None:
    with open(file, "rb") as stream:
        while chunk := stream.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
