"""Results that hold until the folder or the product changes.

One line of JSON a result, appended as soon as it is there: an ended command loses what was under
way and nothing else. Guarantees: a result is reused only where the folder's files, the product's
own source and the run's seed are the same. Does not cover: other versions of Python or torch on
the same machine.
"""

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from harness.checks.status import Level
from harness.gallery.exhibit import Exhibit
from harness.gallery.outcome import Seen
from harness.verdict.decide import Verdict

_ROOT = Path(__file__).resolve().parents[2]
_PRODUCT = ("audits", "harness", "reference_model")


@dataclass(frozen=True)
class Key:
    """One showing."""

    room: str
    name: str
    seed: int
    files: str  # of the folder, a hash
    product: str  # the same of our source


def key_of(exhibit: Exhibit, seed: int) -> Key:
    """As the files are now."""
    files = (p for p in exhibit.folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return Key(exhibit.room, exhibit.name, seed, _hash(exhibit.folder, files), _product())


class Kept:
    """The file of results."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        self._known = dict(_read(path))
        self._lock = threading.Lock()

    def get(self, key: Key) -> Seen | None:
        return self._known.get(key)

    def add(self, key: Key, seen: Seen) -> None:
        self._known[key] = seen
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": asdict(key), "seen": asdict(seen)}) + "\n")


def _read(path: Path) -> Iterable[tuple[Key, Seen]]:
    """A line that was cut off when the command was ended is left out."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            one = json.loads(line)
            seen = one["seen"]
            failed = {rule: Level(level) for rule, level in seen["failed"].items()}
            yield (
                Key(**one["key"]),
                Seen(Verdict(seen["verdict"]), failed, seen["said"], seen["seconds"]),
            )
        except (ValueError, LookupError, TypeError):
            continue


@cache
def _product() -> str:
    return _hash(_ROOT, (p for top in _PRODUCT for p in (_ROOT / top).rglob("*.py")))


def _hash(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
