"""What an operator is: it finds its sites in reading order, and changes the one that it is told.

Guarantees: with no site chosen nothing changes, and `n_sites` says how many there are; the rest of
the text stays to the byte. Does not cover: whether a site acts in the run that a judge makes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

SCORES = re.compile(r"eval|val|score|slid|ttt|ngram", re.IGNORECASE)  # functions that score


class Operator(cst.CSTTransformer):
    """Subclasses call `is_chosen` at every site, in reading order.

    `needs` spares the statements without a site: a visit of a whole script takes a second.
    `everywhere`: all of its places are one site. A script scores, or makes a loader, in several
    places, and most of them are diagnostics or warm-ups that the headline does not rest on.
    """

    everywhere = False
    needs: str | None = None  # what a statement of the module holds that has a site; None: unknown

    def __init__(self, site: int | None = None) -> None:
        super().__init__()
        self.site, self.n_sites = site, 0
        self._functions: list[str] = []

    def is_chosen(self) -> bool:
        if self.everywhere:
            self.n_sites = 1
            return self.site == 0
        self.n_sites += 1
        return self.n_sites - 1 == self.site

    @property
    def scores(self) -> bool:
        """Whether this is inside a function that scores, by its name."""
        return any(SCORES.search(name) for name in self._functions)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._functions.append(node.name.value)

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement:
        self._functions.pop()
        return updated_node


@dataclass(frozen=True)
class Mutation:
    """An operator and what its mutants are."""

    name: str
    operator: type[Operator]
    rules: tuple[str, ...] = ()  # any of which is right; none: harmless


def n_sites(tree: cst.Module, operator: type[Operator]) -> int:
    counter = operator()
    _visit(tree, counter)
    return counter.n_sites


def applied(tree: cst.Module, operator: type[Operator], site: int) -> cst.Module:
    return _visit(tree, operator(site))


def _visit(tree: cst.Module, operator: Operator) -> cst.Module:
    if operator.needs is None:
        return tree.visit(operator)
    body: list[cst.SimpleStatementLine | cst.BaseCompoundStatement] = []
    for statement in tree.body:
        seen = operator.needs in code(statement)
        new = statement.visit(operator) if seen else statement
        body += new if isinstance(new, cst.FlattenSentinel) else [new]
    return tree.with_changes(body=body)


def code(node: cst.CSTNode) -> str:
    """Of any node, as text."""
    return cst.Module(body=[]).code_for_node(node)


def statements(text: str) -> Sequence[cst.BaseStatement]:
    return cst.parse_module(text).body
