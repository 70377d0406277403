"""Does a certificate follow from its ledger? Nothing is run.

Guarantees: the ledger's files are those of the certificate; its account, worked out again from them
in a child with bounds, comes to the same numbers; the printed number is their mean; and every
finding that the account gives says of its rule what the report says. Does not cover: sizes, seconds
and hashes of data and script, which are as they were noted, unless the data are given; whether what
was recorded is true.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audits.bounded import Bounds, Unfinished, in_child
from audits.facts.documented.printed_scores import Printed
from harness.certificate.account import Scope, account
from harness.certificate.findings import Whole, findings
from harness.certificate.ledger import BrokenLedger, Ledger
from harness.checks.status import Level
from harness.replay.evidence import Checked
from harness.replay.recorded import Recorded
from harness.report.hashes import file_sha256
from harness.tolerances import rounding
from harness.trace.printed_log import read_log
from harness.verdict.table import Table, verdict

BOUNDS = Bounds(wall_s=3600.0, memory_bytes=8 << 30)
RELATIVE = 1e-9  # sums of 62 million float64, in the same order


def check_certificate(recorded: Recorded, folder: Path | None = None) -> list[Checked]:
    """`folder`: where the ledger lies, if not beside the report."""
    found = recorded.report.get("certificate")
    if found is None:
        return []
    folder = folder or recorded.path.parent / found["ledger"]["folder"]
    return [*_files(found, folder), *_account(found, folder, recorded)]


def _files(found: Mapping[str, Any], folder: Path) -> Iterator[Checked]:
    wanted, there = found["ledger"]["sha256"], {p.name for p in Ledger(folder).files}
    for name, digest in wanted.items():
        now = file_sha256(folder / name)
        if now != digest:
            yield Checked(
                False, f"ledger, {name}: {'not there' if now is None else 'another file'}"
            )
    for name in sorted(there - set(wanted)):
        yield Checked(False, f"ledger, {name}: the certificate does not name it")
    yield Checked(there == set(wanted), f"{len(wanted)} files of the ledger are named")


def _account(found: Mapping[str, Any], folder: Path, recorded: Recorded) -> Iterator[Checked]:
    scope = Scope(**found["scope"])
    try:
        now = in_child(lambda: account(Ledger(folder), scope), BOUNDS)
    except (BrokenLedger, Unfinished, ValueError, IndexError) as error:
        yield Checked(False, f"the ledger cannot be read ({error})")
        return
    then, again = found["account"], now.as_json()
    other = [name for name in then if not _same(then[name], again[name])]
    for name in other:
        yield Checked(
            False, f"{name}: {then[name]} in the certificate, {again[name]} by the ledger"
        )
    text = f"the account of {now.scores:,} scores comes to the certificate's numbers"
    yield Checked(not other, text)
    whole = Whole.from_json(found, now)
    if whole.printed is not None and whole.gap is not None:
        yield _number(whole, whole.printed)
        yield from _line(recorded, whole.printed)
    yield from _rules(whole, recorded)


def _line(recorded: Recorded, printed: Printed) -> Iterator[Checked]:
    """In the log, whose hash the report has."""
    for log in recorded.path.parent.glob("runs/*/output.log"):
        lines = read_log(log).split("\n")
        stands = printed.line <= len(lines) and lines[printed.line - 1].strip() == printed.text
        yield Checked(stands, f"the printed number stands at line {printed.line} of the log")


def _number(whole: Whole, printed: Printed) -> Checked:
    """The mean of the ledger against the printed line."""
    account, wanted = whole.account, printed.nats_per_token
    unit, ours = "nats a token", account.mean
    if wanted is None:
        unit, wanted = "bits a byte", printed.bits_per_byte or 0.0
        ours = account.mean / math.log(2) * account.scores / account.all_bytes
    held = abs(ours - wanted) <= rounding(printed.half_unit, wanted)
    return Checked(held, f"the ledger comes to {ours:.9f} {unit}, and the line says {wanted}")


def _rules(whole: Whole, recorded: Recorded) -> Iterator[Checked]:
    """What the account says of a rule is what the report says; reading may say worse."""
    rules = recorded.report["rules"]
    ours = verdict(Table(findings(whole)))
    for rule, found in ours.items():
        then = rules.get(rule, {"status": "missing", "level": ""})
        by_reading = then["level"] == Level.READ
        if then["status"] != found.status and not by_reading:
            text = f"{rule}: {then['status']} in the report, {found.status} by the ledger"
            yield Checked(False, text)
    yield Checked(True, f"{len(ours)} rules were judged again from the ledger")


def _same(then: Any, now: Any) -> bool:
    if isinstance(then, Mapping):
        return then.keys() == now.keys() and all(_same(then[key], now[key]) for key in then)
    if isinstance(then, float) and isinstance(now, int | float):
        return math.isclose(then, now, rel_tol=RELATIVE, abs_tol=1e-12)
    return bool(then == now)
