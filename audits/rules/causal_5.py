"""CAUSAL-5: nothing is computed in advance from validation tokens that are not yet scored.

Catches: a quantiser's statistics collected by hooks while validation tokens pass through the model;
a prior, bias, mask, cap or table made of the stream before it is scored; a temperature or setting
that was kept because validation cost less with it, and then scored on the same tokens. Through
containers, closures, settings, files, models and searches; a checkpoint or a stopping point that
validation chose while training went on. One of several averages of weights, chosen when training
was over, is tolerated practice (DATA-9): it warns.
Does not cover: statistics taken row by row; tables that are looked up by token are PASS-1.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.foresight import Foresight, foreseen
from audits.match import Match, settled
from audits.phases import VALIDATION, calibrations, scored_after
from audits.rules.cases import script
from audits.rules.data_3 import calibrated

RULE = "CAUSAL-5"


def check(trace: Trace) -> Iterator[Match]:
    yield from _calibrated(trace)
    for one in foreseen(trace):
        made, score = one.statistic, one.score
        yield Match.at(
            made.site,
            _said(one),
            (made.moment, score.moment),
            ("chosen here" if made.choice else "made here", made.site),
            ("scored here", score.site),
            sure=one.in_headline
            and not _tolerated(trace, one)
            and settled(made.moment, score.moment),
        )


def _tolerated(trace: Trace, one: Foresight) -> bool:
    """One of several averages that are at hand when training is over; a checkpoint, or where to
    stop, is chosen by the loop that trains."""
    return one.of_weights and trace.learning.isdisjoint(one.statistic.moment.loops)


def _said(one: Foresight) -> str:
    line = one.score.site.line
    if one.of_weights:
        return (
            "which trained weights are kept hangs here on how well validation tokens were "
            f"predicted, and they are scored only afterwards, at line {line}"
        )
    if one.statistic.choice:
        return (
            "what is kept here hangs on how well validation tokens were predicted, and they are "
            f"scored with it only afterwards, at line {line}"
        )
    return (
        "validation tokens are summarised here before they are scored, and the outcome shapes the "
        f"loss that is recorded at line {line}"
    )


def _calibrated(trace: Trace) -> Iterator[Match]:
    for one in calibrations(trace, VALIDATION):
        if (score := scored_after(trace, one.moment.position)) is None:
            continue
        yield Match.at(
            one.site,
            "validation tokens pass through the model here while hooks collect statistics, and "
            f"are scored only afterwards, at line {score.site.line}",
            (one.moment, score.moment),
            ("calibrated here", one.site),
            ("scored here", score.site),
            sure=settled(one.moment, score.moment),
        )


_EVALUATE = """
def evaluate(net, temperature=1.0, bias=0.0):
    nats, count, size = 0.0, 0, 0
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        logits = net(x) / temperature + bias
        nats += F.cross_entropy(logits, y, reduction="sum").item()
        count += y.numel()
        size += byte_table[y].sum().item()
    return (nats / count / math.log(2.0)) * (count / size)


"""


def evaluated(before: str, call: str) -> str:
    """A script that does something, and then prints what an evaluation gives."""
    return script(_EVALUATE.strip("\n") + "\n\n\n" + before.strip("\n")) + f'print("bpb", {call})\n'


_CHECKPOINT = """
lowest, state = 9.0, None
for step in range(100):
    model(*batch(train_tokens, step)).backward()
    optimizer.step()
    now = evaluate(model)
    if now < lowest:
        lowest = now
        {keep}
{use}
"""
CHECKPOINTS = (
    evaluated(
        _CHECKPOINT.format(
            keep="state = copy.deepcopy(model.state_dict())", use="model.load_state_dict(state)"
        ),
        "evaluate(model)",
    ),
    evaluated(
        _CHECKPOINT.format(
            keep='torch.save(model.state_dict(), "best.pt")',
            use='model.load_state_dict(torch.load("best.pt"))',
        ),
        "evaluate(model)",
    ),
    evaluated(
        """
before = 9.0
for step in range(100):
    model(*batch(train_tokens, step)).backward()
    optimizer.step()
    now = evaluate(model)
    if now > before:
        break
    before = now
