"""What was driven, in words: the same lines for the screen and for report.md.

Guarantees: every change that was made to the script, every printed number, every class of power and
every run that was not made is listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def driven_lines(driven: Json) -> list[str]:
    """One fact a line."""
    return [
        *_configuration(driven),
        *_changes(driven.get("changes", ())),
        f"isolation active: {', '.join(map(_isolated, driven['walls'])) or 'none'}",
        *(_number(number) for number in driven["numbers"]),
        *(f"power: {power['text']}" for power in driven["power"]),
        *_reads(driven),
        *_runs(driven),
        *(f"the recording broke: {error}" for error in driven["capture_errors"]),
    ]


def _isolated(part: str) -> str:
    return "filesystem" if part == "mounts" else part


def _configuration(driven: Json) -> Iterator[str]:
    attempts = driven["attempts"]
    if not attempts:
        yield f"{driven['entry']}: it was never started"
        return
    last = len(attempts)
    kept = next((n for n, one in enumerate(attempts, 1) if one.get("kept")), last)
    of = f" of {last}" if kept != last else ""
    yield f"{driven['entry']}, configuration {kept}{of}: {attempts[kept - 1]['why']}"
    yield _settings([value["origin"] for value in driven["configuration"].values()])
    for number, attempt in enumerate(attempts, 1):
        if attempt["cause"]:
            where = f" ({attempt['where']})" if attempt["where"] else ""
            yield f"configuration {number} {attempt['how']}: {attempt['cause']}{where}"
        yield from (f"configuration {number}: {lack}" for lack in attempt.get("lacks", ()))


def _settings(origins: Sequence[str]) -> str:
    """How many values the script was told, how many its folder names, how many were shrunk."""
    own, shrunk = origins.count("folder"), origins.count("shrunk")
    ours = len(origins) - own - shrunk
    return (
        f"{'reduced ' if shrunk else ''}configuration: {len(origins)}"
        f" {'setting' if len(origins) == 1 else 'settings'},"
        f" {own} taken from the folder's README, logs or manifest, {shrunk} made small, {ours} the"
        " same for every script"
    )


def _changes(changes: Sequence[str]) -> Iterator[str]:
    yield from (f"changed for the run: {change}" for change in changes)


def _number(number: Json) -> str:
    parts = [
        f"val_loss {number['nats_per_token']}" if number["nats_per_token"] is not None else "",
        f"val_bpb {number['bits_per_byte']}" if number["bits_per_byte"] is not None else "",
        _against_source(number["saved_nats"], number["saved_nats_per_token"]),
        _reproduced(number["reconstruction"]),
        "a diagnostic" if number["diagnostic"] else "",
    ]
    return f"line {number['line']}, {number['tag']}: {', '.join(part for part in parts if part)}"


def _against_source(saved_nats: float | None, per_token: float | None) -> str:
    """Nobody honest comes out far below it."""
    if saved_nats is None or per_token is None:
        return ""
    side = "below" if saved_nats > 0 else "above"
    return (
        f"{abs(saved_nats):,.1f} nats {side} the source's code length"
        f" ({abs(per_token):.4f} a token)"
    )


def _reproduced(gap: float | None) -> str:
    if gap is None:
        return "not reproduced from recorded scores"
    return f"reproduced from recorded scores (relative error {gap:.1g})"


def _reads(driven: Json) -> Iterator[str]:
    """Shards, by phase of the base run."""
    for phase in ("before", "during", "after"):
        names = [
            read["path"].rpartition("/")[2] for read in driven["reads"] if read["phase"] == phase
        ]
        if names:
            yield f"opened {phase} the scored pass: {', '.join(dict.fromkeys(names))}"


def _runs(driven: Json) -> Iterator[str]:
    if driven["runs"]:
        yield "runs: " + ", ".join(f"{n} ({r['wall_s']:.1f} s)" for n, r in driven["runs"].items())
    for name, run in driven["runs"].items():
        if run["cause"]:
            yield f"{name} {run['how']}: {run['cause']}"
    yield from (f"not run: {name} ({why})" for name, why in driven["not_run"].items())
