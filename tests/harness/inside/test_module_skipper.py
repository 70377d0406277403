"""Laws of modules that run unwatched: only those in which there is nothing to see, and no digit or
score is lost by it.
"""

import gc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.inside.hooks.recording.device_queue import DeviceQueue
from harness.inside.hooks.recording.sites import Site
from harness.inside.hooks.recording.writer import Writer
from harness.inside.hooks.torch.module_skipper import AGAIN, WATCHED
from harness.inside.hooks.watching import watching
from harness.protocol.schema import EventKind
from harness.trace.reader import load

TOKENS = 64 * 100 + 1


class Block(nn.Module):
    """Hidden states to hidden states; `watched` notes how often the mode saw it."""

    def __init__(self):
        super().__init__()
        self.linear, self.watched = nn.Linear(16, 16), []

    def forward(self, h, scale=1.0):
        self.watched.append(torch._C._len_torch_function_stack() > 0)
        return h + self.linear(h) * scale


class Scorer(Block):
    """Is given hidden states alone, and scores the targets that it was told."""

    def forward(self, h):
        self.watched.append(torch._C._len_torch_function_stack() > 0)
        return F.cross_entropy(self.linear(h), self.targets % 16, reduction="none")


@pytest.fixture
def seen(tmp_path):
    """The stream, and a watch around whatever a test does with it."""
    stream = np.random.default_rng(0).integers(0, 16, TOKENS)
    torch.manual_seed(0)
    return stream, watching(stream, tmp_path / "out" / "rank0", tmp_path, native=True)


def _parts(stream):
    tokens = torch.from_numpy(stream)
    return [(tokens[i : i + 64], tokens[i + 1 : i + 65]) for i in range(0, TOKENS - 64, 64)]


def test_a_block_is_left_alone_after_its_first_calls_and_looked_at_again(seen):
    """In each of its modes anew."""
    stream, watch = seen
    block, table = Block(), nn.Embedding(16, 16)
    parts = _parts(stream)
    with watch, torch.inference_mode():
        for x, _ in parts[: AGAIN + 1]:
            block(table(x), scale=2.0)
        block.eval()
        for x, _ in parts[: WATCHED + 1]:
            block(table(x), scale=2.0)
    counts = [*range(1, AGAIN + 2), *range(1, WATCHED + 2)]
    assert block.watched == [n <= WATCHED or n == AGAIN for n in counts]


def test_a_module_that_scores_is_always_watched(seen, tmp_path):
    """However its targets came there: every token's score is captured."""
    stream, watch = seen
    scorer, block, table = Scorer(), Block(), nn.Embedding(16, 16)
    total = 0.0
    with watch, torch.inference_mode():
        for x, scorer.targets in _parts(stream):
            total += scorer(block(table(x))).sum().item()
    capture = load(tmp_path / "out")
    assert all(scorer.watched) and not all(block.watched)
    assert capture.errors == []
    assert sorted(capture.position) == list(range(1, TOKENS))
    assert capture.nats.sum() == pytest.approx(total, rel=1e-6)


def test_a_module_that_is_given_ids_is_always_watched(seen):
    """Marked or not: it could look anything up."""
    stream, watch = seen

    class Reader(Block):
        def forward(self, ids):
            return super().forward(F.one_hot(ids, 16).float())

    reader = Reader()
    with watch, torch.inference_mode():
        for x, _ in _parts(stream)[:WATCHED] + [(torch.arange(16), None)] * 4:
            reader(x)
    assert all(reader.watched)


def test_totals_of_an_accelerator_arrive_in_order_and_whole():
    """Copied when they were put: what a script writes into its own tensor later does not count."""
    taken = []
    queue = DeviceQueue(lambda *columns: taken.append(columns))
    values = torch.arange(3, dtype=torch.float64)
    for event in range(3_000):
        queue.put(event, np.arange(3, dtype=np.int32), values, None if event % 2 else 0.5)
        values += 1
    queue.drain()
    events, places, numbers, weights = (np.concatenate(c) for c in zip(*taken, strict=True))
    assert events.tolist() == np.repeat(np.arange(3_000), 3).tolist()
    assert places.tolist() == [0, 1, 2] * 3_000
    assert numbers.tolist() == (np.repeat(np.arange(3_000), 3) + np.tile([0, 1, 2], 3_000)).tolist()
    assert weights.tolist() == np.repeat(np.where(np.arange(3_000) % 2, 1.0, 0.5), 3).tolist()


def test_totals_on_their_way_do_not_wake_pythons_collector(tmp_path):
    """It would walk whatever a compiler left behind, for which the bare script does not pay."""
    taken, values = [], torch.zeros(3, dtype=torch.float64)
    queue, writer = DeviceQueue(lambda *columns: taken.append(columns)), Writer(tmp_path)
    positions = np.arange(3, dtype=np.int32)
    gc.collect()
    before = gc.get_stats()[0]["collections"]
    for _ in range(3_000):
        queue.put(
            writer.event(EventKind.SUM, Site("train_gpt.py:1", "score")), positions, values, None
        )
    assert gc.get_stats()[0]["collections"] == before
    queue.drain()
    writer.close()
    assert sum(len(column[0]) for column in taken) == 9_000