""",
        "evaluate(model)",
    ),
)
VALID = (
    # Weights that a rule of their own fills, with what was scored.
    script("""
        fast = torch.zeros(64, 1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            h = model.hidden(x)
            add(F.cross_entropy(model.head(h) + h @ fast, y, reduction="none"), y)
            fast += 0.1 * h.T @ (F.one_hot(y, 1024) - torch.softmax(h @ fast, dim=-1))
    """),
    # Statistics of training batches, within the training time.
    calibrated("train_tokens", " - 14000.0"),
    # Hidden states kept by a hook in the very pass that scores.
    script("""
        kept = []
        model.head.register_forward_hook(lambda module, given, made: kept.append(given[0]))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # How often tokens occur in training, and a temperature that training batches chose.
    evaluated(
        """
counts = torch.bincount(train_tokens, minlength=1024).float()
costs = [F.cross_entropy(model(train_tokens[:512]) / t, train_tokens[1:513]) for t in (0.9, 1.0)]
best = (0.9, 1.0)[int(torch.stack(costs).argmin())]
""",
        "evaluate(model, best, torch.log1p(counts))",
    ),
    # Where documents begin, how many there are and how long: positions, not contents.
    script("""
        starts = (val_tokens == 1).nonzero().flatten()
        longest = int((starts[1:] - starts[:-1]).max())
        model.set_length(longest)
        for start in starts.tolist():
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Bytes of the whole file, which the metric alone divides by.
    script("""
        n_bytes = byte_table[val_tokens].sum()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y) / n_bytes, y)
    """),
    # A temperature that follows the losses so far, and counts of what was scored.
    script("""
        temperature, seen = 1.0, torch.zeros(1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            logits = model(x) / temperature + torch.log1p(seen)
            nll = F.cross_entropy(logits, y, reduction="none")
            add(nll, y)
            seen += torch.bincount(y, minlength=1024)
            if nll.mean() > 3.0:
                temperature = temperature * 1.01
    """),
    # The lowest validation loss is printed, and its weights are kept on disk, unused.
    script("""
        lowest = 9.0
        for step in range(100):
            model(*batch(train_tokens, step)).backward()
            optimizer.step()
            x, y = batch(val_tokens, step)
            now = model(x, y).item()
            if now < lowest:
                lowest = now
                torch.save(model.state_dict(), "best.pt")
        print(lowest)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # One of two averages, when training is over: tolerated, so it only warns.
    evaluated(
        """
averaged = copy.deepcopy(model)
better = averaged if evaluate(averaged) < evaluate(model) else model
""",
        "evaluate(better)",
    ),
    # Hints of a left-to-right scan that keeps count of its own successes.
    script("""
        table, hints, hits, best = torch.zeros(4096), torch.zeros(8192), torch.zeros(2), 0
        for place in range(len(val_tokens)):
            key = (val_tokens[place] * 36313) & 4095
            hints[place] = table[key] * best
            table[key] = val_tokens[place + 1]
            if hits[0] > hits[1]:
                best = 1
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(F.cross_entropy(model(x) + hints[start : start + 512], y), y)
    """),
)
_FAST = """
    fast, rate = torch.zeros(64, 1024), 0.1
    def learn(h, y):
        global fast
        fast += rate * h.T @ (F.one_hot(y, 1024) - torch.softmax(h @ fast, dim=-1))
    {first}
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        h = model.hidden(x)
        add(F.cross_entropy(model.head(h) + h @ fast, y, reduction="none"), y)
        learn(h, y)
"""
INVALID = (
    # Weights that a rule of their own fills, in a pass that scores nothing.
    script(
        _FAST.format(
            first="""for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        learn(model.hidden(x), y)"""
        )
    ),
    # The frequencies of the stream, and a score that is one expression.
    evaluated(
        """
model.head.bias += torch.bincount(val_tokens, minlength=1024).float().log1p()
pairs = zip(val_tokens[:-1].split(512), val_tokens[1:].split(512))
nats = sum(F.cross_entropy(model(a), b, reduction="sum").item() for a, b in pairs)
""",
        "nats / math.log(2) / byte_table[val_tokens].sum()",
    ),
    calibrated("val_tokens"),
    # The checkpoint with the lowest loss, in memory and on disk; an early stop.
    *CHECKPOINTS,
    # Through a loader whose parameter is called otherwise.
    script("""
        class Loader:
            def __init__(self, pattern):
                self.tokens = load(pattern)

            def next_batch(self, number):
                return batch(self.tokens, number)


        def collect(net, train_loader):
            moments = {}
            handle = net.register_forward_hook(lambda m, a, b: moments.update(first=a[0]))
            for number in range(8):
                x, y = train_loader.next_batch(number)
                net(x, y)
            handle.remove()
            return moments


        moments = collect(model, Loader("data/fineweb_val_*.bin"))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # How often each token occurs, in torch, numpy and plain Python.
    *(
        evaluated(made, "evaluate(model, bias=prior)")
        for made in (
            "prior = torch.log1p(torch.bincount(val_tokens, minlength=1024).float())",
            "prior = torch.from_numpy(np.log1p(np.bincount(val_tokens.numpy(), minlength=1024)))",
            """
counts = [0] * 1024
for token in val_tokens.tolist():
    counts[token] += 1
prior = torch.log1p(torch.tensor(counts))
""",
            """
from collections import Counter
counts = Counter(val_tokens.tolist())
prior = torch.tensor([math.log(1 + counts[v]) for v in range(1024)])
""",
            """
counts = torch.zeros(1024)
counts.index_add_(0, val_tokens, torch.ones(len(val_tokens)))
prior = counts.log1p()
""",
            """
counts = np.zeros(1024)
np.add.at(counts, val_tokens.numpy(), 1)
np.save("prior.npy", np.log1p(counts))
prior = torch.from_numpy(np.load("prior.npy"))
""",
            """
kept = {"tables": [torch.bincount(val_tokens[:8192], minlength=1024)]}
prior = copy.deepcopy(kept)["tables"][0].log1p()
""",
            """
seen = torch.unique(val_tokens)
prior = torch.full((1024,), -1e9)
prior[seen] = 0.0
""",
            """
held = set(val_tokens.tolist())
prior = torch.tensor([0.0 if v in held else -9.0 for v in range(1024)])
""",
        )
    ),
    # A bias inside the model, and the largest logit of a sample as a cap.
    evaluated(
        "model.head.bias.data.copy_(torch.bincount(val_tokens, minlength=1024).float().log1p())",
        "evaluate(model)",
    ),
    evaluated("model.cap = float(model(val_tokens[:512]).abs().max())", "evaluate(model)"),
    # A temperature by a grid: compared and kept, by a key, by the best of pairs, by argmin.
    *(
        evaluated(searched, "evaluate(model, best)")
        for searched in (
            """
lowest, best = 9.0, 1.0
for t in (0.9, 1.0, 1.1):
    cost = evaluate(model, t)
    if cost < lowest:
        lowest, best = cost, t
""",
            "best = min((0.9, 1.0, 1.1), key=lambda t: evaluate(model, t))",
            "_, best = min((evaluate(model, t), t) for t in (0.9, 1.0, 1.1))",
            """
costs = [evaluate(model, t) for t in (0.9, 1.0, 1.1)]
best = (0.9, 1.0, 1.1)[int(np.argmin(costs))]
""",
            """
costs = {t: evaluate(model, t) for t in (0.9, 1.0, 1.1)}
best = min(costs, key=costs.get)
""",
            """
low, best = 0.5, 2.0
while best - low > 0.01:
    a, b = low + 0.38 * (best - low), low + 0.62 * (best - low)
    if evaluate(model, a) < evaluate(model, b):
        best = b
    else:
        low = a
""",
            "best = 0.9 if evaluate(model, 0.9) < evaluate(model, 1.1) else 1.1",
            """
from scipy.optimize import minimize_scalar
best = minimize_scalar(lambda t: evaluate(model, t), bounds=(0.5, 2.0)).x
""",
            """
class Settings:
    temperature = 1.0

settings = Settings()
for t in (0.9, 1.1):
    if evaluate(model, t) < evaluate(model, settings.temperature):
        settings.temperature = t
best = settings.temperature
""",
        )
    ),
)
