"""A program to copy: every chunk is scored under inference_mode, and only then trained on.

Change `score` and `learn`; keep the order of the loop at the end, which is what makes it legal:
`submissions/exploits/update_before_score` is this file with the two lines turned round.
"""

import torch
import torch.nn.functional as F

from harness.program import Program
from harness.streams.windows import Chunk
from reference_model.artifact import load_artifact

program = Program.from_environment()  # the stream, the artifact, the seed: no training data
model, _ = load_artifact(program.artifact, device=program.device)  # your model goes here
stream = torch.from_numpy(program.tokens).to(program.device)  # (T,) int64
seq_len = int(program.setting("seq_len"))  # a key of `settings`; shrunk in short runs, so read it
optimizer = torch.optim.AdamW(model.parameters(), lr=program.setting("lr"), weight_decay=0.0)


def score(chunk: Chunk) -> float:
    """Code length of a chunk under the model as it is, nats."""
    model.eval()
    nats = 0.0
    with torch.inference_mode():
        for batch in chunk.batches:  # windows of one length; each scores its last tokens
            windows = torch.from_numpy(batch.inputs(program.tokens)).to(program.device)
            logits = model.forward_logits(windows)[:, -batch.scored :]
            targets = stream[batch.targets.start : batch.targets.stop]
            losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
            nats += losses.double().sum().item()  # every target once, in float64
    return nats


def learn(chunk: Chunk) -> None:
    """One pass over a chunk that has been scored."""
    model.train()
    for start in range(chunk.start, chunk.stop - seq_len + 1, seq_len):
        x = stream[start - 1 : start + seq_len - 1][None]
        y = stream[start : start + seq_len][None]
        optimizer.zero_grad(set_to_none=True)
        model(x, y).backward()
        optimizer.step()


nats = 0.0
chunks = list(program.chunks())
for chunk in chunks:
    nats += score(chunk)  # first the score ...
    if chunk is not chunks[-1]:
        learn(chunk)  # ... then the update; nothing is left to be scored behind the last chunk
program.print_headline(nats, len(stream) - 1)
