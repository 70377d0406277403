"""Are the files beside a report what it says? Nothing of the submission is run.

Guarantees: every file that the report names is there with the hash that it names; of a refereed
run the score, the coverage and the sums are worked out again from the ledger; of a run as
submitted each number that the report quotes stands in the log, at its line. Does not cover whether
the runs happened: `replay` does that.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audits.facts.documented.printed_scores import printed_numbers
from harness.replay.recorded import Recorded, is_predictor
from harness.report.hashes import file_sha256
from harness.trace.printed_log import read_log

RELATIVE = 1e-12  # sums of float64 in another order
BASE_LOGS = "runs/base*/output.log"


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at."""

    holds: bool
    text: str


def check_evidence(recorded: Recorded) -> list[Checked]:
    """All of it; a report that names no file is not held up by one."""
    home = recorded.path.parent
    return [*_files(recorded, home), *_ledger(recorded, home), *_log(recorded, home)]


def _files(recorded: Recorded, home: Path) -> Iterator[Checked]:
    names = recorded.report.get("evidence", [])
    hashes = recorded.report.get("evidence_sha256", {})
    same = 0
    for name in names:
        inside = (home / name).resolve().is_relative_to(home.resolve())
        now = file_sha256(home / name) if inside else None
        if now is None:
            yield Checked(False, f"{name}: not there")
        elif hashes.get(name) is None:
            yield Checked(False, f"{name}: the report has no hash of it")
        elif now != hashes[name]:
            yield Checked(False, f"{name}: another file, of sha256 {now[:16]}")
        else:
            same += 1
    yield Checked(
        same == len(names), f"{same} of {len(names)} files are those that the report names"
    )


def _ledger(recorded: Recorded, home: Path) -> Iterator[Checked]:
    """Of a refereed run; an array that cannot be read was named above."""
    file, score = home / "main" / "scores.npz", recorded.report["score"]
    if not is_predictor(recorded) or not file.is_file():
        return
    try:
        with np.load(file, allow_pickle=False) as arrays:
            nats, mass = arrays["nats"], arrays["mass"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        yield Checked(False, f"main/scores.npz: cannot be read ({error})")
        return
    if score is not None:
        total, scored = float(np.nansum(nats)), int((~np.isnan(nats)).sum())
        same = math.isclose(total, score["nats"], rel_tol=RELATIVE) and scored == score["tokens"]
        yield Checked(same, f"the ledger's scores come to {total:.3f} nats over {scored:,} tokens")
    for one in recorded.report["rules"].get("NORM-1", {}).get("findings", []):
        if "worst_mass" in one and one["worst_mass"] is not None:
            at = float(mass[one["position"]])
            same = math.isclose(at, one["worst_mass"], rel_tol=RELATIVE)
            yield Checked(same, f"the ledger's sum at position {one['position']} is {at:.9g}")


def _log(recorded: Recorded, home: Path) -> Iterator[Checked]:
    """Of the attempt that counted, which is one of the base runs."""
    numbers = (recorded.report.get("driven") or {}).get("numbers")
    logs = sorted(home.glob(BASE_LOGS))
    if not numbers or not logs:
        return
    stand = max(len(_said_by(log) & {*map(_named, numbers)}) for log in logs)
    text = f"{stand} of {len(numbers)} quoted numbers stand at their lines of the log"
    yield Checked(stand == len(numbers), text)


_Named = tuple[int, str, str]  # line, tag, bits per byte


def _said_by(log: Path) -> set[_Named]:
    """Read as the evaluation reads it: a table's row holds no name of its columns."""
    return {_named(asdict(number)) for number in printed_numbers(read_log(log))}


def _named(number: Mapping[str, Any]) -> _Named:
    """One that is not finite is null in a report."""
    bits = number["bits_per_byte"]
    return number["line"], number["tag"], repr(bits if bits and math.isfinite(bits) else None)
