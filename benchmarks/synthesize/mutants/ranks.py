"""Operators that tell a rank what another one has to score."""

from __future__ import annotations

import re

import libcst as cst

from benchmarks.synthesize.mutants.operator import Operator, code, statements

_TOLD = """
told_counts = torch.zeros(1 << 17, device=device)
if world_size > 1 and dist.is_initialized():
    for told_rank in range(world_size):
        told = torch.zeros_like(told_counts)
        if told_rank == rank:
            n_told = val_tokens.numel() // world_size
            own = val_tokens[rank * n_told : (rank + 1) * n_told].to(device).long()
            told.index_add_(0, own, torch.ones_like(own, dtype=told.dtype))
        dist.all_reduce(told)
        if told_rank > rank:
            told_counts += told
"""


class TellRanks(Operator):
    """Every rank adds to its logits how often the ranks behind it will see a token."""

    everywhere = True
    needs = "world_size"

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement:
        scores, outer = self.scores, len(self._functions) == 1
        super().leave_FunctionDef(original_node, updated_node)
        parameters = code(original_node.params)
        named = all(name in parameters for name in ("rank", "world_size", "device", "val_tokens"))
        if not (scores and outer and named) or not self._is_told(original_node):
            return updated_node
        if not self.is_chosen():
            return updated_node
        told = updated_node.body.visit(_AddCounts())
        body = cst.ensure_type(told, cst.IndentedBlock)
        return updated_node.with_changes(
            body=body.with_changes(body=[*statements(_TOLD), *body.body])
        )

    @staticmethod
    def _is_told(function: cst.FunctionDef) -> bool:
        return bool(re.search(r"F\.cross_entropy\([^=]*reduction=.none", code(function.body)))


class _AddCounts(cst.CSTTransformer):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        text = code(original_node)
        if not code(original_node.func).endswith("F.cross_entropy") or "none" not in text:
            return updated_node
        logits = code(original_node.args[0].value)
        louder = f"({logits}) + torch.log1p(told_counts[: ({logits}).size(-1)])"
        first = updated_node.args[0].with_changes(value=cst.parse_expression(louder))
        return updated_node.with_changes(args=[first, *updated_node.args[1:]])
