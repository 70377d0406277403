"""The capture on disk: Arrow streams of each rank, readable up to the last batch that was written,
however the process ended.

    OUT/rank0/events.arrow   one row an event, in the order in which they happened
    OUT/rank0/scores.arrow   one row a token of a `sum` event
    OUT/rank0/uses.arrow     one row a run of positions of a `backward` event
    OUT/rank0/rows.arrow     one row a distribution that a score was taken from, at chosen positions
    OUT/rank0/answers.arrow  one row a token that a score was re-queried with
    OUT/rank0/asked.arrow    one row a setting that the script asked for

Guarantees: what a row means stands in its columns. `text` is data that the script made (a line, a
path, an address) or explains to a person; nothing is read out of its wording.
"""

from enum import StrEnum

import pyarrow as pa


class EventKind(StrEnum):
    """What happened."""

    LOSS = "loss"  # per-token losses appeared: cross-entropy, or picked out of (log-)probabilities
    SUM = "sum"  # per-token scores were added up, averaged or read out: what enters a total
    KEPT = "kept"  # a line kept a total that had been added up before: its scores, once more
    BEST = "best"  # of several scores of each token the best was taken: these
    VALUE = "value"  # plain numbers that a line kept, placed by the tokens that were read for them
    BACKWARD = "backward"  # a gradient was taken of losses over `uses`
    GRADIENT = "gradient"  # a gradient was taken, of whatever: noted the first time
    GRADIENTS = "gradients"  # tokens: how many were taken in all, at the end of the run
    STEP = "step"  # an optimiser stepped; text: its class
    WRITE = "write"  # weights differ from the last fingerprint and no step was seen
    PRINT = "print"  # text: a line that holds a number
    LINE = "line"  # text: another line, with a number of many places
    READ = "read"  # text: the path of a file that was opened
    SAVE = "save"  # the same, for writing
    GIVEN = "given"  # text: a file of the script's own that got other bytes when it opened it
    FORWARD = "forward"  # the first of a model behind that; see `tokens`
    EXCHANGE = "exchange"  # ranks handed something to each other; text: the function
    CHILD = "child"  # text: how another process was started
    NETWORK = "network"  # text: the address of an attempt, or a name that was looked up
    SOCKET = "socket"  # the same, by the script's own call of a socket
    OUTSIDE = "outside"  # text: a path outside its folder that was to be written
    SIGNAL = "signal"  # text: the process, which is none of its own, and the signal
    PEEK = "peek"  # text: a path of /proc that tells of another process
    REPLACED = "replaced"  # text: a function of a library in whose place stands the script's own
    DISTORTED = "distorted"  # the same, where the script's own gives other numbers
    FROZEN = "frozen"  # text: what of a file that nobody may change is another one at the end
    UNHOOKED = "unhooked"  # text: a part of the recorder that was taken off
    ERROR = "error"  # text: how the capture itself failed, which is incomplete therefore


UPDATES = (EventKind.STEP, EventKind.WRITE)  # weights are others behind them

EVENTS = pa.schema(
    [
        ("event", pa.int64()),  # 0, 1, 2, ... in a rank
        ("at_s", pa.float64()),  # CLOCK_MONOTONIC: comparable between ranks of one machine
        ("kind", pa.string()),  # an `EventKind`
        ("site", pa.string()),  # "train_gpt.py:1144", innermost line of the submission's own files
        ("function", pa.string()),  # the function around it; explains, never decides
        ("inference_mode", pa.bool_()),
        ("grad_mode", pa.bool_()),
        ("weights", pa.uint64()),  # fingerprint of all parameters; 0 where it was not taken
        ("text", pa.string()),
        # of a `loss` or `backward`: positions of the stream; of an `exchange`: numbers; of
        # `gradients`: those; of a `given`: bytes that the file had; of a `forward`: bytes that the
        # model's weights compress to, where all of them are those that were there when the file was
        # written; else 0
        ("tokens", pa.int32()),
        ("loss", pa.int64()),  # of a `sum`: the event that its numbers come from; else -1
        ("softmax_width", pa.int32()),  # of a `sum` of cross-entropies: entries of their softmax; 0
        ("read_out", pa.bool_()),  # a `sum` of numbers that left torch or numpy there
        ("transient", pa.bool_()),  # a `step` of no Parameter: a delta or a bias to be thrown away
        ("silent", pa.int32()),  # of a `loss`: trainable tensors that are zero as a whole
    ]
)

SCORES = pa.schema(
    [
        ("event", pa.int64()),
        ("position", pa.int32()),  # in the validation stream, of the token that was predicted
        ("target", pa.int32()),
        ("nats", pa.float64()),
        ("weight", pa.float64()),  # what the score was multiplied by on its way into a sum, else 1
    ]
)

ROWS = pa.schema(
    [
        ("event", pa.int64()),  # the `loss` that fixed the score
        ("position", pa.int32()),  # in the validation stream, of the token that was predicted
        ("target", pa.int32()),  # the entry that was picked
        ("log_p", pa.list_(pa.float32())),  # nats, of every entry
    ]
)

ANSWERS = pa.schema(
    [
        ("position", pa.int32()),
        ("token", pa.int32()),  # that stood at the position instead
        ("nats", pa.float64()),  # its score
        ("before", pa.float64()),  # nats scored meanwhile of earlier positions
        ("used", pa.bool_()),  # a gradient was taken of the position before it was scored
        ("rows", pa.list_(pa.list_(pa.float64()))),  # that its score was read from; of the first
    ]
)

ASKED = pa.schema(
    [
        ("name", pa.string()),  # "MODEL_DIM", "--model-dim"
        ("way", pa.string()),  # an `asked.Way`
        ("default", pa.string()),  # as text; null: none was given
        ("site", pa.string()),
    ]
)

USES = pa.schema([("event", pa.int64()), ("start", pa.int32()), ("stop", pa.int32())])
