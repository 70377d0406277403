"""One run of the script on one stream, read: what it printed, what was captured, what adds up.

Guarantees: nothing is judged here. The bytes are read in a child with bounds: a capture that ends
it, or is none of our recorder's, is an empty one, and `faults` says why. A number that could not be
rebuilt has no pass; a run that broke off keeps what it had printed and captured. In every pass
`event` is the forward that *fixed* a score, not the later sum that counted it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from audits.bounded import Bounds, Unfinished, in_child
from audits.facts.documented.printed_scores import (
    UNDECLARED,
    DeclaredScore,
    Printed,
    headline,
    is_of_training,
    most_telling,
    printed_numbers,
    with_loss_above,
)
from harness.arrays import Tokens
from harness.protocol.asked import AskedSetting
from harness.protocol.job import Job, Outcome, RunState
from harness.protocol.schema import UPDATES, EventKind
from harness.streams.alignment import SAMPLED_FROM, Aligner, K
from harness.streams.drawn import SourceStream
from harness.streams.stream import Stream
from harness.trace import first_use
from harness.trace.hindsight import best_of_several
from harness.trace.printed_log import read_log
from harness.trace.reader import (
    TOUCHED,
    BrokenCapture,
    Capture,
    Column,
    load,
    load_answers,
    load_asked,
)
from harness.trace.reconstruct import Pass, reconstruct
from harness.trace.uses import INTERLEAVED, NEVER, Uses

READ_S = 120.0  # for the log, and for the capture, of a run that is not small
MEMORY_BYTES = 8 << 30
Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class ScriptRun:
    """One run, read."""

    stream: Stream
    outcome: Outcome
    numbers: tuple[Printed, ...]
    headline: Printed | None
    capture: Capture
    passes: Mapping[int, Pass]  # line of the log -> what adds up to the number printed there
    widths: Mapping[int, int]  # line -> entries of the softmax that its scores come from, or 0
    n_bytes: int = 0  # canonical, of all tokens but the first
    most_bytes: int = 0  # of the same, by the way of counting that gives most
    training: Sequence[Tokens] = ()  # the drawn training shards; passages occur in both by chance
    answers: Mapping[str, Column] = field(default_factory=dict)  # to re-queries
    asked: tuple[AskedSetting, ...] = ()  # settings that the script asked for
    left_out: int = 0  # printed numbers beyond those that are looked at
    unread: tuple[str, ...] = ()  # what of its log and its capture could not be read, and why

    @property
    def faults(self) -> list[str]:
        """Why the capture does not hold all that was there to see; empty: it does."""
        return [*self.unread, *self.capture.errors]

    @property
    def touched(self) -> str:
        """How its recording was changed, or its recorder; empty: they were not."""
        changed = [fault for fault in self.unread if fault.startswith(TOUCHED)]
        return next(iter([*changed, *self.capture.unhooked]), "")

    @property
    def source(self) -> SourceStream:
        """The stream with its source; only for a run on drawn tokens."""
        assert isinstance(self.stream, SourceStream)
        return self.stream

    @property
    def scored(self) -> Pass | None:
        """The headline's pass, where it was rebuilt."""
        return self.passes.get(self.headline.line) if self.headline else None

    @property
    def earlier(self) -> list[Pass]:
        """Rebuilt passes of numbers printed before the headline."""
        line = self.headline.line if self.headline else 0
        return [found for at, found in sorted(self.passes.items()) if at < line]

    @cached_property
    def uses(self) -> Uses | None:
        """When positions were first used by an update; None without a rebuilt headline."""
        scored, length = self.scored, len(self.stream.tokens)
        if scored is None:
            return None
        seen = first_use.update_view(self.capture, scored, length)
        before, tells = self._uses(seen.first_used, seen), effective_first_use(seen)
        if np.array_equal(tells, seen.first_used):
            return before
        return replace(self._uses(tells, seen), before=before)

    def _uses(self, used: npt.NDArray[np.int64], seen: first_use.UpdateView) -> Uses:
        """One reading of the uses: (T,) events, NEVER where there was none."""
        first_used = used.copy()
        first_used[ambiguous_positions(self.stream, self.training)] = NEVER
        transient = np.zeros(len(used), bool)
        known = first_used != NEVER
        transient[known] = self.capture.transient[first_used[known]]
        return Uses(first_used, _first_seen(self.capture, seen.scored_at), transient)

    @property
    def first_weights(self) -> int:
        """Fingerprint of the weights that fixed the first scores; 0: not known."""
        scored = self.scored
        if scored is None or not len(scored.event):
            return 0
        return int(self.capture.weights[scored.event.min()])

    @cached_property
    def weights_behind(self) -> npt.NDArray[np.uint64]:
        """(T,) fingerprint of the weights that fixed the score; 0: not known."""
        found = np.zeros(len(self.stream.tokens), np.uint64)
        if self.scored is not None:
            found[self.scored.position] = self.capture.weights[self.scored.event]
        return found

    @cached_property
    def behind_a_write(self) -> npt.NDArray[np.bool_]:
        """(T,) the last change of the weights before the score was made by hand."""
        found = np.zeros(len(self.stream.tokens), bool)
        changes = np.flatnonzero(np.isin(self.capture.kind, UPDATES))
        if self.scored is not None and len(changes):
            last = np.searchsorted(changes, self.scored.event) - 1
            by_hand = self.capture.kind[changes[last]] == EventKind.WRITE
            found[self.scored.position] = by_hand & (last >= 0)
        return found

    @cached_property
    def batches(self) -> npt.NDArray[np.int64]:
        """(b, 2) events: the forward that fixed scores, the last sum that counted them."""
        scored, capture = self.scored, self.capture
        if scored is None:
            return np.empty((0, 2), np.int64)
        sums = capture.events(EventKind.SUM, EventKind.KEPT)
        sums = sums[np.isin(capture.loss[sums], scored.event)]
        sums = sums[np.isin(capture.site[sums], scored.sites)]
        forwards, row = np.unique(capture.loss[sums], return_inverse=True)
        last = np.zeros(len(forwards), np.int64)
        np.maximum.at(last, row, sums)
        return np.stack([forwards, last], axis=1)

    @property
    def adapts(self) -> bool:
        """Weights were updated, or tables could have been, between two scores."""
        return self.updates or not self.softmax_width

    @property
    def updates(self) -> bool:
        """Weights were, or nothing is known of it."""
        scored = self.scored
        if scored is None or not len(scored.event):
            return True
        changes = self.capture.events(*UPDATES)
        inside = (changes > scored.event.min()) & (changes < scored.event.max())
        return bool(inside.any())

    @property
    def silent(self) -> int:
        """Trainable tensors that were zero as a whole when some of the scores were fixed."""
        scored = self.scored
        return int(self.capture.silent[scored.event].max(initial=0)) if scored else 0

    @property
    def softmax_width(self) -> int:
        """Entries of the softmax whose cross-entropy every score is; 0: not known."""
        return self.widths.get(self.headline.line, 0) if self.headline else 0

    @property
    def finished(self) -> bool:
        """It came to its own end; a broken-off run is compared with nothing."""
        return self.outcome.state is RunState.ENDED


