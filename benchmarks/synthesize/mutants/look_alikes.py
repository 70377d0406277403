"""Operators with a harmless sibling each: one number, sign or axis apart.

What a careful author of a cheat would write, and what an honest one would: a power of 0.9 or of 1,
a floor of a thousandth or of 1e-12, sums from either end, a mean over tokens or the alphabet.

Guarantees: a sibling gives the same scores, or those of another legal predictor. Does not cover:
whether a site acts in the configuration that the folder ran.
"""

from __future__ import annotations

import re

import libcst as cst

from benchmarks.synthesize.mutants.operator import Operator, code
from benchmarks.synthesize.mutants.provenance import BeforeEvaluation, ListedFiles
from benchmarks.synthesize.mutants.scoring import RewriteScores

_P = "torch.softmax({logits}, dim=-1).gather(-1, ({targets}).unsqueeze(-1)).squeeze(-1)"


class PowerOfProbability(RewriteScores):
    """The probability of the token, to the power of 0.9."""

    template = f"-torch.log({_P} ** 0.9)"


class PowerOfOne(RewriteScores):
    template = f"-torch.log({_P} ** 1.0)"


class Floor(RewriteScores):
    """A thousandth is added to each probability."""

    template = f"-torch.log({_P} + 1e-3)"


class TinyFloor(RewriteScores):
    """Too little to matter: 256 tokens weigh 3e-10."""

    template = f"-torch.log({_P} + 1e-12)"


class RewardHits(RewriteScores):
    """A token that the model thought likeliest costs a fifth of a nat less."""

    template = "({score} - 0.2 * (({logits}).argmax(-1) == ({targets})))"


class RewardNothing(RewriteScores):
    template = "({score} - 0.0 * (({logits}).argmax(-1) == ({targets})))"


class HeavyMixture(RewriteScores):
    """Two temperatures, mixed by weights that sum to 1.2."""

    template = (
        "-torch.log(0.7 * torch.exp(-{score}) + 0.5 * torch.exp(-F.cross_entropy("
        '0.5 * ({logits}), {targets}, reduction="none")))'
    )


class ConvexMixture(RewriteScores):
    template = (
        "-torch.log(0.6 * torch.exp(-{score}) + 0.4 * torch.exp(-F.cross_entropy("
        '0.5 * ({logits}), {targets}, reduction="none")))'
    )


class TemperatureByToken(RewriteScores):
    """Logits are sharper where the token that comes has an even number."""

    template = (
        "F.cross_entropy(({logits}) * (1.0 + 0.2 * (({targets}) % 2 == 0).unsqueeze(-1)), "
        '{targets}, reduction="none")'
    )


class TemperatureByPlace(RewriteScores):
    template = (
        "F.cross_entropy(({logits}) * (1.0 + 0.2 * (torch.arange(({targets}).numel(), "
        'device=({logits}).device) % 2 == 0).unsqueeze(-1)), {targets}, reduction="none")'
    )


class CapScores(RewriteScores):
    """No token costs more than eight nats."""

    template = "{score}.clamp(max=8.0)"


class FloorScores(RewriteScores):
    """No token costs less than nothing, and none did."""

    template = "{score}.clamp(min=0.0)"


class ReplaceOutliers(RewriteScores):
    """The dearest tokens of a batch cost what the mean of it does."""

    template = (
        "(lambda each: torch.where(each > torch.quantile(each.float(), 0.98), each.mean(), each))"
        "({score})"
    )


class CheckScores(RewriteScores):
    template = "(lambda each: torch.where(each >= 0, each, each))({score})"


class CentreOverTokens(RewriteScores):
    """Logits are taken relative to what the whole batch has of each token."""

    template = (
        "F.cross_entropy(({logits}) - 0.5 * ({logits}).mean(0, keepdim=True), {targets}, "
        'reduction="none")'
    )


class CentreOverAlphabet(RewriteScores):
    template = (
        "F.cross_entropy(({logits}) - 0.5 * ({logits}).mean(-1, keepdim=True), {targets}, "
        'reduction="none")'
    )


class LogitsOfTheNext(RewriteScores):
    """A third of the logits that the next place has, which was given this one's target."""

    template = (
        "F.cross_entropy(({logits}) + 0.3 * torch.roll({logits}, -1, 0), {targets}, "
        'reduction="none")'
    )


class LogitsOfTheLast(RewriteScores):
    template = (
        "F.cross_entropy(({logits}) + 0.3 * F.pad(({logits})[:-1], (0, 0, 1, 0)), {targets}, "
        'reduction="none")'
    )


