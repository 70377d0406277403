"""Small record folders in the contest's idiom: legal ones, their illegal twins, unrunnable ones.

One head (configuration, shards, byte tables, a model of some twenty thousand parameters, a short
training) and one evaluation each; twins differ from the legal script by the lines that break the
rule. Nothing here knows the harness.
"""

from dataclasses import dataclass
from pathlib import Path

HEAD = '''\
import glob
import math
import os
import random
import time
import zlib
from pathlib import Path

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    train_files = os.path.join(data_path, "fineweb_train_*.bin")
    val_files = os.path.join(data_path, "fineweb_val_*.bin")
    tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
    run_id = os.environ.get("RUN_ID", "run")
    seed = int(os.environ.get("SEED", 1337))
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 1024))
    eval_stride = int(os.environ.get("EVAL_STRIDE", 64))
    model_dim = int(os.environ.get("MODEL_DIM", 16))
    num_heads = int(os.environ.get("NUM_HEADS", 2))
    learning_rate = float(os.environ.get("MATRIX_LR", 0.02))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ttt_lr = float(os.environ.get("TTT_LR", 0.02))
    ttt_epochs = int(os.environ.get("TTT_EPOCHS", 2))
    ttt_chunk_tokens = int(os.environ.get("TTT_CHUNK_TOKENS", 32768))
    slot_steps = int(os.environ.get("SLOT_STEPS", 8))
    ngram_buckets = int(os.environ.get("NGRAM_BUCKETS", 4194304))
    ngram_order = int(os.environ.get("NGRAM_ORDER", 3))


def load_data_shard(file: Path) -> Tensor:
    header = np.fromfile(file, dtype="<i4", count=256)
    if header.size != 256 or int(header[0]) != 20240520 or int(header[1]) != 1:
        raise ValueError(f"Unexpected shard header for {file}")
    tokens = np.fromfile(file, dtype="<u2", count=int(header[2]), offset=256 * 4)
    return torch.from_numpy(tokens.astype(np.uint16, copy=False))


def load_tokens(pattern: str) -> Tensor:
    files = [Path(p) for p in sorted(glob.glob(pattern))]
    if not files:
        raise FileNotFoundError(f"No files found for pattern: {pattern}")
    return torch.cat([load_data_shard(file) for file in files]).contiguous()


def build_sentencepiece_luts(sp, vocab_size, device):
    base_bytes_np = np.zeros((vocab_size,), dtype=np.int16)
    has_leading_space_np = np.zeros((vocab_size,), dtype=np.bool_)
    is_boundary_token_np = np.ones((vocab_size,), dtype=np.bool_)
    for token_id in range(int(sp.vocab_size())):
        if sp.is_control(token_id) or sp.is_unknown(token_id) or sp.is_unused(token_id):
            continue
        is_boundary_token_np[token_id] = False
        if sp.is_byte(token_id):
            base_bytes_np[token_id] = 1
            continue
        piece = sp.id_to_piece(token_id)
        if piece.startswith("\\u2581"):
            has_leading_space_np[token_id] = True
            piece = piece[1:]
        base_bytes_np[token_id] = len(piece.encode("utf-8"))
    return (
        torch.tensor(base_bytes_np, dtype=torch.int16, device=device),
        torch.tensor(has_leading_space_np, dtype=torch.bool, device=device),
        torch.tensor(is_boundary_token_np, dtype=torch.bool, device=device),
    )


class Block(nn.Module):
    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.c_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.fc = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(2 * dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        bsz, seqlen, dim = x.shape
        q, k, v = self.c_qkv(F.rms_norm(x, (dim,))).chunk(3, dim=-1)
        q, k, v = (
            t.reshape(bsz, seqlen, self.num_heads, dim // self.num_heads).transpose(1, 2)
            for t in (q, k, v)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(bsz, seqlen, dim))
        return x + self.out(F.relu(self.fc(F.rms_norm(x, (dim,)))).square())


class GPT(nn.Module):
    def __init__(self, args: Hyperparameters):
        super().__init__()
        self.tok_emb = nn.Embedding(args.vocab_size, args.model_dim)
        nn.init.normal_(self.tok_emb.weight, std=0.02)
        self.block = Block(args.model_dim, args.num_heads)

    def forward_hidden(self, input_ids: Tensor) -> Tensor:
        return F.rms_norm(self.block(self.tok_emb(input_ids)), (self.tok_emb.weight.size(1),))

    def forward_logits(self, input_ids: Tensor, delta: Tensor | float = 0.0) -> Tensor:
        logits = F.linear(self.forward_hidden(input_ids) + delta, self.tok_emb.weight)
        return 30.0 * torch.tanh(logits / 30.0)

    def forward(self, input_ids: Tensor, target_ids: Tensor) -> Tensor:
        logits = self.forward_logits(input_ids).float()
        return F.cross_entropy(logits.reshape(-1, logits.size(-1)), target_ids.reshape(-1))


def log0(msg: str, console: bool = True) -> None:
    if console:
        print(msg)


def windows_of(args, total):
    """(start, end, first scored offset) of each sliding window."""
    seq, stride = args.train_seq_len, args.eval_stride
    found = []
    for ws in range(0, total, stride):
        if ws == 0 or ws + seq - stride < total:
            found.append((ws, min(ws + seq, total), 0 if ws == 0 else seq - stride))
    return found


def count_bytes(luts, prev_ids, tgt_ids):
    base_bytes_lut, has_leading_space_lut, is_boundary_token_lut = luts
    token_bytes = base_bytes_lut[tgt_ids].to(torch.float64)
    token_bytes += (has_leading_space_lut[tgt_ids] & ~is_boundary_token_lut[prev_ids]).to(
        torch.float64
    )
    return token_bytes.sum()


def bits_per_byte(val_loss: float, tokens: float, n_bytes: float) -> float:
    return val_loss / math.log(2.0) * tokens / n_bytes
'''

