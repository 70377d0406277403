"""Labels: the facts that a static reading carries along with a value.

Guarantees: a label is plain and immutable; its id, where it has a meaning, indexes a list of the
trace.
Does not cover: what gives a value its labels; that is for `effects` and `interpreter`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple


class Label(NamedTuple):
    """One fact about where a value comes from; `id` indexes the trace."""

    kind: str
    id: int


STREAM: Final = "stream"  # the validation stream, or a path that leads to it
PATHS: Final = "paths"  # files that a pattern found, and nothing that they hold
TRAIN: Final = "train"  # the training shards, or a path that leads to them
CLOCK: Final = "clock"  # a time of day or a duration
TOKENS: Final = "tokens"  # a piece of the stream; id = TokenRead
OUTPUT: Final = "output"  # what a model returned; id = the call
ADAPTED: Final = "adapted"  # weights that an update changed; id = Update
ACCUMULATED: Final = "accumulated"  # id = Accumulation
COUNT: Final = "count"  # read from a table; id = TableRead
RATIO: Final = "ratio"  # a quotient of two counts; id = Quotient
CHOICE: Final = "choice"  # the smaller of two losses; id = Choice
REGION: Final = "region"  # restricted to some positions; id = interned slice text
TALLY: Final = "tally"  # how often each key occurs (bincount)
LOOP: Final = "loop"  # the variable of a loop; id = the loop
AHEAD: Final = "ahead"  # what a loop's variable will be in the next round; id = the loop
BEHIND: Final = "behind"  # less than the variable: perhaps an earlier round; id = the loop
LAST_ROUND: Final = "last_round"  # true in the last of several rounds; id = the loop
BYTES: Final = "bytes"  # a byte string, or made of one
GATED: Final = "gated"  # hangs on a property of the very token it is stored for; id = Gate
PIECE: Final = "piece"  # the text of a vocabulary entry, or its bytes
STRIPPED: Final = "stripped"  # a piece without its word mark
SPACED: Final = "spaced"  # a piece whose word mark became a space
PIECE_LENGTH: Final = "piece_length"  # bytes of a piece; id says what is counted
PIECE_FLAG: Final = "piece_flag"  # whether a piece begins with the word mark
FILE: Final = "file"  # read from a file that came with the script
GIVEN: Final = "given"  # a token compared with a file's content; id = Given
REALISED: Final = "realised"  # the loss or probability of the very token; id as in OUTPUT
SELF_WEIGHTED: Final = "self_weighted"  # weighted by what it is itself; id = Weighting
PATCHED: Final = "patched"  # a realised loss that was bounded or replaced; id = Patch
HIT: Final = "hit"  # whether a hint came true; id = Hit
TILTED: Final = "tilted"  # a loss that was lowered where a hint came true; id = Tilt
NORMALISER: Final = "normaliser"  # the logarithm of a sum over the alphabet
SIDECAR: Final = "sidecar"  # read from a file of byte counts, or a path that leads to it
STATISTIC: Final = "statistic"  # made of many tokens, or kept by their losses; id = Statistic
GRADIENT: Final = "gradient"  # of a loss, by hand; id indexes the reading's gradients
KEPT: Final = "kept"  # weights that were kept by their losses; id = Statistic
SHARED: Final = "shared"  # sent to the other ranks; id = Exchange
FITTED: Final = "fitted"  # a loss or probability that a Statistic shaped; id as there
SIFT: Final = "sift"  # hangs on how large realised losses are, or on their order; id as in OUTPUT
RANKED: Final = "ranked"  # realised losses, or their places, in order of size
DROPPED: Final = "dropped"  # of some tokens only, by their own losses; id = Sift
PERIOD: Final = "period"  # a loop's variable, modulo a small number; id = the loop
CHANCE: Final = "chance"  # drawn at random
ROUND: Final = "round"  # from a piece of a list that a loop's variable cut; id = the loop
MIXED: Final = "mixed"  # logits with something made of tokens in them; id = Mixing
FORESEEN: Final = "foreseen"  # a score whose logits knew the target; id = Foresight
AIMED: Final = "aimed"  # the loss or probability of these tokens; id = TokenRead
INFLATED: Final = "inflated"  # bytes that are counted for more than they are; id = Change
INVERSE: Final = "inverse"  # one over a count, or minus its logarithm; id = TableRead
BITS: Final = "bits"  # a loss that met ln 2, or a logarithm to base two
PER_BIT: Final = "per_bit"  # a number, times ln 2
SHARED_OUT: Final = "shared_out"  # a token's price over the number of its bytes; id = Change
SPREAD: Final = "spread"  # that, as a probability; id = Change
LOGGED: Final = "logged"  # the logarithm of a count; id = TableRead
SIDED: Final = "sided"  # a probability times something made of its own token; id = Mixing
ALPHABET: Final = "alphabet"  # whole numbers from zero on: all candidates, or places
BY_TOKEN: Final = "by_token"  # losses that the token itself leaves out; id = Change
ONE_HOT: Final = "one_hot"  # one at each token, zero elsewhere; id = TokenRead
ROUNDS: Final = "rounds"  # whether a loop has gone so many rounds; id = the loop
PART: Final = "part"  # a part of what there was; id = Part
SIZE: Final = "size"  # how many there are, of a list or of the stream
SHARE: Final = "share"  # a part of such a number; id = Part
LIMITED: Final = "limited"  # no more than such a part; id = Part
HASHED: Final = "hashed"  # went through a modulus or a bit mask after mixing

NOTHING: Final[frozenset[Label]] = frozenset()


def kinds(labels: Iterable[Label]) -> set[str]:
    return {label.kind for label in labels}


def ids(labels: Iterable[Label], kind: str) -> frozenset[int]:
    return frozenset(label.id for label in labels if label.kind == kind)
