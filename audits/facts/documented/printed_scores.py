"""Numbers that a script printed, read off its log (the templates: 1,518 of 1,601 real scripts).

Guarantees: a figure is reported only where digits stand (623 of 3,000 real logs echo their own
source, f-strings included); a diagnostic, a step line or a progress line is never the headline as
long as anything else was printed; of two prints of one number the more precise one speaks.
Training losses are no scores.
Does not cover: which tokens a number stands for; figures that no name, unit or column
explains (`printed_words`).
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from audits.declared import that_come_to
from audits.facts.documented.printed_words import spelled_out

_NUMBER = r"(\d+\.\d+(?:e[+-]?\d+)?|nan|inf)"
# "val_loss:3.2", "val_loss=3.2", "'val_loss': 3.2", "XSA BPB:   1.03"; not "{val_loss:.4f}".
# Every pattern here takes a time in proportion to the line: a script may print what it likes.
_LOSS = re.compile(
    rf"(?<!\w)(?P<name>\w*(?:loss|nll))['\"]?\s*(?:[:=]\s*)?{_NUMBER}", re.IGNORECASE
)
_BPB = re.compile(rf"(?<!\w)(?P<name>\w*bpb)['\"]?\s*(?:[:=]\s*)?{_NUMBER}", re.IGNORECASE)

_TRAINING = re.compile(r"\btr(?:ain(?:ing)?)?[_ ]?(?:loss|nll|bpb)", re.IGNORECASE)
_STEP = re.compile(
    r"^\W{0,40}(?:\[[^]]{0,80}\]\s*)?(?:step\b|iter\b|\d+\s*/\s*\d+\b)", re.IGNORECASE
)
_PROGRESS = re.compile(
    r"running|progress|\bep(?:och)?\b|chunk\b|batch|\[\s*[\d.]+\s*(?:%\s*)?(?:/\s*\d+)?\]"
    r"|(?<!\d)\d+\s*/\s*\d+\s*(?:windows|docs|seqs|\|)|sliding_eval:|phase\s*[:=]?\s*\d+\s*/",
    re.IGNORECASE,
)
_DIAGNOSTIC = re.compile(
    r"diagnostic|debug|candidate|resum|neural_only|nn[_-]only|llm[_-]only|_off\b|\bbaseline\b"
    r"|post[-_ ]?(?:ema|swa)\b|pre[-_ ]?ema|(?:ema|swa)_eval|raw model|best_averag|using .*weights"
    r"|ema:applying|\btarget(?:[-_ ]?(?:val[-_])?(?:bpb|loss|nll|score))?\b|threshold|warm_?up",
    re.IGNORECASE,
)
_PRE_QUANT = re.compile(r"pre[-_ ]?quant|unquantized|float_|fp32_eval", re.IGNORECASE)
_DIFFERENCE = re.compile(r"improvement|\bgain|gap\b|delta|\bdiff", re.IGNORECASE)
_CLOSING = re.compile(r"done|final|total|exact|submission", re.IGNORECASE)
_UNIT = re.compile(r"loss|nll|bpb", re.IGNORECASE)
_FIGURE = re.compile(r"\d+(?:\.\d+)?")
_SEPARATOR = re.compile(r"^={60,}$")  # printed after the echo of the source
_SOURCE = re.compile(r"^(?:import |from \w+ import |def main)", re.MULTILINE)

LEAST_EXPONENT = -400  # below that of any float
MOST_NUMBERS = 200  # that one log gives; small runs print tens
CLEARLY = 0.95  # of the other's bits: beyond what quantising or a few steps change


@dataclass(frozen=True)
class Printed:
    """One figure in the log."""

    line: int  # 1-based line of the log
    tag: str  # "final_int6_sliding_window_exact"
    text: str  # the line
    nats_per_token: float | None  # val_loss, where the line has it
    bits_per_byte: float | None
    half_unit: float  # half a unit of the last printed place of nats_per_token (or of the bpb)
    diagnostic: (
        bool  # a number that enters no claim: steps, progress, "DIAGNOSTIC", pre-quantisation
    )
    loose: bool = False  # not named val_loss or val_bpb: a headline only where nothing else is


def printed_numbers(log: str) -> list[Printed]:
    """Every score in the log, in order."""
    lines = log.split("\n")
    first = _after_echo(lines)
    pairs = enumerate(zip(lines, spelled_out(lines), strict=True), 1)
    found = (_read(number, *both) for number, both in pairs if number > first)
    return [printed for printed in found if printed is not None]


def most_telling(numbers: Sequence[Printed], head: Printed | None) -> list[Printed]:
    """As many as are looked at, in the order of the log: the headline, then the last that may be
    one, then the last diagnostics.
    """
    order = sorted(numbers, key=lambda n: (n is not head, n.diagnostic, -n.line))
    kept = {id(number) for number in order[:MOST_NUMBERS]}
    return [number for number in numbers if id(number) in kept]


@dataclass(frozen=True)
class CountedLine:
    """The line that a contest counts, whatever else is printed."""

    pattern: re.Pattern[str]
    which: str  # first, last or least

    def of(self, numbers: Sequence[Printed]) -> Printed | None:
        """None where it was not printed."""
        found = [one for one in numbers if self.pattern.search(one.text)]
        if not found:
            return None
        if self.which == "least":
            chosen = min(found, key=lambda one: one.bits_per_byte or one.nats_per_token or math.inf)
        else:
            chosen = found[0 if self.which == "first" else -1]
        return replace(chosen, diagnostic=False)


@dataclass(frozen=True)
class DeclaredScore:
    """What a folder says of its numbers, by their kinds."""

    declared: frozenset[str] = frozenset()  # they come to the number that submission.json declares
    logged: frozenset[str] = frozenset()  # its logs hold them
    line: CountedLine | None = None  # of its contest, which goes before all else

    def is_rather(self, named: Printed, usual: Printed) -> bool:
        """The folder declares the one and not the other, which it printed as well; or its logs do
        not know the other, and the declared one is clearly the better score (#706).
        """
        if kind(usual) in self.logged:
            return kind(usual) not in self.declared
        better, last = named.bits_per_byte, usual.bits_per_byte
        return better is not None and last is not None and better < CLEARLY * last


UNDECLARED = DeclaredScore()  # no logs, or no number declared


def headline(numbers: Sequence[Printed], claim: DeclaredScore = UNDECLARED) -> Printed | None:
    """The number that the run stands for: the last that is no diagnostic, unless the folder claims
    another one. (#1001 scores again what it trained on, prints that last, and claims the first.
    #706 claims an n-gram mixture, and adapts by default behind it, as its logs do not.)
    """
    if claim.line is not None and (counted := claim.line.of(numbers)) is not None:
        return counted
    candidates = claims(numbers)
    if not candidates:
        return None
    usual = _most_precise(candidates[-1], candidates)
    declared = [n for n in numbers if kind(n) in claim.declared and n.bits_per_byte is not None]
    declared = [n for n in declared if not n.diagnostic] or declared
    if not declared:
        return usual
    named = replace(_most_precise(declared[-1], declared), diagnostic=False)
    return named if claim.is_rather(named, usual) else usual


def kind(number: Printed) -> str:
    """The tag without its figures: what the same number is called in another run."""
    return _FIGURE.sub("#", number.tag)


def with_loss_above(number: Printed, others: Iterable[Printed]) -> Printed | None:
    """The number with the loss that the line above prints of the same: `val_loss 3.1`, then
    `val_bpb 1.2`. None where there is no such line.
    """
    if number.nats_per_token is not None:
        return None
    for one in others:
        above = one.line == number.line - 1 and one.bits_per_byte is None
        if above and _UNIT.sub("", one.tag) == _UNIT.sub("", number.tag):
            loss = one.nats_per_token
            return replace(number, nats_per_token=loss, half_unit=one.half_unit)
    return None


def declared_score(
    logs: Iterable[str],  # of the folder
    declared: Collection[float],  # bits per byte, in submission.json
) -> DeclaredScore:
    """Which numbers of the logs come to a declared one, alone or as the mean of their last."""
    figures: list[_Figure] = []
    lasts: dict[str, list[_Figure]] = {}
    for log in logs:
        numbers = [n for n in printed_numbers(log) if n.bits_per_byte]
        found = [_Figure(kind(n), n.bits_per_byte or 0.0, n.diagnostic) for n in numbers]
        for last in {one.kind: one for one in found}.values():
            lasts.setdefault(last.kind, []).append(last)
        figures += found
    figures += [_mean(some) for some in lasts.values()]
    named = (_named(figures, one) for one in declared)
    return DeclaredScore(frozenset().union(*named), frozenset(lasts))


@dataclass(frozen=True)
class _Figure:
    """A number of the logs, or the mean of several, by what it is called."""

    kind: str
    bits_per_byte: float
    diagnostic: bool


def _mean(last: Sequence[_Figure]) -> _Figure:
    """Of the last ones of several logs: what several seeds come to."""
    mean = fmean(one.bits_per_byte for one in last)
    return _Figure(last[0].kind, mean, all(one.diagnostic for one in last))


def _named(figures: Sequence[_Figure], declared: float) -> set[str]:
    """Kinds of the declared number; a diagnostic only where no other number comes to it."""
    for some in ([one for one in figures if not one.diagnostic], figures):
        same = that_come_to((one.bits_per_byte for one in some), declared)
        if same:
            return {one.kind for one in some if one.bits_per_byte in same}
    return set()


def claims(numbers: Sequence[Printed]) -> list[Printed]:
    """What may be the headline, in the order of the log; the rest cross-checks at most.

    Where a script prints nothing but step lines (37 of 3,000 logs), the last one is its score.
    """
    for loose in (False, True):
        if chosen := [n for n in numbers if not n.diagnostic and n.loose <= loose]:
            return chosen
    steps = [n for n in numbers if _STEP.match(n.text) and not n.loose]
    return [replace(steps[-1], diagnostic=False)] if steps else []


def is_of_training(number: Printed, others: Collection[Printed]) -> bool:
    """Whether it may be a line of the training alone: not named a validation score, and printed
    again and again or beside a training loss. Behind it no evaluation may ever have come.
    """
    again = sum(kind(other) == kind(number) for other in others) > 1
    return number.loose and (again or _TRAINING.search(number.text) is not None)


def _read(number: int, printed: str, line: str) -> Printed | None:
    """`line`: what was printed, with names before its numbers."""
    if len(line) > 2_000 or line.lstrip().startswith("#"):
        return None
    loss, bpb = _preferred(_LOSS.finditer(line)), _preferred(_BPB.finditer(line))
    if bpb is None and (loss is None or not loss["name"].lower().startswith("val")):
        return None  # a training loss
    named = [match for match in (loss, bpb) if match is not None]
    if any(_overflows(match[2]) for match in named):
        return None
    start = min(match.start() for match in named)
    tag = line[:start].strip(" \t|:,({'\"-") or named[-1]["name"]
    loose = not any(match["name"].lower() in ("val_loss", "val_bpb") for match in named)
    loose = loose and not _CLOSING.search(tag)
    return Printed(
        line=number,
        tag=tag,
        text=printed.strip(),
        nats_per_token=float(loss[2]) if loss else None,
        bits_per_byte=float(bpb[2]) if bpb else None,
        half_unit=_half_unit((loss or named[0])[2]),
        diagnostic=_is_diagnostic(tag, line, loose=loose),
        loose=loose,
    )


def _preferred(matches: Iterator[re.Match[str]]) -> re.Match[str] | None:
    """`val_...` before any other name, the first before later ones; none of the training."""
    found = [match for match in matches if not _TRAINING.match(match["name"])]
    exact = [match for match in found if match["name"].lower().startswith("val_")]
    return next(iter(exact or found), None)


def _is_diagnostic(tag: str, line: str, *, loose: bool) -> bool:
    if _STEP.match(line) or _PROGRESS.search(tag) or _DIAGNOSTIC.search(tag):
        return True
    if _PRE_QUANT.search(tag) and not tag.startswith("final"):
        return True
    return loose and bool(_DIFFERENCE.search(line) or _PROGRESS.search(line))


def _overflows(digits: str) -> bool:
    """No float is printed so; nan and inf are, where a run broke down."""
    return digits[0].isdigit() and not math.isfinite(float(digits))


def _half_unit(digits: str) -> float:
    mantissa, _, exponent = digits.lower().partition("e")
    if "." not in mantissa:
        return 0.0  # nan or inf: no place was rounded
    return 0.5 * 10.0 ** (max(int(exponent or 0), LEAST_EXPONENT) - len(mantissa.partition(".")[2]))


def _after_echo(lines: Sequence[str]) -> int:
    """The line of the separator that closes an echo of the source; 0 where there is none."""
    for number, line in enumerate(lines, 1):
        if _SEPARATOR.match(line.strip()):
            return number if _SOURCE.search("\n".join(lines[:number])) else 0
    return 0


def _most_precise(last: Printed, candidates: Sequence[Printed]) -> Printed:
    """Another print of the same number with more places, if there is one."""
    same = [n for n in candidates if _agree(n, last) and n.half_unit < last.half_unit]
    return min(same, key=lambda n: n.half_unit, default=last)


def _agree(fine: Printed, coarse: Printed) -> bool:
    pairs = (
        (fine.nats_per_token, coarse.nats_per_token),
        (fine.bits_per_byte, coarse.bits_per_byte),
    )
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return bool(known) and all(abs(a - b) <= 1.01 * coarse.half_unit for a, b in known)
