"""How position maps flow through torch functions: which handler looks at which function.

One handler for each *kind* of function. Functions that are in no group end a map: what is lost is
*not rebuilt*, never wrong.
"""

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.torch import names
from harness.inside.hooks.torch.arithmetic import Arithmetic
from harness.inside.hooks.torch.assignment import Assignment
from harness.inside.hooks.torch.handler import Handler
from harness.inside.hooks.torch.indexing import Indexing
from harness.inside.hooks.torch.rearrangement import Rearrangement
from harness.inside.hooks.torch.scores import Scores

Kinds = list[tuple[tuple[str, ...], Handler]]


class TorchFlow:
    """The handlers, by the function's name."""

    def __init__(self, recorder: Recorder) -> None:
        scores = Scores(recorder)
        rearrangement, indexing = Rearrangement(recorder), Indexing(recorder, scores)
        arithmetic, assignment = Arithmetic(recorder, scores), Assignment(recorder)
        following: Kinds = [
            (names.REARRANGE, rearrangement.rearranged),
            (names.SAME, rearrangement.same),
            (names.FILL, rearrangement.filled),
            (names.ELEMENTWISE, arithmetic.elementwise),
            (names.IN_PLACE, arithmetic.in_place),
            (names.REDUCE, arithmetic.reduced),
            (names.SCATTERED, arithmetic.scattered),
            (names.ASSIGN, assignment.assigned),
            (names.READ, scores.read),
        ]
        mapping: Kinds = [
            (names.JOIN, rearrangement.rearranged),
            (names.MADE, rearrangement.made),
            (("__getitem__",), indexing.item),
            (names.GATHER, indexing.gathered),
            (("one_hot",), indexing.one_hot),
            (names.MATMUL, scores.product),
            (("log_softmax",), scores.log_softmax),
            (("cross_entropy", "nll_loss"), scores.cross_entropy),
        ]
        # Of no use where no argument itself has a map.
        self.followers = {name for group, _ in following for name in group}
        self.handlers: dict[str, Handler] = {
            name: handler for group, handler in following + mapping for name in group
        }
