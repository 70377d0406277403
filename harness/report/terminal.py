"""The first screen on a terminal. Details are in report.md.

Guarantees: no line is wider than the screen, but for a path or a word that is; no control
character of a submission reaches the terminal.
"""

import textwrap
from collections.abc import Sequence

from audits.output.escape import visible
from harness.report.summary import REPLAY

WIDTH = 100


def render_terminal(lines: Sequence[str]) -> str:
    """The lines of a summary as plain text."""
    return "\n".join(_wrapped(visible(line)) for line in lines)


def _wrapped(line: str) -> str:
    """Continued two blanks further in. A command is one line, so that it can be copied."""
    text = line.lstrip(" ")
    if text.startswith(REPLAY):
        return line
    indent = " " * (len(line) - len(text))
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