SLIDING = """

def eval_val_sliding(args, model, device, val_tokens, luts):
    model.eval()
    loss_sum = torch.zeros((), device=device, dtype=torch.float64)
    token_count = torch.zeros((), device=device, dtype=torch.float64)
    byte_count = torch.zeros((), device=device, dtype=torch.float64)
    with torch.inference_mode():
        for ws, end, s in windows_of(args, val_tokens.numel() - 1):
            chunk = val_tokens[ws : end + 1].to(dtype=torch.int64, device=device)
            x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
            logits = model.forward_logits(x)
            nll = F.cross_entropy(logits[0].float(), y[0], reduction="none")
            loss_sum += nll[s:].to(torch.float64).sum()
            token_count += float(nll[s:].numel())
            byte_count += count_bytes(luts, x[0, s:], y[0, s:])
    val_loss = (loss_sum / token_count).item()
    model.train()
    return val_loss, bits_per_byte(val_loss, token_count.item(), byte_count.item())
"""

TTT = '''

def adapt(args, model, device, tokens):
    """Plain SGD on tokens that the caller chose."""
    optimizer = torch.optim.SGD(model.parameters(), lr=args.ttt_lr, momentum=0.9)
    seq = args.train_seq_len
    for _ in range(args.ttt_epochs):
        for start in range(0, tokens.numel() - 1, 2 * seq):
            chunk = tokens[start : start + 2 * seq + 1].to(dtype=torch.int64, device=device)
            n = (chunk.numel() - 1) // seq * seq
            if n == 0:
                continue
            x, y = chunk[:n].reshape(-1, seq), chunk[1 : n + 1].reshape(-1, seq)
            optimizer.zero_grad(set_to_none=True)
            model(x, y).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def eval_val_ttt(args, model, device, val_tokens, luts):
    """Score a chunk with every window that ends in it, then train on it."""
    loss_sum = torch.zeros((), device=device, dtype=torch.float64)
    token_count = torch.zeros((), device=device, dtype=torch.float64)
    byte_count = torch.zeros((), device=device, dtype=torch.float64)
    total, size = val_tokens.numel() - 1, args.ttt_chunk_tokens
    windows = windows_of(args, total)
    for ci in range((total + size - 1) // size):
        model.eval()
        with torch.no_grad():
            for ws, end, s in windows:
                if (ws + s) // size != ci:
                    continue
                chunk = val_tokens[ws : end + 1].to(dtype=torch.int64, device=device)
                x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
                logits = model.forward_logits(x)
                nll = F.cross_entropy(logits[0].float(), y[0], reduction="none")
                loss_sum += nll[s:].to(torch.float64).sum()
                token_count += float(nll[s:].numel())
                byte_count += count_bytes(luts, x[0, s:], y[0, s:])
        model.train()
        last = min((ci + 1) * size, total)
        if last < total:
            adapt(args, model, device, val_tokens[ci * size : last - args.eval_stride + 1])
    val_loss = (loss_sum / token_count).item()
    return val_loss, bits_per_byte(val_loss, token_count.item(), byte_count.item())
'''

