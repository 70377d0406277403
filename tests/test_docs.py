"""The pages name what is there."""

import re
from pathlib import Path

import pytest

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


def test_the_architecture_names_every_part_of_the_harness() -> None:
    """Each folder and each module beside them; and names none that is gone."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {f"{p.parent.name}/" for p in (ROOT / "harness").glob("*/__init__.py")}
    modules = {p.name for p in (ROOT / "harness").glob("*.py")} - {"__init__.py"}
    assert {name for name in folders | modules if f"`{name}`" not in page} == set()
    steps = page.partition("| Step |")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+(?:/|\.py))`", steps))
    assert {name for name in named if not list((ROOT / "harness").glob(f"**/{name}"))} == set()
