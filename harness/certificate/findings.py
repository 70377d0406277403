"""From the account of a ledger to one status a rule, and what no whole run alone decides.

    ORDER-1, ORDER-2             a token had been learned from before its score was fixed
    CAUSAL-3                     the same, and no weight shows it: at most unknown
    PASS-1, PASS-3               each position once, all of them
    PASS-2                       the best of several scores, where that was seen: unknown
    ORDER-7                      weights between a forward and the count of its scores
    NORM-1                       each score the cross-entropy of a softmax over the alphabet
    BYTES-1, BYTES-5             the denominator, from the shards' own tokens, and from raw text
    BUDGET-1, -3, -4             bytes on disk behind the run; seconds, where they were few enough

Guarantees: an early use fails its rule only where the number is the sum of recorded scores within
its rounding, the recording is as it was made, and a hundredth of all counted tokens had been used,
passages that training shards hold as well, and the first token of each document, left aside; and
PASS-3 where as many targets that are no cut-off end, and more than one a document, are not among
the scores that come to the number. Less, or without that, is *unknown*. Time on another machine
than the contest's fails nothing. Does
not cover: what later tokens, other weights or controls would show: CAUSAL-1, SOURCE-1 and power.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from audits.facts.documented.printed_scores import Printed
from harness.certificate.account import Account, EarlyUse, Scope
from harness.certificate.documents import RawCount
from harness.checks.bytes import compared, of_all, rounding
from harness.checks.status import Finding, Level, Status

LEAST_EARLY = 0.01  # of the counted tokens: honest scripts have none, and no hook errs so often
LEAST_LEFT_OUT = 0.01  # of the targets, beside one a document, and not at the end
NOT_SUMMED = "no recorded scores come to a printed number"


@dataclass(frozen=True)
class Sizes:
    """What counts towards the contest's cap, on disk behind the run."""

    code_bytes: int
    artifact: str  # name; empty where none was seen
    artifact_bytes: int
    limit_bytes: int  # 0: none
    alone: bool = True  # no other file may be the artifact as well


@dataclass(frozen=True)
class Whole:
    """All that is judged of a whole run."""

    account: Account
    scope: Scope
    printed: Printed | None  # the headline
    gap: float | None  # relative, with which recorded scores come to it; None: they do not
    faults: tuple[str, ...]  # why the recording is not all that was there to see
    excused: dict[str, int]  # of the early uses of a class, those that tell nothing
    alphabet: int
    most_bytes: int  # of one token
    stream_bytes: int  # canonical, of all targets
    documents: int
    sizes: Sizes
    raw: RawCount | None
    train_limit_s: float  # of the contest; 0: none, or it did not train
    eval_limit_s: float
    hardware: str  # "2 processes on cpu"

    @property
    def witnessed(self) -> bool:
        """Recorded scores come to the number, and the recording is whole."""
        return self.printed is not None and self.gap is not None and not self.faults

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any], found: Account) -> "Whole":
        """The inverse, with the account that was worked out again."""
        plain = {field.name: told[field.name] for field in fields(cls)}
        typed = {
            "account": found,
            "scope": Scope(**told["scope"]),
            "printed": None if told["printed"] is None else Printed(**told["printed"]),
            "faults": tuple(told["faults"]),
            "sizes": Sizes(**told["sizes"]),
            "raw": None if told["raw"] is None else RawCount(**told["raw"]),
        }
        return cls(**plain | typed)


def findings(whole: Whole) -> list[Finding]:
    """One or more a rule that a whole run can speak of."""
    if whole.printed is None or whole.gap is None:
        return [
            Finding(rule, Status.UNKNOWN, Level.INSTRUMENTED, NOT_SUMMED)
            for rule in ("ORDER-1", "ORDER-2", "PASS-1", "PASS-3", "NORM-1", "BYTES-1")
        ]
    return [
        *_order(whole),
        *_coverage(whole),
        *_choice(whole),
        _weights(whole),
        _softmax(whole),
        *_denominator(whole, whole.printed),
        *_budgets(whole),
    ]


def _seen(rule: str, status: Status, text: str, whole: Whole, detail: str = "") -> Finding:
    """By hooks; where the recording is not whole, a pass is none."""
    if whole.faults and status is not Status.UNKNOWN:
        status, text = Status.UNKNOWN, f"{text}; the recording is not whole: {whole.faults[0]}"
    return Finding(rule, status, Level.INSTRUMENTED, text, detail=detail)