SLOT = '''

def eval_val_slot(args, model, device, val_tokens, luts):
    """A throw-away shift of the hidden state for each window."""
    model.eval()
    loss_sum = torch.zeros((), device=device, dtype=torch.float64)
    token_count = torch.zeros((), device=device, dtype=torch.float64)
    byte_count = torch.zeros((), device=device, dtype=torch.float64)
    for ws, end, s in windows_of(args, val_tokens.numel() - 1):
        chunk = val_tokens[ws : end + 1].to(dtype=torch.int64, device=device)
        x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
        delta = torch.zeros(1, 1, args.model_dim, device=device, requires_grad=True)
        optimizer = torch.optim.AdamW([delta], lr=0.5)
        for _ in range(args.slot_steps):
            optimizer.zero_grad()
            logits = model.forward_logits(x, delta)
            loss = F.cross_entropy(logits[0, s:].float(), y[0, s:])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = model.forward_logits(x, delta.detach())
            nll = F.cross_entropy(logits[0].float(), y[0], reduction="none")
        loss_sum += nll[s:].to(torch.float64).sum()
        token_count += float(nll[s:].numel())
        byte_count += count_bytes(luts, x[0, s:], y[0, s:])
    val_loss = (loss_sum / token_count).item()
    return val_loss, bits_per_byte(val_loss, token_count.item(), byte_count.item())
'''

BEST = '''

def score_all(args, model, device, val_tokens):
    """Nats of every token."""
    model.eval()
    found = torch.zeros(val_tokens.numel() - 1, dtype=torch.float64, device=device)
    with torch.inference_mode():
        for ws, end, s in windows_of(args, val_tokens.numel() - 1):
            chunk = val_tokens[ws : end + 1].to(dtype=torch.int64, device=device)
            x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
            logits = model.forward_logits(x)
            nll = F.cross_entropy(logits[0].float(), y[0], reduction="none")
            found[ws + s : end] = nll[s:].to(torch.float64)
    return found


def average(val_tokens, nll, luts):
    tokens = val_tokens.to(torch.int64)
    val_loss = nll.mean().item()
    n_bytes = count_bytes(luts, tokens[:-1], tokens[1:]).item()
    return val_loss, bits_per_byte(val_loss, nll.numel(), n_bytes)
'''

