"""The challenge's shard format: reading and writing token files.

Layout: 256 little-endian int32 (magic 20240520, version 1, number of tokens, zeros), then that many
little-endian uint16 token ids. The same bytes feed every submission script, so nothing is added.

Guarantees: what `write_shard` wrote `read_shard` returns; a file whose length or header disagrees
with itself is refused with its name. Imports no torch.
Does not cover: what the ids mean, and whether they fit a vocabulary (see `folder`).
"""

import os
from pathlib import Path

import numpy as np

from reference_model.data.errors import ShardError

__all__ = ["ShardError", "read_shard", "write_shard"]

MAGIC = 20240520
VERSION = 1
HEADER_INTS = 256
HEADER_BYTES = 4 * HEADER_INTS
MAX_TOKENS = 2**31 - 1  # the count is a signed 32-bit field
MAX_ID = 2**16 - 1


def read_shard(path: Path) -> np.ndarray:
    """The shard's tokens, (T,) uint16, memory-mapped and read-only."""
    n_tokens = _read_header(Path(path))
    if n_tokens == 0:
        return np.zeros(0, dtype="<u2")  # an empty range cannot be memory-mapped
    return np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(n_tokens,))


def write_shard(
    path: Path,
    tokens: np.ndarray,  # (T,) any integer dtype, every id in 0..65535
) -> None:
    """Write the tokens as one shard; a kill leaves the old file or none, never half of one."""
    path, tokens = Path(path), np.asarray(tokens)
    _check_writable(path, tokens)
    header = np.zeros(HEADER_INTS, dtype="<i4")
    header[:3] = MAGIC, VERSION, tokens.size
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with open(partial, "wb") as file:
        file.write(header.tobytes())
        file.write(np.ascontiguousarray(tokens, dtype="<u2").data)
    os.replace(partial, path)


def _read_header(path: Path) -> int:
    """The number of tokens, once header and file length agree."""
    try:
        with open(path, "rb") as file:
            raw = file.read(HEADER_BYTES)
        n_bytes = path.stat().st_size
    except OSError as error:
        raise ShardError(f"{path}: cannot be read ({error.strerror})") from error
    if len(raw) < HEADER_BYTES:
        raise ShardError(
            f"{path}: expected a header of {HEADER_BYTES} bytes, found {n_bytes} bytes in all; "
            "the file is cut short or no token shard: fetch or build it again"
        )
    magic, version, n_tokens = (int(field) for field in np.frombuffer(raw, dtype="<i4", count=3))
    if (magic, version) != (MAGIC, VERSION):
        raise ShardError(
            f"{path}: expected magic {MAGIC} and version {VERSION}, found {magic} and {version}; "
            "this is no challenge shard: check the path, or build one from text with "
            "`python -m reference_model.data.build`"
        )
    expected = HEADER_BYTES + 2 * n_tokens
    if n_tokens < 0 or n_bytes != expected:
        raise ShardError(
            f"{path}: the header promises {n_tokens} tokens, a file of {expected} bytes; found "
            f"{n_bytes} bytes; the file is cut short or was altered: fetch or build it again"
        )
    return n_tokens


def _check_writable(path: Path, tokens: np.ndarray) -> None:
    if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
        raise ShardError(
            f"{path}: expected one row of integer ids, got shape {tokens.shape} {tokens.dtype}"
        )
    if tokens.size > MAX_TOKENS:
        raise ShardError(f"{path}: {tokens.size} tokens do not fit one shard; write several")
    if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) <= MAX_ID:
        raise ShardError(
            f"{path}: ids run from {tokens.min()} to {tokens.max()}; a shard holds 0 to {MAX_ID}"
        )
