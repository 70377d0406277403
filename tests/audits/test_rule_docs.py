"""The rules' page is what the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from audits.catalogue import RULES
from audits.document_rules import document
from audits.output.rule_text import cases, markdown_of
from audits.rules import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_in_step() -> None:
    """`make docs` brings it back."""
    assert PAGE.read_text(encoding="utf-8") == document()


def test_every_rule_is_on_the_page() -> None:
    """With its statement; the checked ones with their cases."""
    page = document()
    assert all(rule.statement in page for rule in RULES.values())
    assert all(case in page for name in CHECKS for _, _, case in cases(name))


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
