"""BUDGET-1 and BUDGET-2: code and weights against the cap, in every reading that the folder allows.

    claimed    what the log adds up ("Total submission size"), which organisers went by
    shipped    the weights, and the entry as it lies in the folder, packed or not
    raw        the weights, and every file of code that the entry names
    declared   what submission.json says

Guarantees: a failure only where every reading that there is exceeds the cap, and a log and
submission.json are both among them; where they part, a warning if the log's own sum exceeds it, a
note otherwise (by *raw* the whole top of the board is beyond the cap). The largest seed counts.
Does not cover: weights, which nobody ships; their size is the log's word.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePath

from audits.contests import Contest
from harness.claims.finding import ClaimFinding, Standing, strongest
from harness.claims.record import Claims, Number

DECLARED = (
    "bytes_total",
    "artifact_bytes",
    "artifact_bytes_max",
    "artifact_size_bytes",
    "total_bytes",
)
LEAST = 100_000  # bytes: what is smaller is "15.9", in megabytes


def check(claims: Claims, contest: Contest) -> Iterator[ClaimFinding]:
    """Of the largest log, and of what is declared."""
    cap = contest.limits.artifact_bytes
    found = {one.name: one for one in readings(claims, contest) if one.value >= LEAST}
    if not cap or not found:
        return
    said = ", ".join(f"{name} {one.value:,.0f}" for name, one in found.items())
    places = tuple(dict.fromkeys(one.place for one in found.values()))
    over = {name for name, one in found.items() if one.value > cap}
    if not over:
        yield ClaimFinding("BUDGET-1", Standing.PASS, f"of {cap:,} bytes: {said}", places)
    elif over == set(found) and {"claimed", "declared"} <= over:
        text = f"every reading exceeds {cap:,} bytes: {said}"
        yield ClaimFinding("BUDGET-1", strongest(claims, contest), text, places)
    elif over & {"claimed", "declared"}:
        text = f"its own sum exceeds {cap:,} bytes: {said}"
        yield ClaimFinding("BUDGET-1", Standing.WARN, text, places)
    else:
        text = f"beyond {cap:,} bytes by the size {' and '.join(sorted(over))} alone: {said}"
        yield ClaimFinding("BUDGET-2", Standing.NOTE, text, places)


def readings(claims: Claims, contest: Contest) -> Iterator[Number]:
    """One a reading, of the largest seed."""
    logs = claims.supporting
    yield from _largest("claimed", (log.last("total_bytes") for log in logs))
    weights = next(_largest("weights", (log.last("model_bytes") for log in logs)), None)
    entry = entry_of(claims, contest)
    if weights and entry:
        code = {file.path: file.n_bytes for file in claims.files if file.code}
        yield Number("shipped", weights.value + code[entry], weights.place)
        every = sum(code[name] for name in needed(claims, entry))
        yield Number("raw", weights.value + every, weights.place)
    seeds = [
        Number("", one.total_bytes, one.place) for one in claims.declared.seeds if one.total_bytes
    ]
    yield from _largest("declared", [*map(claims.declared.numbers.get, DECLARED), *seeds])


def _largest(name: str, numbers: Iterable[Number | None]) -> Iterator[Number]:
    known = [one for one in numbers if one is not None]
    if known:
        yield replace(max(known, key=lambda one: one.value), name=name)


def entry_of(claims: Claims, contest: Contest) -> str:
    """The contest's file, else the only script that is named like it; empty where that is open."""
    names = [file.path for file in claims.files if file.code]
    if contest.files.entry in names:
        return contest.files.entry
    stem = PurePath(contest.files.entry).stem
    alike = [name for name in names if name.startswith(stem) and name.endswith(".py")]
    return alike[0] if len(alike) == 1 else ""


def needed(claims: Claims, entry: str) -> tuple[str, ...]:
    """The entry, and the code that is reached from it by name."""
    by_path = {file.path: file for file in claims.files if file.code}
    reached, waiting = [entry], [entry]
    while waiting:
        for name in by_path[waiting.pop()].names:
            if name in by_path and name not in reached:
                reached.append(name)
                waiting.append(name)
    return tuple(reached)
