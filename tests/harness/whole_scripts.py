"""A record script of full size that takes a second: its own defaults are small, and nothing has to
be. Those of `CHEATS` break the rules that they are named by.
"""

SCRIPT = """
import glob, io, math, os, zlib
import numpy as np, torch, torch.nn.functional as F, sentencepiece as spm
import torch.distributed as dist
from torch import nn

data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
iterations = int(os.environ.get("ITERATIONS", 3))
seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 64))
eval_only = int(os.environ.get("EVAL_ONLY", 0))
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
CHUNK, ROWS = 2048, 8

def load(split):
    shards = []
    for path in sorted(glob.glob(f"{data_path}/fineweb_{split}_*.bin")):
        size = int(np.fromfile(path, "<i4", 256)[2])
        shards.append(np.fromfile(path, "<u2", size, offset=1024).astype(np.int64))
    return torch.from_numpy(np.concatenate(shards))

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(vocab_size, 16), nn.Linear(16, vocab_size)
    def forward(self, x):
        return self.out(self.emb(x))

def byte_table():
    sp = spm.SentencePieceProcessor(model_file=tokenizer_path)
    size, space = torch.zeros(vocab_size), torch.zeros(vocab_size)
    for i in range(vocab_size):
        if sp.is_control(i) or sp.is_unknown(i):
            continue
        piece = sp.id_to_piece(i)
        space[i] = piece.startswith("\\u2581")
        size[i] = 1 if sp.is_byte(i) else len(piece.removeprefix("\\u2581").encode())
    return size, space

def step(x, y):
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    if world > 1:
        for p in model.parameters():
            dist.all_reduce(p.grad)
    optimizer.step()

def rows(start, stop):
    stride = ROWS * seq_len
    for i in range(start + rank * stride, stop, stride * world):
        j = min(i + stride, stop)
        yield val[i:j].view(-1, seq_len), val[i + 1 : j + 1].view(-1, seq_len)

def learn(start, stop):
    for x, y in rows(start, stop):
        step(x, y)

if world > 1:
    dist.init_process_group("gloo")
torch.manual_seed(1)
val = load("val")
n = (len(val) - 1) // seq_len * seq_len
model = Tiny()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
if not eval_only:
    train = load("train")
    for i in range(iterations):
        rows_of = train[i * 512 : i * 512 + 513]
        step(rows_of[:-1].view(-1, seq_len), rows_of[1:].view(-1, seq_len))
    if rank == 0:
        buffer = io.BytesIO()
        torch.save(model.state_dict(), buffer)
        open("final_model.ptz", "wb").write(zlib.compress(buffer.getvalue()))
    if world > 1:
        dist.barrier()
saved = zlib.decompress(open("final_model.ptz", "rb").read())
model.load_state_dict(torch.load(io.BytesIO(saved)))
size, space = byte_table()
totals = torch.zeros(3, dtype=torch.float64)  # nats, tokens, bytes
# before the pass
for start in range(0, n, CHUNK):
    stop = min(start + CHUNK, n)
    # before the chunk
    with torch.inference_mode():
        for x, y in rows(start, stop):
            losses = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none")
            totals[0] += losses.double().sum()
            totals[1] += losses.numel()
            boundary = (x.flatten() < 4).float()
            totals[2] += (size[y.flatten()] + space[y.flatten()] * (1 - boundary)).double().sum()
    learn(start, stop)
if world > 1:
    dist.all_reduce(totals)
nats, tokens, n_bytes = totals.tolist()
if rank == 0:
    bits = nats / math.log(2) / n_bytes
    print(f"final_ttt_exact val_loss:{nats / tokens:.8f} val_bpb:{bits:.8f}")
"""

EARLY = ("    # before the chunk", "    learn(start, stop)")
AHEAD = ("# before the pass", "learn(0, n)")
MORE_BYTES = ("n_bytes = totals.tolist()", "n_bytes = totals.tolist(); n_bytes *= 1.01")
SUM = "            totals[0]"
LEFT_OUT = (SUM, f"            losses = losses.view(-1, 8)[:, :7].flatten()\n{SUM}")
CHEATS = {
    ("BYTES-5", "ORDER-1", "PASS-3"): SCRIPT.replace(*EARLY).replace(*LEFT_OUT),
    ("BYTES-1", "ORDER-2"): SCRIPT.replace(*AHEAD).replace(*MORE_BYTES),
}
DIES = "    print(f'chunk {start} bpb:1.0'); start < CHUNK or os.kill(os.getpid(), 9)\nif"
KILLED = SCRIPT.replace("    learn(start, stop)\nif", DIES)
