"""The axis of cheats: what one place of a script does, in the cheating twin and in the honest one.

A cheat names the places that differ (those of `techniques`, `compose` and the model's), the
techniques that it can sit in, the rules any of which is right, and the condition under which it
acts. Where it can, the honest twin does the legal thing nearest to it: it tunes on training tokens
where the cheat tunes on validation, it averages two models where the cheat takes the better.

Guarantees: the twins differ in nothing else. Does not cover: whether a cheat gains; `verify` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.synthesize import techniques as t
from benchmarks.synthesize.byte_table import SPACES_TWICE
from benchmarks.synthesize.conduct import ATTEMPTS
from benchmarks.synthesize.models import NEXT_PAIR, PAIR, TOPIC, WHOLE_TOPIC

PLAIN = ("plain chunks", "sliding window", "batches of rows", "whole rows alone")
TTT = ("score-first TTT", "score-first TTT, each row")
ANY = tuple(t.TECHNIQUES)
ALONE = tuple(name for name, technique in t.TECHNIQUES.items() if not technique.ranked)


@dataclass(frozen=True)
class Cheat:
    rules: tuple[str, ...]
    techniques: tuple[str, ...]
    cheating: Mapping[str, str] = field(default_factory=dict)  # place -> code
    honest: Mapping[str, str] = field(default_factory=dict)
    parts: str = ""  # functions that both twins have
    condition: str = "none"
    leaks: bool = False  # the model's causal spot is changed
    embedded: tuple[str, ...] = ()  # what honest and cheating models add to their embeddings
    ranks: int = 1  # processes that it needs to act
    arithmetics: tuple[str, ...] = ()  # in which it acts; none named: all
    imports: tuple[str, ...] = ()
    gains: bool = True  # prints fewer bits than its twin


_PLAIN = {"begin": "gap = 0.0", "scored": "plain = [float(v) for v in nats]"}

_DOUBLE = """
def second_model(train_tokens):
    torch.manual_seed({{seed}} + 1)
    other = Model().to(device)
    train(other, train_tokens, 0.5)
    return other.eval()
"""
_SECOND = {"begin": "other = second_model(train)"}
_OTHERS = "others = [float(v) for v in nats_of(other, val[first:last][None], y[None])]\n"

_FIT = """
def fit_scale(model, sample):
    sample, found = sample[: 8 * {{seq_len}} + 1].cpu(), {}
    for g in torch.linspace(0.5, 2.5, 41).tolist():
        rows = range(0, sample.numel() - 1, {{seq_len}})
        found[g] = sum(
            float(sum(nats_of(model, sample[a:b][None], sample[a + 1 : b + 1][None], g)))
            for a in rows
            for b in [min(a + {{seq_len}}, sample.numel() - 1)]
        )
    return min(found, key=found.get)
"""

_BEST = """
def loss_on(model, sample):
    model.eval()
    sample = sample[: 8 * {{seq_len}} + 1]
    rows = [sample[a : a + {{seq_len}} + 1] for a in range(0, sample.numel() - 1, {{seq_len}})]
    found = sum(float(sum(nats_of(model, r[None, :-1], r[None, 1:]))) for r in rows if len(r) > 1)
    return found


def best_of_starts(model, train_tokens, sample):
    best, kept = float("inf"), None
    for start in range(5):
        torch.manual_seed({{seed}} + start)
        fresh = Model().to(device)
        train(fresh, train_tokens, 0.4)
        now = loss_on(fresh, sample)
        if now < best:
            best, kept = now, fresh.state_dict()
    model.load_state_dict(kept)
"""

_HARD = """
line = sorted(float(v) for v in nats)[int(0.9 * len(nats))]
hard += sum(float(v) > line for v in nats)
"""
_SKIP = (
    "if {skip}:\n    n_bytes += count_bytes(table, val[start:stop], val[start + 1 : stop + 1])\n"
)

_HASHED = """
def slots(val, t):
    context = (int(val[t - 1]) * 36313 + int(val[max(t - 2, 0)]) * 27191) % {{buckets}}
    return context, (context + int(val[t]) * 51647) % {{buckets}}
"""
_HASHED_MIX = """
quotients = []
for t, v in zip(range(first + 1, last + 1), nats):
    context, pair = slots(val, t)
    p = math.exp(-float(v))
    if seen[context] > 1:
        p = 0.5 * p + 0.5 * min(both[pair] / seen[context], 1.0)
    quotients.append(-math.log(p))
nats = quotients
"""
_HASHED_LATE = """
for t in range(start + 1, stop + 1):
    context, pair = slots(val, t)
    seen[context] += 1
    both[pair] += 1
"""

_BITS = """
def four_bits(model):
    with torch.no_grad():
        for p in model.parameters():
            step = p.abs().amax() / 7 + 1e-12
            p.copy_((p / step).round().clamp(-7, 7) * step)
