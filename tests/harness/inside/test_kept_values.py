"""Laws of plain numbers: whatever arithmetic makes a score, it is found by value, and its place."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from audits.facts.documented.printed_scores import printed_numbers
from harness.inside.hooks import watching
from harness.inside.hooks.code.rewriting import Rewriter
from harness.trace.reader import load
from harness.trace.reconstruct import reconstruct

TOKENS, V = 513, 64
SCRIPT = '''
import ast, collections, math, multiprocessing.pool, statistics
from decimal import Decimal
import numpy as np, torch, torch.nn.functional as F
torch.manual_seed(0)
V, tokens = 64, torch.from_numpy(np.load("stream.npy").astype(np.uint16)).long()
ids, arr, N, table = tokens.tolist(), tokens.numpy(), 512, torch.randn(64, 64)
truth = {}

class Counts:
    def __init__(self):
        self.seen, self.all = collections.defaultdict(lambda: [0] * V), collections.Counter()
    def row(self, before):
        return [(c + 0.5) / (self.all[before] + 0.5 * V) for c in self.seen[before]]
    def share(self, before, token):
        return (self.seen[before][token] + 0.5) / (self.all[before] + 0.5 * V)
    def add(self, before, token):
        self.seen[before][token] += 1
        self.all[before] += 1

def model(start, stop):
    return F.log_softmax(table[tokens[start:stop]].float(), -1)

def rows_fsum():
    counts, nats = Counts(), []
    for i in range(1, N + 1):
        nats.append(-math.log(counts.row(ids[i - 1])[ids[i]]))
        counts.add(ids[i - 1], ids[i])
    return math.fsum(nats) / len(nats)

def heavy_rows():
    counts, nats = Counts(), 0.0
    for i in range(1, N + 1):
        row = [1.5 * share for share in counts.row(ids[i - 1])]
        nats -= math.log(row[ids[i]])
        counts.add(ids[i - 1], ids[i])
    return nats / N

def whole_row():
    counts, nats = Counts(), 0.0
    for start in range(0, N, 100):
        stop = min(start + 100, N)
        tab = model(start, stop).double().numpy()
        for j in range(stop - start):
            before, token = int(arr[start + j]), int(arr[start + j + 1])
            mixed = 0.7 * np.exp(tab[j]) + 0.3 * np.array(counts.row(before))
            nats -= math.log(mixed[token])
            counts.add(before, token)
    return nats / N

def digits():
    nodes, nats = collections.defaultdict(lambda: [1, 1]), 0.0
    def price(before, token):
        bits, node = 0.0, 1
        for k in range(5, -1, -1):
            digit, count = (token >> k) & 1, nodes[before, node]
            share = count[1] / (count[0] + count[1])
            bits -= math.log2(share if digit else 1.0 - share)
            count[digit] += 1
            node = 2 * node + digit
        return bits
    for before, token in zip(ids, ids[1:]):
        nats += price(before, token) * math.log(2.0)
    return nats / N

def decimals():
    rows, total = model(0, N).double().exp().tolist(), Decimal(0)
    for i in range(N):
        total += -(Decimal(rows[i][ids[i + 1]]) * Decimal("0.9") + Decimal("0.1") / V).ln()
    return float(total / N)

def running_mean():
    rows, mean = model(0, N).exp().tolist(), 0.0
    for i, row in enumerate(rows):
        nats = -math.log(0.8 * row[ids[i + 1]] + 0.2 / V)
        mean += (nats - mean) / (i + 1)
    return mean

def generator():
    rows = model(0, N).exp().tolist()
    return statistics.fmean(-math.log(0.9 * r[t] + 0.1 / V) for r, t in zip(rows, ids[1:]))

def documents_backwards():
    counts, nats, places = Counts(), 0.0, {}
    documents = [(s, ids[s : s + 65]) for s in range(0, N, 64)][::-1]
    for start, document in documents:
        before = document[0]
        for k, token in enumerate(document[1:]):
            score = -math.log(0.9 * counts.share(before, token) + 0.1 / V)
            truth[start + k + 1] = score
            nats += score
            counts.add(before, token)
            before = token
    return nats / N

def by_hand():
    z = table[tokens[:-1]].numpy().astype(np.float64)
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return float(-np.log(p[np.arange(N), arr[1:]]).mean())

def minus_logit():
    z, y = table[tokens[:-1]], tokens[1:]
    nats = torch.logsumexp(z, -1) - z.gather(-1, y[:, None])[:, 0]
    return nats.double().mean().item()

def as_double():
    nats = F.cross_entropy(table[tokens[:-1]], tokens[1:], reduction="none")
    return (torch.as_tensor(nats, dtype=torch.float64).cpu().sum() / N).item()

def half_minus_logit():
    z, y = table[tokens[:-1]], tokens[1:]
    nats = 0.9 * torch.logsumexp(z, -1) - z.gather(-1, y[:, None])[:, 0]
    return nats.double().mean().item()

def prices_of(start, stop):
    rows, found = model(start, stop).exp().tolist(), []
    for row, token in zip(rows, tokens[start + 1 : stop + 1].tolist()):
        found.append(-math.log(0.9 * row[token] + 0.1 / V))
    return found

def looked_at_before():
    every, start = [], 0
    while start < N:  # windows overlap; what was scored is gone through before it is kept
        stop = min(N, start + 32)
        begin = max(0, stop - 64)
        nats = prices_of(begin, stop)[start - begin :]
        cooler = [0.9 * float(v) for v in nats]
        every.extend(float(v) for v in nats)
        start = stop
    return sum(every) / len(every)

def scaled_later():
    every, start = [], 0
    while start < N:  # the first number of a window is no score of the last token that was read
        stop = min(N, start + 32)
        begin = max(0, stop - 64)
        nats = [0.9 * v for v in prices_of(begin, stop)[start - begin :]]
        every.extend(nats)
        start = stop
    return sum(every) / len(every)

def added_one_by_one():
    total, last = torch.zeros((), dtype=torch.float64), 0.0
    for start in range(0, N, 64):
        y = tokens[start + 1 : start + 65]
        nats = F.cross_entropy(table[tokens[start : start + 64]].double(), y, reduction="none")
        if start % 128:
            last = last + sum(nats)
        else:
            for v in nats:
                total += v
    return float(total + last) / N

def flattened_logs():
    logs = F.log_softmax(table[tokens[:-1]].double()[None] * 1.1, -1).flatten(0, 1)
    return F.nll_loss(logs, tokens[1:], reduction="none").mean().item()

def logs_of_nothing():
    logs = (0.9 * F.log_softmax(table[tokens[:-1]].double(), -1)).clone()
    return F.nll_loss(logs, tokens[1:], reduction="none").mean().item()

def rows_in_a_batch():
    every = []
    for start in range(0, N, 64):
        x, y = tokens[None, start : start + 64], tokens[None, start + 1 : start + 65]
        z = 1.3 * table[x].numpy().astype(np.float64).reshape(y.numel(), -1)
        lse = np.log(np.exp(z).sum(1))
        nats = lse - z[np.arange(len(z)), y.numpy().ravel()]
        short = 1.1 * nats
        nats = [-math.log(0.5 * math.exp(-a) + 0.5 * math.exp(-b)) for a, b in zip(nats, short)]
        every += [float(v) for v in nats]
    return math.fsum(every) / len(every)

def in_a_buffer():
    best, total = float("inf"), 0.0
    for start in range(0, N, 40):
        y = tokens[start + 1 : min(start + 41, N + 1)]
        found = torch.full((len(y),), 3e38)  # as memory that nobody wrote to may be
        logs = model(start, start + len(y))
        for rows in torch.arange(len(y)).split(16):
            found[rows] = F.nll_loss(1.2 * logs[rows], y[rows], reduction="none")
        total += sum(v.item() for v in found)
        best = min(best, total)
    return total / N

def one_row_at_a_time():
    total = 0.0
    for i in range(N):
        row = table[tokens[i]].double()
        total = total + (torch.logsumexp(row, 0) - row[tokens[i + 1]])
    return total.item() / N

def digits_of_tensors():
    p, cost = F.softmax(table[tokens[:-1]], -1).double(), torch.zeros(N, dtype=torch.float64)
    targets = arr[1:]
    t, node, every = torch.from_numpy(targets), torch.zeros(N, dtype=torch.long), []
    for level in range(5, -1, -1):
        halves = p.view(N, -1, 1 << level).sum(-1)
        both = [halves.gather(1, (2 * node + k)[:, None])[:, 0] for k in (0, 1)]
        digit = (t >> level) & 1
        cost -= torch.log(torch.where(digit == 1, both[1], both[0]) / (both[0] + both[1]))
        node = 2 * node + digit
    every.append(cost)
    return torch.cat(every).mean().item()

def head_in_pieces():
    total, z = 0.0, table[tokens[:-1]]
    for start in range(0, N, 128):
        t = torch.from_numpy(arr[start + 1 : start + 129])
        high, mass, hit = torch.full((128,), -9e9), torch.zeros(128), torch.zeros(128)
        for low in range(0, V, 16):
            part = z[start : start + 128, low : low + 16]
            above = torch.maximum(high, part.amax(1))
            mass = mass * torch.exp(high - above) + torch.exp(part - above[:, None]).sum(1)
            high, inside = above, (t >= low) & (t < low + 16)
            hit[inside] = part[inside, t[inside] - low]
        total += (high + mass.log() - hit).double().sum()
    return total.item() / N

def in_text():
    space = dict(globals())
    exec("""
