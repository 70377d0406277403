"""The pages name what is there, and show what the code shows."""

import contextlib
import importlib
import io
import json
import re
from pathlib import Path

import jsonschema
import pytest

from docs.screens import PAGES as WITH_SCREENS
from docs.screens import SCREEN, in_step
from harness.report.model import SCHEMA_PATH

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "rules.md"),
]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Relative to the page."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_is_short() -> None:
    """A person reads it to the end: 120 lines, its screen included."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_architecture_names_every_part_of_the_harness() -> None:
    """Each folder and each module beside them; and names none that is gone."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {f"{p.parent.name}/" for p in (ROOT / "harness").glob("*/__init__.py")}
    modules = {p.name for p in (ROOT / "harness").glob("*.py")} - {"__init__.py"}
    assert {name for name in folders | modules if f"`{name}`" not in page} == set()
    steps = page.partition("| Step |")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+(?:/|\.py))`", steps))
    assert {name for name in named if not list((ROOT / "harness").glob(f"**/{name}"))} == set()


@pytest.mark.parametrize("page", WITH_SCREENS, ids=lambda page: page.name)
def test_every_screen_is_what_the_code_shows_now(page: Path) -> None:
    """`make docs` brings it back."""
    text = page.read_text(encoding="utf-8")
    assert len(SCREEN.findall(text)) == text.count("<!-- screen: ")
    assert in_step(text) == text


@pytest.mark.parametrize(
    "kept", sorted((ROOT / "docs" / "driven").glob("*.json")), ids=lambda kept: kept.stem
)
def test_a_kept_report_is_one_that_an_evaluation_writes_now(kept: Path) -> None:
    """Of the schema; `benchmarks/page_reports.py` makes it anew."""
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(kept.read_text(encoding="utf-8")), schema)


def test_the_design_names_the_numbers_of_the_code() -> None:
    """Every row of its table: `module.NAME`, value."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)\.([A-Z0-9_]+)` \| (\S+) \|", page, re.MULTILINE)
    assert len(rows) >= 10
    for module, name, value in rows:
        assert repr(getattr(importlib.import_module(module), name)) == value


def test_the_example_of_the_design_prints_what_stands_below_it() -> None:
    """The mixture sees a theft that waste hides from the product."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    example, printed = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL)[0]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(example, {})
    assert shown.getvalue() == printed