ORDER = (
    ("ORDER-1", "used_inside", "learned from inside the pass before it was scored"),
    ("ORDER-2", "used_before", "learned from before the scored pass began"),
    ("CAUSAL-3", "used_no_trace", "optimised on, in tensors that were thrown away, before it was"
     " scored"),
)  # fmt: skip


def _order(whole: Whole) -> Iterator[Finding]:
    account = whole.account
    for rule, name, what in ORDER:
        used: EarlyUse = getattr(account, name)
        excused = whole.excused.get(name, 0)
        early = used.tokens - excused
        aside = f"; {excused:,} more stand in a training shard too, or open a document"
        note = aside if excused else ""
        if not early:
            text = f"none of {account.tokens:,} counted tokens was {what}{note}"
            if not account.ordered:
                text += "; its ranks did not exchange alike, so what they knew is open"
            if account.not_placed:
                text += f"; when {account.not_placed:,} of its scores were computed is open"
            known = account.ordered and not account.not_placed
            status = Status.PASS if known else Status.UNKNOWN
            yield _seen(rule, status, text, whole)
            continue
        share = early / max(account.tokens, 1)
        sure = share >= LEAST_EARLY and rule != "CAUSAL-3"  # a use without trace may be none
        text = (
            f"{early:,} of {account.tokens:,} counted tokens ({share:.1%}) were {what}; the first"
            f" is at position {used.first}{note}"
        )
        yield _seen(rule, Status.FAIL if sure else Status.UNKNOWN, text, whole)


def _coverage(whole: Whole) -> Iterator[Finding]:
    account, targets = whole.account, whole.scope.targets
    tail = f", the last {account.in_tail:,} left out" if account.in_tail else ""
    text = f"{account.tokens:,} of {targets:,} targets entered the number{tail}"
    if account.left_out:
        text += f"; {account.left_out:,} did not, the first at {account.first_left_out}"
    # The number is the mean of the others alone: whoever left these out knew which.
    chosen = account.scattered - whole.documents >= LEAST_LEFT_OUT * targets
    status = Status.FAIL if chosen else Status.UNKNOWN if account.left_out else Status.PASS
    yield _seen("PASS-3", status, text, whole)
    again = f"{account.unequal:,} were counted twice with different scores"
    text = f"each of {account.tokens:,} tokens has one score in the number"
    if account.scores > account.tokens:
        text += f", some of them {account.scores - account.tokens:,} times more, the same"
    held = not account.unequal
    yield _seen("PASS-1", Status.PASS if held else Status.UNKNOWN, text if held else again, whole)


def _choice(whole: Whole) -> Iterator[Finding]:
    """Seen or not said: choices that no hook sees are small runs' to find."""
    best, batches = whole.account.best_of, whole.account.batches
    if best:
        text = f"of the scores of {best:,} of {batches:,} batches the best of several was taken"
        yield _seen("PASS-2", Status.UNKNOWN, text, whole)


def _weights(whole: Whole) -> Finding:
    account = whole.account
    modes = ", ".join(f"{n:,} under {name}" for name, n in account.modes.items() if n)
    detail = f"scores were computed {modes.replace('under gradients', 'with gradients on')}"
    if account.written:
        text = (
            f"weights were written by hand between the forward and the count of"
            f" {account.written:,} of {account.batches:,} batches"
        )
        return _seen("ORDER-7", Status.UNKNOWN, text, whole, detail)
    text = f"no weight was written by hand while one of {account.batches:,} batches was scored"
    if account.fingerprinted < account.scores:
        unknown = account.scores - account.fingerprinted
        text += f"; of {unknown:,} scores the weights are not known"
        return _seen("ORDER-7", Status.UNKNOWN, text, whole, detail)
    return _seen("ORDER-7", Status.PASS, text, whole, detail)


