"""Source texts of evaluation programs for the tests: one tiny model, and loops legal and not."""

# A bigram model with 33 thousand weights, a score and a step; the loops below put them in order.
PRELUDE = """
import copy
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from harness.program import Program

program = Program.from_environment()
stream = torch.from_numpy(program.tokens)
n_targets = len(stream) - 1

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(1024, 16), nn.Linear(16, 1024)
    def forward(self, x):
        return self.out(self.emb(x))

model = Tiny()

def losses_of(batch, net):
    logits = net(torch.from_numpy(batch.inputs(program.tokens)))[:, -batch.scored :]
    targets = stream[batch.targets.start : batch.targets.stop]
    return F.cross_entropy(logits.flatten(0, 1), targets, reduction="none")

def score(chunk, net=model, quiet=torch.inference_mode):
    with quiet():
        return sum(losses_of(b, net).double().sum().item() for b in chunk.batches)

def learn(chunk, optimizer, net=model):
    for start in range(chunk.start, chunk.stop - 31, 32):
        x, y = stream[start - 1 : start + 31][None], stream[start : start + 32][None]
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x).flatten(0, 1), y.flatten()).backward()
        optimizer.step()

chunks, nats = list(program.chunks()), 0.0
"""

ADAMW = "optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)\n"

OPTIMIZERS = {  # AdamW alone is in the loops below
    "momentum": "optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)\n",
    "AdamW, foreach": ADAMW.replace("lr=0.03", "lr=0.03, foreach=True"),
    "AdamW, fused": ADAMW.replace("lr=0.03", "lr=0.03, fused=True"),
}

SCORE_FIRST = """
for chunk in chunks:
    nats += score(chunk)
    learn(chunk, optimizer)
"""

LEARN_FIRST = """
for chunk in chunks:
    learn(chunk, optimizer)
    nats += score(chunk)
"""

HEADLINE = "\nprogram.print_headline(nats, n_targets)\n"

LEGAL = {
    "score first under no_grad": ADAMW
    + SCORE_FIRST.replace("score(chunk)", "score(chunk, quiet=torch.no_grad)"),
    "scored with gradients on, then detached": ADAMW
    + """
for chunk in chunks:
    nats += sum(losses_of(b, model).detach().sum().item() for b in chunk.batches)
    learn(chunk, optimizer)
""",
    "a warm-up on validation tokens, restored by load_state_dict": ADAMW
    + """
fresh = copy.deepcopy(model.state_dict())
for chunk in chunks:
    learn(chunk, optimizer)
model.load_state_dict(fresh)
nats = sum(map(score, chunks))
""",
    "an adapter for each chunk, thrown away before the next": """
for chunk in chunks:
    nats += score(chunk)
    adapter = copy.deepcopy(model)
    learn(chunk, torch.optim.SGD(adapter.parameters(), lr=0.5), adapter)
""",
    "a copy that learned the last chunk scores this one": """
net = model
for chunk in chunks:
    nats += score(chunk, net)
    net = copy.deepcopy(model)
    learn(chunk, torch.optim.SGD(net.parameters(), lr=0.5), net)
""",
    "a second look at what was scored, as a diagnostic": ADAMW
    + SCORE_FIRST
    + """
program.print_headline(sum(map(score, chunks)), n_targets, tag="DIAGNOSTIC after adaptation")
""",
}

CHEATS = {
    "ORDER-1": ADAMW + LEARN_FIRST,
    "ORDER-2": ADAMW
    + """
for chunk in chunks:
    learn(chunk, optimizer)
nats = sum(map(score, chunks))
""",
    "PASS-1": ADAMW
    + """
first = 0.0
for chunk in chunks:
    first += score(chunk)
    learn(chunk, optimizer)
program.print_headline(first, n_targets, tag="DIAGNOSTIC first pass")
nats = sum(map(score, chunks))
""",
    "ORDER-7": """
for chunk in chunks:
    for batch in chunk.batches:
        targets = stream[batch.targets.start : batch.targets.stop]
        counts = F.one_hot(targets, 1024).sum(0)
        model.out.bias.data.add_(counts, alpha=1.0)
        with torch.inference_mode():
            nats += losses_of(batch, model).double().sum().item()
        model.out.bias.data.sub_(counts, alpha=1.0)
""",
}

# Ways to write a score as it is summed: the code length of `targets` under logits `rows`.
SPELLINGS = (
    'F.cross_entropy(rows, targets, reduction="sum").item()',
    "F.cross_entropy(rows, targets).item() * len(targets)",
    'F.nll_loss(rows.log_softmax(-1), targets, reduction="none").sum().item()',
    "-rows.log_softmax(-1).gather(1, targets[:, None]).sum().item()",
    "-rows.softmax(-1).gather(1, targets[:, None]).log().double().sum().item()",
)


def spelled(*expressions: str) -> str:
    """A fixed predictor that writes its score in these ways, batch by batch in turn."""
    ways = ", ".join(f"lambda rows, targets: {e}" for e in expressions)
    return f"""
ways = [{ways}]
with torch.inference_mode():
    for i, batch in enumerate(b for chunk in chunks for b in chunk.batches):
        rows = model(torch.from_numpy(batch.inputs(program.tokens)))[:, -batch.scored :]
        targets = stream[batch.targets.start : batch.targets.stop]
        nats += ways[i % len(ways)](rows.flatten(0, 1), targets)
"""
