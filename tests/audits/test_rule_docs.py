"""The rules' page is what the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from audits.catalogue import RULES
from audits.document_rules import document
from audits.output.rule_text import cases, markdown_of
from audits.rules import CHECKS
from docs.rule_pages import index, page_of

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_in_step() -> None:
    """`make docs` brings it back."""
    assert PAGE.read_text(encoding="utf-8") == document()


def test_every_rule_is_on_the_page() -> None:
    """With its statement; the checked ones with their cases."""
    page = document()
    assert all(rule.statement in page for rule in RULES.values())
    assert all(case in page for name in CHECKS for _, _, case in cases(name))


def test_every_rule_has_a_page_of_its_own() -> None:
    """What it says, what breaks it, what looks like it and where it comes from; the list leads to
    each of them.
    """
    for rule in RULES.values():
        page = page_of(rule)
        assert f"]({rule.id}.md)" in index()
        assert all(part in page for part in (rule.statement, rule.broken, *rule.sources))
        assert all(one in page for one in rule.look_alikes)


@pytest.mark.parametrize("name", CHECKS)
def test_a_case_is_shown_with_the_comment_above_it(name: str) -> None:
    """As many cases as the rule has, each without the frame that all of them share."""
    shown = list(cases(name))
    check = CHECKS[name]
    texts = check.valid + check.invalid + check.doubtful
    assert len(shown) == len(texts)
    for (_, note, case), whole in zip(shown, texts, strict=True):
        assert case in whole
        assert note in markdown_of(RULES[name])
