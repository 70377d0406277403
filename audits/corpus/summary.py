"""Many results as numbers: what was read, and per rule who failed.

Guarantees: counts are of submissions (a folder at a head); contents that several heads share count
once for each.
Does not cover: whether a finding is right; that is what labels are for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from audits.catalogue import RULES
from audits.findings import STATUSES, Role
from audits.source import Outcome

Record = Mapping[str, Any]
# From the worst to the best; "clean" is never said of reading alone.
VERDICTS: Final = (
    "fail", "warn", "unreadable", "unjudged", "partly", "error", "timeout", "undecided", "nothing",
    "info", "no finding",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule over the whole corpus."""

    rule: str
    title: str
    fail: int  # submissions whose worst finding under this rule is a failure
    warn: int
    info: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The corpus in one look."""

    submissions: int
    contents: int  # distinct
    refs: int
    verdicts: Mapping[str, int]
    rules: tuple[RuleRow, ...]
    omitted: int  # files that were too big, or absent from the clone


def summarise(records: Iterable[Record]) -> Summary:
    records = list(records)
    worst: dict[str, Counter[str]] = {}
    for record in records:
        for rule, status in worst_by_rule(record).items():
            worst.setdefault(rule, Counter())[status] += 1
    rows = (
        RuleRow(rule, RULES[rule].title, *(count[status] for status in STATUSES))
        for rule, count in worst.items()
    )
    counted = Counter(verdict(record) for record in records)
    return Summary(
        submissions=len(records),
        contents=len({record["key"] for record in records}),
        refs=len({record["ref"] for record in records}),
        verdicts={name: counted[name] for name in VERDICTS if counted[name]},
        rules=tuple(sorted(rows, key=lambda row: (-row.fail, -row.warn, -row.info, row.rule))),
        omitted=sum(len(record.get("omitted", ())) for record in records),
    )


def findings(record: Record) -> Iterator[tuple[Record, Record]]:
    """Each finding with its file."""
    for file in record["files"]:
        for finding in file["findings"]:
            yield file, finding


def worst_by_rule(record: Record) -> dict[str, str]:
    found: dict[str, str] = {}
    for _, finding in findings(record):
        known = found.get(finding["rule"], "info")
        found[finding["rule"]] = min(known, finding["status"], key=STATUSES.index)
    return found


def verdict(record: Record) -> str:
    """One word of VERDICTS for a submission."""
    if record["status"] != "judged":
        return str(record["status"])
    found = set(worst_by_rule(record).values())
    if "fail" in found:
        return "fail"
    code = [file for file in record["files"] if file["role"] != Role.PAPER]
    if any(file["outcome"] == Outcome.UNREADABLE for file in code):
        return "unreadable"
    if any(file["role"] == Role.ENTRY and not file["judged"] for file in code):
        return "unjudged"  # no score was recognised: not among those without a finding
    if any(file["outcome"] == Outcome.PARTLY for file in code):
        return "partly"
    if any(file["role"] == Role.CANDIDATE for file in code):
        return "undecided"  # the commands start another script too
    return next((status for status in STATUSES if status in found), "no finding")


def as_table(summary: Summary) -> str:
    """For a terminal."""
    counts = ", ".join(f"{count} {name}" for name, count in summary.verdicts.items())
    lines = [
        f"{summary.submissions} submissions of {summary.refs} refs, {summary.contents} distinct "
        f"contents: {counts}",
        "",
        f"{'rule':11} {'fail':>6} {'warn':>6} {'info':>6}  title",
    ]
    lines += [
        f"{row.rule:11} {row.fail:6} {row.warn:6} {row.info:6}  {row.title}"
        for row in summary.rules
    ]
    return "\n".join(lines)
