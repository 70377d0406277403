"""A watched run: the submission's own program, given the whole stream, its events and its printed
number.

The number that counts is the one it prints; the ledger is what the hooks saw. Per-token scores
enter the ledger's `nats` when a pass of captured scores adds up to the printed number
(`headline_pass`).
"""

import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ContractError
from harness.program import VALIDATION_SHARD
from harness.referee.ledger import Mark, Ranges, Score, Update, ranges_of
from harness.referee.run import Captured, Claim, Run
from harness.referee.setup import Setup
from harness.referee.wire.channel import Message
from harness.referee.worker.process import WorkerProcess
from harness.streams.stream import Stream
from reference_model.data.shards import write_shard

HEADLINE = re.compile(
    r"^(?P<tag>.*?)\bval_loss\s*[:=]\s*(?P<loss>-?\d+\.\d+)\s+val_bpb\s*[:=]\s*(?P<bpb>-?\d+\.\d+)"
    r"\s+val_tokens\s*[:=]\s*(?P<tokens>\d+)\s*$",
    re.MULTILINE,
)


def run_program(setup: Setup, settings: Mapping[str, Any], run: Run, name: str) -> None:
    """Runs the program on the run's stream; fills `run`. Raises SubmissionError, SandboxError."""
    started = time.monotonic()
    log = setup.out / f"{name}.log"
    data = Path(tempfile.mkdtemp(prefix="scorefirst-data-"))
    try:
        write_shard(data / VALIDATION_SHARD, run.stream.tokens.astype(np.uint16))
        environment = _environment(setup, settings, run.stream, data)
        with WorkerProcess(setup.submission.folder, log, setup.time_limit_s, environment) as worker:
            _listen(worker, run, setup, name)
        run.claim = headline(log.read_text(encoding="utf-8", errors="replace"), run.stream)
        run.ledger.append(Mark("headline", run.claim.text))
        run.complete = True
    finally:
        run.wall_s = time.monotonic() - started
        shutil.rmtree(data, ignore_errors=True)


def headline(log: str, stream: Stream) -> Claim:
    """The last headline line that is not a diagnostic. Raises ContractError."""
    lines = [m for m in HEADLINE.finditer(log) if "diagnostic" not in m["tag"].lower()]
    if not lines:
        raise ContractError(
            "the program printed no headline; print `val_loss:<nats per token>"
            " val_bpb:<bits per byte> val_tokens:<targets scored>` as a line of its own at the end"
        )
    last = lines[-1]
    if int(last["tokens"]) != stream.n_scored:
        raise ContractError(
            f"the headline covers {last['tokens']} targets of {stream.n_scored};"
            " score them all (PASS-3)"
        )
    places = len(last["loss"].partition(".")[2])
    return Claim(last[0].strip(), float(last["loss"]), float(last["bpb"]), 0.5 * 10.0**-places)


def _environment(
    setup: Setup, settings: Mapping[str, Any], stream: Stream, data: Path
) -> dict[str, str]:
    fixed = {
        "DATA_PATH": str(data),
        "TOKENIZER_PATH": str(setup.tokenizer.resolve()),
        "ARTIFACT_PATH": str(setup.artifact.resolve()),
        "VOCAB_SIZE": str(stream.alphabet.size),
        "SEED": str(setup.seed),
        "DEVICE": setup.device,
    }
    return {k.upper(): str(v) for k, v in settings.items()} | fixed


def _listen(worker: WorkerProcess, run: Run, setup: Setup, name: str) -> None:
    """Takes events until the program is done."""
    advance = setup.progress(name, run.stream.n_scored)
    message = worker.ask("run", {"script": setup.submission.file_name})
    while message.op != "done":
        try:
            advance(_take(message, run))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            # Our hooks send none of these: the submission wrote on their channel.
            raise ContractError(f"a malformed {message.op!r} event: {error!r}") from error
        worker.answer()
        message = worker.listen()


def _take(message: Message, run: Run) -> int:
    """Enters one event; returns how many positions it scored."""
    if message.op == "score":
        _take_score(message, run)
        return len(message.arrays["positions"])
    if message.op == "update":
        seen = message.fields
        positions = _ranges(seen["positions"], run.stream)
        run.ledger.append(
            Update(positions, str(seen["weights_before"]), str(seen["weights_after"]))
        )
    elif message.op == "unattributed":
        run.ledger.append(Mark("unattributed weight change", str(message.fields)))
    else:
        raise ContractError(f"the worker sent {message.op!r}, which is not an event")
    return 0


def _take_score(message: Message, run: Run) -> None:
    positions, nats = message.arrays["positions"], message.arrays["nats"]
    seen = message.fields
    if positions.min() < 1 or positions.max() > run.stream.n_scored or len(nats) != len(positions):
        raise ContractError("the worker reported scores outside the stream")
    score = Score(
        positions=ranges_of(int(p) for p in set(positions.tolist())),
        nats=float(nats.sum()),
        weights_before=str(seen["weights_before"]),
        weights_after=str(seen["weights_after"]),
        buffers_changed=bool(seen["buffers_changed"]),
        inference_mode=bool(seen["inference_mode"]),
        grad_mode=bool(seen["grad_mode"]),
        learned=_ranges(seen["learned"], run.stream),
        learned_how=str(seen["learned_how"]),
        site=str(seen["site"]),
    )
    run.ledger.append(score)
    run.captured.append(Captured(score, positions, nats, bool(seen["coarse"])))


def _ranges(raw: Any, stream: Stream) -> Ranges:
    ranges = tuple((int(a), int(b)) for a, b in raw)
    if any(not 0 <= a < b <= len(stream.tokens) for a, b in ranges):
        raise ValueError(f"positions {ranges[:3]} outside the stream")
    return ranges
