"""Operators that use the validation tokens before they count: a second pass, a choice by a score.

A function that scores becomes a wrapper of itself, or is called in `main` before its number counts.
"""

from __future__ import annotations

import re

import libcst as cst
import libcst.matchers as m

from benchmarks.synthesize.mutants.operator import SCORES, Operator, code, statements


class SecondPass(Operator):
    """What adapts while it scores runs twice, and the second number counts."""

    everywhere = True
    needs = ".step()"

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        adapts = self.scores and not self._functions[1:] and ".step()" in code(original_node.body)
        super().leave_FunctionDef(original_node, updated_node)
        returns = m.findall(original_node.body, m.Return(value=m.DoNotCare()))
        if not adapts or not returns or original_node.decorators or not self.is_chosen():
            return updated_node
        name = updated_node.name.value
        (wrapper,) = statements(
            f"\n\ndef {name}(*args, **kwargs):\n"
            f"    {name}_body(*args, **kwargs)\n    return {name}_body(*args, **kwargs)\n"
        )
        inner = updated_node.with_changes(name=cst.Name(f"{name}_body"))
        return cst.FlattenSentinel([inner, wrapper])


class _ChooseInMain(Operator):
    """Before `loss, bpb = eval...(..., model, ...)` in `main`: what is best for that number."""

    everywhere = True
    needs = "def main"
    trial: str  # statements of `model` and `evaluate`, an expression

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        call = _evaluation(original_node)
        if self._functions != ["main"] or call is None or not self._is_final(original_node):
            return updated_node
        model = next((name for arg in call.args if (name := _model(arg))), None)
        if model is None or not self.is_chosen():
            return updated_node
        trial = statements(self.trial.format(model=model, evaluate=code(call)))
        return cst.FlattenSentinel([*trial, updated_node])

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        super().visit_FunctionDef(node)
        if node.name.value == "main":
            self._loaded = re.sub(r"\s+", "", code(node)).rpartition(".load_state_dict(")[2]

    def _is_final(self, line: cst.SimpleStatementLine) -> bool:
        """Behind the round trip of the artifact, not among the evaluations while it trains."""
        return re.sub(r"\s+", "", code(line.body[0])) in self._loaded


def _evaluation(line: cst.SimpleStatementLine) -> cst.Call | None:
    lone = m.Assign(targets=[m.AssignTarget(target=m.Tuple())], value=m.Call(func=m.Name()))
    if not m.matches(line, m.SimpleStatementLine(body=[lone])):
        return None
    call = cst.ensure_type(cst.ensure_type(line.body[0], cst.Assign).value, cst.Call)
    return call if SCORES.search(code(call.func)) else None


def _model(arg: cst.Arg) -> str | None:
    name = code(arg.value)
    return name if re.fullmatch(r"\w*model\w*", name) else None


_EACH = "[p for p in {model}.parameters() if p.is_floating_point() and p.ndim == 2]"


class ChooseScale(_ChooseInMain):
    """Of three scales of the weights the best on validation counts, as a temperature would."""

    trial = (
        f"matrices_seen = {_EACH}\n"
        "matrices_kept = [p.detach().clone() for p in matrices_seen]\n"
        "trials_seen = []\n"
        "for scale_tried in (1.0, 0.9, 0.8):\n"
        "    for p, kept in zip(matrices_seen, matrices_kept):\n"
        "        p.data.copy_(kept * scale_tried)\n"
        "    trials_seen.append(({evaluate}[0], scale_tried))\n"
        "for p, kept in zip(matrices_seen, matrices_kept):\n"
        "    p.data.copy_(kept * min(trials_seen)[1])\n"
    )


class ChooseClip(_ChooseInMain):
    """Of three cuts of large weights the best on validation counts, as quantisers cut them."""

    trial = (
        f"matrices_seen = {_EACH}\n"
        "matrices_kept = [p.detach().clone() for p in matrices_seen]\n"
        "trials_seen = []\n"
        "for clip_tried in (1.0, 0.5, 0.25):\n"
        "    for p, kept in zip(matrices_seen, matrices_kept):\n"
        "        limit = float(kept.abs().max()) * clip_tried\n"
        "        p.data.copy_(kept.clamp(-limit, limit))\n"
        "    trials_seen.append(({evaluate}[0], clip_tried))\n"
        "for p, kept in zip(matrices_seen, matrices_kept):\n"
        "    limit = float(kept.abs().max()) * min(trials_seen)[1]\n"
        "    p.data.copy_(kept.clamp(-limit, limit))\n"
    )
