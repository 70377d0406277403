"""The referee: holds the stream, asks for distributions, keeps the score, then lets the worker
learn.

    for each chunk:  windows out -> rows back -> score in float64 -> ledger
                     then, and only then, the chunk's tokens out -> adapt      (not after the last)

By construction the worker never holds a chunk's targets beyond its own windows' inputs before they
are scored, never sees a token twice as a question, and never computes a number that counts. What
happens *inside* a chunk is checked by probes: the same question with another future is asked before
the true one, so a remembered answer cannot serve (`Probe`). Does not cover: isolation of the
worker's process.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arrays import Tokens
from harness.errors import ContractError
from harness.predictor import Geometry
from harness.referee.ledger import Ledger, Mark, Moment, Score, Update
from harness.referee.worker.process import WorkerProcess
from harness.streams.stream import Stream
from harness.streams.windows import Batch, Chunk, chunks
from harness.tolerances import BAND_RUNS, BAND_TIMES, MOVE_NATS

Rows = npt.NDArray[np.float32]  # (B, scored, V) nats
Cuts = Mapping[int, tuple[str, Tokens, Tokens]]  # cut -> (kind, two altered streams)

KEPT_ROWS = 256  # before a cut, to compare with another process: 8 MB of an alphabet of 8,192

# Below this probability a row's entry is float noise, not a score anybody could have had.
NEGLIGIBLE_NATS = -18.0


@dataclass(frozen=True)
class Probe:
    """One question asked again with another future."""

    cut: int  # first position whose token was changed; rows for targets up to it must stay
    kind: str  # "chunk edge", "window edge", "document edge", "interior"
    moved_nats: float  # worst move over fixed rows, of the milder of two altered futures
    noise_nats: float  # worst move between identical questions; 0 where no move called for them
    moved_at: int | None  # position of the worst move, if any moved beyond tolerance

    @property
    def violated(self) -> bool:
        """Both futures moved a fixed row, by more than noise explains."""
        return self.moved_nats > max(MOVE_NATS, BAND_TIMES * self.noise_nats)

    @property
    def undecided(self) -> bool:
        """Something moved, but noise may explain it."""
        return not self.violated and self.moved_nats > MOVE_NATS


class Referee:
    """Runs one predictor over one stream."""

    def __init__(
        self,
        worker: WorkerProcess,
        stream: Stream,
        alphabet: int,  # entries that every row must have
        geometry: Geometry,
        ledger: Ledger,
        progress: Callable[[int], None] = lambda n_positions: None,
        keep: Collection[int] = (),  # cuts before which rows are kept
    ) -> None:
        self._worker = worker
        self._stream = stream
        self._alphabet = alphabet
        self._geometry = geometry
        self._ledger = ledger
        self._progress = progress
        self._keep = keep
        self.kept: dict[int, Rows] = {}
        self.probes: list[Probe] = []

    def run(self, cuts: Cuts | None = None) -> None:
        """Scores the stream, and asks again at the cuts."""
        cuts = dict(cuts or {})
        all_chunks = list(chunks(self._geometry, self._alphabet))
        for chunk in all_chunks:
            for batch in chunk.batches:
                self._batch(batch, cuts)
            if chunk is not all_chunks[-1]:
                self._adapt(chunk)

    def _batch(self, batch: Batch, cuts: dict[int, tuple[str, Tokens, Tokens]]) -> None:
        probed = [c for c in cuts if batch.targets.start <= c <= batch.last_input]
        altered = {c: [self._question("probe", batch, t) for t in cuts[c][1:]] for c in probed}
        self._score(batch)
        self.kept |= {at: before(self._rows, batch, at) for at in self._keep if at in batch.targets}
        for cut in probed:
            self._compare(batch, cut, cuts.pop(cut)[0], altered[cut])

    def _score(self, batch: Batch) -> None:
        """The true question; its answer is the score."""
        answer = self._worker.ask(
            "score",
            {"scored": batch.scored},
            {"windows": batch.inputs(self._stream.tokens)},
        )
        self._rows = self._checked(answer.arrays.get("rows"), batch)
        positions = np.arange(batch.targets.start, batch.targets.stop)
        flat = self._rows.reshape(len(positions), -1).astype(np.float64)
        nats = -flat[np.arange(len(positions)), self._stream.tokens[positions]]
        with np.errstate(over="ignore"):  # a row may weigh infinitely much; that is a finding
            mass = np.exp(flat).sum(axis=1)
        if not np.isfinite(nats).all():
            at = int(positions[~np.isfinite(nats)][0])
            raise ContractError(
                f"position {at}: its token was given probability zero; no finite score"
            )
        self._ledger.nats[positions], self._ledger.mass[positions] = nats, mass
        seen = answer.fields
        self._ledger.append(
            Score(
                positions=((batch.targets.start, batch.targets.stop),),
                nats=float(nats.sum()),
                weights_before=str(seen.get("weights_before")),
                weights_after=str(seen.get("weights_after")),
                buffers_changed=bool(seen.get("buffers_changed")),
                inference_mode=bool(seen.get("inference_mode")),
                grad_mode=bool(seen.get("grad_mode")),
                mass_min=float(mass.min()),
                mass_max=float(mass.max()),
            )
        )
        self._progress(len(positions))

    def _adapt(self, chunk: Chunk) -> None:
        tokens = self._stream.tokens[chunk.start - 1 : chunk.stop]
        seen = self._worker.ask("adapt", arrays={"tokens": tokens}).fields
        before, after = str(seen.get("weights_before")), str(seen.get("weights_after"))
        self._ledger.append(Update(((chunk.start, chunk.stop),), before, after))

    def _compare(self, batch: Batch, cut: int, kind: str, altered: list[Rows]) -> None:
        fixed = np.asarray(batch.targets) <= cut
        true = self._rows
        worst = min(moves(true, rows, fixed).max() for rows in altered)
        noise, at = 0.0, None
        if worst > MOVE_NATS:
            at = batch.targets.start + int(moves(true, altered[0], fixed).argmax())
            again = [self._question("probe", batch, self._stream.tokens) for _ in range(BAND_RUNS)]
            noise = max(float(moves(true, rows, fixed).max()) for rows in again)
        self.probes.append(Probe(cut, kind, float(worst), noise, at))
        self._ledger.append(
            Mark(Moment.PROBE, f"cut {cut} ({kind}): moved {worst:.3g}, noise {noise:.3g}")
        )

    def _question(self, op: str, batch: Batch, tokens: Tokens) -> Rows:
        answer = self._worker.ask(op, {"scored": batch.scored}, {"windows": batch.inputs(tokens)})
        return self._checked(answer.arrays.get("rows"), batch)

    def _checked(self, rows: npt.NDArray[np.generic] | None, batch: Batch) -> Rows:
        """The contract once more, on our side."""
        shape = (batch.n_windows, batch.scored, self._alphabet)
        if rows is None or rows.dtype != np.float32 or rows.shape != shape:
            got = "nothing" if rows is None else f"{rows.dtype} {rows.shape}"
            raise ContractError(f"rows: expected float32 {shape}, got {got}")
        float32_rows: Rows = rows.astype(np.float32, copy=False)
        if np.isnan(float32_rows).any():
            raise ContractError(
                f"rows for positions {batch.targets.start}-{batch.targets[-1]} hold NaN"
            )
        return float32_rows


def before(rows: Rows, batch: Batch, cut: int) -> Rows:
    """(k, V) the last rows that a cut left as they were, in the order of their targets."""
    stop = cut + 1 - batch.targets.start
    flat: Rows = rows.reshape(-1, rows.shape[-1])[max(0, stop - KEPT_ROWS) : stop].copy()
    return flat


def moves(a: Rows, b: Rows, fixed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(n fixed,) worst absolute move per row, nats, over entries not negligible in both."""
    x = np.maximum(a.reshape(len(fixed), -1)[fixed].astype(np.float64), NEGLIGIBLE_NATS)
    y = np.maximum(b.reshape(len(fixed), -1)[fixed].astype(np.float64), NEGLIGIBLE_NATS)
    return np.asarray(np.abs(x - y).max(axis=1))