counts, nats = Counts(), 0.0
for i in range(1, N + 1):
    nats -= math.log(0.8 * counts.share(ids[i - 1], ids[i]) + 0.2 / V)
    counts.add(ids[i - 1], ids[i])
""", space)
    return space["nats"] / N

def after_other_tokens():
    def nats_of(tokens):
        found = []
        for token in tokens:
            nats = 0.0
            for k in range(6):
                share = 0.6 + 0.0137 * k
                nats -= math.log(share if (token >> k) & 1 else 1.0 - share)
            found.append(nats)
        return found
    for start in range(0, 400, 50):  # a passage of the stream, as training text has some
        nats_of(ids[start : start + 12] + torch.randint(V, (60,)).tolist())
    return math.fsum(nats_of(ids[1:])) / N

def from_a_file():
    tokens.short().numpy().tofile("raw.bin")
    whole = torch.from_file("raw.bin", size=N + 1, dtype=torch.int16).long() % 65536
    rows, nats = model(0, N).exp().tolist(), []
    for t, row in zip(range(1, N + 1), rows):
        nats.append(-math.log(0.7 * row[int(whole[t])] + 0.3 / V))
    return sum(nats) / N

def jit(function):  # not rewritten, as in another process
    return function

@jit
def prices(row, token):
    return -math.log(0.6 * row[token] + 0.4 / V)

def in_a_pool():
    rows, total = model(0, N).exp().tolist(), 0.0
    with multiprocessing.pool.ThreadPool(2) as pool:
        for start in range(0, N, 40):
            piece = tokens[start + 1 : min(start + 41, N + 1)].tolist()
            for v in pool.starmap(prices, list(zip(rows[start:], piece))):
                total += v
    return total / N

def vectors():
    width, nats = 40, 0.0  # as long as the slices
    weights = torch.rand(V, width).tolist()
    for start in range(0, N, width):
        piece = ids[start + 1 : start + width + 1]
        for token in piece:
            sums = [sum(w for w in row) for row in weights]
            nats -= math.log(sums[token] / sum(sums))
    return nats / N

def twice():
    for share in (0.9, 0.8):  # what was read last, by whoever, is not the second pass's first token
        rows, nats = model(0, N).exp().tolist(), []
        for row, token in zip(rows, ids[1:]):
            nats.append(-math.log(share * row[token] + (1.0 - share) / V))
        for token in ids[450:]:
            token += 1
    return sum(nats) / N

def in_bits():
    bits = 0.0
    for start in range(0, N, 64):
        p = (0.9 * model(start, start + 64).exp() + 0.1 / V).double()
        bits -= p.log2().gather(1, tokens[start + 1 : start + 65, None]).sum().item()
    return bits * math.log(2.0) / N

def half_in_digits():
    p = model(0, N).exp().double().log10() * 0.5
    return -p[torch.arange(N), tokens[1:]].reshape(-1).sum().item() * math.log(10.0) / N

def escapes():
    seen, bits = collections.defaultdict(collections.Counter), 0.0
    for i in range(1, N + 1):
        token = ids[i]
        for order in (2, 1, 0):  # a context is read again after the token
            counts = seen[tuple(ids[max(0, i - order) : i])]
            n = sum(counts.values()) + len(counts) + 1
            if token in counts:
                bits -= math.log2(counts[token] / n)
                break
            bits += math.log2(n / (len(counts) + 1))
        else:
            bits += math.log2(V)
        for order in (0, 1, 2):
            seen[tuple(ids[max(0, i - order) : i])][token] += 1
    return bits * math.log(2.0) / N

def by_document():
    totals, of = np.zeros(8), np.arange(N) // 64
    p = model(0, N).exp().double()
    nats = -p.gather(1, tokens[1:, None])[:, 0].log()
    np.add.at(totals, of[:256], nats.numpy()[:256])
    more = torch.zeros(8, dtype=torch.float64).index_add_(0, torch.from_numpy(of[256:]), nats[256:])
    return float(totals.sum() + more.sum()) / N

def one_hot():
    hot = F.one_hot(tokens[1:], V).double()
    return -((1.1 * table[tokens[:-1]]).double().log_softmax(-1) * hot).sum().item() / N

def least_of_passes():
    totals, rows = [], model(0, N).exp().tolist()
    for share in (0.9, 0.5, 0.1):
        bits = 0.0
        for row, token in zip(rows, ids[1:]):
            bits -= math.log2(share * row[token] + (1.0 - share) / V)
        totals.append(bits)
    return sorted(totals)[1] * math.log(2.0) / N

def tensors_of_ids():
    def prices():
        for start in range(0, N, 64):
            for row, token in zip(model(start, start + 64).exp(), tokens[start + 1 : start + 65]):
                yield -math.log2(0.85 * row[token] + 0.15 / V)
    total = 0
    for price in prices():
        total += price
    return total * math.log(2.0) / N

for score in (rows_fsum, heavy_rows, whole_row, digits, decimals, running_mean, generator,
              documents_backwards, by_hand, minus_logit, as_double, half_minus_logit, in_text,
              after_other_tokens, from_a_file, in_a_pool, vectors, twice, looked_at_before,
              scaled_later, added_one_by_one, one_row_at_a_time, digits_of_tensors,
              flattened_logs, logs_of_nothing, in_a_buffer,
              rows_in_a_batch, head_in_pieces, in_bits, half_in_digits, escapes, by_document,
              one_hot, tensors_of_ids, least_of_passes):
    print(f"{score.__name__} val_loss:{score():.8f}")
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The script as it is and followed: what it printed, its capture, its own record."""
    stage: Path = tmp_path_factory.mktemp("kept")
    stream = np.random.default_rng(5).integers(0, V, TOKENS)
    np.save(stage / "stream.npy", stream)
    logs, names = {}, {"__name__": "__main__"}
    for followed in (False, True):
        text = io.StringIO()
        with (
            contextlib.chdir(stage),
            contextlib.redirect_stdout(text),
            contextlib.ExitStack() as on,
        ):
            compiled = compile
            if followed:
                recorder = on.enter_context(watching(stream, stage / "out" / "rank0", stage))
                compiled = recorder.compiled
            code = compiled(SCRIPT, str(stage / "train_gpt.py"), *([] if followed else ["exec"]))
            exec(code, names)
        logs[followed] = text.getvalue()
    capture = load(stage / "out")
    scored = {n.tag: reconstruct(capture, n, TOKENS) for n in printed_numbers(logs[True])}
    return capture, logs, names, scored


