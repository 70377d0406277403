"""Losses of single tokens: what they are taken of, and how they are tilted, weighted or patched.

Guarantees: a tilt, a weight or a bound counts only on the loss or probability of the very token.
Does not cover: the same done to whole distributions, which a softmax makes whole again.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts.call import Call
from audits.facts.effects.worths import score_of
from audits.facts.events import (
    Change,
    Echo,
    Foresight,
    Mixing,
    Patch,
    Site,
    Tilt,
    TokenRead,
    Weighting,
)
from audits.facts.labels import (
    ACCUMULATED,
    AIMED,
    BY_TOKEN,
    COUNT,
    FILE,
    FORESEEN,
    GIVEN,
    HIT,
    MIXED,
    NORMALISER,
    ONE_HOT,
    OUTPUT,
    PATCHED,
    PIECE_LENGTH,
    REALISED,
    REGION,
    SELF_WEIGHTED,
    SHARED_OUT,
    SIDED,
    SPREAD,
    TILTED,
    TOKENS,
    Label,
    ids,
    kinds,
)
from audits.facts.state import Interpreter
from audits.facts.trace import noted
from audits.facts.values import Value, element_of, kinds_of, labels_of
from audits.facts.worth import Form, Span

WITHOUT_BYTES: Final = "tokens without bytes are left out"


def note_target(
    interp: Interpreter, logits: Value, aims: Value, site: Site, written: str = ""
) -> None:
    """The tokens that a loss is taken of; they may turn out to be what the model was given."""
    wanted = ids(labels_of(aims), TOKENS)
    interp.trace.targets |= wanted
    same = {
        number
        for number in ids(labels_of(logits), OUTPUT)
        if len(wanted) == 1 and interp.trace.inputs.get(number) == wanted
    }
    if same:
        given = {interp.trace.input_names.get(number) for number in same - interp.trace.altered}
        bare = bool(written) and given == {written}
        interp.trace.echoes.append(Echo(site, interp.moment(), frozenset(same), bare))


def foreseen(interp: Interpreter, logits: Value, aims: Value, site: Site) -> frozenset[Label]:
    """Logits that know the target: it was mixed in, given to the model, or weighed by its loss."""
    held, wanted = labels_of(logits), ids(labels_of(aims), TOKENS)
    outputs = ids(held, OUTPUT)
    given = frozenset(one for out in outputs for one in interp.trace.given_to.get(out, ()))
    found: tuple[Site, str] | None = None
    voted = False
    whole = wanted | _cut_further(interp, wanted)
    for number in sorted(ids(held, MIXED)):
        mixing = interp.trace.mixings[number]
        if (whole if mixing.voted else wanted) & mixing.tokens - given:
            found = mixing.site, "something made of the target is mixed into the logits here"
            voted = mixing.voted
    if ids(held, AIMED) & wanted - given:
        found = found or (site, "the logits are made of the target's own loss")
    if found is None and _told(interp, outputs, wanted):
        found = site, "the model is told what kind of token the target is"
    if found is None and _among_inputs(interp, outputs, wanted):
        found = site, "the target is among the model's inputs"
    if found is None:
        return frozenset()
    event = Foresight(found[0], interp.moment(), found[1], voted)
    return frozenset({Label(FORESEEN, noted(interp.trace.foresights, event))})


def _cut_further(interp: Interpreter, wanted: frozenset[int]) -> frozenset[int]:
    """What the targets were cut from by the variable of a loop inside."""
    reads = interp.trace.reads
    return frozenset(
        parent
        for one in wanted
        for parent in reads[one].parents
        if reads[parent].loops and reads[one].loops - reads[parent].loops
    )


def of_target(interp: Interpreter, logits: Value, aims: Value, made: Value, site: Site) -> Value:
    """The loss or probability of these tokens, and whether the logits knew them."""
    marks = foreseen(interp, logits, aims, site)
    marks |= {Label(AIMED, read) for read in ids(labels_of(aims), TOKENS)}
    return replace(made, labels=made.labels | marks)


def picked(interp: Interpreter, left: Value, right: Value, made: Value, site: Site) -> Value:
    """`(log_p * one_hot(y)).sum(-1)`: the entries of the tokens."""
    for whole, hot in ((left, right), (right, left)):
        worth, own = score_of(whole), ids(labels_of(hot), ONE_HOT)
        if worth and own and worth.form in (Form.P, Form.LOG) and REALISED not in kinds_of(whole):
            aims = Value(labels=frozenset(Label(TOKENS, read) for read in own))
            marks = {Label(REALISED, number) for number in ids(made.labels, OUTPUT)}
            entry = replace(made, labels=made.labels | marks, worth=worth)
            return of_target(interp, whole, aims, entry, site)
    return made


def one_hot(tokens: Value, made: Value) -> Value:
    marks = frozenset(Label(ONE_HOT, read) for read in ids(labels_of(tokens), TOKENS))
    return replace(made, labels=made.labels | marks)


def _among_inputs(interp: Interpreter, outputs: frozenset[int], wanted: frozenset[int]) -> bool:
    """`model(where(places, y, x))`: the one input is made of two cuts, and one is the target."""
    for number in outputs:
        only = interp.trace.inputs.get(number, frozenset())
        if len(wanted) == 1 and wanted < only and only == interp.trace.given_to.get(number):
            return number in interp.trace.altered
    return False


def _told(interp: Interpreter, outputs: frozenset[int], wanted: frozenset[int]) -> bool:
    """`model(x, starts_word[y])`; also of a track of such flags, cut where the targets were."""
    told = frozenset(one for out in outputs for one in interp.trace.told_of.get(out, ()))
    if not told:
        return False
    reads = interp.trace.reads
    aims = wanted | frozenset(_viewed(reads, one) for one in wanted)
    places = {_where(reads[one]) for one in aims if reads[one].bounds.lower}
    return bool(told & aims) or any(_where(reads[one]) in places for one in told)


def _viewed(reads: list[TokenRead], number: int) -> int:
    """What `y[..., None]` is another view of."""
    read = reads[number]
    plain = not (read.bounds.lower or read.bounds.upper) and len(read.parents) == 1
    return _viewed(reads, min(read.parents)) if plain else number


def _where(read: TokenRead) -> tuple[object, ...]:
    return read.parents, read.loops, read.bounds.lower, read.bounds.upper


def _own_tokens(interp: Interpreter, scored: frozenset[Label], test: Value) -> frozenset[int]:
    """The scored tokens that a test is made of, where it is made of nothing else."""
    held = labels_of(test)
    if kinds(held) & {OUTPUT, HIT, GIVEN, FILE, ACCUMULATED}:
        return frozenset()
    tables = (interp.trace.table_reads[number].tables for number in ids(held, COUNT))
    if any(not one.isdisjoint(interp.trace.written_tables) for one in tables):
        return frozenset()
    given = (interp.trace.given_to.get(out, frozenset()) for out in ids(scored, OUTPUT))
    return (ids(held, TOKENS) & ids(scored, AIMED)).difference(*given)


def chosen(interp: Interpreter, test: Value, a: Value, b: Value, site: Site) -> frozenset[Label]:
    """`where(starts_word[y], p, q)`: two experts, and the token itself says which."""
    one, other = labels_of(a), labels_of(b)
    experts = ids(one, OUTPUT) ^ ids(other, OUTPUT)
    if not experts or (
        not _own_tokens(interp, one & other, test)
        and not (_own_tokens(interp, one, test) and _own_tokens(interp, other, test))
    ):
        return frozenset()
    event = Foresight(site, interp.moment(), "the token itself says which of two experts scores it")
    return frozenset({Label(FORESEEN, noted(interp.trace.foresights, event))})


def sided(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`p * gate[y]`."""
    for p, gate in ((left, right), (right, left)):
        if REALISED in kinds_of(p) and (own := _own_tokens(interp, labels_of(p), gate)):
            return {Label(SIDED, noted(interp.trace.mixings, Mixing(site, own)))}
    return set()


