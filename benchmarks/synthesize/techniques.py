"""The axis of evaluation techniques: each a function `evaluate(model, val, table, train)`.

    #: init, begin, before   once: the sum's, a cheat's, the technique's own
    #: early, late           before and after the targets val[start + 1 : stop + 1] are scored
    #: scored, mix, add      `nats` of `y` behind `x`, targets val[first + 1 : last + 1]; the sum
    #: result, reduce        leave `loss`

Guarantees: legal as written: every target scored once, before anything learns from it, by a full
distribution. Does not cover: speed; caches are dictionaries.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Technique:
    loop: str
    places: dict[str, str] = field(default_factory=dict)  # its own code at them
    parts: str = ""  # functions that it calls
    adapted: str = ""  # what the model's head adds
    imports: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()  # ways of adding that it allows; none named: all
    ranked: bool = False  # ranks share the evaluation


_START = """
def evaluate(model, val, table, train):
    model.eval()
    n, tokens, n_bytes, scale = val.numel() - 1, 0, 0, 1.0
    #: init
    #: begin
    #: before
"""
_END = """
    #: result
    #: reduce
    bpb = loss / math.log(2.0) * tokens / n_bytes
    return loss, bpb
"""
_SCORE = """
x, y = val[first:last], val[first + 1 : last + 1]
nats = nats_of(model, x[None], y[None], scale)
#: scored
#: mix
tokens += len(y)
n_bytes += count_bytes(table, x, y)
#: add
"""


def _indented(code: str, depth: int) -> str:
    return "".join(f"{'    ' * depth}{line}\n" for line in code.strip("\n").splitlines())


PLAIN = (
    _START
    + """\
    for start in range(0, n, {{seq_len}}):
        first, last = start, min(start + {{seq_len}}, n)
        stop = last
        #: early
"""
    + _indented(_SCORE, 2)
    + """\
        #: late
"""
    + _END
)

SLIDING = (
    _START
    + """\
    start = 0
    while start < n:
        stop = min(n, start + ({{stride}} if start else {{seq_len}}))
        begin = max(0, stop - {{seq_len}})
        #: early
        first, last = start, stop
        x, y = val[begin:stop], val[begin + 1 : stop + 1]
        nats = nats_of(model, x[None], y[None], scale)
        x, y, nats = x[start - begin :], y[start - begin :], nats[start - begin :]
        #: scored
        #: mix
        tokens += len(y)
        n_bytes += count_bytes(table, x, y)
        #: add
        #: late
        start = stop
"""
    + _END
)

CHUNKS = (
    _START
    + """\
    for start in range(0, n, {{chunk}}):
        stop = min(start + {{chunk}}, n)
        #: early
        for first in range(start, stop, {{seq_len}}):
            last = min(first + {{seq_len}}, stop)
"""
    + _indented(_SCORE, 3)
    + """\
        #: late
"""
    + _END
)

DOCUMENTS = (
    _START
    + """\
    opens = [0] + [i for i in (val[:n] == 1).nonzero().flatten().tolist() if i] + [n]
    spans = list(zip(opens, opens[1:]))
    #: sorted
    for opened, closed in spans:
        #: document
        for start in range(opened, closed, {{seq_len}}):
            first, last = start, min(start + {{seq_len}}, closed)
            stop = last
            #: early
"""
    + _indented(_SCORE, 3)
    + """\
            #: late
"""
    + _END
)

RANKED = (
    _START
    + """\
    n = len(val) - 1
    per_round = {{seq_len}} * world
    for turn in range(0, n, per_round):
        start = min(n, turn + rank * {{seq_len}})
        stop = min(n, start + {{seq_len}})
        first, last = start, stop
        #: early
        if stop > start:
"""
    + _indented(_SCORE, 3)
    + """\
        #: late
"""
    + _END
)

# Rows of a batch lie side by side; the last one, which is shorter, alone.
BATCHES = (
    _START
    + """\
    for start in range(0, n, 8 * {{seq_len}}):
        stop = min(start + 8 * {{seq_len}}, n)
        #: early
        whole = start + (stop - start) // {{seq_len}} * {{seq_len}}
        for first, last in ((start, whole), (whole, stop)):
            if first == last:
                continue
            x, y = val[first:last], val[first + 1 : last + 1]
            width = min({{seq_len}}, last - first)
            nats = nats_of(model, x.view(-1, width), y.view(-1, width), scale)
            #: scored
            #: mix
            tokens += len(y)
            n_bytes += count_bytes(table, x, y)
            #: add
        #: late
