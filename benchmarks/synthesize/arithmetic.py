"""The axis of scoring arithmetic: how a token's nats come from logits.

Each defines `nats_of(model, x, y, scale=1.0)`: the nats of the targets `y` (B, T) behind `x`
(B, T), logits times `scale`, in reading order: (B * T,) as a tensor, an array or a list.
"""

from __future__ import annotations

from benchmarks.synthesize.data import Code

ARITHMETICS: dict[str, Code] = {
    "cross_entropy": Code("""
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    logits = model(x.to(device)).float() * scale
    return F.cross_entropy(logits.flatten(0, 1), y.to(device).flatten(), reduction="none")
"""),
    "log_softmax, gather": Code("""
@torch.inference_mode()
def nats_of(model, x, y, scale=1.0):
    rows = torch.log_softmax(scale * model(x.to(device)).double(), dim=-1)
    return -rows.gather(2, y.to(device).unsqueeze(2)).reshape(-1)
"""),
    "logsumexp": Code("""
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    z = (model(x.to(device)) * scale).reshape(y.numel(), -1)
    hit = z[torch.arange(len(z), device=device), y.to(device).reshape(-1)]
    return torch.logsumexp(z, dim=1) - hit
"""),
    "softmax by hand": Code("""
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    z = scale * model(x.to(device)).float()
    e = torch.exp(z - z.amax(dim=-1, keepdim=True))
    p = e / e.sum(dim=-1, keepdim=True)
    chosen = p.view(-1, p.size(-1))[torch.arange(y.numel(), device=device), y.to(device).view(-1)]
    return -torch.log(chosen)
"""),
    "numpy": Code(
        """
def nats_of(model, x, y, scale=1.0):
    with torch.no_grad():
        z = model(x.to(device)).cpu().numpy().astype(np.float64) * scale
    z = z.reshape(y.numel(), -1)
    top = z.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(z - top).sum(axis=1))
    return total - z[np.arange(len(z)), y.numpy().ravel()]
""",
        ("import numpy as np",),
    ),
    "lists": Code(
        """
def nats_of(model, x, y, scale=1.0):
    with torch.no_grad():
        rows = (model(x.to(device)) * scale).flatten(0, 1).tolist()
    found = []
    for row, target in zip(rows, y.flatten().tolist()):
        top = max(row)
        found.append(math.log(math.fsum(math.exp(v - top) for v in row)) + top - row[target])
    return found
""",
        ("import math",),
    ),
    "base two": Code(
        """
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    z = model(x.to(device)).double() * (scale / math.log(2.0))
    hit = z.gather(-1, y.to(device)[..., None])[..., 0]
    bits = torch.log2(torch.exp2(z - z.max()).sum(-1)) + z.max() - hit
    return bits.ravel() * math.log(2.0)
""",
        ("import math",),
    ),
    "head in chunks": Code("""
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    h = model.hidden(x.to(device)).flatten(0, 1)
    found = torch.empty(len(h), device=device)
    for rows in torch.arange(len(h), device=device).split(48):
        logs = (model.head(h[rows]) * scale).log_softmax(1)
        found[rows] = F.nll_loss(logs, y.to(device).flatten()[rows], reduction="none")
    return found
"""),
    "softcap": Code("""
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    z = 15.0 * torch.tanh(model(x.to(device)).float() * scale / 15.0)
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    return loss(z.movedim(-1, 1), y.to(device)).view(-1)
"""),
    "binary decisions": Code(
        """
def nats_of(model, x, y, scale=1.0):
    with torch.no_grad():
        z = (scale * model(x.to(device)).double()).flatten(0, 1)
        rows = torch.exp(z - z.amax(dim=1, keepdim=True)).tolist()
    found = []
    for row, target in zip(rows, y.flatten().tolist()):
        low, high, nats = 0, len(row), 0.0
        while high - low > 1:
            half = (low + high) // 2
            left, right = sum(row[low:half]), sum(row[half:high])
            nats -= math.log((left if target < half else right) / (left + right))
            low, high = (low, half) if target < half else (half, high)
        found.append(nats)
    return found
""",
        ("import math",),
    ),
    "Decimal": Code(
        """
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    rows = (model(x.to(device)).double() * scale).softmax(-1)
    chosen = rows.gather(-1, y.to(device).unsqueeze(-1)).flatten().tolist()
    return [float(-Decimal(p).ln()) for p in chosen]
""",
        ("from decimal import Decimal",),
    ),
    "autocast": Code("""
@torch.inference_mode()
def nats_of(model, x, y, scale=1.0):
    with torch.autocast(device_type=device.type, dtype=torch.bfloat16):
        logits = model(x.to(device))
    logs = F.log_softmax(logits.float() * scale, dim=-1)
    return F.nll_loss(logs.flatten(0, 1), y.to(device).flatten(), reduction="none")
"""),
    "rows at once": Code("""
def nats_of(model, x, y, scale=1.0):
    model.eval()
    out = []
    with torch.no_grad():
        for row, after in zip(x.to(device), y.to(device)):
            p = (scale * model(row.unsqueeze(0))[0].float()).softmax(dim=1)
            out.append(-p[torch.arange(after.numel()), after].log())
    return torch.cat(out)
"""),
    "log-odds of one": Code("""
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    z = (model(x.to(device)).double() * scale).view(y.numel(), -1)
    hit = F.one_hot(y.to(device).view(-1), z.size(1)).bool()
    own = z[hit]
    rest = z.masked_fill(hit, float("-inf")).logsumexp(1)
    return F.softplus(rest - own)
"""),
    "log2 before gather": Code(
        """
@torch.no_grad()
def nats_of(model, x, y, scale=1.0):
    rows = (model(x.to(device)).double() * scale).softmax(-1).log2()
    return -rows.gather(-1, y.to(device)[..., None]).reshape(-1) * math.log(2.0)
""",
        ("import math",),
    ),
    "escapes on lines of their own": Code(
        """
def nats_of(model, x, y, scale=1.0):
    with torch.no_grad():
        rows = (model(x.to(device)).double() * scale).softmax(-1).flatten(0, 1).tolist()
    found = []
    for row, target in zip(rows, y.flatten().tolist()):
        width, bits = 16, 0.0
        while target >= width:
            bits -= math.log2(1.0 - sum(row[:width]) / sum(row))
            row = [0.0] * width + row[width:]
            width *= 2
        if sum(row[width:]) > 0.0:
            bits -= math.log2(sum(row[:width]) / sum(row))
        bits -= math.log2(row[target] / sum(row[:width]))
        found.append(bits * math.log(2.0))
    return found
""",
        ("import math",),
    ),
    "process pool": Code(
        """
def price(row, target):
    top = max(row)
    return math.log(math.fsum(math.exp(v - top) for v in row)) + top - row[target]


@functools.cache
def workers():
    return multiprocessing.get_context("fork").Pool(2)


def nats_of(model, x, y, scale=1.0):
    with torch.no_grad():
        rows = (model(x.to(device)).float() * scale).flatten(0, 1).tolist()
    return workers().starmap(price, zip(rows, y.flatten().tolist()))
""",
        ("import functools", "import math", "import multiprocessing"),
    ),
}