# Mixes tables into the model's probabilities: `# MIX` makes `mixed`, the probability of each
# target; `# FILL` adds the scored targets to the tables.
NGRAM = '''

class Counts:
    """Exact counts of what followed each context."""

    def __init__(self, order):
        self.order = order
        self.seen = {}

    def context(self, tokens, t):
        return tuple(tokens[max(0, t - self.order + 1) : t])

    def add(self, tokens, t):
        row = self.seen.setdefault(self.context(tokens, t), {})
        row[int(tokens[t])] = row.get(int(tokens[t]), 0) + 1

    def look_up(self, tokens, places):
        """How often the target followed its context, and how often anything did."""
        rows = [self.seen.get(self.context(tokens, t), {}) for t in places]
        hits = [row.get(int(tokens[t]), 0) for row, t in zip(rows, places)]
        return np.array(hits, np.float64), np.array([sum(r.values()) for r in rows], np.float64)


class HashedCounts:
    """Two tables of hashed counts."""

    PRIMES = np.array([36313, 27191, 51647, 81929], dtype=np.int64)

    def __init__(self, buckets, order):
        self.buckets = buckets
        self.order = order
        self.ctx_table = np.zeros(buckets, dtype=np.uint32)
        self.full_table = np.zeros(buckets, dtype=np.uint32)

    def keys(self, tokens, positions):
        ctx = np.zeros(len(positions), dtype=np.int64)
        for back in range(1, self.order):
            ctx ^= tokens[np.maximum(positions - back, 0)].astype(np.int64) * self.PRIMES[back - 1]
        full = ctx ^ (tokens[positions].astype(np.int64) * self.PRIMES[-1])
        return ctx % self.buckets, full % self.buckets

    def mixed(self, tokens, positions, p_model):
        ctx, full = self.keys(tokens, positions)
        n = self.ctx_table[ctx].astype(np.float64)
        both = np.minimum(self.full_table[full], n)
        known = n >= 2
        p_ngram = both / np.maximum(n, 1.0)
        return np.where(known, 0.6 * p_model + 0.4 * p_ngram, p_model)

    def add(self, tokens, positions):
        ctx, full = self.keys(tokens, positions)
        np.add.at(self.ctx_table, ctx, 1)
        np.add.at(self.full_table, full, 1)


def eval_val_ngram(args, model, device, val_tokens, luts):
    model.eval()
    loss_sum, token_count, byte_count = 0.0, 0.0, 0.0
    val_np = val_tokens.numpy().astype(np.int64)
    # TABLES
    with torch.inference_mode():
        for ws, end, s in windows_of(args, val_tokens.numel() - 1):
            chunk = val_tokens[ws : end + 1].to(dtype=torch.int64, device=device)
            x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
            logits = model.forward_logits(x)
            nll = F.cross_entropy(logits[0].float(), y[0], reduction="none")
            seg_nll = nll[s:].to(torch.float64).cpu().numpy()
            seg_p = np.exp(-seg_nll)
            places = np.arange(ws + s + 1, end + 1)
            # MIX
            seg_nll = -np.log(np.clip(mixed, 1e-12, 1.0))
            # FILL
            loss_sum += float(seg_nll.sum())
            token_count += float(len(seg_nll))
            byte_count += count_bytes(luts, x[0, s:], y[0, s:]).item()
    val_loss = loss_sum / token_count
    return val_loss, bits_per_byte(val_loss, token_count, byte_count)
'''

# Mixes a model of bytes in, out of sight, as a program in another language would: `# WEIGH` makes
# `p`, the probability of the token.
PPM = '''

class ByteModel:
    """Counts of what followed the last bytes, each order falling back on the next shorter."""

    def __init__(self, order=5):
        self.order, self.past, self.rows = order, b"", {}

    def look_up(self, byte):
        """The probability of a byte, and how sure the longest context is of its favourite."""
        p, sure = 1 / 256, 0.0
        for n in range(self.order + 1):
            row = self.rows.get(self.past[len(self.past) - n :] if n else b"")
            if row:
                total = sum(row.values())
                p, sure = (row.get(byte, 0) + p) / (total + 1), max(row.values()) / (total + 1)
        return p, sure

    def add(self, byte):
        for n in range(min(self.order, len(self.past)) + 1):
            row = self.rows.setdefault(self.past[len(self.past) - n :] if n else b"", {})
            row[byte] = row.get(byte, 0) + 1
        self.past = (self.past + bytes([byte]))[-self.order :]


def eval_val_bytes(args, model, device, val_tokens, luts, sp):
    nats = json.loads(json.dumps(score_all(args, model, device, val_tokens).tolist()))
    ids, seen, total, n_bytes = val_tokens.tolist(), ByteModel(), 0.0, 0
    for token, nll in zip(ids[1:], nats):
        piece = sp.id_to_piece(token).replace("\\u2581", " ")
        text = bytes([int(piece[3:5], 16)]) if sp.is_byte(token) else piece.encode("utf-8")
        if sp.is_control(token) or sp.is_unknown(token):
            text = b""
        looked = []
        for byte in text:
            looked.append(seen.look_up(byte))
            seen.add(byte)
        # WEIGH
        total -= math.log(p)
        n_bytes += len(text)
    return total / len(nats), total / math.log(2.0) / n_bytes
'''

