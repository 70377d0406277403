"""Constants in the code are exchanged without an edit, and nothing of it is evaluated."""

import ast

from harness.protocol.code_constants import constants_in, parsed_with


def test_the_tree_alone_changes() -> None:
    """Other numbers on the line, and all lines, are what they were."""
    text = b"A = 1\ndef f(buckets=65536, n=65536): return buckets, n\nline = f()\n"
    names: dict[str, object] = {}
    tree = parsed_with(text, "train_gpt.py", {"2:buckets": "16"})
    exec(compile(tree, "train_gpt.py", "exec"), names)
    assert names["line"] == (16, 65536)
    assert [node.lineno for node in tree.body] == [1, 2, 3]


def test_nothing_is_evaluated() -> None:
    """A power that would fill the memory is no number of ours."""
    assert not list(constants_in(ast.parse("BUCKETS = 2 ** 10 ** 10\nOTHER = 1 << 99999999")))
