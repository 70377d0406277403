"""Files that a run writes: kept when it ends, or given other bytes when it opens them again.

Guarantees: only regular files of its own stage, none of which is reached by a link; the stage is
read when all of its processes are dead. Does not cover: which files are wanted.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.experiments.run_name import RunName
from harness.stage.stage import MAX_FILE_BYTES

FOLDER = "written"  # of what a run left


@dataclass(frozen=True)
class Files:
    """Paths in the stage."""

    wanted: Collection[str] = ()  # copied to the run's folder when it has ended
    given: RunName | None = None  # another run, which wrote them as well and kept them
    # Shards whose tokens are turned round, behind so many notes of input and output.
    turned: Mapping[str, int] = field(default_factory=dict)

    def exchanged(self, runs: Path) -> dict[str, str]:
        """Path in the stage -> the file whose bytes the script finds there; all that there are.
        `runs`: the folder of all.
        """
        if self.given is None:
            return {}
        kept = runs / str(self.given) / FOLDER
        files = {name: kept / str(n) for n, name in enumerate(self.wanted)}
        return {name: str(file.resolve()) for name, file in files.items() if file.is_file()}

    def keep(self, stage: Path, out: Path) -> None:
        """Copies them, by their numbers, unless they were given."""
        if self.given is not None:
            return
        for n, name in enumerate(self.wanted):
            file = stage / name
            inside = file.resolve().is_relative_to(stage.resolve())
            if inside and file.is_file() and file.stat().st_size <= MAX_FILE_BYTES:
                (out / FOLDER).mkdir(exist_ok=True)
                shutil.copyfile(file, out / FOLDER / str(n))


NO_FILES = Files()