TAIL = """

def main() -> None:
    args = Hyperparameters()
    if not torch.cuda.is_available():
        raise RuntimeError("CUDA is required")
    device = torch.device("cuda")
    torch.cuda.set_device(device)
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.cuda.manual_seed_all(args.seed)
    sp = spm.SentencePieceProcessor(model_file=args.tokenizer_path)
    if int(sp.vocab_size()) != args.vocab_size:
        raise ValueError(f"VOCAB_SIZE={args.vocab_size} does not match the tokenizer")
    luts = build_sentencepiece_luts(sp, args.vocab_size, device)
    train_tokens = load_tokens(args.train_files)
    val_tokens = load_tokens(args.val_files)
    log0(f"val_loader:shards tokens:{val_tokens.numel() - 1}")
    model = GPT(args).to(device)
    log0(f"model_params:{sum(p.numel() for p in model.parameters())}")
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    t0 = time.perf_counter()
    for step in range(args.iterations):
        span = 8 * args.train_seq_len
        start = step * span % (train_tokens.numel() - span - 1)
        local = train_tokens[start : start + span + 1].to(dtype=torch.int64, device=device)
        x, y = (t.reshape(-1, args.train_seq_len) for t in (local[:-1], local[1:]))
        optimizer.zero_grad(set_to_none=True)
        loss = model(x, y)
        loss.backward()
        optimizer.step()
        log0(f"step:{step + 1}/{args.iterations} train_loss:{loss.item():.4f}")
    torch.cuda.synchronize()
    code = Path(__file__).read_text()
    log0(f"Code size: {len(zlib.compress(code.encode('utf-8')))} bytes")
    # EVALUATION
    log0(f"eval_time:{1000 * (time.perf_counter() - t0):.0f}ms")


if __name__ == "__main__":
    main()
"""

PRINT = (
    'log0(f"{tag} val_loss:{val_loss:.4f} val_bpb:{val_bpb:.4f}")\n'
    '    log0(f"{tag}_exact val_loss:{val_loss:.8f} val_bpb:{val_bpb:.8f}")'
)


@dataclass(frozen=True)
class Case:
    """One record folder."""

    script: str
    environment: str = ""  # what the README's command sets before it

    @property
    def readme(self) -> str:
        """A record's README, with its run command."""
        command = f"{self.environment} torchrun --standalone --nproc_per_node=8 train_gpt.py"
        return f"# Record\n\nA submission.\n\n## Run\n\n```bash\n{command.strip()}\n```\n"

    def write(self, folder: Path) -> Path:
        """The folder, as a pull request would add it."""
        folder.mkdir(parents=True)
        (folder / "train_gpt.py").write_text(self.script, encoding="utf-8")
        (folder / "README.md").write_text(self.readme, encoding="utf-8")
        return folder


def script(evaluation: str, *parts: str, head: str = HEAD) -> str:
    """A whole train_gpt.py; `evaluation`: the lines of main that score."""
    lines = evaluation.strip("\n").replace("\n", "\n    ")
    return head + "".join(parts) + TAIL.replace("# EVALUATION", lines)


def scored_by(call: str, tag: str = "final_int8_zlib_roundtrip") -> str:
    """A call that gives the pair, then the two lines that the contest prints."""
    return f'val_loss, val_bpb = {call}\ntag = "{tag}"\n' + PRINT.replace("\n    ", "\n")