"""
    + _END
)

_ADAPT = """
def adapt(model, rule, piece):
    model.train()
    for first in range(0, piece.numel() - 1, {{seq_len}}):
        row = piece[first : first + {{seq_len}} + 1].to(device)
        loss = F.cross_entropy(model(row[None, :-1])[0], row[1:])
        rule.zero_grad()
        loss.backward()
        rule.step()
    model.eval()
"""
LEARN = "adapt(model, rule, val[start : stop + 1])"

_LORA = """
def low_rank(model):
    down = (0.1 * torch.randn(model.width, {{rank}}, device=device)).requires_grad_()
    up = torch.zeros({{rank}}, {{vocab}}, device=device, requires_grad=True)
    return down, up


def adapt(model, rule, piece):
    row = piece.to(device)
    for _ in range(2):
        loss = F.cross_entropy(model(row[None, :-1])[0], row[1:])
        rule.zero_grad()
        loss.backward()
        rule.step()
    for p in model.parameters():
        p.grad = None
"""

# Counts of what followed two tokens, with the model as the prior: sums to one for every context.
CACHE_MIX = """
mixed = []
for t, v in zip(range(first + 1, last + 1), nats):
    row = cache.get((int(val[t - 2]) if t > 1 else 0, int(val[t - 1])), {})
    p = (row.get(int(val[t]), 0) + {{cache_weight}} * math.exp(-float(v))) / (
        sum(row.values()) + {{cache_weight}}
    )
    mixed.append(-math.log(p))
nats = mixed
"""
_CACHE = """
def remember(cache, val, first, last):
    for t in range(first + 1, last + 1):
        row = cache.setdefault((int(val[t - 2]) if t > 1 else 0, int(val[t - 1])), {})
        row[int(val[t])] = row.get(int(val[t]), 0) + 1
"""

# A token that followed the same three before gets a quarter; the rest is the model's.
_COPY_MIX = """
copied = []
for t, v in zip(range(first + 1, last + 1), nats):
    context = tuple(ids[max(0, t - 3) : t])
    p, found = math.exp(-float(v)), last_at.get(context)
    if found is not None:
        p = 0.75 * p + 0.25 * (ids[found] == ids[t])
    copied.append(-math.log(p))
    last_at[context] = t
nats = copied
"""
_TWO_MIX = """
cool = nats_of(model, x[None], y[None], 0.8)
nats = [-math.log(0.5 * (math.exp(-float(a)) + math.exp(-float(b)))) for a, b in zip(nats, cool)]
"""

_PPM = """
class Contexts:
    \"\"\"Each order falls back on the next shorter one, the shortest on the model.\"\"\"

    def __init__(self, orders=(1, 2, 3)):
        self.orders, self.seen = orders, {n: {} for n in orders}

    def price(self, past, token, p):
        for n in self.orders:
            row = self.seen[n].get(tuple(past[-n:]))
            if row and len(past) >= n:
                total, kinds = sum(row.values()), len(row)
                p = (row.get(token, 0) + kinds * p) / (total + kinds)
        return p

    def add(self, past, token):
        for n in self.orders:
            if len(past) >= n:
                row = self.seen[n].setdefault(tuple(past[-n:]), {})
                row[token] = row.get(token, 0) + 1
"""
PPM_MIX = """
priced = []
for t, v in zip(range(first + 1, last + 1), nats):
    p = contexts.price(ids[max(0, t - 3) : t], ids[t], math.exp(-float(v)))
    priced.append(-math.log(p))
    contexts.add(ids[max(0, t - 3) : t], ids[t])
nats = priced
"""

# Contexts share buckets; each holds the counts of every token, over their own sum.
_HASHED_CACHE = """
def bucket(val, t):
    return (int(val[t - 1]) * 40503 ^ (int(val[t - 2]) if t > 1 else 7) * 30011) % 997


def remember(cache, val, first, last):
    for t in range(first + 1, last + 1):
        row = cache.setdefault(bucket(val, t), {})
        row[int(val[t])] = row.get(int(val[t]), 0) + 1
