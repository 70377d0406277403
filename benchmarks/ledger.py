"""What a ledger of a whole evaluation takes: `python -m benchmarks.ledger [--tokens 62021632]`.

Synthetic scores, float32 as models give them, in windows of 64 targets: bytes a token on disk, the
writer's memory, tokens a second of reading the columns back, and of the whole account. Exit code 1
beyond the bounds: 24 bytes a token, 5 million tokens a second.

Guarantees: the same events for the same arguments; all of it is one thread, and seconds are the
processor's, so that a busy machine does not change them; memory is the most that this process takes
beyond what it had. Does not cover: the run that is recorded (`instrumentation_overhead`).
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.certificate.account import Scope, account
from harness.certificate.ledger import PART, Ledger, LedgerWriter
from harness.protocol.schema import EventKind
from harness.trace.reader import Capture, KeptRows

WINDOW, BATCH = 64, 32  # targets of a window, windows of a forward pass
CHUNK = 512  # windows, behind which the script trains on them
MOST_BYTES, LEAST_SPEED = 24.0, 5e6


def main() -> int:
    options = _parser().parse_args()
    n_windows = options.tokens // WINDOW
    with tempfile.TemporaryDirectory(dir=options.out) as scratch:
        folder = Path(scratch) / "ledger"
        before = _memory()
        began = time.process_time()
        _write(folder, n_windows)
        wrote_s, most = time.process_time() - began, _memory() - before
        ledger, tokens = Ledger(folder), n_windows * WINDOW
        events = len(ledger.capture().kind)
        began = time.process_time()
        read = sum(len(part["nats"]) for part in ledger.scores(events))
        read_s = time.process_time() - began
        began = time.process_time()
        found = account(ledger, Scope(tokens, 0))
        account_s, size = time.process_time() - began, ledger.n_bytes
    assert read == found.tokens == tokens
    speed = tokens / read_s
    print(f"{tokens:,} tokens, {events:,} events")
    print(f"{size / tokens:.2f} bytes a token on disk (bound {MOST_BYTES:g})")
    print(f"written in {wrote_s:.1f} s, {tokens / wrote_s / 1e6:.1f} M tokens a second")
    print(f"memory while writing: {most >> 20} MB more, the events among it")
    print(f"read back at {speed / 1e6:.1f} M tokens a second (bound {LEAST_SPEED / 1e6:g})")
    print(f"the whole account: {account_s:.1f} s, {tokens / account_s / 1e6:.1f} M tokens a second")
    return 0 if size <= MOST_BYTES * tokens and speed >= LEAST_SPEED else 1


def _write(folder: Path, n_windows: int) -> None:
    rng = np.random.default_rng(0)
    capture, sums = _capture(n_windows)
    writer = LedgerWriter(folder)
    writer.events(capture)
    for first in range(0, n_windows, PART // WINDOW):
        count = min(PART // WINDOW, n_windows - first) * WINDOW
        position = np.arange(first * WINDOW + 1, first * WINDOW + 1 + count, dtype=np.int32)
        writer.scores(
            {
                "event": sums[(position - 1) // WINDOW],
                "position": position,
                "target": (rng.zipf(1.2, count) % 1024).astype(np.int32),
                "nats": rng.gamma(1.0, 2.4, count).astype(np.float32).astype(np.float64),
                "weight": np.ones(count),
                "n_bytes": rng.integers(0, 8, count, dtype=np.int32),
            }
        )
    writer.close()


def _capture(n_windows: int) -> tuple[Capture, np.ndarray]:
    """Forwards, a sum a window, and behind each chunk a gradient and a step."""
    kinds: list[str] = []
    loss: list[int] = []
    uses: list[tuple[int, int, int]] = []
    sums = np.empty(n_windows, np.int64)
    for first in range(0, n_windows, BATCH):
        forward, last = len(kinds), min(first + BATCH, n_windows)
        sums[first:last] = np.arange(forward + 1, forward + 1 + last - first)
        kinds += [EventKind.LOSS, *[EventKind.SUM] * (last - first)]
        loss += [-1, *[forward] * (last - first)]
        if last % CHUNK == 0:
            uses.append((len(kinds), (last - CHUNK) * WINDOW + 1, last * WINDOW + 1))
            kinds += [EventKind.BACKWARD, EventKind.STEP]
            loss += [-1, -1]
    return _columns(np.array(kinds, object), np.array(loss), np.array(uses, np.int64)), sums


def _columns(kind: np.ndarray, loss: np.ndarray, uses: np.ndarray) -> Capture:
    count, none = len(kind), np.empty(0, np.int64)
    rows = KeptRows(none, none.astype(np.int32), none.astype(np.int32), np.empty(0, object))
    steps = np.cumsum(kind == EventKind.STEP)
    text = np.full(count, "", object)
    return Capture(
        at_s=np.arange(count) * 1e-3,
        rank=np.zeros(count, np.int64),
        kind=kind,
        site=np.full(count, "train_gpt.py:1144", object),
        function=text,
        text=text,
        inference_mode=kind != EventKind.STEP,
        grad_mode=kind == EventKind.STEP,
        weights=(steps + 1).astype(np.uint64),
        tokens=np.zeros(count, np.int32),
        loss=loss,
        softmax_width=np.full(count, 1024, np.int32),
        read_out=np.zeros(count, bool),
        transient=np.zeros(count, bool),
        silent=np.zeros(count, np.int32),
        score_event=none,
        position=none,
        target=none,
        nats=none,
        weight=none,
        rows=rows,
        use_event=uses[:, 0],
        start=uses[:, 1],
        stop=uses[:, 2],
    )


def _memory() -> int:
    """Bytes, the most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=62_021_632, metavar="N")
    parser.add_argument("--out", type=Path, help="folder of the scratch ledger")
    return parser


if __name__ == "__main__":
    sys.exit(main())
