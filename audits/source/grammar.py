"""Python 3.12 f-strings on an older interpreter: LibCST reads them, we lower them to plain
concatenation.

Guarantees: `f"a{x!r:>{w}}b"` becomes `"a" + format(repr(x), ">" + format(w, "")) + "b"`, which
means the same; lines stay where they are.
Does not cover: other new syntax (type parameters); such a file is unreadable on 3.11.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

# Golfed code such as `a-(b)for x in y` is Python, but not to LibCST: it wants a space there.
_GLUED = re.compile(r"""([\d)\]}'"])(for|if|else|and|or|in|is|not)\b""")
MAX_NESTED = 1_000  # brackets in brackets; CPython takes 200, and LibCST dies near 3,000
MAX_NESTED_BLOCKS = 200  # margins of lines; CPython takes 100 of indentation
_CONVERSIONS = {"r": "repr", "s": "str", "a": "ascii"}


def is_deep(text: str) -> bool:
    """By its brackets, those in strings and comments too, and its indentation: what is too much to
    count so is too much for a program.
    """
    depth = deepest = 0
    for bracket in re.finditer(r"[][(){}]", text):
        depth = depth + 1 if bracket[0] in "([{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    margins = {len(line) - len(line.lstrip()) for line in text.split("\n") if line.strip()}
    return deepest > MAX_NESTED or len(margins) > MAX_NESTED_BLOCKS


def lowered(text: str) -> str | None:
    """The text with every f-string rewritten; None when LibCST cannot read it either."""
    if is_deep(text):
        return None  # LibCST would overflow its stack, and end the process
    for attempt in (text, _GLUED.sub(r"\1 \2", text)):
        try:
            return cst.parse_module(attempt).visit(_Lowering()).code
        except (cst.ParserSyntaxError, cst.CSTValidationError, RecursionError, UnicodeError):
            continue
    return None


class _Lowering(cst.CSTTransformer):
    """Replaces f-strings from the inside out."""

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.BaseExpression:
        prefix = updated_node.start.lower().replace("f", "")
        quote = updated_node.start.lstrip("fFrRbB")
        return _concatenation(updated_node.parts, prefix.rstrip("\"'"), quote)

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        return False  # its parts must stay strings until the whole is replaced

    def leave_ConcatenatedString(
        self, original_node: cst.ConcatenatedString, updated_node: cst.ConcatenatedString
    ) -> cst.BaseExpression:
        left, right = (part.visit(self) for part in (original_node.left, original_node.right))
        assert isinstance(left, cst.BaseExpression)
        assert isinstance(right, cst.BaseExpression)
        return _added(left, right)


def _concatenation(
    parts: Sequence[cst.BaseFormattedStringContent], prefix: str, quote: str
) -> cst.BaseExpression:
    pieces: list[cst.BaseExpression] = []
    for part in parts:
        if isinstance(part, cst.FormattedStringText):
            text = part.value.replace("{{", "{").replace("}}", "}")
            pieces.append(cst.SimpleString(f"{prefix}{quote}{text}{quote}"))
        elif isinstance(part, cst.FormattedStringExpression):
            if part.equal is not None:
                pieces.append(cst.SimpleString(repr(_shown(part))))
            pieces.append(_formatted(part, prefix, quote))
    whole: cst.BaseExpression = pieces[0] if pieces else cst.SimpleString('""')
    for piece in pieces[1:]:
        whole = _added(whole, piece)
    return whole


def _shown(part: cst.FormattedStringExpression) -> str:
    """What `{ x = }` prints before the value: the text between the brace and the value."""
    copied = part.with_changes(conversion=None, format_spec=None)
    return cst.Module([]).code_for_node(copied)[1:-1]


def _formatted(part: cst.FormattedStringExpression, prefix: str, quote: str) -> cst.BaseExpression:
    value: cst.BaseExpression = part.expression
    bare = part.equal is not None and part.format_spec is None and part.conversion is None
    conversion = "r" if bare else part.conversion  # `{x=}` shows the value as repr does
    if conversion is not None:
        value = cst.Call(cst.Name(_CONVERSIONS[conversion]), [cst.Arg(value)])
    spec = _concatenation(part.format_spec or (), prefix, quote)
    return cst.Call(cst.Name("format"), [cst.Arg(value), cst.Arg(spec)])


def _added(left: cst.BaseExpression, right: cst.BaseExpression) -> cst.BinaryOperation:
    return cst.BinaryOperation(
        left, cst.Add(), right, lpar=[cst.LeftParen()], rpar=[cst.RightParen()]
    )