def read_run(
    job: Job,
    outcome: Outcome,
    stream: Stream,
    token_bytes: npt.NDArray[np.int64],  # (T,) canonical bytes of each token after its predecessor
    training: Sequence[Tokens] = (),  # the drawn training shards
    declared: DeclaredScore = UNDECLARED,  # what the folder says of its numbers
    most_bytes: npt.NDArray[np.int64] | None = None,  # (T,) by the way that gives most, if known
    wall_s: float = READ_S,
) -> ScriptRun:
    """Reads the log and the capture of a run."""
    ended, length = outcome.state is RunState.ENDED, len(stream.tokens)
    bounds = Bounds(wall_s, MEMORY_BYTES)
    said, unread = _bounded(lambda: _said(job, declared, ended), _Said((), None, 0), bounds)
    nothing = _Recorded(load(job.out / "nothing"), {}, {}, {}, ())
    seen, broken = _bounded(
        lambda: _recorded(job, said.numbers, length, token_bytes), nothing, bounds
    )
    n_bytes = int(token_bytes[1:].sum())
    return ScriptRun(
        stream,
        outcome,
        tuple(seen.told(number) for number in said.numbers),
        said.headline and seen.told(said.headline),
        seen.capture,
        {
            line: replace(found, printed=seen.told(said.at(line)))
            for line, found in seen.passes.items()
        },
        seen.widths,
        n_bytes,
        n_bytes if most_bytes is None else int(most_bytes[1:].sum()),
        training,
        seen.answers,
        seen.asked,
        said.left_out,
        (*unread, *broken, *said.too_many),
    )


@dataclass(frozen=True)
class _Said:
    """The log, read."""

    numbers: tuple[Printed, ...]
    headline: Printed | None
    left_out: int
    claims_left_out: int = 0

    @property
    def too_many(self) -> tuple[str, ...]:
        """Where one that was not looked at may be what the script claims."""
        if not self.claims_left_out:
            return ()
        return (f"it printed {self.claims_left_out:,} scores more than are looked at",)

    def at(self, line: int) -> Printed:
        """The number of a line of the log."""
        return next(number for number in self.numbers if number.line == line)


