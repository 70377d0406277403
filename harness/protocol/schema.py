"""The capture on disk: three Arrow streams a rank, readable up to the last batch that was written,
however the process ended.

    OUT/rank0/events.arrow   one row an event, in the order in which they happened
    OUT/rank0/scores.arrow   one row a token of a `loss` or `sum` event
    OUT/rank0/uses.arrow     one row a run of positions of a `backward` event
    OUT/rank0/answers.arrow  one row a token that a score was asked again for (`asking`)

Kinds of events: `loss` (per-token losses appeared: cross-entropy, gathered log-probabilities, or
the logarithm of gathered probabilities), `sum` (per-token scores were added up, averaged or read
out: what enters a total), `backward` (a gradient was taken of losses over `uses`), `step` (an
optimiser stepped), `write` (weights differ from the last fingerprint and no step was seen),
`print` (a line that holds a number), `read` and `save` (a file was opened), `network` (an
attempt).
"""

import pyarrow as pa

LEAVES = " of tensors that are no Parameter"  # a delta or a bias that is thrown away

EVENTS = pa.schema(
    [
        ("event", pa.int64()),  # 0, 1, 2, ... in a rank
        ("at_s", pa.float64()),  # CLOCK_MONOTONIC: comparable between ranks of one machine
        ("kind", pa.string()),
        ("site", pa.string()),  # "train_gpt.py:1144", innermost line of the submission's own files
        ("function", pa.string()),  # the function around it; explains, never decides
        ("inference_mode", pa.bool_()),
        ("grad_mode", pa.bool_()),
        ("weights", pa.uint64()),  # fingerprint of all parameters; 0 where it was not taken
        ("text", pa.string()),  # the printed line, the path, the address
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

ANSWERS = pa.schema(
    [
        ("position", pa.int32()),
        ("token", pa.int32()),  # that stood at the position instead
        ("nats", pa.float64()),  # what was counted for it
        ("before", pa.float64()),  # nats counted meanwhile of earlier positions
        ("used", pa.bool_()),  # a gradient was taken of the position before it was counted
    ]
)

USES = pa.schema([("event", pa.int64()), ("start", pa.int32()), ("stop", pa.int32())])
