"""Rewrites that break no rule: the twins of mutants, and what must not be accused.

Guarantees: the same values in the same order of computation, or another legal predictor's. Does not
cover: scripts that read their own text, or look at their own names.
"""

from __future__ import annotations

import re

import libcst as cst
import libcst.matchers as m

from benchmarks.synthesize.mutants import look_alikes
from benchmarks.synthesize.mutants.operator import Mutation, Operator, code, statements
from benchmarks.synthesize.mutants.scoring import GatherLogProbability, NormaliseByHand

_OWN = re.compile(
    r"\b(?:locals|globals|vars|eval|exec)\(|\bnonlocal\b|\bglobal\b|\bdef\b|\blambda\b"
)


class RenameLocal(Operator):
    """A local name of a function that scores."""

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement:
        scores = self.scores
        super().leave_FunctionDef(original_node, updated_node)
        text = code(original_node.body)
        name = _first_local(original_node)
        if not scores or _OWN.search(text) or name is None or not self.is_chosen():
            return updated_node
        return updated_node.with_changes(
            body=updated_node.body.visit(_Rename(name, f"{name}_here"))
        )


class SplitReturn(Operator):
    """`return E` becomes `result = E; return result`."""

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        lone = m.SimpleStatementLine(body=[m.Return(value=~m.Name())])
        if not self.scores or not m.matches(original_node, lone):
            return updated_node
        value = cst.ensure_type(updated_node.body[0], cst.Return).value
        if value is None or not self.is_chosen():
            return updated_node
        first, last = statements(f"result = {code(value)}\nreturn result\n")
        return cst.FlattenSentinel([first, last])


class SplitFunction(Operator):
    """A function that scores becomes a wrapper of itself under another name."""

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        outer = len(self._functions) == 1
        scores = self.scores
        super().leave_FunctionDef(original_node, updated_node)
        if (
            not (outer and scores)
            or original_node.decorators
            or m.findall(original_node.body, m.Yield())
            or "self" in code(original_node.params)
            or not self.is_chosen()
        ):
            return updated_node
        name = updated_node.name.value
        inner = updated_node.with_changes(name=cst.Name(f"{name}_body"))
        (wrapper,) = statements(
            f"\n\ndef {name}(*args, **kwargs):\n    return {name}_body(*args, **kwargs)\n"
        )
        return cst.FlattenSentinel([inner, wrapper])


class ReorderImports(Operator):
    """Two imports that stand together change places."""

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        plain = m.SimpleStatementLine(body=[m.Import()])
        body = list(updated_node.body)
        for i in range(len(body) - 1):
            if m.matches(body[i], plain) and m.matches(body[i + 1], plain) and self.is_chosen():
                body[i], body[i + 1] = body[i + 1], body[i]
                break
        return updated_node.with_changes(body=body)


class Reformat(Operator):
    """Brackets around what is added up."""

    needs = "+="

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.AugAssign:
        if self.scores and self.is_chosen():
            bracketed = cst.parse_expression(f"({code(updated_node.value)})")
            return updated_node.with_changes(value=bracketed)
        return updated_node


class TakeOff(Operator):
    """`s += E` becomes `s -= -(E)`, where losses are summed."""

    everywhere = True
    needs = "+="

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.AugAssign:
        summed = isinstance(original_node.operator, cst.AddAssign)
        if self.scores and summed and "loss" in code(original_node.target) and self.is_chosen():
            value = cst.parse_expression(f"-({code(updated_node.value)})")
            minus = cst.SubtractAssign()
            return updated_node.with_changes(operator=minus, value=value)
        return updated_node


class _Rename(cst.CSTTransformer):
    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self.old, self.new = old, new

    def visit_Attribute_attr(self, node: cst.Attribute) -> None:
        self._kept = node.attr

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return (
            updated_node.with_changes(value=self.new)
            if original_node.value == self.old
            else updated_node
        )


def _first_local(function: cst.FunctionDef) -> str | None:
    """The first name that is bound by an assignment and is no parameter."""
    parameters = {
        p.name.value for p in m.findall(function.params, m.Param()) if isinstance(p, cst.Param)
    }
    for target in m.findall(function.body, m.AssignTarget(target=m.Name())):
        name = cst.ensure_type(cst.ensure_type(target, cst.AssignTarget).target, cst.Name).value
        if name not in parameters:
            return name
    return None


HARMLESS = (
    Mutation("renamed local", RenameLocal),
    Mutation("split return", SplitReturn),
    Mutation("split function", SplitFunction),
    Mutation("reordered imports", ReorderImports),
    Mutation("brackets", Reformat),
    Mutation("taken off", TakeOff),
    Mutation("normalised by hand", NormaliseByHand),
    Mutation("gathered", GatherLogProbability),
    Mutation("power of one", look_alikes.PowerOfOne),
    Mutation("tiny floor", look_alikes.TinyFloor),
    Mutation("nothing rewarded", look_alikes.RewardNothing),
    Mutation("weights of one", look_alikes.ConvexMixture),
    Mutation("temperature of the place", look_alikes.TemperatureByPlace),
    Mutation("scores not negative", look_alikes.FloorScores),
    Mutation("scores checked", look_alikes.CheckScores),
    Mutation("centred over the alphabet", look_alikes.CentreOverAlphabet),
    Mutation("logits of the last place", look_alikes.LogitsOfTheLast),
    Mutation("sums from the start", look_alikes.SumFromTheStart),
    Mutation("bytes of one token", look_alikes.BytesOfOne),
    Mutation("as many bytes", look_alikes.AsManyBytes),
    Mutation("tail kept", look_alikes.KeepTail),
    Mutation("weighted by number", look_alikes.WeightByNumber),
    Mutation("listened to noise", look_alikes.ListenToNoise),
    Mutation("first file the same", look_alikes.FirstFileSame),
)