def test_followed_code_computes_the_same(run):
    capture, logs, _, _ = run

    assert logs[True] == logs[False]
    assert capture.errors == []


def test_a_score_is_found_in_any_arithmetic(run):
    *_, scored = run
    for name, found in scored.items():
        assert found is not None, name
        assert found.gap < 1e-6 and sorted(found.position) == list(range(1, TOKENS)), name


def test_places_are_those_of_the_tokens_whatever_their_order(run):
    _, _, names, scored = run
    before, after = names["tokens"][:-1], names["tokens"][1:]
    share = names["table"][before].float().softmax(-1).gather(1, after[:, None])[:, 0].double()
    nats = dict(enumerate((-(0.9 * share + 0.1 / V).log()).tolist(), 1))
    scaled = {place: 0.9 * v for place, v in nats.items()}
    truths = {
        "documents_backwards": names["truth"],
        "looked_at_before": nats,
        "scaled_later": scaled,
        "in_bits": nats,
    }
    for name, truth in truths.items():
        found = scored[name]
        places = dict(zip(found.position.tolist(), found.nats.tolist(), strict=True))
        assert places == pytest.approx(truth, abs=1e-5), name


def test_a_row_that_weighs_one_is_as_good_as_a_softmax(run):
    """Seen by value where it was read, or picked from; others say nothing."""
    capture, _, _, scored = run
    widths = {}
    for name, found in scored.items():
        seen = int(capture.softmax_width[found.event].min())
        widths[name] = found.row_width if found.inferred else seen
    normalised = {"rows_fsum", "whole_row", "by_hand", "minus_logit", "as_double"}
    normalised |= {"added_one_by_one", "one_row_at_a_time", "flattened_logs"}
    normalised |= {"digits_of_tensors", "head_in_pieces"}  # the same numbers as `by_hand`
    normalised |= {"in_bits", "by_document", "one_hot"}

    assert {name for name, width in widths.items() if width == V} == normalised
    assert {width for name, width in widths.items() if name not in normalised} == {0}


