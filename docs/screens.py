"""The command `python -m docs.screens`: brings the screens inside the pages up to date.

A page says what it shows, the command writes it there, between two marks:

    <!-- screen: report docs/driven/legal.json -->    an evaluation, as the terminal shows it
    <!-- screen: scan ORDER-2 INVALID 1 -->            the scan of a case of a rule
    <!-- end of screen -->

Guarantees: a pure function of the pages, the reports and the code; a test keeps the pages in step.
Does not cover: making the reports (`benchmarks/page_reports.py`), which needs records to run.
"""

import contextlib
import io
import json
import re
import sys
import tempfile
from pathlib import Path

from audits.rules import CHECKS
from audits.scan import main as scan
from harness.report.terminal import render_terminal

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCREEN = re.compile(
    r"(?P<mark><!-- screen: (?P<kind>\w+) (?P<what>.+?) -->\n).*?(?P<end><!-- end of screen -->)",
    re.DOTALL,
)


def in_step(page: str) -> str:
    """A page's text with every screen as it is now."""
    return SCREEN.sub(_block, page)


def _block(found: re.Match[str]) -> str:
    screen = KINDS[found["kind"]](found["what"]).rstrip()
    return f"{found['mark']}```text\n{screen}\n```\n{found['end']}"


def report_screen(path: str) -> str:
    """What `evaluate` showed: the `summary` of a report."""
    summary = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return render_terminal(summary["lines"])


def scan_screen(case: str) -> str:
    """What `scan` shows of "RULE VALID|INVALID N", a case that the rule carries."""
    rule, kind, number = case.split()
    cases = CHECKS[rule].valid if kind == "VALID" else CHECKS[rule].invalid
    shown = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("train_gpt.py").write_text(cases[int(number) - 1], encoding="utf-8")
        with contextlib.redirect_stdout(shown):
            scan(["train_gpt.py"])
    return shown.getvalue()


KINDS = {"report": report_screen, "scan": scan_screen}


def main() -> int:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (now := in_step(text)) != text:
            page.write_text(now, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: brought in step")
    return 0


if __name__ == "__main__":
    sys.exit(main())
