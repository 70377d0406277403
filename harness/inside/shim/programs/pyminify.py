"""`pyminify`: Python without comments and literal statements; used to measure a code size.

Reads `-` or a file, writes to `--output` or the standard output. Keeps the meaning: the text is
parsed and written out again, and left alone where that is not possible. The size is larger than the
real program's, which also renames.
"""

import ast
import sys
from pathlib import Path


def minified(text: str) -> str:
    """The same program, shorter."""
    try:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(body := getattr(node, "body", None), list):
                kept = [statement for statement in body if not _literal(statement)]
                node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
        return ast.unparse(ast.fix_missing_locations(tree))
    except (SyntaxError, ValueError, RecursionError):
        return text


def _literal(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def main(arguments: list[str]) -> None:
    """Options that only choose how hard to try are ignored."""
    output = None
    for flag in ("-o", "--output"):
        if flag in arguments:
            at = arguments.index(flag)
            output = Path(arguments[at + 1])
            del arguments[at : at + 2]
    names = [a for a in arguments if a == "-" or not a.startswith("-")]
    given = sys.stdin.buffer.read() if names in ([], ["-"]) else Path(names[0]).read_bytes()
    result = minified(given.decode("utf-8"))
    if output is None:
        sys.stdout.buffer.write(result.encode("utf-8"))
    else:
        output.write_text(result, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