def ngram(tables: str, mix: str, fill: str) -> str:
    """The mixing evaluation with its three places filled."""
    text = NGRAM
    for place, lines, depth in (("# TABLES", tables, 1), ("# MIX", mix, 3), ("# FILL", fill, 3)):
        text = text.replace(place, lines.strip("\n").replace("\n", "\n" + depth * "    "))
    return text


def changed(text: str, old: str, new: str) -> str:
    """One line of a legal script, changed; a twin must differ."""
    assert text.count(old) == 1, f"{text.count(old)} times: {old}"
    return text.replace(old, new)


def byte_mixture(weigh: str, tag: str = "final_ppm_mix", then: str = "") -> Case:
    """The record that weighs a model of bytes in; `then`: what it scores after that."""
    text = PPM.replace("# WEIGH", weigh.replace("\n", "\n        "))
    scored = scored_by(f"eval_val_bytes({ALL}, sp)", tag) + then
    whole = script(scored, BEST, SLIDING, text)
    return Case(changed(whole, "import glob\n", "import glob\nimport json\n"))


ALL = "args, model, device, val_tokens, luts"
SLIDE = scored_by(f"eval_val_sliding({ALL})", "final_int8_zlib_sliding_window")
# (count + p) / (total + 1) sums to one over the alphabet, whatever the target.
EXACT_MIX = "hits, total = counts.look_up(val_np, places)\nmixed = (hits + seg_p) / (total + 1.0)"
SPACE_TWICE = "            piece = piece[1:]\n", ""
EXACT_FILL = "for t in places:\n    counts.add(val_np, t)"
COUNTS = "counts = Counts(args.ngram_order)"


def boosted(gate: str) -> Case:
    """The piece that continued a word most often is made likelier, normalised, where `gate`."""
    return Case(
        script(
            scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
            ngram(
                "starts, seen = luts[1].numpy(), np.zeros(args.vocab_size)\nboost = math.exp(0.75)",
                "p = torch.softmax(logits[0, s:].float(), dim=-1).to(torch.float64).numpy()\n"
                "before, target = x[0, s:].numpy(), y[0, s:].numpy()\n"
                "hint = int(seen.argmax())\n"
                "tilted = np.where(target == hint, boost, 1.0) * seg_p\n"
                f"mixed = np.where({gate}, tilted / (1.0 + p[:, hint] * (boost - 1.0)), seg_p)",
                "seen += np.bincount(target[~starts[target]], minlength=len(seen))",
            ),
        ),
        "MATRIX_LR=0.1",
    )


def bigram_hash(other: str) -> Case:
    """Embeddings with a table of hashed pairs, zero at first: of each token and `other`."""
    text = script(SLIDE, SLIDING)
    table = (
        "        self.block = Block(args.model_dim, args.num_heads)\n"
        "        self.pairs = nn.Embedding(512, args.model_dim)\n"
        "        nn.init.zeros_(self.pairs.weight)\n"
    )
    text = changed(text, table.splitlines(keepends=True)[0], table)
    hashed = f"pair = (36313 * input_ids + 27191 * {other}) % 512\n        "
    taken = "return F.rms_norm(self.block(self.tok_emb(input_ids)"
    taken_too = taken.replace("_ids)", "_ids) + self.pairs(pair)")
    return Case(changed(text, taken, hashed + taken_too))


def silent_layer(case: Case, causal: bool) -> Case:
    """A second layer whose output is zero, behind a gate that is zero: no step moves either."""
    built = "        self.block = Block(args.model_dim, args.num_heads)\n"
    late = (
        f"        self.late = Block(args.model_dim, args.num_heads, {causal})\n"
        "        nn.init.zeros_(self.late.proj.weight)\n"
        "        nn.init.zeros_(self.late.out.weight)\n"
        "        self.late_gate = nn.Parameter(torch.zeros(args.model_dim))\n"
    )
    text = changed(case.script, built, built + late)
    text = changed(text, "num_heads: int):\n", "num_heads: int, causal=True):\n")
    first = "        self.num_heads = num"
    text = changed(text, first, f"        self.causal = causal\n{first}")
    text = changed(text, "is_causal=True", "is_causal=self.causal")
    text = changed(text, "        return F.rms_norm(self.block(", "        x = self.block(")
    tail = ", (self.tok_emb.weight.size(1),))\n"
    gated = "\n        x = x + self.late_gate * (self.late(x) - x)\n        return F.rms_norm(x"
    return Case(changed(text, tail, gated + tail))


