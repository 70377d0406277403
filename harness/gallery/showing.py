"""Evaluates a folder of the gallery in a process of its own, as a user would.

Guarantees: an attack is run without reading its code, so that no name and no pattern decides,
unless reading is the level that must catch it: then nothing of it is run. What must stay legal is
read and run. A process that ends without a report is a result too, never a pass.
"""

import json
import os
import subprocess
import time
from pathlib import Path

from harness import child_python
from harness.checks.status import Level
from harness.errors import SubmissionError
from harness.gallery.exhibit import Exhibit
from harness.gallery.outcome import Seen, of_report, of_scan
from harness.submission import Kind, read_submission
from harness.verdict.decide import Verdict

LIMIT_S = 1800.0  # of one folder; an evaluation has bounds of its own below that
_SCRIPTS = (Kind.RECORD, Kind.PROGRAM)


def show(exhibit: Exhibit, seed: int, out: Path) -> Seen:
    """One folder, one seed; its report in `out`."""
    began = time.monotonic()
    read_only = exhibit.level is Level.READ
    words = _scan_words(exhibit) if read_only else _evaluate_words(exhibit, seed, out)
    ended = _run(words)
    seconds = round(time.monotonic() - began, 1)
    try:
        if read_only:
            return of_scan(json.loads(ended.stdout), seconds)
        return of_report(json.loads((out / "report.json").read_text("utf-8")), seconds)
    except (OSError, ValueError, LookupError) as error:
        last = (ended.stderr or ended.stdout).strip()[-400:]
        said = f"no result ({type(error).__name__}, exit {ended.returncode}): {last}"
        return Seen(Verdict.UNRUNNABLE, {}, said, seconds)


def _scan_words(exhibit: Exhibit) -> list[str]:
    return child_python.command("audits.scan", "--format", "json", str(exhibit.folder))


def _evaluate_words(exhibit: Exhibit, seed: int, out: Path) -> list[str]:
    words = ["--seed", str(seed), "--out", str(out), *exhibit.options]
    if exhibit.room == "exploits":
        words.append("--no-static")
    if _kind(exhibit.folder) in _SCRIPTS and "--quick" not in words:
        words += ["--jobs", "1"]  # folders are shown side by side, runs of one are not
    return child_python.command("harness.evaluate", str(exhibit.folder), *words)


def _run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    (environment := dict(os.environ)).update(child_python.environment())
    try:
        return subprocess.run(
            words,
            env=environment,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no end within {LIMIT_S:.0f} s")


def _kind(folder: Path) -> Kind | None:
    """None of one that cannot be read."""
    try:
        return read_submission(folder).kind
    except SubmissionError:
        return None