"""
_HASHED_ROWS = CACHE_MIX.replace(
    "(int(val[t - 2]) if t > 1 else 0, int(val[t - 1]))", "bucket(val, t)"
)
_PAIRS_MIX = """
rows = pairs[x.numpy()]
hit = rows[np.arange(len(y)), y.numpy()]
prior = np.exp(-np.array([float(v) for v in nats]))
nats = -np.log((hit + {{cache_weight}} * prior) / (rows.sum(1) + {{cache_weight}}))
"""
_SEEN = """
def counted(train):
    pairs = train[:-1] * {{vocab}} + train[1:]
    flat = torch.bincount(pairs, minlength={{vocab}} * {{vocab}})
    return flat.view({{vocab}}, {{vocab}}).double()
"""
_SEEN_MIX = """
rows = (seen[x] + 0.1) / (seen[x] + 0.1).sum(1, keepdim=True)
other = rows.gather(1, y[:, None])[:, 0]
own = torch.exp(-torch.tensor([float(v) for v in nats], dtype=torch.float64))
nats = -torch.log(0.8 * own + 0.2 * other)
"""
_GATED_MIX = """
gated = []
for t, v in zip(range(first + 1, last + 1), nats):
    row = cache.get((int(val[t - 2]) if t > 1 else 0, int(val[t - 1])), {})
    seen = sum(row.values())
    share = 0.6 / (1.0 + math.exp(1.0 - 0.5 * seen)) if seen else 0.0
    own = math.exp(-float(v))
    gated.append(-math.log((1.0 - share) * own + share * row.get(int(val[t]), 0) / max(seen, 1)))
nats = gated
"""
_LEADER = """
raced = [model, copy.deepcopy(model)]
rules = [torch.optim.SGD(one.parameters(), lr=k * {{ttt_lr}}) for k, one in zip((1, 3), raced)]
for one in raced:
    one.spent = 0.0
"""
_RACE = """
for one, rule in zip(raced, rules):
    one.spent += float(sum(nats_of(one, x[None], y[None])))
    adapt(one, rule, val[start : stop + 1])
"""
_BIAS = """
model.bias = torch.zeros({{vocab}}, device=device, requires_grad=True)
rule = torch.optim.Adam([model.bias], lr=0.05)
"""
_FIT_BIAS = """
def fit_bias(model, rule, piece):
    for first in range(0, piece.numel() - 1, {{seq_len}}):
        row = piece[first : first + {{seq_len}} + 1].to(device)
        with torch.no_grad():
            fixed = model(row[None, :-1])[0] - model.bias
        for _ in range(3):
            loss = F.cross_entropy(fixed + model.bias, row[1:])
            rule.zero_grad()
            loss.backward()
            rule.step()
"""
# Documents end now and then: a fixed share goes to the boundary, the rest is the model's.
_HAZARD = """
nats = [
    -math.log(0.98 * math.exp(-float(v)) + 0.02 * (token == 1))
    for v, token in zip(nats, y.tolist())
]
"""

_TEMPER = """
past = {g: 0.0 for g in (0.7, 0.85, 1.0, 1.15, 1.3)}
"""

TEMPER_ITSELF = """
own, after = val[start:stop], val[start + 1 : stop + 1]
scale = min(past, key=lambda g: float(sum(nats_of(model, own[None], after[None], g))))
"""

# Each rank counts what it scores; the counts of all are joined after the round.
_JOIN = """
fresh = torch.zeros({{vocab}}, {{vocab}})
if stop > start:
    pairs = val[start:stop] * {{vocab}} + val[start + 1 : stop + 1]
    fresh += torch.bincount(pairs, minlength=fresh.numel()).view_as(fresh)
"""
RANKED_MIX = """
hit, seen = counts[x, y].double(), counts[x].sum(1).double()
q = torch.exp(-torch.as_tensor(nats).double().cpu())
nats = -torch.log((hit + {{cache_weight}} * q) / (seen + {{cache_weight}}))
"""
JOINED_AFTER = _JOIN + "if world > 1:\n    dist.all_reduce(fresh)\ncounts += fresh"
JOINED_BEFORE = (
    _JOIN + "own = fresh.clone()\nif world > 1:\n    dist.all_reduce(fresh)\ncounts += fresh - own"
)
OWN_AFTER = "counts += own"
_REDUCE = """
if world > 1:
    sums = torch.tensor([float(total), count, tokens, n_bytes], dtype=torch.float64)
    dist.all_reduce(sums)
    loss = float(sums[0] / sums[1])
    tokens, n_bytes = int(sums[2]), int(sums[3])