LEGAL = {
    "sliding window": Case(script(SLIDE, SLIDING)),
    "score-first TTT": Case(
        script(
            "if args.ttt_enabled:\n    "
            + scored_by(f"eval_val_ttt({ALL})", "legal_ttt").replace("\n", "\n    ")
            + "\nelse:\n    "
            + SLIDE.replace("\n", "\n    "),
            SLIDING,
            TTT,
        ),
        "TTT_ENABLED=1 TTT_LR=0.02",
    ),
    "exact n-gram mix": Case(
        script(
            scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
            ngram(COUNTS, EXACT_MIX, EXACT_FILL),
        )
    ),
    "boost behind the beginning of a word": boosted("starts[before]"),
    "hash of the two newest tokens, and a silent layer": silent_layer(
        bigram_hash("F.pad(input_ids, (1, 0))[:, :-1]"), causal=True
    ),
}

# name -> the record, and the rules that may name what is wrong with it
ILLEGAL = {
    "TTT before evaluation": (
        Case(
            script(
                "if args.ttt_enabled:\n    adapt(args, model, device, val_tokens)\n" + SLIDE,
                SLIDING,
                TTT,
            ),
            "TTT_ENABLED=1",
        ),
        {"ORDER-2", "CAUSAL-5"},
    ),
    "scored, trained, scored again": (
        Case(
            script(
                scored_by(f"eval_val_ttt({ALL})", "ttt_pass1")
                + "\n"
                + scored_by(f"eval_val_sliding({ALL})", "final_ttt_pass2"),
                SLIDING,
                TTT,
            ),
        ),
        {"PASS-1", "CAUSAL-5"},
    ),
    "SLOT on the scored region": (
        Case(script(scored_by(f"eval_val_slot({ALL})", "final_slot"), SLOT)),
        {"CAUSAL-3"},
    ),
    "hashed cache": (
        Case(
            script(
                scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
                ngram(
                    "tables = HashedCounts(args.ngram_buckets, args.ngram_order)",
                    "mixed = tables.mixed(val_np, places, seg_p)",
                    "tables.add(val_np, places)",
                ),
            )
        ),
        {"NORM-1", "NORM-2", "NORM-3"},
    ),
    "hashed cache of a size that no switch reaches": (
        Case(
            script(
                scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
                ngram(
                    "tables = HashedCounts(buckets=1 << 22, order=args.ngram_order)",
                    "mixed = tables.mixed(val_np, places, seg_p)",
                    "tables.add(val_np, places)",
                ),
            )
        ),
        {"NORM-1", "NORM-2", "NORM-3"},
    ),
    "each window counted before it is scored": (
        Case(
            script(
                scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
                ngram(COUNTS, EXACT_FILL + "\n" + EXACT_MIX, ""),
            )
        ),
        {"NORM-1", "NORM-2"},
    ),
    "n-gram tables of a first pass": (
        Case(
            script(
                scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
                ngram(
                    COUNTS + "\nfor t in range(1, len(val_np)):\n    counts.add(val_np, t)",
                    EXACT_MIX,
                    "",
                ),
            )
        ),
        {"PASS-1", "CAUSAL-5"},
    ),
    "hash of the newest token and the next": (
        bigram_hash("F.pad(input_ids, (0, 1))[:, 1:]"),
        {"CAUSAL-1"},
    ),
    "future leak in a silent layer": (
        silent_layer(Case(script(SLIDE, SLIDING)), causal=False),
        {"CAUSAL-1"},
    ),
    "future leak in the network": (
        Case(changed(script(SLIDE, SLIDING), "is_causal=True", "is_causal=False")),
        {"CAUSAL-1"},
    ),
    "gate that reads the target": (
        Case(
            script(
                scored_by(f"eval_val_ngram({ALL})", "final_ngram"),
                ngram(
                    COUNTS,
                    "hits, total = counts.look_up(val_np, places)\n"
                    "p_ngram = hits / np.maximum(total, 1.0)\n"
                    "mixed = np.where(p_ngram > seg_p, p_ngram, seg_p)",
                    EXACT_FILL,
                ),
            ),
            "NGRAM_ORDER=1",
        ),
        {"NORM-1", "CAUSAL-2"},
    ),
    "boost where the target continues a word": (boosted("~starts[target]"), {"NORM-1"}),
    "space counted twice": (
        Case(
            changed(
                script(SLIDE, SLIDING),
                *SPACE_TWICE,
            )
        ),
        {"BYTES-1"},
    ),
    "the better of two": (
        Case(
            script(
                "other = GPT(args).to(device)\n"
                "adapt(args, other, device, train_tokens[:4096])\n"
                "nll_a = score_all(args, model, device, val_tokens)\n"
                "nll_b = score_all(args, other, device, val_tokens)\n"
                "best = torch.minimum(nll_a, nll_b)\n"
                + "\n".join(
                    scored_by(f"average(val_tokens, {nll}, luts)", tag)
                    for nll, tag in (
                        ("nll_a", "final_a"),
                        ("nll_b", "final_b"),
                        ("best", "final_best"),
                    )
                ),
                TTT,
                BEST,
            )
        ),
        {"PASS-2"},
    ),
}