def test_rewritten_code_keeps_what_the_language_says():
    """Order, exceptions, slices, annotations, comprehensions and class bodies stay as they are."""
    text = """
from dataclasses import dataclass
@dataclass
class Pair:
    a: list[int]
    b: "dict[str, int]" = None
def f(x, *, key: tuple[int, ...] = ()):
    out = [y for y in x[1:-1:2]]
    x[0] += x[1]; x[2:] = x[2:][::-1]
    first, *rest = x
    try:
        x[99]
    except IndexError as error:
        out.append(type(error).__name__)
    return out, first, rest, {k: v for k, v in zip("ab", x)}, (lambda q: q[0])(x)
value = f([1, 2, 3, 4, 5, 6]), Pair([1]).a[0], f"{[1, 2][1]}"
match value[0][0]:
    case [2, *_]: value += ("matched",)
"""
    import ast
    import builtins

    plain, followed = {}, {}
    exec(compile(text, "plain", "exec"), plain)
    tree = Rewriter(0).visit(ast.parse(text))
    names = {"__at__": lambda c, k, n: c[k], "__of__": lambda n, v: v, "__in__": lambda v: v}
    followed.update(names, __to__=slice, __as__=lambda t: t, __builtins__=builtins)
    exec(compile(tree, "followed", "exec"), followed)

    assert followed["value"] == plain["value"]
