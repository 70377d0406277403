"""What was driven, in words: the same lines for the screen and for report.md.

Guarantees: every change that was made to the script, every class of power and every run that was
not made, or not to its end, is listed; of very many printed numbers the first and the last are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.checks.source import against_source

Json = Mapping[str, Any]

MOST_NUMBERS = 40  # report.json has them all


def driven_lines(driven: Json) -> list[str]:
    """One fact a line."""
    return [
        *_configuration(driven),
        *_changes(driven.get("changes", ())),
        _isolation(driven),
        *_numbers(driven["numbers"]),
        *(f"power: {power['text']}" for power in driven["power"]),
        *_reads(driven),
        *_runs(driven),
        *(f"the recording broke: {error}" for error in driven["capture_errors"]),
    ]


def _isolation(driven: Json) -> str:
    if not driven["attempts"] and not driven["runs"]:
        return "isolation active: not known, since no run came to its end"
    return f"isolation active: {', '.join(map(_isolated, driven['walls'])) or 'none'}"


def _isolated(part: str) -> str:
    return "filesystem" if part == "mounts" else part


def _configuration(driven: Json) -> Iterator[str]:
    attempts = driven["attempts"]
    if not attempts:
        yield f"{driven['entry']}: {_begun(driven)}"
        return
    yield f"{driven['entry']}, configuration {len(attempts)}: {attempts[-1]['why']}"
    yield _settings([value["origin"] for value in driven["configuration"].values()])
    for number, attempt in enumerate(attempts, 1):
        if attempt["cause"]:
            where = f" ({attempt['where']})" if attempt["where"] else ""
            yield f"configuration {number} {attempt['how']}: {attempt['cause']}{where}"


def _begun(driven: Json) -> str:
    """Where no configuration came to its end on drawn tokens."""
    broken_off = " and ".join(driven.get("broken_off", ()))
    if driven["runs"]:
        return f"of its runs {', '.join(driven['runs'])} alone came to an end"
    return f"it was started, and {broken_off} broken off" if broken_off else "it was never started"


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


def _numbers(numbers: Sequence[Json]) -> Iterator[str]:
    half, left_out = MOST_NUMBERS // 2, len(numbers) - MOST_NUMBERS
    yield from map(_number, numbers if left_out <= 0 else numbers[:half])
    if left_out > 0:
        yield f"{left_out:,} more printed numbers, which report.json has"
        yield from map(_number, numbers[-half:])


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
    if saved_nats is None or per_token is None:
        return ""
    return f"{against_source(saved_nats)} ({abs(per_token):.4f} a token)"


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
    broken_off = driven.get("broken_off", ())
    yield from (f"broken off: {name}, by the end of the evaluation" for name in broken_off)
    for name, why in driven["not_run"].items():
        if name not in broken_off:
            yield f"not run: {name} ({why})"
