"""What no check of a run looked at, said in every report.

Each kind of folder leaves other gaps: a program's run on drawn tokens is short; a record's own
artifact is never loaded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.protocol.confinement import IsolationPart
from harness.submission import Kind

_TRAINED_ON = (
    "what the artifact was trained on (DATA-1, DATA-4): only its size and loading are examined"
)
STATS = "seeds and statistics (STATS), packaging"
_ALWAYS = "time limits (BUDGET-3, BUDGET-4), seeds and statistics (STATS), packaging"
REFEREED = (
    _TRAINED_ON,
    "the power of each test here: a pass of SOURCE-1 says 'not refuted', not 'proved'",
)
PROGRAM = (
    _TRAINED_ON,
    "what happens on the whole text only: causality, order and mass are tested in short runs on"
    " drawn tokens; a pass of SOURCE-1 says 'not refuted', not 'proved'",
)
RECORD = (
    "the submitted artifact, its size (BUDGET-1) and what it was trained on (DATA-1, DATA-4): the"
    " script trained weights of its own, in a few steps",
    "whether training shards that were opened before the scored pass were read on in it (DATA-2)",
    "full length, and on a CPU full size: what a short run on drawn tokens does not do; a pass of"
    " SOURCE-1 says 'not refuted', not 'proved'",
)
WHOLE = (
    "later tokens exchanged (CAUSAL-1), a source of known distribution (SOURCE-1), sums over the"
    " alphabet (NORM-1) and every control: one run on real text decides none of them; a run without"
    " --full does, small",
    "whether what was recorded is true: hooks in the script's own process wrote it, and sums left"
    " that process as it happened",
    "what the weights were trained on (DATA-1, DATA-4), and whether these are the contest's own"
    " shards (DATA-5)",
)
ISOLATION = {
    "mounts": "other files of this machine (DATA-7)",
    "network": "the network (DATA-6)",
    "processes": "other processes",
    "limits": "memory and file sizes",
}
NOTHING_RAN = "everything that a run would have shown: none came to its end"
SCORING = "the scoring of the text"
BROKEN_OFF = "everything that further runs would have shown: of all runs, only these came to an end"


def gaps(
    kind: str,
    driven: Mapping[str, Any] | None,
    ran: bool,
    scored: bool = False,
    worker: Sequence[str] = tuple(IsolationPart),
    whole: bool = False,
) -> list[str]:
    """One sentence a gap. `kind`: of the submission; `driven`: that part of the report; `ran`:
    every phase came to its end; `scored`: that of scoring did; `worker`: parts of the isolation
    that were active around a predictor; `whole`: of a run with --full.
    """
    if whole and driven is not None:
        return [*WHOLE, *_not_isolated(driven["walls"]), STATS]
    if not ran:
        ended = [*driven["runs"]] if driven else [SCORING] if scored else []
        if not ended:
            return [NOTHING_RAN, _ALWAYS]
        return [f"{BROKEN_OFF}: {', '.join(ended)}", *_of_kind(kind, driven, worker)]
    return _of_kind(kind, driven, worker)


def _of_kind(kind: str, driven: Mapping[str, Any] | None, worker: Sequence[str]) -> list[str]:
    if driven is None:
        return [*REFEREED, *_not_isolated(worker), _ALWAYS]
    own = PROGRAM if kind == Kind.PROGRAM else RECORD
    return [*own, *_not_isolated(driven["walls"]), *_powerless(driven), _ALWAYS]


def _not_isolated(active: Sequence[str]) -> list[str]:
    reach = ", ".join(what for part, what in ISOLATION.items() if part not in active)
    return [f"isolation that was not active: it was not kept from {reach}"] if reach else []


def _powerless(driven: Mapping[str, Any]) -> list[str]:
    """Classes whose control showed nothing; one that does not apply leaves no gap."""
    silent = [power for power in driven["power"] if power["applies"] and not power["shown"]]
    names = ", ".join(power["class"] for power in silent)
    return [f"power of {names}: its control showed nothing here"] if names else []
