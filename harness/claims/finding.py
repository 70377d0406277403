"""What a check of claims may say, and how far a record's claims can be held against it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from audits.contests import Contest
from harness.claims.record import Claims, Log, Place


class Standing(StrEnum):
    """Worst first."""

    FAIL = "fail"  # two sources that do not depend on each other say so, beyond tolerance
    WARN = "warn"  # for a person to look at
    UNKNOWN = "unknown"  # units, or a number that is missing, leave it open
    NOTE = "note"  # worth knowing; no rule that is enforced forbids it
    PASS = "pass"


@dataclass(frozen=True)
class ClaimFinding:
    """One sentence about one rule."""

    rule: str
    standing: Standing
    message: str
    places: tuple[Place, ...] = ()

    def as_json(self) -> dict[str, object]:
        """For report.json and `--json`."""
        places = [str(place) for place in self.places]
        return {
            "rule": self.rule,
            "standing": self.standing,
            "message": self.message,
            "places": places,
        }


class Track(StrEnum):
    """Whether the contest's limits hold for a folder."""

    LIMITED = "limited"
    UNSAID = "unsaid"
    UNLIMITED = "unlimited"


def track_of(claims: Claims, contest: Contest) -> Track:
    """By what submission.json calls it; else by where the folder lies."""
    own = contest.claims
    for name in (claims.declared.track, claims.folder):
        if own.unlimited and re.search(own.unlimited, name):
            return Track.UNLIMITED
        if own.limited and re.search(own.limited, name):
            return Track.LIMITED
    return Track.UNSAID if own.limited else Track.LIMITED


def on_its_machine(log: Log, contest: Contest) -> bool:
    """Seconds of fewer processes are no seconds of the contest's machine."""
    wanted, ranks = contest.claims.ranks, log.value("ranks")
    return not wanted or ranks is None or ranks == wanted


def strongest(claims: Claims, contest: Contest) -> Standing:
    """What a breach is: where limits may be waived, nothing is one for sure."""
    waived = track_of(claims, contest) is Track.UNLIMITED
    return Standing.WARN if waived else Standing.FAIL