"""

_SGD = "rule = torch.optim.SGD(model.parameters(), lr={{ttt_lr}})"

TECHNIQUES: dict[str, Technique] = {
    "plain chunks": Technique(PLAIN),
    "sliding window": Technique(SLIDING),
    "score-first TTT": Technique(CHUNKS, {"before": _SGD, "late": LEARN}, _ADAPT),
    "score-first TTT, each row": Technique(PLAIN, {"before": _SGD, "late": LEARN}, _ADAPT),
    "LoRA per document": Technique(
        DOCUMENTS,
        {
            "document": "model.extra = low_rank(model)\n"
            "rule = torch.optim.Adam(model.extra, lr={{ttt_lr}})",
            "late": LEARN,
        },
        _LORA,
        adapted='if getattr(self, "extra", None) is not None:\n'
        "    out = out + h @ self.extra[0] @ self.extra[1]",
    ),
    "n-gram cache": Technique(
        PLAIN,
        {"before": "cache = {}", "mix": CACHE_MIX, "late": "remember(cache, val, start, stop)"},
        _CACHE,
    ),
    "copies behind a match": Technique(
        PLAIN, {"before": "last_at, ids = {}, val.tolist()", "mix": _COPY_MIX}
    ),
    "mean of two temperatures": Technique(PLAIN, {"mix": _TWO_MIX}),
    "PPM over tokens": Technique(
        PLAIN, {"before": "contexts, ids = Contexts(), val.tolist()", "mix": PPM_MIX}, _PPM
    ),
    "temperature by counted tokens": Technique(
        PLAIN,
        {
            "before": _TEMPER,
            "early": "scale = min(past, key=past.get)",
            "late": "for g in past:\n"
            "    past[g] += float(sum(nats_of(model, x[None], y[None], g)))",
        },
    ),
    "counts joined between ranks": Technique(
        RANKED,
        {
            "before": "counts = torch.zeros({{vocab}}, {{vocab}})",
            "mix": RANKED_MIX,
            "late": JOINED_AFTER,
            "reduce": _REDUCE,
        },
        imports=("import torch.distributed as dist",),
        sums=("tensor sum",),
        ranked=True,
    ),
    "rows shared by ranks": Technique(
        RANKED,
        {"reduce": _REDUCE},
        imports=("import torch.distributed as dist",),
        sums=("tensor sum",),
        ranked=True,
    ),
    "batches of rows": Technique(BATCHES),
    "whole rows alone": Technique(PLAIN, {"before": "n = n // {{seq_len}} * {{seq_len}}"}),
    "hashed contexts, full rows": Technique(
        PLAIN,
        {"before": "cache = {}", "mix": _HASHED_ROWS, "late": "remember(cache, val, start, stop)"},
        _HASHED_CACHE,
    ),
    "table of pairs, numpy": Technique(
        PLAIN,
        {
            "before": "pairs, ids = np.zeros(({{vocab}}, {{vocab}})), val.numpy()",
            "mix": _PAIRS_MIX,
            "late": "np.add.at(pairs, (ids[start:stop], ids[start + 1 : stop + 1]), 1.0)",
        },
        imports=("import numpy as np",),
    ),
    "counts of training tokens": Technique(
        PLAIN, {"before": "seen = counted(train)", "mix": _SEEN_MIX}, _SEEN
    ),
    "weight by the count": Technique(
        PLAIN,
        {"before": "cache = {}", "mix": _GATED_MIX, "late": "remember(cache, val, start, stop)"},
        _CACHE,
    ),
    "leader of two": Technique(
        PLAIN,
        {
            "before": _LEADER,
            "early": "model = min(raced, key=lambda one: one.spent)",
            "late": _RACE,
        },
        _ADAPT,
        imports=("import copy",),
    ),
    "documents by length": Technique(
        DOCUMENTS,
        {"before": _SGD, "sorted": "spans.sort(key=lambda s: s[1] - s[0])", "late": LEARN},
        _ADAPT,
    ),
    "bias by counted tokens": Technique(
        CHUNKS,
        {"before": _BIAS, "late": "fit_bias(model, rule, val[start : stop + 1])"},
        _FIT_BIAS,
        adapted='if getattr(self, "bias", None) is not None:\n    out = out + self.bias',
    ),
    "end of a document expected": Technique(DOCUMENTS, {"mix": _HAZARD}),
}
