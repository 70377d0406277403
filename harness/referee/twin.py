"""Workers with the history of the one that counts, which are asked other futures in its place.

Within one process a probe can be told from the question that counts: a question that begins like
the last one is the same again. So the run that counts holds no probe; a fresh worker is asked and
taught the same, but at cuts it gets another future *first*. Rows that were fixed before a cut must
be those of the run that counts: who looked ahead there cannot answer alike, whatever he remembers.

Guarantees: nothing that these workers say is a score. Where rows moved, two more workers are asked:
with a second future, which must move them too, and with the true one, which is the band of noise.
Engines are our own code and remember nothing: they are probed in the run itself. Does not cover
what looks ahead at so few places that no cut hits one: of a share f, k cuts miss (1 - f)^k.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from harness.arrays import Tokens
from harness.errors import SubmissionError
from harness.referee.ledger import Ledger
from harness.referee.predictor_run import predictor_worker, run_predictor
from harness.referee.referee import Cuts, Probe, Referee, Rows, before, moves
from harness.referee.run import Run
from harness.referee.setup import Setup, geometry
from harness.streams.probes import probe_cuts
from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary
from harness.streams.windows import Batch, chunks
from harness.submission import Kind
from harness.tolerances import MOVE_NATS

SECOND = "in a second process"


@dataclass
class Answers:
    """Of one worker."""

    moved: dict[int, tuple[float, int]] = field(default_factory=dict)  # cut -> (nats, position)
    rows: dict[int, Rows] = field(default_factory=dict)  # cut -> what it answered, to compare
    noise_nats: float = 0.0  # of what was asked as in the run, before the first cut


def run_with_twins(setup: Setup, run: Run) -> None:
    """The run that counts, then its twins, whose probes are added to it.

    Raises SubmissionError, SandboxError.
    """
    settings, cuts = setup.submission.settings, cuts_of(setup, run.stream, run.vocabulary)
    if setup.submission.kind is Kind.ENGINE:
        run_predictor(setup, settings, run, "main", cuts)
        return
    try:
        run_predictor(setup, settings, run, "main", keep=cuts)
    except SubmissionError:
        with suppress(SubmissionError):  # it breaks off as well; what was proved before is kept
            run.probes += twin_probes(setup, run, {c: cuts[c] for c in cuts if c in run.kept})
        raise
    run.probes += twin_probes(setup, run, cuts)


def cuts_of(setup: Setup, stream: Stream, vocabulary: Vocabulary) -> Cuts:
    """Of a run on text."""
    cut = geometry(setup.submission.settings, len(stream.tokens))
    return probe_cuts(stream, vocabulary, cut, setup.seed)


def twin_probes(setup: Setup, run: Run, cuts: Cuts) -> list[Probe]:
    """One a cut, in the order of the stream."""
    if not cuts:
        return []
    one = ask_twin(setup, run, cuts, lambda cut: cuts[cut][1])
    suspect = {cut: cuts[cut] for cut, (nats, _) in one.moved.items() if nats > MOVE_NATS}
    two = again = Answers()
    if suspect:
        two = ask_twin(setup, run, suspect, lambda cut: cuts[cut][2])
        again = ask_twin(setup, run, suspect, lambda cut: run.stream.tokens)
    noise = max(one.noise_nats, two.noise_nats, again.noise_nats)
    found = []
    for cut, (nats, at) in one.moved.items():
        milder = min(nats, two.moved[cut][0]) if cut in two.moved else nats
        band = max(noise, again.moved[cut][0]) if cut in again.moved else 0.0
        shown = at if cut in suspect else None
        found.append(Probe(cut, f"{cuts[cut][0]}, {SECOND}", milder, band, shown))
    return found


def ask_twin(setup: Setup, run: Run, cuts: Cuts, future: Callable[[int], Tokens]) -> Answers:
    """One worker, up to the last of the cuts."""
    n_tokens, size = len(run.stream.tokens), run.vocabulary.size
    settings = setup.submission.settings
    ledger = Ledger(setup.out / "twin", n_tokens)
    with ledger, predictor_worker(setup, settings, n_tokens, size, "twin") as (worker, _):
        asker = _Twin(worker, run.stream, size, geometry(settings, n_tokens), ledger)
        return asker.compared(run, cuts, future)


class _Twin(Referee):
    """Asks in the place of the referee."""

    def compared(self, run: Run, cuts: Cuts, future: Callable[[int], Tokens]) -> Answers:
        """From the start to the last cut."""
        found = Answers()
        for chunk in chunks(self._geometry, self._alphabet):
            for batch in chunk.batches:
                self._ask(batch, run.kept, [c for c in cuts if c in batch.targets], future, found)
                if not found.moved:
                    found.noise_nats = max(found.noise_nats, self._difference(batch, run))
            if not any(cut >= chunk.stop for cut in cuts):
                break
            self._adapt(chunk)
        return found

    def _ask(
        self,
        batch: Batch,
        kept: Mapping[int, Rows],
        here: list[int],
        future: Callable[[int], Tokens],
        found: Answers,
    ) -> None:
        for cut in here:
            rows = before(self._question("probe", batch, future(cut)), batch, cut)
            moved = moves(kept[cut], rows, np.ones(len(rows), bool))
            at = cut + 1 - len(rows) + int(moved.argmax())
            found.moved[cut], found.rows[cut] = (float(moved.max()), at), rows
        self._score(batch)

    def _difference(self, batch: Batch, run: Run) -> float:
        """Of the scores of a batch that no cut came before."""
        here = np.asarray(batch.targets)
        return float(np.abs(self._ledger.nats[here] - run.ledger.nats[here]).max())
