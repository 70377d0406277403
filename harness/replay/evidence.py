"""Are the files beside a report what it says? Nothing of the submission is run.

Guarantees: every file that the report names is there with the hash that it names; of a refereed
run the score, the coverage and the sums are worked out again from the ledger; of a run as
submitted each number that the report quotes stands in the log, at its line. Does not cover whether
the runs happened: `replay` does that.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.replay.recorded import Recorded, is_predictor
from harness.report.hashes import file_sha256
from harness.trace.printed_log import read_log

RELATIVE = 1e-12  # sums of float64 in another order
BASE_LOG = "runs/base/output.log"


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
        0 < same == len(names), f"{same} of {len(names)} files are those that the report names"
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
    driven = recorded.report.get("driven") or {}
    log = home / BASE_LOG
    if not driven.get("numbers") or not log.is_file():
        return
    lines = read_log(log).splitlines()
    numbers = driven["numbers"]
    stand = [n for n in numbers if n["line"] <= len(lines) and n["tag"] in lines[n["line"] - 1]]
    text = f"{len(stand)} of {len(numbers)} quoted numbers stand at their lines of the log"
    yield Checked(len(stand) == len(numbers), text)