@dataclass(frozen=True, eq=False)
class _Recorded:
    """The capture, read."""

    capture: Capture
    passes: Mapping[int, Pass]
    widths: Mapping[int, int]
    answers: Mapping[str, Column]
    asked: tuple[AskedSetting, ...]
    pairs: Mapping[int, Printed] = field(default_factory=dict)  # line -> with the loss above it

    def told(self, number: Printed) -> Printed:
        """As its pass explains it."""
        return self.pairs.get(number.line, number)


def _bounded(work: Callable[[], Read], otherwise: Read, bounds: Bounds) -> tuple[Read, list[str]]:
    """What was read, or nothing and the cause: any error is that of what lay there."""
    try:
        return in_child(work, bounds), []
    except Exception as error:  # noqa: BLE001 - the bytes are the script's, and so is what they do
        own = isinstance(error, BrokenCapture | Unfinished)
        return otherwise, [str(error) if own else f"{type(error).__name__}: {error}"]


def _said(job: Job, declared: DeclaredScore, ended: bool) -> _Said:
    found = printed_numbers(read_log(job.log))
    head = headline(found, declared)
    if head and not ended and is_of_training(head, found):
        head = None  # it never came to its evaluation
    numbers = [head if head and number.line == head.line else number for number in found]
    kept = most_telling(numbers, head)
    claims = sum(not n.diagnostic for n in numbers) - sum(not n.diagnostic for n in kept)
    return _Said(tuple(kept), head, len(numbers) - len(kept), claims)


def _recorded(
    job: Job,
    numbers: Sequence[Printed],
    length: int,
    token_bytes: npt.NDArray[np.int64],  # (T,)
) -> _Recorded:
    capture = load(job.out, length)
    passes, widths, pairs = {}, {}, {}
    for number in numbers:
        found = reconstruct(capture, number, length, token_bytes)
        pair = with_loss_above(number, numbers) if found is None else None
        if pair is not None:
            by_loss = reconstruct(capture, pair, length)
            if by_loss is not None and by_loss.is_exact:
                found, pairs[number.line] = by_loss, pair
        if found is not None:
            widths[number.line] = found.row_width or _softmax_width(capture, found)
            best = best_of_several(capture, found)
            passes[number.line] = replace(found, event=_fixed(capture, found), best=best)
    answers, asked = load_answers(job.out), load_asked(job.out)
    return _Recorded(capture, passes, widths, answers, asked, pairs)


def _fixed(capture: Capture, scored: Pass) -> npt.NDArray[np.int64]:
    """(n,) the forward behind each score."""
    loss = capture.loss[scored.event]
    return np.where(loss >= 0, loss, scored.event)


def _softmax_width(capture: Capture, scored: Pass) -> int:
    """The smallest that the sums of a pass tell of."""
    if scored.inferred:
        return 0  # whether its lines read rows was asked already
    widths = capture.softmax_width[scored.event]
    return int(widths.min()) if len(widths) else 0


def effective_first_use(seen: first_use.UpdateView) -> npt.NDArray[np.int64]:
    """(T,) the first use; inside the pass, where uses and scores take turns in it.

    A script may adapt honestly, and then optimise on each batch before it counts it.
    """
    early = seen.used_inside < seen.scored_at
    turns = early.sum() >= INTERLEAVED * (seen.scored_at != NEVER).sum()
    return np.where(early & turns, seen.used_inside, seen.first_used)


def _first_seen(
    capture: Capture,
    scored_at: npt.NDArray[np.int64],  # (T,) event; NEVER
) -> npt.NDArray[np.int64]:
    """(T,) event at which the weights behind the score were first seen; NEVER: not known."""
    _, first, inverse = np.unique(capture.weights, return_index=True, return_inverse=True)
    out = np.full(len(scored_at), NEVER, np.int64)
    known = np.flatnonzero(scored_at != NEVER)
    known = known[capture.weights[scored_at[known]] != 0]
    out[known] = first[inverse[scored_at[known]]]
    return out


def ambiguous_positions(stream: Stream, shards: Sequence[Tokens]) -> Tokens:
    """Positions of the stream whose use says nothing.

    Their passage stands in a training shard too, as language repeats, and whose use it was is not
    known; or they begin a document, which every evaluation that cuts the stream by documents knows
    beforehand (#1626 and its heirs train on scored documents up to the next one's first token).
    """
    aligner = Aligner(stream.tokens)
    found = [aligner.positions(part) for part in _parts(shards)]
    places = np.concatenate([stream.starts, *(p for p in found if p is not None)])
    return np.unique(places[places >= 0]).astype(np.int64)


def _parts(shards: Sequence[Tokens]) -> Iterator[Tokens]:
    """Short enough to be looked at whole; overlapping, so that no passage is cut."""
    for shard in shards:
        for start in range(0, len(shard), SAMPLED_FROM - K):
            yield shard[start : start + SAMPLED_FROM]