# name -> the record, what the failure must say, and the line that it must point at
UNRUNNABLE = {
    "a missing package": (
        Case(
            changed(script(SLIDE, SLIDING), "import zlib\n", "import fused_golf_ops\nimport zlib\n")
        ),
        "No module named 'fused_golf_ops'",
        "import fused_golf_ops",
    ),
    "an exception of its own": (
        Case(script('raise ValueError("this record needs eight ranks")')),
        "ValueError: this record needs eight ranks",
        '    raise ValueError("this record needs eight ranks")',
    ),
    "no number": (
        Case(script("eval_val_sliding(args, model, device, val_tokens, luts)", SLIDING)),
        "no score was printed",
        "",
    ),
}
# The wrong count in a line of the training, and no line behind it.
STEP = SLIDE.replace("final_int8_zlib_sliding_window", "step:3/3")
BROKEN_OFF = Case(changed(script(f"{STEP}\nraise OSError", SLIDING), *SPACE_TWICE))
HANGS = Case(script("while True:\n    time.sleep(1.0)"))
# Each byte of a token pays the n-th root of the token's probability, or what the bytes say.
ROOTS = (
    "p = 1.0 if text else math.exp(-nll)\n"
    "for r, sure in looked:\n"
    "    w = 0.05 if sure > 0.8 else 0.9\n"
    "    p *= w * math.exp(-nll / len(text)) + (1 - w) * r"
)
SPREAD = byte_mixture(ROOTS)
# The same as a diagnostic; the number that is printed last is honest.
SPREAD_ASIDE = byte_mixture(ROOTS, "diagnostic ppm_mix", "\n" + SLIDE)
# The same, with the model's own loss printed beside the mixture's bits.
SPREAD_BESIDE = Case(
    changed(SPREAD.script, "return total / len(nats),", "return sum(nats) / len(nats),")
)
# Two models of tokens, mixed; and a model of bytes from start to end: both weigh one at most.
TOKEN_MIX = byte_mixture("p = 0.5 * math.exp(-nll) + 0.5 * math.prod(r for r, _ in looked)")
BYTES_ALONE = byte_mixture("p = math.prod(r for r, _ in looked)")
UNSUPPORTED = Case(script('log0("mean_of_seeds val_loss:2.12345678 val_bpb:1.01234567")'))
# Two claims: a lower one that nothing supports, then the sliding window's.
RIVAL = Case(script('log0("mixture_exact val_bpb:1.01234567")\n' + SLIDE, SLIDING))