def _softmax(whole: Whole) -> Finding:
    account = whole.account
    if account.width < whole.alphabet:
        text = "not every score is a plain softmax output: what they sum to is not known"
        return _seen("NORM-1", Status.UNKNOWN, text, whole)
    text = (
        f"each of {account.scores:,} scores is the cross-entropy of a softmax over"
        f" {account.width:,} entries"
    )
    if account.rows_unlike:
        text += f"; of {account.rows_unlike:,} rows that were kept the score is another entry"
        return _seen("NORM-1", Status.UNKNOWN, text, whole)
    if account.rows and account.worst_mass is not None:
        off = abs(account.worst_mass - 1.0)
        text += f"; {account.rows:,} whole rows were kept, which sum to one within {off:.1g}"
    return _seen("NORM-1", Status.PASS, text, whole)


def _denominator(whole: Whole, printed: Printed) -> Iterator[Finding]:
    account, bits = whole.account, printed.bits_per_byte
    if not bits or not account.tokens:
        yield Finding("BYTES-1", Status.UNKNOWN, Level.BLACK_BOX, "no bits per byte were printed")
        return
    nats = printed.nats_per_token or account.mean
    implied = nats / math.log(2) / bits
    ways = account.weighted_bytes / account.weight, account.n_bytes / account.tokens
    ours = min(ways, key=lambda way: abs(way - implied))
    edges = (2 * whole.most_bytes + whole.documents) / account.tokens
    allowed = ours * rounding(printed, bits, nats) + edges
    found = compared(printed, nats, (implied, ours, allowed, 0.0), account.tokens)
    every = whole.stream_bytes / account.tokens
    ends = account.in_tail * whole.most_bytes / account.tokens  # which may be in neither
    near = allowed + ends
    is_of_all = abs(implied - every) <= near < abs(every - ours)
    failed = found.status is Status.FAIL
    yield of_all(found, account.tokens, whole.scope.targets) if failed and is_of_all else found
    if whole.raw is not None:
        yield _raw(whole, whole.raw, implied, allowed)


def _raw(whole: Whole, raw: RawCount, implied: float, allowed: float) -> Finding:
    """The same against the documents' own bytes; a tokenizer that loses text hurts its author."""
    tokens = whole.account.tokens
    if not raw.are_these:
        text = (
            f"of {raw.tried:,} documents of the given file {raw.alike:,} are those of the shards:"
            " raw bytes were not compared"
        )
        return Finding("BYTES-1", Status.UNKNOWN, Level.BLACK_BOX, text)
    outside = raw.counted_bytes - whole.account.n_bytes  # of tokens that did not count
    ours = raw.raw_bytes - outside
    over = implied * tokens - ours
    text = (
        f"the number implies {implied * tokens:,.0f} bytes, and the {raw.documents:,} documents"
        f" have {ours:,} bytes of UTF-8 there"
    )
    detail = f"the table counts {raw.unlike:,} documents otherwise than their text"
    status = Status.FAIL if over > allowed * tokens else Status.PASS
    return Finding("BYTES-1", status, Level.BLACK_BOX, text, powered=True, detail=detail)


def _budgets(whole: Whole) -> Iterator[Finding]:
    sizes = whole.sizes
    if sizes.limit_bytes and sizes.artifact:
        total = sizes.code_bytes + sizes.artifact_bytes
        over = total > sizes.limit_bytes
        text = (
            f"{sizes.code_bytes:,} code + {sizes.artifact_bytes:,} of {sizes.artifact} ="
            f" {total:,} bytes {'exceed' if over else 'of'} {sizes.limit_bytes:,}"
        )
        if over and not sizes.alone:
            text += "; other files were saved and read again, too"
        status = Status.PASS if not over else Status.FAIL if sizes.alone else Status.UNKNOWN
        yield Finding("BUDGET-1", status, Level.BLACK_BOX, text)
    elif sizes.limit_bytes:
        text = "no file was saved and read again: what the artifact is, is not known"
        yield Finding("BUDGET-1", Status.UNKNOWN, Level.BLACK_BOX, text)
    for rule, what, took_s, limit_s in (
        ("BUDGET-3", "training", whole.account.training_s, whole.train_limit_s),
        ("BUDGET-4", "evaluation", whole.account.evaluation_s, whole.eval_limit_s),
    ):
        if limit_s:
            text = f"{what} took {took_s:,.1f} s of {limit_s:g} here ({whole.hardware})"
            status = Status.PASS if took_s <= limit_s else Status.UNKNOWN
            yield Finding(rule, status, Level.INSTRUMENTED, text)