def both_sides(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`p * gate[y] + q * (1 - gate[y])`."""
    one, other = labels_of(left), labels_of(right)
    if not (ids(one, SIDED) and ids(other, SIDED)) or ids(one, OUTPUT) == ids(other, OUTPUT):
        return set()
    event = Foresight(site, interp.moment(), "the token itself sets the weights of two experts")
    return {Label(FORESEEN, noted(interp.trace.foresights, event))}


def left_out(interp: Interpreter, kept: Value, test: Value, site: Site) -> frozenset[Label]:
    """`nll[size[y] > 0]`, `nll * (y != 1)`: the token itself decides whether it counts."""
    mask = isinstance(test.worth, Span) or REGION in kinds_of(test)
    if not mask or score_of(kept) is None or not _own_tokens(interp, labels_of(kept), test):
        return frozenset()
    by_size = PIECE_LENGTH in kinds_of(test)
    how = WITHOUT_BYTES if by_size else "left out by the token itself"
    change = Change(site, interp.moment(), how)
    return frozenset({Label(BY_TOKEN, noted(interp.trace.changes, change))})


def mixed(
    interp: Interpreter, left: Value, right: Value, site: Site, *, added_up: bool
) -> set[Label]:
    """`logits + bonus`, where the bonus is made of tokens and no output of a model."""
    for logits, other in ((left, right), (right, left)):
        held, added = labels_of(logits), labels_of(other)
        whole = OUTPUT in kinds(held) and REALISED not in kinds(held)
        tokens = ids(added, TOKENS)
        plain = not kinds(added) & {OUTPUT, ACCUMULATED, COUNT}
        mask = isinstance(other.worth, Span) and (added_up or other.worth.low <= 0.0)
        if whole and tokens and plain and not mask:
            return {put_in(interp, tokens, site)}
    return _voted(interp, left, right, site) if added_up else set()


def _voted(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`p + share * votes`, where the votes were made of tokens besides what the model was given."""
    held = [kinds_of(left), kinds_of(right)]
    if any(OUTPUT not in one or one & {REALISED, ACCUMULATED} for one in held):
        return set()
    for votes in (left, right):
        given = (interp.trace.given_to.get(out, frozenset()) for out in ids(votes.labels, OUTPUT))
        if tokens := ids(votes.labels, TOKENS).difference(*given):
            return {put_in(interp, tokens, site, voted=True)}
    return set()


def at_places(interp: Interpreter, logits: Value, key: Value, value: Value, site: Site) -> Value:
    """`logits[row, y] += 1.0`: the tokens say where."""
    held, tokens = kinds_of(logits), ids(labels_of(key), TOKENS)
    if OUTPUT not in held or REALISED in held or not tokens or COUNT in kinds_of(key):
        return value
    return replace(value, labels=value.labels | {put_in(interp, tokens, site)})


def put_in(
    interp: Interpreter, tokens: frozenset[int], site: Site, *, voted: bool = False
) -> Label:
    """Tokens that went into logits at this place."""
    return Label(MIXED, noted(interp.trace.mixings, Mixing(site, tokens, voted)))


def spread(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`log_p[y] / len(bytes_of[y])`: a token's price, cut into equal ones of its bytes."""
    priced = REALISED in kinds_of(left) and ACCUMULATED not in kinds_of(left)
    lengths = PIECE_LENGTH in kinds_of(right) and not kinds_of(right) & {OUTPUT, ACCUMULATED}
    if not priced or not lengths:
        return set()
    change = Change(site, interp.moment(), "in equal parts, a byte each")
    return {Label(SHARED_OUT, noted(interp.trace.changes, change))}


def mixed_by_byte(given: Value) -> frozenset[Label]:
    """Such a part, as a probability or in a sum of them."""
    return frozenset(Label(SPREAD, one) for one in ids(labels_of(given), SHARED_OUT))


def log_of_sum(name: str, made: Value, node: ast.Call) -> Value:
    """`log1p(p (e^b - 1))`, `log(1 + ...)` and log-sum-exps are normalisers."""
    adds_one = any(
        isinstance(one, ast.BinOp)
        and isinstance(one.op, ast.Add)
        and any(isinstance(side, ast.Constant) for side in (one.left, one.right))
        for one in ast.walk(node.args[0])
    )
    if name == "log" and not adds_one:
        return made
    return Value(labels=made.labels | {Label(NORMALISER, 0)}, switches=made.switches)


def tilt(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """`loss - b * (hint == y)`: what comes true costs less."""
    hits = ids(labels_of(right), HIT)
    if not hits or HIT in kinds_of(left) or REALISED not in kinds_of(left):
        return set()
    number = noted(interp.trace.tilts, Tilt(site, interp.moment(), hits))
    return {Label(TILTED, number)}


def self_weighting(interp: Interpreter, left: Value, right: Value, site: Site) -> set[Label]:
    """A token's probability times a weight that was made of that very probability."""
    a, b = (ids(labels_of(value), REALISED) for value in (left, right))
    totals = ids(labels_of(left), ACCUMULATED) & ids(labels_of(right), ACCUMULATED)
    if not a & b or totals & interp.trace.converted:  # bits, times counts of the same tensor
        return set()
    lengths = any(_of_length(value) for value in (left, right))
    number = noted(interp.trace.weightings, Weighting(site, interp.moment(), lengths))
    return {Label(SELF_WEIGHTED, number)}


def _of_length(value: Value) -> bool:
    """Code lengths, also in a list; not probabilities."""
    worth = score_of(value) or score_of(element_of(value))
    return worth is not None and worth.form is Form.NATS


def patched(interp: Interpreter, value: Value, name: str, call: Call) -> Value:
    """An upper bound above one, which can only concern losses, or a replacement of bad values."""
    args = call.args
    most = call.keywords.get("max", args[1] if len(args) > 1 else Value()).const
    bounds = isinstance(most, int | float) and most > 1.0
    if REALISED not in kinds(value.labels) or not (bounds or name == "nan_to_num"):
        return value
    number = noted(interp.trace.patches, Patch(interp.site_of(call), interp.moment(), name))
    mark = Label(PATCHED, number)
    return Value(labels=value.labels | {mark}, switches=value.switches)
