"""A second process with the same history: what one process can hide from a probe, it cannot.

The workers here are hosts without a process of their own, so that a law costs no second: what they
are asked, and in which order, is the referee's.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_predictors import HONEST, counter_with

from harness.checks.refereed.causality import check_causality
from harness.checks.status import Status
from harness.errors import SubmissionError
from harness.observer import Observer
from harness.referee import predictor_run, twin
from harness.referee.ledger import Ledger, Mark
from harness.referee.run import Run
from harness.referee.setup import Setup, geometry
from harness.referee.wire.channel import Message
from harness.referee.worker.predictor_host import PredictorHost
from harness.streams.probes import N_CUTS, N_OPENED
from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary
from harness.submission import Kind, Submission

SETTINGS = {"seq_len": 32, "stride": 16, "chunk_tokens": 128}  # five chunks of 640 tokens

# Looks ahead, and answers a question that begins like the last one as it answered that.
REMEMBERS = counter_with("""
    last = None
    def log_probs(self, windows, scored):
        start = (windows[0, 0].item(), tuple(windows.shape))
        if self.last is None or self.last[0] != start:
            rows = torch.zeros(*windows.shape, 1024)
            rows[:, :-1].scatter_(-1, windows[:, 1:, None], 6.0)
            self.last = start, rows[:, -scored:].log_softmax(-1)
        return self.last[1].clone()
""")
RANDOM = counter_with("""
    def log_probs(self, windows, scored):
        import os
        noise = torch.frombuffer(bytearray(os.urandom(1024)), dtype=torch.uint8)
        return (super().log_probs(windows, scored) + 0.001 * noise).log_softmax(-1)
""")
COUNTS_CALLS = counter_with("""
    calls = 0
    def log_probs(self, windows, scored):
        self.calls += 1
        rows = super().log_probs(windows, scored)
        return torch.log_softmax(rows * (1 + 0.05 * self.calls), -1)
""")


class Host:
    """In the place of a worker: the same host behind a channel that ends here."""

    def __init__(self, folder: Path, stream_tokens: int, tokenizer: Path) -> None:
        self._host = PredictorHost(self)  # type: ignore[arg-type]
        sys.modules.pop("submission", None)
        self._host.load(
            {
                "kind": Kind.PREDICTOR,
                "target": f"{folder / 'toy.py'}:build",
                "artifact": str(folder / "toy.py"),
                "tokenizer": str(tokenizer),
                "geometry": asdict(geometry(SETTINGS, stream_tokens)),
                "settings": {},
                "device": "cpu",
                "seed": 7,
            }
        )

    def send(self, message: Message) -> None:
        self._answer = message

    def ask(self, op: str, fields: Any = None, arrays: Any = None) -> Message:
        copies = {name: np.array(array) for name, array in (arrays or {}).items()}
        getattr(self._host, f"_{op}")(Message(op, fields or {}, copies))
        return self._answer


@pytest.fixture
def judged(
    short_stream: Stream,
    vocabulary: Vocabulary,
    data_folder: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], tuple[Run, Status]]:
    """CAUSAL-1 of a predictor's text."""

    @contextmanager
    def worker(setup: Setup, settings: Any, n: int, *_: Any) -> Iterator[tuple[Host, str]]:
        yield Host(tmp_path, n, data_folder.tokenizer), ""

    monkeypatch.setattr(predictor_run, "predictor_worker", worker)
    monkeypatch.setattr(twin, "predictor_worker", worker)

    def judge(code: str) -> tuple[Run, Status]:
        (tmp_path / "toy.py").write_text(code)
        toy = Submission(tmp_path, "toy", Kind.PREDICTOR, "toy.py:build", "toy.py", SETTINGS)
        setup = Setup(
            toy, tmp_path / "toy.py", data_folder.tokenizer, "cpu", 1337, 60.0, tmp_path, Observer()
        )
        run = Run(short_stream, vocabulary, Ledger(tmp_path / "main", len(short_stream.tokens)))
        with run.ledger, suppress(SubmissionError):
            twin.run_with_twins(setup, run)
        return run, check_causality(run).status

    return judge


def test_an_honest_predictor_answers_alike_in_both_processes(judged) -> None:
    """The run that counts is asked nothing twice."""
    run, status = judged(HONEST)

    assert status is Status.PASS and run.complete
    assert len(run.probes) == N_CUTS + N_OPENED
    assert all(twin.SECOND in p.kind for p in run.probes)
    assert all(p.moved_nats == p.noise_nats == 0.0 for p in run.probes)
    assert not [event for event in run.ledger.events if isinstance(event, Mark)][1:]


def test_a_remembered_answer_hides_nothing_from_another_process(judged) -> None:
    """In one process three questions with one beginning get one answer, and nothing moves."""
    run, status = judged(REMEMBERS)
    broken = [p for p in run.probes if p.violated]

    assert status is Status.FAIL
    assert broken and all(twin.SECOND in p.kind for p in broken)


def test_what_a_twin_proves_of_a_run_that_breaks_off_is_kept(judged) -> None:
    """Looking ahead in the first chunk, and then an error of its own in the fourth."""
    code = REMEMBERS.replace(
        "    last = None",
        """\
    last, learned = None, 0
    def adapt(self, tokens):
        self.learned += 1
        if self.learned == 3:
            raise SubmissionError("enough")
""",
    ).replace("import torch", "import torch\nfrom harness.errors import SubmissionError", 1)

    run, status = judged(code)

    assert not run.complete
    assert status is Status.FAIL


@pytest.mark.parametrize("code", [RANDOM, COUNTS_CALLS], ids=["random", "counts calls"])
def test_what_no_process_repeats_is_undecided_never_failed(judged, code: str) -> None:
    """Noise of its own, and state that a probe disturbs, explain every move."""
    run, status = judged(code)

    assert status is Status.UNKNOWN
    assert not any(p.violated for p in run.probes)
