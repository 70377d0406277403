"""Which contest a folder belongs to: by the files that nobody may change, else by its layout.

Guarantees: the user's choice goes first; nothing recognised is Parameter Golf, as ever, and a lone
script is. Does not cover: a folder that has the layouts of two contests: the first by name counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from audits.contests.contest import Contest, Family
from audits.contests.frozen import frozen_files
from audits.contests.reading import load_contest, shipped_names

USUAL = "parameter_golf"
ENOUGH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recognised:
    """A contest, and why it is this one."""

    contest: Contest
    why: str

    @property
    def entry(self) -> str | None:
        """The script that the contest runs; None where each submission names its own."""
        return None if self.contest.family is Family.OWN else self.contest.files.entry

    @property
    def said(self) -> str:
        """For people; nothing where nothing was recognised."""
        usual = self.contest.name == USUAL
        return "" if usual else f"{self.contest.name}: {self.contest.title} ({self.why})"


def chosen_contest(folder: Path, named: str | None = None) -> Recognised:
    """Raises ContestError for a name or file that cannot be used."""
    if named is not None:
        return Recognised(load_contest(named), "it was named")
    try:
        found = _recognised(folder)
    except OSError:  # a path that cannot be looked at: who reads it says why
        found = None
    return found or Recognised(load_contest(USUAL), "nothing else was recognised")


def _recognised(folder: Path) -> Recognised | None:
    for contest in map(load_contest, shipped_names()) if folder.is_dir() else ():
        if why := _belongs(contest, folder):
            return Recognised(contest, why)
    return None


def _belongs(contest: Contest, folder: Path) -> str:
    """Why; empty: it does not."""
    if contest.family is Family.OWN or not (folder / contest.files.entry).is_file():
        return ""
    own = [one.path for one in frozen_files(contest, folder) if one.sha256 and one.is_own]
    known = {one.path for one in contest.files.frozen if one.sha256}
    if any(path in known for path in own):
        several = len(own) > 1
        return f"{', '.join(own)} {'are its frozen files' if several else 'is its frozen file'}"
    layout = contest.files.layout
    if not layout or not all((folder / name).is_file() for name in layout):
        return ""
    if contest.files.mark.encode() not in _beginning(folder / contest.files.entry):
        return ""
    return f"it has {', '.join(layout)}"


def _beginning(file: Path) -> bytes:
    """Enough of a script."""
    with file.open("rb") as opened:
        return opened.read(ENOUGH_BYTES)
