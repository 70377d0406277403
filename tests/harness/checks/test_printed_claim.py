"""The claim of a number that no recorded score explains: printed mean times tokens."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated_coders import BOS, ORDINARY, lucky, printed

from audits.facts.documented.printed_scores import Printed
from harness.checks.printed_claim import ByteCounts, Seen, claim_test, least_source
from harness.checks.uniform import DRAWS, pure_test
from harness.checks.uniform import refuted as refuted_uniform
from harness.protocol.job import Outcome, RunState
from harness.streams.distributions import Uniform
from harness.streams.drawn import Schedule, SourceStream, draw
from harness.streams.pure import DOCUMENT_TOKENS, is_pure, pure_stream
from harness.trace.reader import load
from harness.trace.script_run import ScriptRun

SEEDS = range(10)
BYTES = ByteCounts(2.2, 3.4)
LN2 = math.log(2)


def pure(seed: int, documents: int = 4) -> SourceStream:
    lengths = np.full(documents, 2_048 // documents, np.int64)
    law = Schedule(lengths, np.zeros(documents, np.int64))
    return draw([Uniform()], law, ORDINARY, BOS, seed)


def pair(nats: float, bytes_a_token: float = BYTES.canonical) -> Printed:
    return replace(printed(nats), bits_per_byte=nats / LN2 / bytes_a_token)


def unexplained(folder: Path, law: SourceStream, number: Printed) -> ScriptRun:
    """A run of which no scores were recorded."""
    (folder / "rank0").mkdir(exist_ok=True)
    n_bytes = round(BYTES.canonical * len(law.tokens))
    ended = Outcome(RunState.ENDED, 1.0)
    return ScriptRun(law, ended, (number,), number, load(folder), {}, {}, n_bytes, n_bytes)


def refuted(number: Printed, law: SourceStream, tokens: int, *, fine: bool = True) -> bool:
    return claim_test(number, law, BYTES, Seen(tokens, fine)).refuted


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_that_were_chosen_without_looking_accuse_nobody(seed):
    """Of coders as good as the source: all tokens, half of them, every third one, one window, no
    boundaries, no first tokens. One that counts what turned out cheap is caught, and so is theft.
    """
    law = pure(seed)
    every = lucky(law, seed)
    at = every.position
    parts = [
        at > 0,
        at < 1024,
        at % 3 == 0,
        at <= 64,
        law.drawn[at],
        ~np.isin(at, law.starts + 1),
    ]
    for part in parts:
        assert not refuted(pair(every.nats[part].mean()), law, int(part.sum()))
    cheap = every.nats < np.median(every.nats)

    assert refuted(pair(every.nats[cheap].mean()), law, int(cheap.sum()))
    assert refuted(pair(every.nats.mean() - 0.2), law, len(at) // 4)


def test_a_unit_that_is_not_known_accuses_nobody():
    """Nats a byte, a character, half a token; no bits beside it; perplexity; bits. A denominator
    that is off by spelling out spaces and bytes takes nothing from the nats.
    """
    law, honest = pure(3), lucky(pure(3), 3)
    nats, n = honest.mean, len(honest.nats)
    others = [
        pair(nats / 2.2, 1.0),
        pair(nats / 2.0, 1.1),
        printed(nats / 2.2),
        pair(nats / LN2, 2.2 / LN2),
        replace(printed(math.exp(nats)), bits_per_byte=nats / LN2 / 2.2),
    ]

    assert not any(refuted(number, law, n) for number in others)
    assert not refuted(pair(nats, 3.4), law, n)
    assert refuted(pair(nats - 0.2, 3.4), law, n)


def test_bits_alone_count_by_the_way_that_gives_most():
    """A script that spells out spaces and byte pieces prints fewer bits than any other; a claim
    below even that is theft.
    """
    law, honest = pure(4), lucky(pure(4), 4)

    def bits(nats: float) -> Printed:
        number = pair(nats, BYTES.largest)
        return replace(number, nats_per_token=None, half_unit=5e-9)

    assert not refuted(bits(honest.mean), law, len(honest.nats))
    assert refuted(bits(honest.mean - 0.2), law, len(honest.nats))


def test_rounding_is_taken_off():
    """Two printed places; 16-bit scores, unless all recorded ones were finer."""
    law, honest = pure(5), lucky(pure(5), 5, noise=0.0)
    n = len(honest.nats)
    down = pair(honest.mean - 2.0**-6)
    coarse = replace(down, nats_per_token=round(honest.mean, 2) - 0.005, half_unit=0.005)

    assert refuted(down, law, n) and not refuted(down, law, n, fine=False)
    assert not refuted(coarse, law, n, fine=False)


def test_the_cheapest_run_holds_most_boundaries():
    """So that knowing where documents begin saves nobody anything."""
    law = pure(6)
    source = -law.log_q

    for tokens in (1, 64, 512, 513, len(source) - 1):
        windows = [source[i : i + tokens].sum() for i in range(1, len(source) - tokens + 1)]
        assert least_source(law, tokens) == pytest.approx(min(windows))


def test_a_pure_stream_shares_nothing_with_its_shard():
    """Documents of one length over the same ids, twice as long; a mixed stream is not pure."""
    mixed = replace(pure(7), distributions=("repeats",))
    drawn = pure_stream(mixed, 7, 4096)
    stream = drawn.stream
    passages = {tuple(stream.tokens[i : i + 8]) for i in range(len(stream.tokens) - 7)}
    shared = {tuple(drawn.shard[i : i + 8]) for i in range(len(drawn.shard) - 7)} & passages

    assert is_pure(stream) and not is_pure(mixed)
    assert len(stream.tokens) == 2 * (len(mixed.tokens) - 1) + 1
    assert set(np.diff(stream.starts)) == {DOCUMENT_TOKENS}
    assert not shared


def test_a_number_that_was_not_computed_is_a_claim_only_where_it_is_called_final(tmp_path):
    """A record to beat that is printed last is the same on every stream; so is a forged result."""
    law = pure(3)
    literal = replace(printed(2.0), bits_per_byte=2.0 / LN2 / 2.2)

    def tested(tag: str, base_nats: float) -> bool:
        number = replace(literal, tag=tag)
        runs = [
            unexplained(tmp_path, law, replace(number, nats_per_token=n)) for n in (2.0, base_nats)
        ]
        draws = [test for _ in range(DRAWS) if (test := pure_test(*runs)) is not None]
        return refuted_uniform(draws) is not None

    assert not tested("record_to_beat", 2.0)
    assert tested("final_exact", 2.0)
    assert tested("record_to_beat", 2.1)
