"""A folder's claims, read in the child that reads what a submission holds.

Guarantees: a record, whatever lies there: where reading ends by its bounds (of time, memory and
stack), the record is empty and says why. Does not cover: a lone script, which claims nothing.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from audits.bounded import Bounds, Unfinished, in_child
from audits.contests import Contest
from audits.facts.documented.papers import Paper, read_paper
from audits.files import files_below
from harness.claims.logs import read_logs
from harness.claims.manifest import read_declared
from harness.claims.readme import read_readme
from harness.claims.record import Claims, Declared, File
from harness.claims.tokenizers import read_tokenizers
from harness.submission import CODE_SUFFIXES

MOST_FILES = 5_000


def claims_of(folder: Path, contest: Contest, bounds: Bounds = Bounds()) -> Claims:  # noqa: B008 - frozen
    """Everything that the folder says of its numbers."""
    try:
        return in_child(lambda: read_claims(folder, contest), bounds)
    except Unfinished as why:
        return Claims(contest.name, str(folder), Declared(unread=str(why)), notes=(str(why),))


def read_claims(folder: Path, contest: Contest) -> Claims:
    """The same in this process, which nothing then protects from what lies there."""
    declared = read_declared(folder)
    logs = tuple(read_logs(folder, contest))
    readme, unread = read_readme(folder)
    tokenizers = tuple(read_tokenizers(folder))
    notes = [f"README: {unread}"] if unread else []
    notes += [f"{declared.file}: {declared.unread}"] if declared.unread else []
    notes += [f"{log.file}: {log.unread}" for log in logs if log.unread]
    notes += [f"{one.path}: {one.unread}" for one in tokenizers if one.unread]
    files = tuple(_files(folder))
    return Claims(
        contest.name, str(folder), declared, logs, readme, files, tokenizers, tuple(notes)
    )


def _files(folder: Path) -> Iterator[File]:
    paths = [path for path in sorted(files_below(folder))[:MOST_FILES] if _is_plain(path)]
    code = [path.relative_to(folder).as_posix() for path in paths if path.suffix in CODE_SUFFIXES]
    for path in paths:
        name = path.relative_to(folder).as_posix()
        names = tuple(_named(path, [one for one in code if one != name])) if name in code else ()
        yield File(name, path.stat().st_size, name in code, names)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _named(path: Path, others: Sequence[str]) -> Iterator[str]:
    """Imported as a module, or named as a file."""
    text = (read_paper(path) or Paper("")).text if others else ""
    for name in others:
        stem = re.escape(PurePath(name).stem)
        imports = rf"^[ \t]*(?:from|import)[ \t]+(?:[\w.]+\.)?{stem}\b"
        if PurePath(name).name in text or re.search(imports, text, re.MULTILINE):
            yield name
