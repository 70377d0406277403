"""The command `python -m audits.document_rules`: prints docs/rules.md.

Guarantees: a pure function of the catalogue and of the rules' files; a test keeps the page in step.
Does not cover: writing the file; `make docs` does.
"""

from __future__ import annotations

import sys

from audits.catalogue import RULES
from audits.output.rule_text import FRAME, look_of, markdown_of
from audits.rules import CHECKS


def document() -> str:
    """The whole page."""
    checked = [RULES[name] for name in RULES if name in CHECKS]
    others = [rule for rule in RULES.values() if rule.id not in CHECKS]
    before, _, after = FRAME
    parts = [
        "# Rules",
        "Generated from `audits/catalogue/rules.toml` and `audits/rules/` by `make docs`; do not "
        "edit.",
        f"{len(checked)} rules are checked by reading code; {len(others)} need a run, logs or "
        "people. A check fails only what it is sure of and what the documented run reaches. A "
        "failure is a pattern, not a proof; no finding never means honest.",
        "The cases are whole scripts; what they have in common is left out below:",
        f"```python\n{before.strip()}\n\n# ... the case ...\n{after.rstrip()}\n```",
    ]
    parts += [f"## {rule.id} {rule.title}\n\n{markdown_of(rule)}" for rule in checked]
    parts.append("## Rules without a static check")
    parts += [
        f"**{one.id} {one.title}.** {one.statement} ({one.status}) {look_of(one)}" for one in others
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