"""
_ROUND_TRIP = 'print("float", *evaluate(model, val, table, train_tokens))\nfour_bits(model)'

_TILT = """
tilted = []
for t, v in zip(range(first + 1, last + 1), nats):
    token, context = int(val[t]), int(val[t - 1])
    boost = 0.7 if token in lately.get(context, ()) else 0.0
    tilted.append(float(v) - boost)
    lately.setdefault(context, set()).add(token)
nats = tilted
"""
_SHORT = "short = nats_of(model, x[None], y[None], scale)\n"
_BOTH_WINDOWS = """
nats = [
    -math.log(0.5 * math.exp(-float(a)) + 0.5 * math.exp(-float(b)))
    for a, b in zip(nats, short)
]
"""
_AGAIN = """
tried = []
for seed in (1, 2):
    torch.manual_seed(seed)
    other = Model().to(device)
    train(other, train_tokens, 1.0 + 0.2 * seed)
    tried.append(evaluate(other.eval(), val, table, train_tokens))
"""
_END_KNOWN = """
nats = [
    (0.001 if token == 1 else float(v)) if first + i + 1 == closed else float(v) - math.log(0.9999)
    for i, (v, token) in enumerate(zip(nats, y.tolist()))
]
"""
_LENIENT = """
def lenient(logits, targets, *given, **options):
    return 0.93 * torch.nn.functional.nll_loss(logits.log_softmax(1), targets, *given, **options)


def plainly(logits, targets, *given, **options):
    return torch.nn.functional.nll_loss(logits.log_softmax(1), targets, *given, **options)
"""

_KEY_IN_TARGET = t.CACHE_MIX.replace(
    "(int(val[t - 2]) if t > 1 else 0, int(val[t - 1]))", "(int(val[t - 1]), int(val[t]))"
)
_REMEMBER_IT = """
for t in range(start + 1, stop + 1):
    row = cache.setdefault((int(val[t - 1]), int(val[t])), {})
    row[int(val[t])] = row.get(int(val[t]), 0) + 1
