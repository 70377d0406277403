"""The contest's data in the places where a script looks for it.

Guarantees: every place under the stage that the configured script names (data folders, shard
patterns, tokenizer files) holds the given tokens; the contest's usual layout is there as well; a
path outside the stage is listed as a bind, absolute path -> folder in the stage. A path is taken
without its `.` and `..`; one that no folder can have here, or that leaves the stage, is not served.
Shards that are files already are linked to, where they stand: inside they are shown read-only.
Does not cover: data in other formats than the contest's shards.
"""

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from harness.configure.data_places import SHARDS, SIDECAR, TOKENIZER
from harness.configure.vocabulary_choice import tokenizer_paths
from harness.streams.vocabulary import Vocabulary
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard

MAX_NAME, MAX_PATH = 255, 3_000  # bytes; Linux takes 4,095, and the stage lies above it
OUTSIDE = "outside"  # folder of the stage that stands for absolute paths
_SHARD_NAME = re.compile(r"\.bin$")
_VALIDATION = re.compile(r"val", re.IGNORECASE)
_FOLDER = re.compile(r"(data|dataset|datasets)_?(path|dir|root|folder)?$|shard", re.IGNORECASE)
_SYSTEM = ("/dev/", "/proc/", "/sys/", "/usr/", "/lib", "/bin/", "/etc/", "/tmp/", "/opt/")


@dataclass(frozen=True, eq=False)
class StageData:
    """What a run reads."""

    validation: np.ndarray  # (T,) integer ids
    train: tuple[np.ndarray, ...]  # each (N,) integer ids: one shard
    files: DataFolder | None = None  # that hold these and the training shards, of a whole run

    @property
    def given(self) -> tuple[Path, ...]:
        """Files of the machine that the stage links to."""
        if self.files is None:
            return ()
        return tuple(path.resolve() for path in (*self.files.train_shards, *self.files.val_shards))


@dataclass
class Layout:
    """Where data was put."""

    stage: Path
    data: StageData
    vocabulary: Vocabulary
    sidecar: bool  # the script knows the byte sidecar; others would read it as a shard
    binds: dict[str, str] = field(default_factory=dict)
    _done: set[Path] = field(default_factory=set)

    def fill(self, paths: Mapping[str, str]) -> None:
        """Everything that these paths of the script name."""
        size = self.vocabulary.size
        self.folder(SHARDS.format(size=size))
        self.tokenizer(TOKENIZER.format(size=size))
        for path in tokenizer_paths(paths):
            self.tokenizer(path)
        for key, path in paths.items():
            if _SHARD_NAME.search(path):
                self.pattern(path)
            elif _FOLDER.search(key.rpartition(".")[2]) or "fineweb10B" in PurePosixPath(path).name:
                self.folder(path)
        self.binds = {at: folder for at, folder in self.binds.items() if self._stands(folder)}

    def _stands(self, folder: str) -> bool:
        return (self.stage / folder).is_dir()

    def folder(self, path: str) -> None:
        """A data folder: training shards, the validation shard, and its bytes."""
        place = self.place(path)
        if place is None or place in self._done or place.is_file():
            return
        self._done.add(place)
        place.mkdir(parents=True, exist_ok=True)
        self._train(place, "fineweb_train_*.bin")
        self._validation(place, "fineweb_val_*.bin")
        if self.sidecar:
            write_shard(place / f"{SIDECAR}_000000.bin", self.validation_bytes())

    def pattern(self, pattern: str) -> None:
        """A glob or a file name with its own idea of shard names."""
        name = PurePosixPath(pattern).name
        folder = self.place(str(PurePosixPath(pattern).parent))
        if folder is None or folder.is_file() or any(c in name for c in "?["):
            return
        if any(folder.glob(name)):
            return
        folder.mkdir(parents=True, exist_ok=True)
        if "bytes" in name:
            write_shard(folder / name.replace("*", "000000"), self.validation_bytes())
        elif _VALIDATION.search(name):
            self._validation(folder, name)
        else:
            self._train(folder, name)

    def _validation(self, folder: Path, name: str) -> None:
        if self.data.files is None:
            write_shard(folder / name.replace("*", "000000"), self.data.validation)
        else:
            _link(self.data.files.val_shards, folder, name)

    def _train(self, folder: Path, name: str) -> None:
        if self.data.files is not None:
            _link(self.data.files.train_shards, folder, name)
            return
        for number, tokens in enumerate(self.data.train):
            write_shard(folder / name.replace("*", f"{number:06d}"), tokens)

    def tokenizer(self, path: str) -> None:
        """A tokenizer file, in the form that its suffix asks for."""
        place = self.place(path)
        if place is None or place.is_dir():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        vocabulary = self.vocabulary
        if place.suffix == ".model" and vocabulary.model is not None:
            place.write_bytes(vocabulary.model)
        elif place.suffix == ".json" and not place.exists():
            place.write_text(vocabulary.as_json())

    def validation_bytes(self) -> np.ndarray:
        """(T,) int64: what the byte sidecar holds."""
        return self.vocabulary.token_bytes(self.data.validation)

    def place(self, path: str) -> Path | None:
        """The place in the stage; None where the script must not be served."""
        pure = _normal(path)
        if pure is None:
            return None
        if pure.is_absolute():
            if f"{pure}/".startswith(_SYSTEM) or len(pure.parts) < 3:
                return None
            root = str(PurePosixPath(*pure.parts[:2]))  # "/workspace", "/home"
            made = self._inside(self.stage / OUTSIDE / pure.relative_to("/"))
            if made is not None:
                self.binds[root] = f"{OUTSIDE}{root}"
            return made
        return self._inside(self.stage / pure)

    def _inside(self, path: Path) -> Path | None:
        """The path without links and `..`; None where it leaves the stage."""
        made, stage = path.resolve(), self.stage.resolve()
        if not made.is_relative_to(stage):
            return None
        above = [up for up in made.parents if up.is_relative_to(stage)]
        return None if any(up.exists() and not up.is_dir() for up in above) else made


def _link(shards: Sequence[Path], folder: Path, name: str) -> None:
    """One link a shard, in their order; of a name without a `*`, the first alone."""
    for number, shard in enumerate(shards if "*" in name else shards[:1]):
        (folder / name.replace("*", f"{number:06d}")).symlink_to(shard.resolve())


def _normal(path: str) -> PurePosixPath | None:
    """Without `.`, `..` and doubled slashes; None for what the system takes for no path."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        return None
    if b"\0" in name or len(name) > MAX_PATH or any(len(n) > MAX_NAME for n in name.split(b"/")):
        return None
    normal = posixpath.normpath(path)
    return PurePosixPath("/" + normal.lstrip("/") if normal.startswith("/") else normal)
