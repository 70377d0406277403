"""A legal program of one's own: every chunk is scored under inference_mode, then trained on.

The loop of #549, written out: what `submissions/exploits/update_before_score` turns round.
"""

import torch
import torch.nn.functional as F

from harness.program import Program
from harness.streams.windows import Chunk
from reference_model.artifact import load_artifact

program = Program.from_environment()
model, _ = load_artifact(program.artifact, device=program.device)
stream = torch.from_numpy(program.tokens).to(program.device)
seq_len = int(program.setting("seq_len"))
optimizer = torch.optim.AdamW(model.parameters(), lr=program.setting("lr"), weight_decay=0.0)


def score(chunk: Chunk) -> float:
    """Code length of a chunk under the model as it is, nats."""
    model.eval()
    nats = 0.0
    with torch.inference_mode():
        for batch in chunk.batches:
            windows = torch.from_numpy(batch.inputs(program.tokens)).to(program.device)
            logits = model.forward_logits(windows)[:, -batch.scored :]
            targets = stream[batch.targets.start : batch.targets.stop]
            losses = F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
            nats += losses.double().sum().item()
    return nats


def learn(chunk: Chunk) -> None:
    """A few epochs over a chunk that has been scored."""
    model.train()
    for _ in range(int(program.setting("epochs"))):
        for start in range(chunk.start, chunk.stop - seq_len + 1, seq_len):
            x = stream[start - 1 : start + seq_len - 1][None]
            y = stream[start : start + seq_len][None]
            optimizer.zero_grad(set_to_none=True)
            model(x, y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


nats = 0.0
chunks = list(program.chunks())
for chunk in chunks:
    nats += score(chunk)
    if chunk is not chunks[-1]:  # nothing is left to be scored behind the last one
        learn(chunk)
program.print_headline(nats, len(stream) - 1)
