"""Where scores appear in torch, and where they are added up or read out.

A score is picked out of rows by its target, or is a cross-entropy. Added up are sums, means,
products with a vector of weights; a total that carries a gradient counts only once it is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.inside.hooks.dynamo_compat import to_numpy
from harness.inside.hooks.python.tracked_floats import READ_AT_ONCE, tracked_list, tracked_number
from harness.inside.hooks.recording.best_of import FEWEST, is_best_of
from harness.inside.hooks.recording.device_queue import numbers_of
from harness.inside.hooks.recording.picked_rows import picked_from
from harness.inside.hooks.recording.position_maps import (
    UNRELATED,
    PositionMap,
    Positions,
    merged,
    mostly_known,
)
from harness.inside.hooks.recording.recorder import FEWEST_IDS, INTEGERS, Recorder
from harness.inside.hooks.recording.unfinished import AwaitedTotal
from harness.inside.hooks.torch.transfer import on_host
from harness.inside.hooks.torch.updates import await_reading


class Scores:
    """Handlers of the functions that make, add up and read scores."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._maps = recorder.maps

    def log_softmax(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Rows from which a token's score may be picked."""
        self._recorder.log_softmaxes.put(out, kwargs.get("dim", args[1] if len(args) > 1 else None))

    def picked(
        self,
        source: Tensor,
        indices: list[Tensor],
        out: Tensor,
        of_pick: Callable[[Any], Any] | None,
    ) -> None:
        """A number for each token was picked out of a table with a row a token; `of_pick` leads
        from numbers of rows to those of picks, where the last dimension was picked along.
        """
        found: list[tuple[Tensor, PositionMap]] = []
        for index in indices:
            if index.dtype not in INTEGERS:
                continue
            mapped = self._maps.find(index)
            if (
                mapped is None
                and out.numel() >= index.numel() >= FEWEST_IDS
                and index.dtype == torch.int64
            ):
                mapped = self._recorder.align(index)
            if mapped is not None and mapped is not UNRELATED and mapped.loss < 0:
                found.append((index, mapped))
        # Of a token and its predecessor, the token: its score is fixed when both are known.
        for index, mapped in sorted(found, key=lambda f: -int(f[1].positions.max(initial=-1))):
            positions = merged(tuple(out.shape), [mapped])
            if positions is not None and mostly_known(mapped.positions, partial(numbers_of, index)):
                picked = self._picked(source, out, positions, of_pick)
                self._maps.put(out, picked)
                if picked.softmax_width:
                    self._recorder.rows.look(picked, source, index)
                return

    def picked_by_product(self, args: Any, out: Tensor) -> None:
        """Rows times rows that are one at their target and zero elsewhere."""
        for rows, hot in ((args[0], args[1]), (args[1], args[0])):
            mapped = self._maps.related(hot) if isinstance(hot, Tensor) else None
            if mapped is None or not isinstance(rows, Tensor) or not rows.is_floating_point():
                continue
            is_row = mapped.positions.shape == tuple(rows.shape) and rows.ndim > 1
            if is_row and _one_a_row(mapped.positions):
                picked = self._picked(
                    rows, out, mapped.positions, lambda of_rows: of_rows[..., None]
                )
                self._maps.put(out, picked)

    def _picked(
        self,
        source: Tensor,
        out: Tensor,
        positions: Positions,
        of_pick: Callable[[Any], Any] | None,
    ) -> PositionMap:
        known = self._recorder.log_softmaxes
        width = known.width(source, out.numel()) if of_pick else 0
        if of_pick is not None:
            self._recorder.rows_picked(source, of_pick, positions)
        mapped = self._recorder.loss(positions, width)
        if width or of_pick is None or source.device.type != "cpu":
            return mapped
        rows = to_numpy(source.detach().float())
        seen = picked_from(rows, of_pick, positions, len(self._recorder.stream))
        return replace(
            mapped,
            softmax_width=seen.softmax_width,
            factor=seen.factor,
            row_width=seen.row_width,
            normaliser=seen.normaliser,
        )

    def cross_entropy(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """The score of every target, whatever reduction was asked for."""
        call = dict(zip(("input", "target", "weight", "", "ignore_index"), args, strict=False))
        call.update(kwargs)
        logits, target = call["input"], call["target"]
        if target.is_floating_point() or call.get("weight") is not None:
            return
        if call.get("label_smoothing", 0.0):
            return
        positions = self._recorder.positions(target)
        if positions is None:
            return
        ignored = call.get("ignore_index", -100)
        if logits.device.type == "cpu":
            positions = np.where(to_numpy(target) == ignored, np.int32(-1), positions)
        if not (positions >= 0).any():
            return
        width = logits.shape[1] if name == "cross_entropy" and logits.ndim > 1 else 0
        if name == "nll_loss" and logits.ndim > 1:
            width = self._width_of_logs(logits, positions)
        mapped = self._recorder.loss(positions, width)
        if width:
            self._recorder.rows.look(mapped, logits.movedim(1, -1), target)
            self._recorder.rows_picked(logits.movedim(1, -1), lambda rows: rows, positions)
        if out.numel() == target.numel() and call.get("reduction", "mean") == "none":
            self._maps.put(out, mapped)
            return
        self._reduced(func, call, mapped, out)

    def _width_of_logs(self, logs: Tensor, positions: Positions) -> int:
        """Of rows that a script made itself: those of log_softmax, or of any that weigh one."""
        rows = logs.detach().movedim(1, -1)
        if known := self._recorder.log_softmaxes.width(rows, positions.size):
            return known
        if rows.device.type != "cpu":
            return 0
        numbers = to_numpy(rows.float())
        return picked_from(numbers, _as_it_is, positions, len(self._recorder.stream)).softmax_width

    def _reduced(self, func: Any, call: dict[str, Any], mapped: PositionMap, out: Tensor) -> None:
        """The script asked for a mean or a sum: the same call once more, token by token."""
        wants_grad = out.requires_grad
        if wants_grad and out.device.type != "cpu":
            each = out.detach().expand(call["target"].shape)  # read out seldom: the mean will do
            each = each / call["target"].numel() if call.get("reduction") == "sum" else each
        else:
            options = {"ignore_index": call.get("ignore_index", -100), "reduction": "none"}
            with torch.no_grad():
                each = func(call["input"].detach(), call["target"], **options)
        if wants_grad:
            await_reading(self._recorder, out, AwaitedTotal(mapped, each), mapped.positions)
        else:
            self._recorder.total(mapped, each, out=out)

    def product(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """A vector of scores times a vector of weights."""
        if len(args) < 2 or args[0].ndim != 1 or args[1].ndim != 1:
            return
        for scores, weights in ((args[0], args[1]), (args[1], args[0])):
            mapped = self._maps.find(scores)
            if mapped is not None and mapped.loss >= 0:
                weighted = replace(mapped, factor=weights.detach())
                self.total(weighted, scores.detach() * weights.detach(), out)
                return

    def total(self, mapped: PositionMap, values: Tensor, out: Tensor) -> None:
        """Scores are added up; at once, or when the total is read."""
        if values.requires_grad and torch.is_grad_enabled():
            awaited = AwaitedTotal(mapped, values.detach())
            await_reading(self._recorder, out, awaited, weighing(mapped))
        else:
            self._recorder.total(mapped, values, out=out)

    def chosen(
        self,
        candidates: Sequence[Tensor],
        out: Tensor,
        mapped: PositionMap,
        all_known: bool = False,  # they are slices of scores
    ) -> None:
        """One of several scores of each token came out: the best?"""
        if out.device.type != "cpu" or out.requires_grad or out.numel() < FEWEST:
            return
        numbers = [numbers_of(one.expand(out.shape)).reshape(-1) for one in candidates]
        of_tokens = [all_known or self._maps.related(one) is not None for one in candidates]
        if is_best_of(np.stack(numbers), numbers_of(out).reshape(-1), of_tokens):
            self._recorder.best(mapped, out)

    def read(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
        """A number leaves torch."""
        self._recorder.read_awaited(args[0])
        mapped = self._maps.find(args[0])
        if mapped is None:
            return None
        if mapped.loss < 0:
            self._token_read(mapped, out)
            return None
        if isinstance(out, float):
            position = int(mapped.positions.reshape(-1)[0])
            if position >= 0:
                self._recorder.single(mapped, position, out, read_out=True)
            return tracked_number(out, position, mapped)
        self._recorder.total(mapped, args[0], read_out=True)
        if mapped.positions.size <= READ_AT_ONCE:
            return tracked_list(out, mapped.positions.tolist(), mapped)
        return None

    def _token_read(self, mapped: PositionMap, out: Any) -> None:
        clock = self._recorder.clock
        if isinstance(out, list) and mapped.positions.ndim == 1:
            clock.list_of(out, mapped.positions.tolist())
        elif isinstance(out, int) and mapped.positions.size == 1:
            clock.touch(int(mapped.positions.reshape(-1)[0]))


def _one_a_row(positions: Positions) -> bool:
    return bool(((positions >= 0).sum(-1) <= 1).all())


def _as_it_is(rows: Any) -> Any:
    return rows


def weighing(mapped: PositionMap) -> Positions:
    """Positions that enter a total with a weight that is not zero."""
    if mapped.factor is None:
        return mapped.positions
    factor = on_host(mapped.factor)
    factor = to_numpy(factor) if isinstance(factor, Tensor) else factor
    return np.where(np.broadcast_to(factor, mapped.positions.shape) != 0, mapped.positions, -1)
