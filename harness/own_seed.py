"""The seed of an evaluation for which none was given: the same again for the same files and user,
and not to be known from anything that a submission holds or can read.

It is a keyed sum of the submission's files; the key lies in this user's cache folder, which no run
sees. So a script cannot draw its stream, or the places of probes, again, also not from a report of
an earlier version of itself. A report names its seed, and `--seed` repeats it anywhere.
Does not cover: trying all 2^32 inside, which takes longer than a small run has; and the beginning
of what is larger than MOST_BYTES alone counts.
"""

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from harness.errors import UsageError

SEEDS = 1 << 32  # what every generator takes, numpy's oldest included
MOST_BYTES = 64 << 20  # of a file
MOST_FILES = 10_000
KEY, KEY_BYTES = "key", 32


def own_seed(submission: Path) -> int:
    """Of a folder, or a lone file. Raises UsageError where no cache folder can be made."""
    total = hmac.new(_key(), digestmod=hashlib.sha256)
    for name, path in sorted(_files(submission)):
        total.update(hashlib.sha256(os.fsencode(name)).digest())
        total.update(_sum_of(path))
    return int.from_bytes(total.digest()[:8]) % SEEDS


def handed_on(seed: int) -> int:
    """A seed that a submission may see: it tells nothing of the one that it was made from."""
    word = hashlib.sha256(f"handed on {seed}".encode()).digest()
    return int.from_bytes(word[:8]) % SEEDS


def _key() -> bytes:
    # Here: a command that only says what it does needs no other package.
    from reference_model.data.cache import cache_folder, keep
    from reference_model.data.errors import DataError

    try:
        path = cache_folder() / KEY
    except DataError as error:
        raise UsageError(str(error)) from error
    if not path.exists():
        keep(path, secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


def _files(submission: Path) -> Iterator[tuple[str, Path]]:
    if not submission.is_dir():
        yield submission.name, submission
        return
    found = 0
    for folder, _, names in os.walk(submission):
        for name in names:
            path = Path(folder, name)
            yield str(path.relative_to(submission)), path
            found += 1
            if found == MOST_FILES:
                return


def _sum_of(path: Path) -> bytes:
    """Of a regular file's content; of anything else, that it is none."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return b""
        return hashlib.sha256(file.read(MOST_BYTES)).digest()
