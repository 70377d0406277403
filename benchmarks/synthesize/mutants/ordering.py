"""Operators that learn from a token before it is scored: an update, or an insertion, moved up.

A statement is moved with the plain assignments that it needs, and only where nothing else between
binds a name that it reads and does not bind itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from benchmarks.synthesize.mutants.operator import Operator, code

_SUM = re.compile(r"\b\w*(?:loss|nll|nats)\w* \+=")
_STEP = re.compile(r"\.step\(\)|(?<![.\w])_?(?:train|adapt|ttt)\w*\(")
_PUT = re.compile(r"np\.add\.at\(|\.(?:update|insert|add_tokens?)\(")


class _MoveUp(Operator):
    """In the body of a loop that scores, what learns is put before what is summed."""

    needs = "+="
    learns: re.Pattern[str]

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For:
        body = updated_node.body
        if not self.scores or not isinstance(body, cst.IndentedBlock):
            return updated_node
        lines = list(body.body)
        texts = [code(line) for line in lines]
        summed = next((i for i, text in enumerate(texts) if _SUM.search(text)), None)
        if summed is None:
            return updated_node
        learnt = [
            i
            for i in range(summed + 1, len(lines))
            if self.learns.search(texts[i]) and not _SUM.search(texts[i])
        ]
        moving = _with_needs(lines, summed, learnt[0]) if learnt else []
        if not moving or not self.is_chosen():
            return updated_node
        between = [i for i in range(summed, learnt[0] + 1) if i not in moving]
        lines[summed : learnt[0] + 1] = [lines[i] for i in (*moving, *between)]
        return updated_node.with_changes(body=body.with_changes(body=lines))


class UpdateBeforeScore(_MoveUp):
    learns = _STEP


class InsertBeforeLookUp(_MoveUp):
    learns = _PUT


def _with_needs(lines: Sequence[cst.BaseStatement], place: int, line: int) -> list[int]:
    """The line and what it needs from `place` on, in order; nothing where it cannot be moved."""
    moving, own = [line], _Names.of(lines[line])
    needed = own.read - own.bound
    for i in range(line - 1, place - 1, -1):
        names = _Names.of(lines[i])
        if not names.bound & needed:
            continue
        if not isinstance(lines[i], cst.SimpleStatementLine) or _SUM.search(code(lines[i])):
            return []
        moving.insert(0, i)
        needed |= names.read
    return moving


class _Names(cst.CSTVisitor):
    """Names bound and read by statements; a loop's or a sum's own count as bound."""

    def __init__(self) -> None:
        super().__init__()
        self.bound: set[str] = set()
        self.read: set[str] = set()

    @classmethod
    def of(cls, statement: cst.BaseStatement) -> _Names:
        names = cls()
        statement.visit(names)
        return names

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._bind(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._bind(node.target)

    def visit_Name(self, node: cst.Name) -> None:
        self.read.add(node.value)

    def _bind(self, target: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.bound.add(target.value)
        elif isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self._bind(element.value)


class TrainOnNextChunk(Operator):
    """The chunk that is learned from, once one is scored, is the one behind it."""

    everywhere = True
    needs = "chunk_start"

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        target = code(original_node.targets[0].target)
        value = code(original_node.value)
        moved = {
            "chunk_start": re.sub(r"^(ci|chunk_idx|c) \* ", r"(\1 + 1) * ", value),
            "chunk_end": re.sub(r"\((ci|chunk_idx|c) \+ 1\) \* ", r"(\1 + 2) * ", value),
        }.get(target, value)
        if self.scores and moved != value and self.is_chosen():
            return updated_node.with_changes(value=cst.parse_expression(moved))
        return updated_node
