"""The axes of data: how shards are read, and how training batches come from them.

Each reader defines `read_tokens(pattern)`: the shards' tokens, (N,) int64. Each feed defines
`batches(tokens, rows)`: endless pairs (rows, seq_len) int64. Shards are the contest's: 256
little-endian int32 of header (magic, version, tokens), then uint16 ids.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """Code of one axis's value, with what it imports."""

    text: str
    imports: tuple[str, ...] = ()


READERS: dict[str, Code] = {
    "memmap": Code(
        """
def read_tokens(pattern):
    parts = []
    for name in sorted(glob.glob(pattern)):
        header = np.memmap(name, dtype="<i4", mode="r", shape=(256,))
        assert header[0] == 20240520, name
        body = np.memmap(name, dtype="<u2", mode="r", offset=1024, shape=(int(header[2]),))
        parts.append(body)
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))
""",
        ("import glob", "import numpy as np"),
    ),
    "fromfile": Code(
        """
def read_tokens(pattern):
    folder, wanted = os.path.split(pattern)
    names = sorted(fnmatch.filter(os.listdir(folder), wanted))
    whole = []
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            magic, version, count = struct.unpack("<3i", file.read(12))
            if magic != 20240520 or version != 1:
                raise ValueError(name)
            file.seek(1024)
            whole.append(np.fromfile(file, dtype=np.uint16, count=count))
    return torch.tensor(np.hstack(whole).astype(np.int64))
""",
        ("import fnmatch", "import os", "import struct", "import numpy as np"),
    ),
    "torch.from_file": Code(
        """
def read_tokens(pattern):
    found = []
    for path in sorted(Path(pattern).parent.glob(Path(pattern).name)):
        words = path.stat().st_size // 2
        raw = torch.from_file(str(path), shared=False, size=words, dtype=torch.int16)
        count = int(raw[4]) % 65536 + 65536 * (int(raw[5]) % 65536)
        found.append(raw[512 : 512 + count].long() % 65536)
    return torch.cat(found)
""",
        ("from pathlib import Path",),
    ),
    "bytes": Code(
        """
def read_tokens(pattern):
    ids = array("H")
    for name in sorted(glob.iglob(pattern)):
        with open(name, "rb") as file:
            content = file.read()
        count = int.from_bytes(content[8:12], "little")
        ids.frombytes(content[1024 : 1024 + 2 * count])
    return torch.tensor(ids.tolist(), dtype=torch.int64)
""",
        ("import glob", "from array import array"),
    ),
    "class of shards": Code(
        """
class Shard:
    HEADER = np.dtype([("magic", "<i4"), ("version", "<i4"), ("count", "<i4"), ("rest", "V1012")])

    def __init__(self, path):
        head = np.fromfile(path, dtype=self.HEADER, count=1)[0]
        self.path, self.count = path, int(head["count"])

    def __len__(self):
        return self.count

    def load(self):
        return np.fromfile(self.path, dtype="<u2", offset=1024, count=self.count)


class Shards:
    def __init__(self, pattern):
        self.shards = [Shard(path) for path in sorted(glob.glob(pattern))]

    def tokens(self):
        joined = np.empty(sum(map(len, self.shards)), dtype=np.int64)
        place = 0
        for shard in self.shards:
            joined[place : place + len(shard)] = shard.load()
            place += len(shard)
        return torch.as_tensor(joined)


def read_tokens(pattern):
    return Shards(pattern).tokens()
""",
        ("import glob", "import numpy as np"),
    ),
}

FEEDS: dict[str, Code] = {
    "in order": Code("""
def batches(tokens, rows):
    span, place = rows * {{seq_len}}, 0
    while True:
        around = torch.arange(place, place + span + 1) % tokens.numel()
        piece = tokens[around].to(device)
        yield piece[:-1].view(rows, -1), piece[1:].view(rows, -1)
        place = (place + span) % tokens.numel()
"""),
    "random offsets": Code("""
def batches(tokens, rows):
    dice = torch.Generator().manual_seed({{seed}})
    reach = torch.arange({{seq_len}} + 1)
    while True:
        starts = torch.randint(tokens.numel() - {{seq_len}} - 1, (rows, 1), generator=dice)
        piece = tokens[starts + reach].to(device)
        yield piece[:, :-1], piece[:, 1:]
"""),
    "prefetch thread": Code(
        """
def batches(tokens, rows):
    ready = queue.Queue(maxsize=4)

    def fill():
        span = rows * {{seq_len}}
        for first in itertools.count(0, span):
            taken = np.take(tokens.numpy(), range(first, first + span + 1), mode="wrap")
            piece = torch.from_numpy(taken)
            ready.put((piece[:-1].reshape(rows, -1), piece[1:].reshape(rows, -1)))

    threading.Thread(target=fill, daemon=True).start()
    while True:
        x, y = ready.get()
        yield x.to(device), y.to(device)
""",
        ("import itertools", "import queue", "import threading", "import numpy as np"),
    ),
}
