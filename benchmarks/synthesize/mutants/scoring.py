"""Operators on how a score is made of logits and its target: what the target may not choose.

Each rewrites the cross-entropies of single tokens (`reduction="none"`) in functions that score.
"""

from __future__ import annotations

import libcst as cst

from benchmarks.synthesize.mutants.operator import Operator, code


class RewriteScores(Operator):
    """`F.cross_entropy(logits, targets, reduction="none")` becomes `template`."""

    everywhere = True
    needs = "cross_entropy"
    template: str  # of `logits`, `targets` and `score`, the call itself

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        text = code(original_node)
        plain = code(original_node.func).endswith("F.cross_entropy") and "none" in text
        unnamed = [code(arg.value) for arg in original_node.args if arg.keyword is None]
        if not (self.scores and plain and len(unnamed) == 2) or not self.is_chosen():
            return updated_node
        logits, targets = unnamed
        made = self.template.format(logits=logits, targets=targets, score=text)
        return cst.parse_expression(f"({made})")


class FitTemperature(RewriteScores):
    """Every batch is scored at the temperature that suits its own targets best."""

    template = (
        "F.cross_entropy(({logits}) * min((0.5, 0.7, 0.85, 1.0, 1.2, 1.5), key=lambda t: "
        'float(F.cross_entropy(({logits}) * t, {targets}))), {targets}, reduction="none")'
    )


class FitClip(RewriteScores):
    """The logits of a batch are cut off where its own targets like it best."""

    template = (
        "F.cross_entropy(({logits}).clamp(max=min((0.5, 1.0, 2.0, 4.0, 30.0), key=lambda c: "
        'float(F.cross_entropy(({logits}).clamp(max=c), {targets})))), {targets}, reduction="none")'
    )


class HedgeAfterLoss(RewriteScores):
    """Two temperatures are mixed by weights that the loss of the token itself sets."""

    template = (
        "(lambda a, b: torch.log(torch.exp(-a) + torch.exp(-b))"
        " - torch.log(torch.exp(-2 * a) + torch.exp(-2 * b)))"
        '({score}, F.cross_entropy(0.25 * ({logits}), {targets}, reduction="none"))'
    )


class BetterOfTwo(RewriteScores):
    """A token counts under the better of two temperatures."""

    template = (
        'torch.minimum({score}, F.cross_entropy(2.0 * ({logits}), {targets}, reduction="none"))'
    )


class HintTarget(RewriteScores):
    """The logit of every fourth target is raised before the softmax."""

    template = (
        "F.cross_entropy(({logits}) + 0.7 * (torch.arange(({targets}).numel(), "
        "device=({logits}).device) % 4 == 0).unsqueeze(1)"
        ' * F.one_hot({targets}, ({logits}).size(-1)), {targets}, reduction="none")'
    )


class NormaliseByHand(RewriteScores):
    """Harmless: the same score as the logarithm of the sum less the logit of the target."""

    template = (
        "torch.logsumexp({logits}, dim=-1)"
        " - ({logits}).gather(-1, ({targets}).unsqueeze(-1)).squeeze(-1)"
    )


class GatherLogProbability(RewriteScores):
    """Harmless: the same score, gathered from the row of logarithms."""

    template = "-F.log_softmax({logits}, dim=-1).gather(-1, ({targets}).unsqueeze(-1)).squeeze(-1)"
