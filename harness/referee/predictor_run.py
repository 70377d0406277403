"""A refereed run: one worker, one predictor, one stream, from the first token to the last."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from harness.errors import ContractError
from harness.own_seed import handed_on
from harness.referee.ledger import Mark, Moment
from harness.referee.referee import Cuts, Referee
from harness.referee.run import Run
from harness.referee.setup import Setup, geometry
from harness.referee.worker.process import WorkerProcess, Workplace
from harness.submission import DEFAULTS


@contextmanager
def predictor_worker(
    setup: Setup,
    settings: Mapping[str, Any],
    stream_tokens: int,
    vocab_size: int,
    log_name: str,
    strategy: tuple[str, str] | None = None,  # (kind, target); the submission's own when left out
) -> Iterator[tuple[WorkerProcess, str]]:
    """A worker that holds the predictor, and the fingerprint of its weights as loaded."""
    kind, target = strategy or (setup.submission.kind, setup.submission.target)
    workplace = Workplace(
        setup.submission.folder,
        setup.artifact,
        setup.tokenizer,
        setup.out / f"{log_name}.log",
        setup.time_limit_s,
        setup.device,
        setup.isolation,
    )
    with WorkerProcess(workplace) as worker:
        setup.active.append(worker.begin())
        loaded = worker.ask(
            "load",
            {
                "kind": kind,
                "target": target,
                "artifact": str(worker.artifact),
                "tokenizer": str(worker.tokenizer),
                "geometry": asdict(geometry(settings, stream_tokens)),
                "settings": {k: v for k, v in settings.items() if k not in DEFAULTS},
                "device": setup.device,
                "seed": handed_on(setup.seed),
            },
        )
        if loaded.fields.get("vocab_size") != vocab_size:
            raise ContractError(
                f"the predictor's alphabet has {loaded.fields.get('vocab_size')} entries, the"
                f" stream's tokenizer {vocab_size}; use the artifact's own tokenizer (--data)"
            )
        yield worker, str(loaded.fields.get("weights"))


def run_predictor(
    setup: Setup,
    settings: Mapping[str, Any],
    run: Run,
    name: str,
    cuts: Cuts | None = None,
    keep: Collection[int] = (),  # cuts before which rows are kept in the run
) -> None:
    """Scores the run's stream; fills `run` as it goes. Raises SubmissionError, SandboxError."""
    size = run.vocabulary.size
    with predictor_worker(setup, settings, len(run.stream.tokens), size, name) as (worker, loaded):
        run.ledger.append(Mark(Moment.LOADED, loaded))
        advance = setup.observer.counts(name, run.stream.n_scored)
        cut = geometry(settings, len(run.stream.tokens))
        referee = Referee(worker, run.stream, size, cut, run.ledger, advance, keep)
        run.probes, run.kept = referee.probes, referee.kept
        referee.run(cuts)
        run.complete = True
