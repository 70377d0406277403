"""What a run of a battery is for; its display name, which is its folder's name too.

Guarantees: nobody builds or takes apart such a name but here.
"""

from dataclasses import dataclass
from enum import StrEnum


class RunKind(StrEnum):
    """The purpose of a run."""

    purpose: str  # what it is for, in words

    def __new__(cls, value: str, purpose: str) -> "RunKind":
        """The value is the display name alone."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.purpose = purpose
        return made

    TEXT = "text", "text of no known source, which gives a score and no proof"
    WHOLE = "whole", "the script as it was submitted, on the data that were given"
    BASE = "base", "a stream that mixes known sources by document"
    UNIFORM = "uniform", "uniform ids alone, where a theft has no waste to hide behind"
    UNEVEN = "unequal tokens", "rare ones among common ones, and drawn ends: what is left out?"
    REPEAT = "repeat", "the same again: are two runs bit-identical?"
    FUTURE = "changed future", "other tokens behind a cut: do scores before it move?"
    NOISY = "noisy base", "noise in the weights and more training: something to choose from"
    LIKELY = "likely future", "behind a cut the tokens that score best: was anything fitted?"
    UNLIKELY = "unlikely future", "behind a cut the tokens that score worst: was anything fitted?"
    BETWEEN = "future between", "a part of them, or others: is it more than a choice between two?"
    EXCHANGED = "exchanged tokens", "other tokens where none seems to count: does the number stay?"
    BAND = "band", "the same again where two runs were not bit-identical: five make a band"
    TRAINING = "training", "the validation stream given as the training shards"
    DUPLICATED = "duplicated chunks", "each chunk followed by its own copy: does it learn?"
    EARLY = "early change", "other tokens at the beginning: how far do updates carry?"
    RESAMPLED = "resampled prefixes", "the copies behind other beginnings of their documents"
    LOUD = (
        "louder weights",
        "noise in the weights: what passes on?",
    )
    LOUD_REPEAT = "louder weights, repeat", "the same again: are two runs bit-identical?"
    LOUD_FUTURE = "louder weights, changed future", "the same with other tokens behind the cut"
    LENGTH = "real length", "rows as long as the contest scores them, with noise in the weights"
    LENGTH_REPEAT = "real length, repeat", "the same again: are two runs bit-identical?"
    LENGTH_FUTURE = "real length, changed future", "the same with other tokens behind the cut"
    NOISE_BEHIND = "noise behind a number", "a number that is printed again: was it remembered?"
    OTHER_ARTIFACT = "another artifact", "opens what another run wrote: does its number come of it?"
    FOREIGN = "another validation stream", "with which it writes an artifact"
    FOREIGN_ARTIFACT = "that stream's artifact", "opens it: was what scores too well in its own?"
    TURNED = "turned shards", "training tokens in reverse order behind the artifact: do they count?"
    RATES = "higher rates", "higher learning rates of adaptation"
    RATES_EARLY = "higher rates, early change", "the same: how far do updates carry then?"
    RATES_FUTURE = "higher rates, changed future", "the same with other tokens behind the cut"
    RATES_REPEAT = "higher rates, repeat", "the same again: are two runs bit-identical?"
    RAW_TEXT = "raw text", "text whose bytes are known: does the tokenizer spell out more?"
    RANKS = "two ranks", "the same in two processes: what do they tell each other?"
    RANKS_REPEAT = "two ranks, repeat", "the same again: are two runs bit-identical?"
    RANKS_FUTURE = "two ranks, changed future", "other tokens where no rank has scored yet"
    MULTI_BYTE = "multi-byte tokens", "a stream of long words"
    SINGLE_BYTE = "single-byte tokens", "a stream of letters"
    TWO_TOKENS = "two tokens", "a stream of two tokens"
    SWAPPED = "two tokens, one swapped", "the same with the other token at one position"
    REQUERY = "re-query", "scores asked for again, for other tokens"
    CONFIRMATION = "confirmation", "the whole script for one answer of a re-query"


@dataclass(frozen=True)
class RunName:
    """One run of a battery."""

    kind: RunKind
    number: int = 0  # where several are of one kind, from 1; 0: the only one

    def __str__(self) -> str:
        if not self.number:
            return str(self.kind)
        return f"{self.kind}{', attempt' if self.kind is RunKind.BASE else ''} {self.number}"

    @staticmethod
    def attempt(number: int) -> "RunName":
        """The base run in the first, second, ... configuration that is tried."""
        return RunName(RunKind.BASE, number if number > 1 else 0)


TEXT = RunName(RunKind.TEXT)
WHOLE = RunName(RunKind.WHOLE)
BASE = RunName(RunKind.BASE)
FIRST_REQUERY = RunName(RunKind.REQUERY, 1)
