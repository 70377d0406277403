"""PACKAGE-1 and PACKAGE-2: the files that a contest asks for are there, and can be read.

Guarantees: a pattern with alternatives is satisfied by one of them. Does not cover: what else a
pull request changes.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatch

from audits.contests import Contest
from harness.claims.finding import ClaimFinding, Standing
from harness.claims.record import Claims

RECORDS = "records/"  # where a contest's folders lie


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """One finding of all that is missing."""
    if not contest.claims.required:
        return
    names = [file.path for file in claims.files]
    missing = [one for one in contest.claims.required if not _is_there(one, names)]
    if missing:
        text = f"missing, and the contest asks for it: {', '.join(_said(one) for one in missing)}"
        yield ClaimFinding("PACKAGE-1", Standing.WARN, text)
    else:
        yield ClaimFinding(
            "PACKAGE-1", Standing.PASS, "every file that the contest asks for is there"
        )
    if claims.notes:
        text = f"not read as a whole: {'; '.join(claims.notes[:3])}"
        yield ClaimFinding("PACKAGE-2", Standing.UNKNOWN, text)
    name = claims.folder.rpartition("/")[2]
    if RECORDS in claims.folder and not re.search(contest.claims.folder, name):
        text = f"the folder is called {name}, and the contest asks for YYYY-MM-DD_description"
        yield ClaimFinding("PACKAGE-2", Standing.NOTE, text)


def _is_there(wanted: str, names: list[str]) -> bool:
    return any(fnmatch(name.lower(), one.lower()) for one in wanted.split("|") for name in names)


def _said(wanted: str) -> str:
    return wanted.replace("|", " or ")
