"""A small contest of the family "function", as a user would write its file: own words, own code.

`judge.py` may not change; it packs documents into rows, hands the model each row with its targets
and reads the losses that come back. `train.py` is what people edit.
"""

from pathlib import Path

CONTEST = """
[contest]
name = "rows"
title = "Rows"
family = "function"

[files]
entry = "train.py"
editable = ["train.py"]
layout = ["train.py", "judge.py"]

[[files.frozen]]
path = "judge.py"

[score]
unit = "bits per byte"
function = "judge:bits_per_byte"
printed = 'val_bpb (\\S+)'

[rows]
rows = 8
batch = 2
length = 64
length_at = "judge.py:ROW"
steps = 4

[data]
kind = "parquet-text"
folder = "~/texts"
train = ["train_0.parquet", "train_1.parquet"]
validation = "val.parquet"

[tokenizer]
kind = "tiktoken-pickle"
file = "~/texts/tokenizer.pkl"
table = "~/texts/bytes.pt"
specials = ["<|open|>"]

[[sizes]]
where = "constant"
file = "judge.py"
name = "ROW"
role = "scoring"
value = "length"

[[sizes]]
where = "constant"
file = "judge.py"
name = "SCORED"
role = "scoring"
value = "rows * length"

[[sizes]]
where = "constant"
file = "train.py"
name = "ROWS_A_CALL"
role = "scoring"
value = "batch"

[[sizes]]
where = "constant"
file = "train.py"
name = "STEPS"
role = "schedule"
value = "steps"
"""

JUDGE = """
import math, os, pickle
import pyarrow.parquet as parquet
import torch

ROW = 512
SCORED = 1 << 20
HOME = os.path.expanduser("~/texts")

def tokenizer():
    with open(f"{HOME}/tokenizer.pkl", "rb") as file:
        return pickle.load(file)

def rows(count, *names):
    encoding = tokenizer()
    opens = encoding.encode_single_token("<|open|>")
    inputs = torch.empty((count, ROW), dtype=torch.long)
    targets = torch.empty((count, ROW), dtype=torch.long)
    while True:
        for name in names:
            texts = parquet.read_table(f"{HOME}/{name}").column("text").to_pylist()
            for first in range(0, len(texts) - count + 1, count):
                some = texts[first : first + count]
                packed = [[opens, *encoding.encode_ordinary(t)][: ROW + 1] for t in some]
                ids = torch.tensor(packed)
                inputs.copy_(ids[:, :-1])
                targets.copy_(ids[:, 1:])
                yield inputs, targets

@torch.no_grad()
def bits_per_byte(model, count):
    weights = torch.load(f"{HOME}/bytes.pt")
    nats = size = 0
    source = rows(count, "val.parquet")
    for _ in range(SCORED // (count * ROW)):
        x, y = next(source)
        losses = model(x, y, reduction="none").view(-1)
        n = weights[y.view(-1)]
        nats += (losses * (n > 0)).sum().item()
        size += n.sum().item()
    return nats / math.log(2) / size
"""

TRAIN = """
import torch
from torch import nn
from torch.nn import functional as F
import judge

ROWS_A_CALL = 32
STEPS = 2_000
torch.manual_seed(1)
vocabulary = judge.tokenizer().n_vocab

class Model(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.mix = nn.Linear(width, width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x, targets=None, reduction="mean"):
        h = self.embed(x)
        h = h + F.silu(self.mix(self.past(h)))
        logits = self.head(F.rms_norm(h, (h.size(-1),)))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)

    def past(self, h):
        places = torch.arange(1, h.size(1) + 1)[:, None]
        return h.cumsum(1) / places

model = Model()
optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
source = judge.rows(ROWS_A_CALL, "train_0.parquet", "train_1.parquet")
for step in range(STEPS):
    x, y = next(source)
    loss = model(x, y)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
model.eval()
print(f"val_bpb {judge.bits_per_byte(model, ROWS_A_CALL):.6f}")
"""

PAST = "return h.cumsum(1) / places"
# The same mean over whole chunks: a place knows up to fifteen of those behind it.
CHUNKS = (
    "return h.unflatten(1, (-1, 16)).mean(2, keepdim=True).expand(-1, -1, 16, -1).flatten(1, 2)"
)


def write(folder: Path, train: str = TRAIN) -> Path:
    """A folder of the contest; gives the contest's file beside it."""
    folder.mkdir()
    (folder / "train.py").write_text(train, encoding="utf-8")
    (folder / "judge.py").write_text(JUDGE, encoding="utf-8")
    file = folder.with_suffix(".toml")
    file.write_text(CONTEST, encoding="utf-8")
    return file
