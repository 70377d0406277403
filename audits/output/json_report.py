"""For programs: `schemas/scan.schema.json`.

Guarantees: the same files give the same bytes; keys may grow in number but are never renamed.
Does not cover: time and machine; a report depends on the files alone.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from audits.catalogue import RULES
from audits.folder import UsageError
from audits.output.view import ReservationKind, View
from audits.tool import NAME, version

SCHEMA_VERSION: Final = 1


def as_json(view: View) -> str:
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": NAME, "version": version()},
        "profile": view.profile,
        "summary": view.counts | _coverage(view),
        "files": _files(view),
        "nothing": list(view.nothing),
        "coverage": {
            "checked": list(view.rules),
            "not_checked": [rule for rule in RULES if rule not in view.rules],
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _coverage(view: View) -> dict[str, int]:
    """Files that may be the submission, judged or not; files of code not read to their end."""
    return {
        "judged": view.judged,
        "unjudged": len(view.reservations_of(ReservationKind.UNJUDGED)),
        "partly": len(view.reservations_of(ReservationKind.PARTLY)),
        "unreadable": len(view.reservations_of(ReservationKind.UNREADABLE)),
    }


def _files(view: View) -> list[dict[str, Any]]:
    entries = iter(view.entries)
    files = []
    for report, file in view.files:
        entry = asdict(file) | {"root": report.root, "contest": report.contest}
        for finding in entry["findings"]:
            known = next(entries)
            finding |= {"fingerprint": known.fingerprint, "known": known.known}
        files.append(entry)
    return files


def read_baseline(path: Path) -> dict[str, int]:
    """How often each finding is in an earlier report."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        found = (finding for file in report["files"] for finding in file["findings"])
        return dict(Counter(str(finding["fingerprint"]) for finding in found))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; the baseline cannot be read") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: not a report; make a baseline with --format json --output {path.name}"
        ) from error
