"""The logs of a folder, each as tagged evaluations and named numbers.

Guarantees: of a log that is longer than is read, the beginning and the end count, where dumps and
final lines stand, and the record says how much of the middle is missing; whatever a log holds, it
ends in a record. Does not cover: logs in archives, and pictures.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from audits.contests import Contest
from audits.facts.documented.logs import dumped
from audits.facts.documented.papers import Ends, read_ends
from audits.facts.documented.printed_scores import (
    CountedLine,
    DeclaredScore,
    Printed,
    headline,
    most_telling,
    printed_numbers,
)
from audits.files import files_below
from harness.claims.log_numbers import Lines, Text, lines_of
from harness.claims.record import Evaluation, Log, Place

READ_BYTES = 2_000_000  # of the beginning of a log, and of its end; real ones have 0.3 MB
MOST_LOGS = 64
SUFFIXES = (".log", ".txt")
NO_LOG = re.compile(r"requirements|licen[cs]e|notice|readme", re.IGNORECASE)
# "nats_per_byte: 0.7", "val_loss (nats/byte)": dividing that by bits per byte gives no bytes.
PER_BYTE = re.compile(r"(?:per|/)[ _-]*byte[^a-z]*\d|nats[ _-]*(?:per|/)[ _-]*byte", re.IGNORECASE)


def read_logs(folder: Path, contest: Contest) -> Iterator[Log]:
    """In the order of their names; texts without a number of a run are no logs."""
    paths = [path for path in sorted(files_below(folder)) if _may_be_log(path)]
    for path in paths[:MOST_LOGS]:
        ends = read_ends(path, READ_BYTES)
        name = path.relative_to(folder).as_posix()
        if ends is None:
            continue
        log = read_log(name, ends, contest)
        if log.evaluations or log.numbers or (log.unread and path.suffix == ".log"):
            yield log
    for path in paths[MOST_LOGS:]:
        name = path.relative_to(folder).as_posix()
        yield Log(name, unread=f"more than {MOST_LOGS} logs: it was not read")


def _may_be_log(path: Path) -> bool:
    return path.suffix in SUFFIXES and path.is_file() and NO_LOG.search(path.name) is None


def read_log(name: str, ends: Ends, contest: Contest) -> Log:
    """One log."""
    lines = lines_of(contest.claims.lines)
    numbered = [*enumerate(ends.begin.split("\n"), 1)]
    numbered += enumerate(ends.end.split("\n"), ends.end_line + 1) if ends.end else ()
    text = Text.of([(number, line.rstrip("\r")) for number, line in numbered])
    printed = printed_numbers(text.text)
    line = CountedLine(re.compile(contest.score.printed), contest.score.which)
    raced = contest.score.target > 0  # step lines give the score of a race
    head = headline(printed, DeclaredScore(line=line if raced else None))
    kept = most_telling(printed, head)
    return Log(
        file=name,
        evaluations=tuple(_evaluation(one, name, text, lines) for one in kept),
        headline=None if head is None else _evaluation(head, name, text, lines),
        numbers=lines.numbers(text, name),
        words=lines.words(text),
        settings=dumped(text.text),
        unread=ends.unreadable,
    )


def _evaluation(printed: Printed, file: str, text: Text, lines: Lines) -> Evaluation:
    found = Evaluation(
        tag=printed.tag,
        nats_per_token=_finite(printed.nats_per_token),
        bits_per_byte=_finite(printed.bits_per_byte),
        half_unit=printed.half_unit,
        seconds=lines.of_line("eval_s", printed.text),
        diagnostic=printed.diagnostic,
        place=Place(file, text.places[printed.line - 1]),
    )
    return replace(found, same_unit=False) if PER_BYTE.search(printed.text) else found


def _finite(value: float | None) -> float | None:
    """Not what a run that broke down prints."""
    return value if value is not None and math.isfinite(value) else None
