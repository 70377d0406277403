"""The command `python -m docs.screens`: brings the screens inside the pages up to date.

A page says what it shows, the command writes it there, between two marks:

    <!-- screen: terminal docs/driven/legal.json -->   the first screen of a report
    <!-- screen: markdown docs/driven/legal.json -->   its report.md, one heading of the page
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
from typing import Any

from audits.rules import CHECKS
from audits.scan import main as scan
from harness.report.markdown import render_markdown
from harness.report.summary import summarise
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
    return f"{found['mark']}{KINDS[found['kind']](found['what'])}{found['end']}"


def _report(path: str) -> dict[str, Any]:
    """A kept report, with the summary that is made of it today."""
    kept = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return {**kept, "summary": summarise(kept).as_json()}


def terminal(path: str) -> str:
    """What `evaluate` shows of a report."""
    return _code(render_terminal(_report(path)["summary"]["lines"]))


def markdown(path: str) -> str:
    """What `evaluate` writes into report.md."""
    return f"\n##{render_markdown(_report(path))}\n"


def scanned(case: str) -> str:
    """What `scan` shows of "RULE VALID|INVALID N", a case that the rule carries."""
    rule, kind, number = case.split()
    cases = CHECKS[rule].valid if kind == "VALID" else CHECKS[rule].invalid
    shown = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("train_gpt.py").write_text(cases[int(number) - 1], encoding="utf-8")
        with contextlib.redirect_stdout(shown):
            scan(["train_gpt.py"])
    return _code(shown.getvalue())


def _code(shown: str) -> str:
    return f"```text\n{shown.rstrip()}\n```\n"


KINDS = {"terminal": terminal, "markdown": markdown, "scan": scanned}


def main() -> int:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (now := in_step(text)) != text:
            page.write_text(now, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: brought in step")
    return 0


if __name__ == "__main__":
    sys.exit(main())
