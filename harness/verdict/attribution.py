"""From what was refuted to the rule that was broken.

    divided by more than was added  BYTES-5: tokens without a loss count
    as printed, not as scored       PASS-3: unequal weights make the number what it is
    an order break explains it      ORDER-1, ORDER-2, CAUSAL-3, PASS-1, PASS-2
    scores moved with later tokens  CAUSAL-1 within a step; between steps PASS-1 where tables were
                                    mixed in, CAUSAL-5 where the score is a plain softmax
    so did weights written by hand  ORDER-7: by no optimiser, between two scores
    so did the first weights        CAUSAL-5, beside whatever else was named
    not so with a foreign artifact  DATA-1 and CAUSAL-5: its own was made of validation tokens
    refuted, plain softmax          CAUSAL-1: such a distribution weighs one
    a sum over the alphabet is more than one    NORM-1, beside whatever else was named
    refuted, nothing else known     SOURCE-1: "causal, order or mass, undecided"

NORM-2, NORM-3, NORM-4 and NORM-6 are causes of NORM-1, named beside it where the answers tell
(`mass_cause`). A gate that reads its own target has, summed over the
alphabet, mass above one too; so has the better of two scores, which is PASS-2 and is named that
alone. A proof comes from outside (the source, or another future) always; the ledger and the sum
only name it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checks.cut import ACROSS_STEPS, Edge
from harness.checks.future import FutureChange
from harness.checks.mass_cause import Cause
from harness.checks.mass_estimate import EXACT_NATS, EXACT_RUNS
from harness.checks.order import OrderBreak, OrderView
from harness.checks.source import SourceTest
from harness.checks.status import Evidence, Finding, Level, Status


@dataclass(frozen=True)
class Proof:
    """What the tests of one script came to."""

    source: SourceTest | None  # of the headline
    future: FutureChange | None
    order: OrderView | None
    mass: float = 1.0  # lower bound, from the same run as `source`
    softmax: bool | None = None  # every score is a whole softmax's; None: not known
    sums: Finding | None = None  # NORM-1 from sums over the alphabet, where they were taken
    causes: Sequence[Cause] = ()  # of a mass above one
    weighed: bool = False  # unequal weights, and not its scores, make the number refuted
    uncounted: int = 0  # tokens that the number was divided by, and no score of which is in it
    by_hand: int = 0  # moved scores whose weights were written by hand, others under each future
    weights_depend_on_future: bool = False  # those that scored first were others under each
    unchanged: bool = False  # what an update had used early stayed under each future
    held: bool = False  # what beats the source was written to the artifact

    @property
    def refuted(self) -> bool:
        """By the source."""
        return self.source is not None and self.source.refuted

    @property
    def moved(self) -> bool:
        """By another future."""
        return self.future is not None and self.future.status is Status.FAIL

    @property
    def mass_above_one(self) -> bool:
        """Summed over the alphabet, a distribution weighed more than one."""
        return self.sums is not None and self.sums.status is Status.FAIL


def name_violations(proof: Proof) -> list[Finding]:
    """The statuses of the broken rules; none when nothing was proved."""
    if not (proof.refuted or proof.moved):
        return []
    rule, why = _rule(proof)
    named = [_broken(rule, why, proof, (_numbers(proof),))]
    if proof.mass_above_one and rule not in ("NORM-1", "PASS-2"):
        assert proof.sums is not None  # mass stands by itself, whatever order was broken as well
        named.append(_broken("NORM-1", proof.sums.message, proof, proof.sums.evidence))
    if proof.mass_above_one and rule != "PASS-2":
        named += [_broken(cause.rule, cause.why, proof) for cause in proof.causes]
    if rule == "DATA-1":
        named.append(_broken("CAUSAL-5", HELD, proof))
    if proof.moved and proof.weights_depend_on_future and rule != "CAUSAL-5":
        named.append(_broken("CAUSAL-5", WEIGHTS, proof))
    return named


def name_mass(proof: Proof) -> list[Finding]:
    """Of a mass above one that is proved by itself, though no source was beaten."""
    assert proof.sums is not None
    how = f"copies gave what {EXACT_RUNS} whole runs of the script gave, to {EXACT_NATS:g} nats"
    said = [("NORM-1", proof.sums.message), *((one.rule, one.why) for one in proof.causes)]
    return [
        Finding(rule, Status.FAIL, Level.BLACK_BOX, why, proof.sums.evidence, detail=how)
        for rule, why in said
    ]


HELD = (
    "with the artifact of a run on another validation stream it scores nothing impossibly well: its"
    " own was made of validation tokens, before they were scored"
)
WEIGHTS = (
    "each change of later tokens changed the weights that fixed the first scores, and a repeat did"
    " not: they had been computed from tokens not yet scored"
)


def _broken(rule: str, why: str, proof: Proof, evidence: Evidence = ()) -> Finding:
    detail = f"confirmed from outside: {_proved(proof)}"
    return Finding(rule, Status.FAIL, Level.BLACK_BOX, why, evidence, detail=detail)


def _rule(proof: Proof) -> tuple[str, str]:
    if proof.uncounted and proof.refuted:
        return "BYTES-5", (
            f"its scores come to the number only where they are divided by {proof.uncounted:,} more"
            " tokens than they are of: those have no loss in it"
        )
    if proof.weighed:
        return "PASS-3", (
            "its scores, each counted once, are none too good; it is by unequal weights that the"
            " number is"
        )
    cause = proof.order.explains if proof.order else None
    if cause is not None and not _contradicted(cause, proof):
        scored = proof.order.scored if proof.order else 0
        return cause.rule, f"{len(cause.positions):,} of {scored:,} tokens were {cause.what}"
    if proof.moved and proof.by_hand:
        return "ORDER-7", (
            f"the weights behind {proof.by_hand:,} scores had been written by hand, by no"
            " optimiser, and were others under each later future: a batch changed the weights that"
            " it was scored with"
        )
    if proof.moved:
        return _long_range(proof)
    if proof.held:
        return "DATA-1", HELD
    if proof.softmax:
        return "CAUSAL-1", (
            "its scores are cross-entropies of a whole softmax, which sums to one, and too good for"
            " tokens that it did not know"
        )
    if proof.mass_above_one and proof.sums is not None:
        return "NORM-1", proof.sums.message
    return "SOURCE-1", _undecided(proof)


def _undecided(proof: Proof) -> str:
    """Without a sum over the alphabet nothing names the mass."""
    text = "which of causality, order and mass is broken is undecided"
    if proof.order is not None and proof.future is not None and proof.future.nothing_moved:
        text += (
            f" ({proof.future.compared:,} scores did not move with later tokens and no update used"
            f" a token early; were it mass, somewhere at least {proof.mass:.4g})"
        )
    return text


def _long_range(proof: Proof) -> tuple[str, str]:
    """No update carried the later tokens: what else holds them, and how far does it reach?"""
    assert proof.future is not None
    if proof.softmax is None:
        return "CAUSAL-1", "scores depend on tokens that are scored later"
    moved = {edge: count.moved for edge, count in proof.future.by_edge.items()}
    far = sum(moved.get(edge, 0) for edge in ACROSS_STEPS)
    # A script that mixes arrays adds the whole stream up in one step: documents tell instead.
    far += 0 if proof.softmax else moved.get(Edge.SAME_STEP_OTHER_DOCUMENT, 0)
    if not far:
        return "CAUSAL-1", "scores depend on later tokens of the same step"
    if proof.softmax:
        return "CAUSAL-5", (
            f"{far:,} scores of earlier steps depend on tokens scored in later ones, and no early"
            " use by an update explains it: something was computed from the stream before it was"
            " scored"
        )
    return "PASS-1", (
        f"{far:,} scores depend on tokens of later steps or documents, through tables that were"
        " mixed in: they were filled before these scores were fixed"
    )


def _contradicted(cause: OrderBreak, proof: Proof) -> bool:
    """Early use that no score depends on explains nothing; a choice in hindsight moves nothing.

    Futures tell nothing of it where they left what was used as it is. A token's own early use
    moves no other score: where a whole softmax excludes mass, and most tokens were used, it
    explains all the same (adapters that live as long as their document).
    """
    still = proof.future is not None and proof.future.nothing_moved and not proof.unchanged
    most = proof.order is not None and 2 * len(cause.positions) >= proof.order.scored
    return still and cause.rule != "PASS-2" and not (proof.softmax and most)


def _proved(proof: Proof) -> str:
    parts = []
    if proof.refuted and proof.source is not None:
        parts.append(
            f"some tokens were scored impossibly well (log e-value {proof.source.log_e:.1f},"
            f" threshold {proof.source.threshold:.1f})"
        )
    if proof.moved and proof.future is not None:
        parts.append(f"{len(proof.future.moved):,} scores moved under two changed futures")
    return " and ".join(parts)


def _numbers(proof: Proof) -> dict[str, object]:
    numbers: dict[str, object] = {"mass_at_least": proof.mass}
    if proof.source is not None:
        numbers |= {"saved_nats": proof.source.below_source, "tokens": proof.source.tokens}
    if proof.future is not None:
        numbers |= {"compared": proof.future.compared}
        if shown := proof.future.counterexample:
            numbers |= shown.as_json()
    cause = proof.order.explains if proof.order else None
    if cause is not None:
        numbers |= {"order": cause.what, "order_first_position": cause.first}
    return numbers