class SumFromTheEnd(RewriteScores):
    """Logits with those of all later places."""

    template = (
        "F.cross_entropy(({logits}) + 0.01 * ({logits}).flip(0).cumsum(0).flip(0), {targets}, "
        'reduction="none")'
    )


class SumFromTheStart(RewriteScores):
    template = (
        'F.cross_entropy(({logits}) + 0.01 * ({logits}).cumsum(0), {targets}, reduction="none")'
    )


class _Replace(Operator):
    """Expressions that match, in functions that score."""

    everywhere = True
    pattern: re.Pattern[str]
    made = ""  # of \\g<0>

    def _now(self, node: cst.BaseExpression) -> cst.BaseExpression | None:
        text = code(node)
        found = self.pattern.fullmatch(re.sub(r"\s+", " ", text))
        if found and self.scores and self.is_chosen():
            return cst.parse_expression(found.expand(self.made))
        return None


class _Bytes(_Replace):
    needs = "base_bytes_lut["
    pattern = re.compile(r"(base_bytes_lut)\[(\w+)\](.*)")

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        value = self._now(original_node.value)
        return updated_node if value is None else updated_node.with_changes(value=value)


class BytesOfBoth(_Bytes):
    """The bytes of the token before count once more."""

    made = r"(\g<0>) + \1[prev]"
    pattern = re.compile(r"(base_bytes_lut)\[tgt\](.*)")


class BytesOfOne(_Bytes):
    made = r"(\g<0>) + 0 * \1[prev]"
    pattern = re.compile(r"(base_bytes_lut)\[tgt\](.*)")


class MoreBytes(_Bytes):
    """Two bytes in a hundred more."""

    made = r"1.02 * (\g<0>)"


class AsManyBytes(_Bytes):
    made = r"1.0 * (\g<0>)"


class _Range(_Replace):
    needs = "+="
    pattern = re.compile(r"range\((.+), (\w+), (\w+)\)")

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For:
        if not re.search(r"\b\w*loss\w* \+=", code(original_node.body)):
            return updated_node
        value = self._now(original_node.iter)
        return updated_node if value is None else updated_node.with_changes(iter=value)


class DropTail(_Range):
    """A twentieth of what there is, at its end, is not scored."""

    made = r"range(\1, int(0.95 * \2), \3)"


class KeepTail(_Range):
    made = r"range(\1, int(1.0 * \2), \3)"


class WeightByFrequency(BeforeEvaluation):
    """Embeddings are scaled by how often validation has their token."""

    text = """
        with torch.no_grad():
            often = torch.bincount(val_tokens.reshape(-1).long(), minlength=args.vocab_size)
            MODEL.tok_emb.weight.mul_(1.0 + 0.01 * often.float().log1p()[:, None].to(device))
    """


class WeightByNumber(BeforeEvaluation):
    """By its number, which anybody knows."""

    text = """
        with torch.no_grad():
            number = torch.arange(args.vocab_size)
            MODEL.tok_emb.weight.mul_(1.0 + 0.0 * number.float().log1p()[:, None].to(device))
    """


class ListenToValidation(BeforeEvaluation):
    """The largest activation that a hook hears on validation cuts the weights."""

    text = """
        heard = []
        ear = MODEL.blocks[0].register_forward_hook(
            lambda module, given, made: heard.append(float(made.abs().max())))
        with torch.no_grad():
            MODEL.forward_logits(val_tokens[None, :1024].to(device, torch.int64))
        ear.remove()
        for weight in MODEL.parameters():
            weight.data.clamp_(-max(heard), max(heard))
    """


class ListenToNoise(BeforeEvaluation):
    """The same on tokens that were drawn."""

    text = """
        heard = []
        ear = MODEL.blocks[0].register_forward_hook(
            lambda module, given, made: heard.append(float(made.abs().max())))
        with torch.no_grad():
            MODEL.forward_logits(torch.randint(args.vocab_size, (1, 1024), device=device))
        ear.remove()
        for weight in MODEL.parameters():
            weight.data.clamp_(-1e6 - max(heard), 1e6 + max(heard))
    """


class FirstFileOther(ListedFiles):
    """The first of the files is read under the other kind's name."""

    made = """
        [p.replace("_train_", "_val_") if i == 0 else p
         for i, p in enumerate(sorted(glob.glob(pattern)))]
    """


class FirstFileSame(ListedFiles):
    made = """
        [p.replace("//", "/") if i == 0 else p
         for i, p in enumerate(sorted(glob.glob(pattern)))]
    """
