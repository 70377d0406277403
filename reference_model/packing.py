"""Six-bit integers in six bits: four values in three bytes.

Guarantees: unpack(pack(v), len(v)) == v for every v in -32..31; the packed length is
ceil(6 n / 8) bytes, and unpack refuses any other. Does not cover: entropy coding (see `artifact`).
"""

import numpy as np

BITS = 6
OFFSET = 1 << (BITS - 1)  # -32..31 is stored as 0..63


def packed_bytes(n_values: int) -> int:
    return (BITS * n_values + 7) // 8


def pack(values: np.ndarray) -> np.ndarray:  # (N,) integers in -32..31 -> (ceil(6N / 8),) uint8
    codes = np.asarray(values).astype(np.int16) + OFFSET
    if codes.size and not 0 <= codes.min() <= codes.max() < 1 << BITS:
        raise ValueError(f"values must lie in {-OFFSET}..{OFFSET - 1}")
    quads = np.pad(codes.astype(np.uint8), (0, -codes.size % 4)).reshape(-1, 4)
    a, b, c, d = quads.T
    triples = np.stack([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d], axis=1)
    return triples.ravel()[: packed_bytes(codes.size)]


def unpack(packed: np.ndarray, n_values: int) -> np.ndarray:  # (bytes,) uint8 -> (N,) int8
    if packed.size != packed_bytes(n_values):
        raise ValueError(
            f"{n_values} values take {packed_bytes(n_values)} bytes, found {packed.size}"
        )
    x, y, z = np.pad(packed, (0, -packed.size % 3)).reshape(-1, 3).T
    quads = np.stack([x >> 2, (x & 3) << 4 | y >> 4, (y & 15) << 2 | z >> 6, z & 63], axis=1)
    return (quads.ravel()[:n_values].astype(np.int16) - OFFSET).astype(np.int8)