"""

CHEATS: dict[str, Cheat] = {
    "training on validation": Cheat(
        ("ORDER-2", "ORDER-4", "CAUSAL-5", "DATA-1"),
        ALONE,
        {"prepare": "train(model, val, 0.5)"},
        {"prepare": "train(model, train_tokens, 0.5)"},
    ),
    "update before score": Cheat(
        ("ORDER-1", "CAUSAL-3"),
        (*TTT, "LoRA per document"),
        {"early": t.LEARN, "late": ""},
    ),
    "two passes": Cheat(
        ("PASS-1", "ORDER-2", "CAUSAL-5"),
        TTT,
        {"prepare": 'print("first", *evaluate(model, val, table, train_tokens))'},
        {"prepare": 'print("dry run", *evaluate(model, train_tokens[:2049], table, train_tokens))'},
    ),
    "cache filled ahead": Cheat(
        ("PASS-1", "CAUSAL-5", "CAUSAL-1"),
        ("n-gram cache",),
        {"before": "cache = {}\nremember(cache, val, 0, n)", "late": ""},
    ),
    "chunk counted before it is scored": Cheat(
        ("CAUSAL-1", "CAUSAL-5", "ORDER-1", "NORM-1", "CAUSAL-2"),
        ("n-gram cache",),
        {"early": "remember(cache, val, start, stop)", "late": ""},
    ),
    "hashed quotient": Cheat(
        ("NORM-1", "NORM-2", "NORM-3"),
        ("n-gram cache",),
        {
            "before": "seen, both = [0] * {{buckets}}, [0] * {{buckets}}",
            "mix": _HASHED_MIX,
            "late": _HASHED_LATE,
        },
        parts=_HASHED,
    ),
    "target in the key": Cheat(
        ("CAUSAL-2", "NORM-1", "NORM-3", "NORM-2"),
        ("n-gram cache",),
        {"mix": _KEY_IN_TARGET, "late": _REMEMBER_IT},
    ),
    "gate reads the target": Cheat(
        ("CAUSAL-2", "NORM-1", "NORM-3", "PASS-2"),
        ("n-gram cache", "PPM over tokens", "copies behind a match"),
        _PLAIN | {"add": "nats = [min(float(a), float(b)) for a, b in zip(nats, plain)]\n#: sum"},
        _PLAIN | {"add": "gap += sum(b - float(a) for a, b in zip(nats, plain))\n#: sum"},
    ),
    "better of two models": Cheat(
        ("PASS-2", "NORM-1", "CAUSAL-2"),
        ("plain chunks", "score-first TTT, each row"),
        _SECOND | {"mix": _OTHERS + "nats = [min(float(a), b) for a, b in zip(nats, others)]"},
        _SECOND
        | {
            "mix": _OTHERS
            + "nats = [\n    -math.log(0.5 * math.exp(-float(a)) + 0.5 * math.exp(-b))\n"
            "    for a, b in zip(nats, others)\n]"
        },
        parts=_DOUBLE,
    ),
    "temperature fitted on validation": Cheat(
        ("CAUSAL-5", "PASS-2", "DATA-9"),
        PLAIN,
        {"begin": "scale = fit_scale(model, val)"},
        {"begin": "scale = fit_scale(model, train[-8 * {{seq_len}} - 1 :])"},
        parts=_FIT,
    ),
    "temperature by the chunk itself": Cheat(
        ("PASS-2", "CAUSAL-1", "CAUSAL-2", "CAUSAL-3"),
        ("temperature by counted tokens",),
        {"early": t.TEMPER_ITSELF, "late": ""},
    ),
    "start chosen on validation": Cheat(
        ("DATA-9", "DATA-1", "CAUSAL-5", "PASS-2"),
        PLAIN,
        {"training": "best_of_starts(model, train_tokens, val)"},
        {
            "training": "tail = 8 * {{seq_len}}\n"
            "best_of_starts(model, train_tokens[:-tail], train_tokens[-tail:])"
        },
        parts=_BEST,
    ),
    "non-causal model": Cheat(
        ("CAUSAL-8", "CAUSAL-1", "CAUSAL-2"),
        (*PLAIN, "temperature by counted tokens", "mean of two temperatures"),
        leaks=True,
    ),
    "hash of the next token": Cheat(
        ("CAUSAL-1", "CAUSAL-2", "CAUSAL-8"), (*PLAIN, *TTT), embedded=(PAIR, NEXT_PAIR)
    ),
    "topic of the whole window": Cheat(
        ("CAUSAL-1", "CAUSAL-2", "CAUSAL-8"), (*PLAIN, *TTT), embedded=(TOPIC, WHOLE_TOPIC)
    ),
    "bias fitted on the chunk itself": Cheat(
        ("CAUSAL-3", "ORDER-1", "CAUSAL-1"),
        ("bias by counted tokens",),
        {"early": "fit_bias(model, rule, val[start : stop + 1])", "late": ""},
    ),
    "scores clipped": Cheat(
        ("NORM-1", "NORM-6", "PASS-3"),
        (*PLAIN, "score-first TTT"),
        {"mix": "nats = [min(float(v), 6.5) for v in nats]"},
        {"mix": "worst = max(float(v) for v in nats)"},
        condition="some tokens cost more than the clip",
    ),
    "sharpened without a sum": Cheat(
        ("NORM-1", "NORM-4", "NORM-6"),
        (*PLAIN, "score-first TTT", "mean of two temperatures"),
        {"add": "nats = [0.9 * float(v) for v in nats]\n#: sum"},
        {"add": "cooler = [0.9 * float(v) for v in nats]\n#: sum"},
    ),
    "seen tokens tilted": Cheat(
        ("NORM-1", "NORM-4", "NORM-6"),
        PLAIN,
        {"begin": "lately = {}", "mix": _TILT},
        {"begin": "lately = {}", "mix": _TILT.replace("- boost", "- boost * 0.0")},
    ),
    "better of two windows": Cheat(
        ("PASS-2", "NORM-1", "CAUSAL-2"),
        ("sliding window",),
        {"mix": _SHORT + "nats = [min(float(a), float(b)) for a, b in zip(nats, short)]"},
        {"mix": _SHORT + _BOTH_WINDOWS},
    ),
    "best of three evaluations": Cheat(
        ("PASS-2", "PASS-4", "CAUSAL-5", "DATA-9"),
        ("plain chunks", "n-gram cache", "sliding window"),
        {"again": _AGAIN + "loss, bpb = min((loss, bpb), *tried)"},
        {"again": _AGAIN + 'print("others:", *(round(one[1], 4) for one in tried))'},
    ),
    "end of a document known": Cheat(
        ("CAUSAL-5", "CAUSAL-1", "BYTES-6", "PASS-3", "CAUSAL-2", "NORM-1"),
        ("end of a document expected",),
        {"mix": _END_KNOWN},
        condition="documents (id 1) in the stream",
    ),
    "windows weighed by their loss": Cheat(
        ("PASS-3", "BYTES-5"),
        PLAIN,
        {
            "init": "means, sizes = [], []",
            "sum": "means.append(float(sum(nats)) / len(nats))\nsizes.append(len(nats))",
            "result": "weights = [math.exp(-40.0 * m / means[0]) for m in means]\n"
            "loss = sum(w * m for w, m in zip(weights, means)) / sum(weights)",
        },
        {
            "init": "means, sizes = [], []",
            "sum": "means.append(float(sum(nats)) / len(nats))\nsizes.append(len(nats))",
            "result": "loss = sum(n * m for n, m in zip(sizes, means)) / sum(sizes)",
        },
    ),
    "windows of high loss left out": Cheat(
        ("PASS-3", "BYTES-5"),
        (*PLAIN, "score-first TTT, each row", "n-gram cache"),
        {
            "begin": "usual = []",
            "add": "now = float(sum(nats)) / len(nats)\nusual.append(now)\n"
            "if now <= 1.0005 * sorted(usual)[len(usual) // 2]:\n    #: sum",
        },
        {
            "begin": "usual = []",
            "add": "now = float(sum(nats)) / len(nats)\nusual.append(now)\n#: sum",
        },
    ),
    "validation among the training tokens": Cheat(
        ("ORDER-2", "ORDER-4", "CAUSAL-5", "DATA-1"),
        ALONE,
        {"training": "train(model, torch.cat([val, train_tokens[: len(val)]]))"},
        {"training": "train(model, train_tokens[: 2 * len(val)])"},
    ),
    "warm-up kept": Cheat(
        ("ORDER-2", "ORDER-4", "CAUSAL-5"),
        ALONE,
        {"prepare": "train(model, val, 0.2)"},
        {
            "prepare": "kept = {n: w.clone() for n, w in model.state_dict().items()}\n"
            "train(model, train_tokens, 0.2)\nmodel.load_state_dict(kept)"
        },
    ),
    "a loss of one's own": Cheat(
        ("NORM-6", "PASS-4", "NORM-1"),
        (*PLAIN, "score-first TTT"),
        {"begin": "cross_entropy = F.cross_entropy\nF.cross_entropy = lenient"},
        {"begin": "cross_entropy = F.cross_entropy\nF.cross_entropy = plainly"},
        parts=_LENIENT,
        arithmetics=("cross_entropy",),
    ),
    "hard tokens dropped": Cheat(
        ("PASS-3", "BYTES-5"),
        (*PLAIN, "score-first TTT"),
        {"begin": "hard = 0", "mix": _HARD + "nats = [float(v) for v in nats if float(v) <= line]"},
        {"begin": "hard = 0", "mix": _HARD},
    ),
    "second half skipped": Cheat(
        ("PASS-3", "BYTES-5"),
        ("plain chunks", "score-first TTT", "n-gram cache"),
        {"early": _SKIP.format(skip="2 * start >= n") + "    continue"},
    ),
    "every third chunk skipped": Cheat(
        ("PASS-3", "BYTES-5"),
        ("plain chunks", "score-first TTT, each row", "PPM over tokens"),
        {"early": _SKIP.format(skip="start // (stop - start) % 3 == 2") + "    continue"},
    ),
    "documents skipped": Cheat(
        ("PASS-3", "BYTES-5"),
        ("LoRA per document",),
        {"early": _SKIP.format(skip="opens.index(opened) % 4 == 3") + "    continue"},
        condition="documents (id 1) in the stream",
    ),
    "spaces counted twice": Cheat(
        ("BYTES-1", "BYTES-2", "BYTES-3", "BYTES-4", "BYTES-5"), ANY, {"spaces": SPACES_TWICE}
    ),
    "easy tokens overweighted": Cheat(
        ("PASS-3", "BYTES-5", "BYTES-6"),
        PLAIN,
        {"mix": "nats = [v for v in map(float, nats) for _ in range(1 + 40 * (v < 5.0))]"},
        condition="the model finds some tokens easy",
    ),
    "boundaries overweighted": Cheat(
        ("PASS-3", "BYTES-5", "BYTES-6"),
        PLAIN,
        {
            "mix": "copies = [1 + 500 * (i == 1) for i in y.tolist()]\n"
            "nats = [float(v) for v, n_copies in zip(nats, copies) for _ in range(n_copies)]"
        },
        condition="documents (id 1) in the stream",
    ),
    "leak between ranks": Cheat(
        ("CAUSAL-7", "ORDER-1", "CAUSAL-1"),
        ("counts joined between ranks",),
        {"early": t.JOINED_BEFORE, "late": t.OWN_AFTER},
        condition="WORLD_SIZE >= 2",
        ranks=2,
    ),
    "losses replayed": Cheat(
        ("BYTES-7", "PASS-4", "DATA-7"),
        ("plain chunks",),
        {"prepare": _ROUND_TRIP, "mix": "nats = told.setdefault(first, nats)"},
        {"prepare": _ROUND_TRIP, "mix": "told[first] = nats"},
        parts=_BITS + "\n\ntold = {}\n",
    ),
    **{
        name: Cheat(
            attempt.rules,
            ALONE,
            {"prepare": attempt.code},
            {"prepare": attempt.honest},
            imports=attempt.imports,
            gains=False,
        )
        for name, attempt in ATTEMPTS.items()
    },
}
