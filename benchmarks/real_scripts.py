"""Scans ten real submissions as they were submitted: `python benchmarks/real_scripts.py REPO`.

REPO is a bare clone of github.com/openai/parameter-golf that holds the pull requests' heads
(`git fetch origin '+refs/pull/*/head:refs/pull/*/head'`). Seven of the folders are legal and must
not fail; three break a rule, and must fail under the rule and at the line that breaks it.

Guarantees: the folders are unmodified; every scan is its own process, timed from its start.
Does not cover: anything but reading; nothing that is extracted is run.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 3.0
_RECORD, _OTHER = "records/track_10min_16mb", "records/track_non_record_16mb"


@dataclass(frozen=True, slots=True)
class Case:
    """One folder and what must come out."""

    pull: int
    folder: str
    rules: tuple[str, ...] = ()  # one of these must fail; none: nothing may fail
    lines: range = range(0)  # where it must fail


CASES = (
    Case(549, f"{_RECORD}/2026-03-23_LeakyReLU_LegalTTT_ParallelMuon"),
    Case(537, f"{_OTHER}/2026-03-23_11L_LeakyReLU_PerLayerLR_LegalTTT"),
    Case(754, f"{_RECORD}/2026-03-25_11L_ParallelMuon_MLP3x_TTT"),
    Case(1185, f"{_RECORD}/2026-03-31_LeakyReLU2_LegalTTT_NGramCache_XSA"),
    Case(461, f"{_OTHER}/2026-03-22_11L_VE128_PartialRoPE_LegalTTT"),
    Case(1413, f"{_RECORD}/2026-04-06_SP8192_QK5_LegalTTT_1.0828"),
    Case(1493, f"{_RECORD}/2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT"),
    Case(518, f"{_RECORD}/2026-03-23_11L-CosineTTT", ("ORDER-2",), range(1417, 1447)),
    Case(
        761,
        f"{_RECORD}/2026-03-26_ScoreFirst_TTT_Ngram_Backoff",
        ("NORM-2", "NORM-3"),
        range(1162, 1192),
    ),
    Case(
        1229,
        f"{_RECORD}/2026-04-01_ScoredPos-SLOT-PerSample-GPTQ-QKGain_0.9300",
        ("CAUSAL-3",),
        range(1095, 1129),
    ),
)


def extract(repo: Path, case: Case, into: Path) -> Path:
    """Unpacks the folder at the pull request's head."""
    revision = f"refs/pull/{case.pull}/head"
    packed = subprocess.run(
        ["git", "-C", str(repo), "archive", revision, case.folder], capture_output=True, check=False
    )
    if packed.returncode:
        sys.exit(f"{repo}: no {revision}: {packed.stderr.decode().strip()}; fetch the pull heads")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(into, filter="data")
    return into / case.folder


def scan(folder: Path) -> tuple[list[tuple[str, int]], float]:
    """The failures, and the wall time of the whole process."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "audits.scan", "--format", "json", str(folder)],
        capture_output=True,
        check=False,
    )
    wall_s = time.perf_counter() - start
    if done.returncode not in (0, 1):
        return [(f"exit {done.returncode}", 0)], wall_s
    found = [one for file in json.loads(done.stdout)["files"] for one in file["findings"]]
    return [(one["rule"], one["line"]) for one in found if one["status"] == "fail"], wall_s


def as_expected(case: Case, failures: list[tuple[str, int]]) -> bool:
    if not case.rules:
        return not failures
    return any(rule in case.rules and line in case.lines for rule, line in failures)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    mismatches = 0
    print(f"{'pr':>5}  {'expected':16} {'got':5} {'seconds':>7}  rules at lines")
    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            folder = extract(Path(sys.argv[1]), case, Path(scratch) / str(case.pull))
            failures, wall_s = scan(folder)
            good = as_expected(case, failures) and wall_s <= LIMIT_S
            mismatches += not good
            where = ", ".join(f"{rule}:{line}" for rule, line in failures) or "-"
            expected = "/".join(case.rules) or "no failure"
            got = "fail" if failures else "clear"
            mark = "" if good else "  MISMATCH"
            print(f"{case.pull:>5}  {expected:16} {got:5} {wall_s:>7.2f}  {where}{mark}")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
