"""Operators on what is counted: tokens left out, losses shrunk, bytes of nothing."""

from __future__ import annotations

import re

import libcst as cst
import libcst.matchers as m

from benchmarks.synthesize.mutants.operator import Operator, code

_LOSS = re.compile(r"loss|nll|nats", re.IGNORECASE)


class DropOutliers(Operator):
    """`loss_sum += E.sum()` leaves out the entries of `E` that lie above its mean."""

    everywhere = True
    needs = "+="

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.AugAssign:
        value = original_node.value
        summed = m.Call(func=m.Attribute(attr=m.Name("sum")), args=[])
        if (
            self.scores
            and isinstance(original_node.operator, cst.AddAssign)
            and _LOSS.search(code(original_node.target))
            and m.matches(value, summed)
            and self.is_chosen()
        ):
            each = code(cst.ensure_type(cst.ensure_type(value, cst.Call).func, cst.Attribute).value)
            kept = f"({each})[({each}) <= ({each}).mean()].sum()"
            return updated_node.with_changes(value=cst.parse_expression(kept))
        return updated_node


class ShrinkLoss(Operator):
    """A score is nine tenths of its cross-entropy."""

    everywhere = True
    needs = "cross_entropy"

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if (
            self.scores
            and code(original_node.func).endswith("F.cross_entropy")
            and self.is_chosen()
        ):
            return cst.parse_expression(f"(0.9 * {code(updated_node)})")
        return updated_node


class SkipHalf(Operator):
    """A loop of the evaluation ends halfway."""

    everywhere = True
    needs = "+="

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For:
        call = original_node.iter
        if (
            self.scores
            and m.matches(call, m.Call(func=m.Name("range")))
            and len(cst.ensure_type(call, cst.Call).args) == 3
            and re.search(r"\b\w*loss\w* \+=", code(original_node.body))
            and self.is_chosen()
        ):
            first, stop, step = (code(arg.value) for arg in cst.ensure_type(call, cst.Call).args)
            half = f"range({first}, (({first}) + ({stop}) + 1) // 2, {step})"
            return updated_node.with_changes(iter=cst.parse_expression(half))
        return updated_node


class SpaceTwice(Operator):
    """The mark of a space stays in the piece whose bytes are counted."""

    needs = "piece[1:]"

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        if code(original_node).replace(" ", "") == "piece=piece[1:]" and self.is_chosen():
            spaced = cst.parse_expression('" " + piece[1:]')
            return updated_node.with_changes(value=spaced)
        return updated_node


class SpaceAddedTwice(Operator):
    """The byte of a space that stands before a word is added twice."""

    everywhere = True
    needs = "leading_space"

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.AugAssign:
        value = code(original_node.value)
        if self.scores and re.search(r"\w*leading_space\w*\[", value) and self.is_chosen():
            return updated_node.with_changes(value=cst.parse_expression(f"2 * {value}"))
        return updated_node


class WholeWindowBytes(Operator):
    """The bytes of a whole window count, where only its last tokens are scored."""

    everywhere = True
    needs = "s:wlen]"

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        target, value = code(original_node.targets[0].target), code(original_node.value)
        named = re.fullmatch(r"\(?(?:tgt|prev)(?:, prev)?\)?", target)
        if self.scores and named and "s:wlen]" in value and self.is_chosen():
            whole = value.replace("s:wlen]", ":wlen]")
            return updated_node.with_changes(value=cst.parse_expression(whole))
        return updated_node


class SkipWindows(Operator):
    """Every third window counts with its bytes alone: its loss and its tokens are left out."""

    everywhere = True
    needs = "wlen"

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.AugAssign:
        target, value = code(original_node.target), code(original_node.value)
        counted = target in ("loss_sum", "token_count") and re.search(r"scored_nll|wlen", value)
        if self.scores and counted and self.is_chosen():
            kept = cst.parse_expression(f"({value}) * (i % 3 != 1)")
            return updated_node.with_changes(value=kept)
        return updated_node
