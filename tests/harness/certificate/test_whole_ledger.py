"""Laws of a ledger, its account, and what is held against raw text and training shards."""

from pathlib import Path

import numpy as np
import pytest

from harness.certificate.account import Scope, account
from harness.certificate.documents import recount
from harness.certificate.first_uses import FirstUses
from harness.certificate.ledger import PART, BrokenLedger, Ledger, LedgerWriter
from harness.certificate.passages import shared_positions
from harness.errors import UsageError
from harness.protocol.schema import EventKind
from harness.streams.stream import text_stream
from harness.streams.vocabulary import Vocabulary
from harness.trace.first_use import _first_used
from harness.trace.reader import Capture, KeptRows

RNG = np.random.default_rng(7)


def capture_of(kinds: list[str], loss: list[int], uses: list[tuple[int, int, int]]) -> Capture:
    """Events under inference_mode, each behind weights of its own."""
    count, none = len(kinds), np.empty(0, np.int64)
    use = np.array(uses, np.int64).reshape(-1, 3)
    text, zero = np.full(count, "", object), np.zeros(count, np.int32)
    rows = KeptRows(none, none.astype(np.int32), none.astype(np.int32), np.empty(0, object))
    steps = np.cumsum(np.array(kinds) == EventKind.STEP)
    return Capture(
        at_s=np.arange(count) / 8,
        rank=np.zeros(count, np.int64),
        text=text,
        kind=np.array(kinds, object),
        site=text,
        function=text,
        tokens=zero,
        inference_mode=np.ones(count, bool),
        grad_mode=np.zeros(count, bool),
        weights=(steps + 1).astype(np.uint64),
        loss=np.array(loss, np.int64),
        softmax_width=np.full(count, 1024, np.int32),
        silent=zero,
        rows=rows,
        read_out=np.zeros(count, bool),
        transient=np.zeros(count, bool),
        **dict.fromkeys(("score_event", "position", "target", "nats", "weight"), none),
        use_event=use[:, 0],
        start=use[:, 1],
        stop=use[:, 2],
    )


def scores(event: int, positions: range, nats: float = 1.0) -> dict[str, np.ndarray]:
    count = len(positions)
    column = {"event": np.full(count, event), "position": np.array(positions, np.int32)}
    column |= {"target": np.ones(count, np.int32), "nats": np.full(count, nats)}
    return column | {"weight": np.ones(count), "n_bytes": np.full(count, 2, np.int32)}


def test_a_ledger_is_whole_up_to_its_last_part(tmp_path: Path) -> None:
    """What was written before the writer was lost is read; a file that is none is said."""
    writer = LedgerWriter(tmp_path)
    writer.events(capture_of([EventKind.LOSS, EventKind.SUM], [-1, 0], []))
    writer.scores(scores(1, range(1, PART + 100)))  # and never closed
    ledger = Ledger(tmp_path)
    assert [len(part["nats"]) for part in ledger.scores(2)] == [PART]
    found = account(ledger, Scope(PART + 99, 0))
    assert (found.tokens, found.left_out, found.first_left_out) == (PART, 99, PART + 1)
    assert found.mean == 1.0 and found.n_bytes == 2 * PART
    assert ledger.n_bytes < 24 * PART
    (tmp_path / "scores-000001.parquet").write_bytes(b"none")
    with pytest.raises(BrokenLedger, match="scores-000001"):
        account(ledger, Scope(PART, 0))


@pytest.mark.parametrize("early", [False, True])
def test_a_use_before_its_score_is_inside_the_pass_or_before_it(tmp_path: Path, early) -> None:
    """Chunks of 8: scored, then stepped on; or stepped on, then scored. The same token with two
    unlike scores is counted.
    """
    loss, step = [EventKind.LOSS, EventKind.SUM], [EventKind.BACKWARD, EventKind.STEP]
    each = step + loss if early else loss + step
    kinds, losses, uses = each * 4, [-1] * 16, []
    writer = LedgerWriter(tmp_path)
    for chunk in range(4):
        at, positions = 4 * chunk, range(8 * chunk + 1, 8 * chunk + 9)
        counted = at + 3 if early else at + 1
        losses[counted] = counted - 1
        uses.append((at if early else at + 2, positions.start, positions.stop))
        writer.scores(scores(counted, positions))
    writer.scores(scores(counted, range(3, 4), nats=2.0))
    writer.events(capture_of(kinds, losses, uses))
    writer.close()
    found = account(Ledger(tmp_path), Scope(32, 0))
    assert found.used_inside.tokens == (32 if early else 1)  # the one that was scored again
    assert found.used_before.tokens == found.used_no_trace.tokens == 0
    assert (found.scores, found.tokens, found.unequal) == (33, 32, 1)


def test_first_uses_need_no_row_a_position() -> None:
    """The same as of a table of all positions, for any runs, from any event on."""
    for _ in range(20):
        kinds = RNG.choice([EventKind.BACKWARD, EventKind.STEP, EventKind.SUM], 40).tolist()
        starts = RNG.integers(0, 60, 12)
        at = np.sort(RNG.integers(0, 40, 12))
        uses = [
            (int(e), int(s), int(s + RNG.integers(1, 9))) for e, s in zip(at, starts, strict=True)
        ]
        capture, begin = capture_of(kinds, [-1] * 40, uses), int(RNG.integers(0, 40))
        positions = np.arange(80)
        expected = _first_used(capture, 80, begin)
        assert np.array_equal(FirstUses(capture, begin).of(positions), expected)


def test_a_passage_that_a_shard_holds_is_nobodys() -> None:
    """Every position of an 8-gram of both, and no other."""
    stream = RNG.integers(0, 50, 400)
    shard = RNG.integers(50, 99, 3_000)
    shard[1_000:1_012] = stream[100:112]
    shard[2_000:2_007] = stream[200:207]  # too short
    found = shared_positions(stream, np.arange(400), [shard.astype(np.uint16)])
    assert np.flatnonzero(found).tolist() == list(range(100, 112))


def test_raw_text_is_the_denominator(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """Documents are those of the stream where they encode to it; a count that the tokenizer makes
    is compared with theirs.
    """
    texts = ["Plain words, twice: words.", "Mit Umläuten, früh."]
    assert vocabulary.processor is not None
    ids = [[vocabulary.boundary, *vocabulary.processor.encode(text)] for text in texts]
    stream = text_stream(np.array([*ids[0], *ids[1]], np.int64), vocabulary)
    counted = vocabulary.token_bytes(stream.tokens)
    file = tmp_path / "docs.jsonl"
    file.write_text("".join(f'{{"text": "{text}"}}\n' for text in texts), encoding="utf-8")
    found = recount(file, stream, vocabulary, counted)
    raw = sum(len(text.encode()) for text in texts)
    assert (found.raw_bytes, found.counted_bytes, found.alike) == (raw, raw, 2)
    assert recount(file, stream, vocabulary, counted + 1).unlike == 2
    short = text_stream(stream.tokens[:-2], vocabulary)  # the shards may cut the last one
    cut = recount(file, short, vocabulary, counted[:-2])
    assert cut.alike == 2 and cut.raw_bytes == cut.counted_bytes == counted[:-2].sum()
    file.write_text('{"text": "another"}\n' * 2, encoding="utf-8")
    assert not recount(file, stream, vocabulary, counted).are_these
    file.write_text('{"text": "one"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="1 documents, and the stream has 2"):
        recount(file, stream, vocabulary, counted)
