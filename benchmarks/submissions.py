"""Every reference submission against its own expectation: the product's main table.

    python benchmarks/submissions.py --data DIR [--out DIR] [NAME ...]

Runs `python -m harness.evaluate FOLDER --no-static` as a subprocess for each folder under
submissions/, prints bits per byte, the worst |sum p - 1|, seconds and the verdict beside what the
manifest expects, and exits 1 where they differ. Seconds are wall time of the whole command.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

HEADER = """\
| submission | bits per byte | worst sum p - 1 | seconds | verdict | rule | expected |
|---|--:|--:|--:|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder (default: the embedded corpus)")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "submissions")
    parser.add_argument("names", nargs="*", help="only these submissions")
    options = parser.parse_args()
    folders = sorted(p.parent for p in ROOT.glob("submissions/*/*/submission.json"))
    wrong = 0
    print(HEADER, flush=True)
    for folder in folders:
        if not options.names or folder.name in options.names:
            wrong += not _row(folder, options.data, options.out / folder.name)
    return 1 if wrong else 0


def _row(folder: Path, data: Path | None, out: Path) -> bool:
    """Evaluates one folder; True when it is as its manifest expects."""
    command = [sys.executable, "-m", "harness.evaluate", str(folder), "--no-static"]
    command += ["--out", str(out), "--exit-zero"] + (["--data", str(data)] if data else [])
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        print(f"| {folder.name} | | | {seconds:.0f} | exit {done.returncode} | | |")
        print(done.stderr[-2000:], file=sys.stderr)
        return False
    report = json.loads((out / "report.json").read_text())
    expect = json.loads((folder / "submission.json").read_text())["expect"]
    rule = expect.get("rule", "")
    status = report["rules"].get(rule, {})
    good = report["verdict"] == expect["verdict"] and (
        not rule or (status.get("status"), status.get("level")) == ("fail", expect["level"])
    )
    score = report["score"] or {"bits_per_byte": float("nan")}
    gap = report["worst_mass_gap"]
    print(
        f"| {folder.name} | {score['bits_per_byte']:.4f} | {'-' if gap is None else f'{gap:.2g}'}"
        f" | {seconds:.0f} | {report['verdict']}"
        f" | {rule} {status.get('status', '')} {status.get('level', '')}"
        f" | {expect['verdict']} {rule}{'' if good else ' **DIFFERS**'} |",
        flush=True,
    )
    return good


if __name__ == "__main__":
    sys.exit(main())
