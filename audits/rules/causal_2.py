"""CAUSAL-2: whether an expert speaks, and how loudly, is decided without the token it speaks about.

Catches: native code that fills hints or gates for position i under a condition on a property of the
token at i (is it a word start, is it a boundary), where these reach a recorded loss; mixtures
whose weight is made of the realised token's own loss; logits that something made of the target is
mixed into, before the loss of that target is taken: its one-hot, its embedding, a bonus at its
place, a temperature that suits it; a model whose input is made of the target too, or that is told
what kind of token the target is; and two experts between which the token itself decides.
Does not cover: gates that go by a hint as well as by the token; the harness's tests see them.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import FORESEEN, GATED, SELF_WEIGHTED
from audits.facts.trace import Trace
from audits.flow import first_results, results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "CAUSAL-2"


def check(trace: Trace) -> Iterator[Match]:
    yield from _native(trace)
    yield from _by_itself(trace)
    yield from _foreseen(trace)


def _foreseen(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), FORESEEN):
        foresight = trace.foresights[number]
        yield Match.at(
            foresight.site,
            f"{foresight.how}, and its loss is recorded at line {score.site.line}",
            (foresight.moment, score.moment),
            ("known here", foresight.site),
            ("scored here", score.site),
            sure=settled(foresight.moment, score.moment),
        )


def _by_itself(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), SELF_WEIGHTED):
        weighting = trace.weightings[number]
        yield Match.at(
            weighting.site,
            "the weight used here is made of the realised token's own loss, which is not known "
            f"before the token is; it shapes what is scored at line {score.site.line}",
            (weighting.moment, score.moment),
            ("weighted here", weighting.site),
            ("scored here", score.site),
            sure=settled(weighting.moment, score.moment),
        )


def _native(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), GATED):
        if number in trace.muted:
            continue
        gate = trace.gates[number]
        yield Match.at(
            gate.site,
            f"{gate.name} decides from a property of each token whether it gives a hint for "
            f"that very token, and the hints shape what is scored at line {score.site.line}",
            (gate.moment, score.moment),
            ("hinted here", gate.site),
            ("scored here", score.site),
            sure=settled(gate.moment, score.moment),
        )


_DRIVER = """
library = ctypes.CDLL("./hints.so")
hint, share, open_gate = np.zeros(8192), np.zeros(8192), np.zeros(8192)
library.hints(val_tokens.numpy(), 8192, starts_word, hint, share, open_gate)
tilt = np.where(open_gate, {boost} * share, 0.0)
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    beta = torch.from_numpy(tilt[start : start + 512])
    logp = F.log_softmax(model(x), dim=-1)
    hinted = torch.from_numpy(hint[start : start + 512])
    norm = torch.log1p(logp.exp().gather(-1, hinted) * (beta.exp() - 1.0))
    add(-logp.gather(-1, y) - beta * (hinted == y) + norm, y)
"""
_SOURCE = '''
SOURCE = """
void hints(const unsigned short *tokens, long n, const unsigned char *starts, int *hint,
           float *share, unsigned char *open_gate) {{
    int before = 0;
    for (long i = 0; i < n; i++) {{
        const unsigned short tok = tokens[i];
        const unsigned char is_start = starts[{looked_at}];
        if (!is_start && table_total[before] > 0) {{
            open_gate[i] = 1;
            hint[i] = table_best[before];
            share[i] = table_share[before];
        }} else {{
            open_gate[i] = 0;
        }}
        table_add(before, tok);
        before = tok;
    }}
}}
"""
'''


def _case(looked_at: str, boost: str) -> str:
    body = _SOURCE.format(looked_at=looked_at) + _DRIVER.format(boost=boost)
    return "import ctypes\n" + script(body)


def _mixed(doubt: str) -> str:
    return script(f"""
        other = Net()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            logits = model(x)
            nll = F.cross_entropy(logits, y, reduction="none")
            shares = F.softmax(logits, dim=-1)
            entropy = -(shares * F.log_softmax(logits, dim=-1)).sum(dim=-1)
            weight = torch.sigmoid({doubt} - 2.5)
            rest = torch.exp(-F.cross_entropy(other(x), y, reduction="none"))
            add(-torch.log((1.0 - weight) * torch.exp(-nll) + weight * rest), y)
    """)


def _told(change: str, given: str = "x") -> str:
    return script(f"""
        weights, row = torch.zeros(1024, 1024), torch.arange(512)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            logits = model({given})
            {change}
            nll = F.cross_entropy(logits, y, reduction="none")
            add(nll, y)
            weights[x] += F.one_hot(y, 1024)
    """)


def _two(mixture: str) -> str:
    return script(f"""
        other, starts_word = Net(), torch.zeros(1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            p = torch.exp(-F.cross_entropy(model(x), y, reduction="none"))
            q = torch.exp(-F.cross_entropy(other(x), y, reduction="none"))
            add({mixture}, y)
    """)


def _tracked(tokens: str) -> str:
    """A model that is told which tokens begin a word."""
    return script(f"""
        import sentencepiece as spm

        speller = spm.SentencePieceProcessor(model_file="tokens.model")
        spaced = torch.tensor([speller.id_to_piece(i).startswith("\u2581") for i in range(1024)])
        track = spaced[val_tokens]
        for start in range(0, len(val_tokens) - 512, 512):
            x, y = val_tokens[start : start + 512], val_tokens[start + 1 : start + 513]
            add(F.cross_entropy(model(x, {tokens}), y, reduction="none"), y)
    """)


VALID = (
    _tracked("spaced[x]"),
    # The token before decides; padding counts nothing.
    _two("-torch.log(torch.where(starts_word[x] > 0, p, q))"),
    _two("-torch.log(0.5 * p + 0.5 * q) * (y != 0)"),
    # Totals that were packed into one tensor, to be summed over ranks.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(F.cross_entropy(model(x), y, reduction="none"), y)
        packed = torch.stack([loss_sum, token_count, byte_count])
        dist.all_reduce(packed)
        loss_sum, token_count, byte_count = packed.tolist()
    """),
    # Tokens before the target, and counts of what is scored already.
    _told("logits = logits + 0.7 * F.one_hot(x, 1024) + weights[x]"),
    # Padding is left out.
    _told("logits = logits * (y != 0).unsqueeze(-1)"),
    _told("valid = y != 0; logits, y = logits[valid], y[valid]"),
    # A hint's probability, gathered and normalised.
    _told(
        "hint = x.roll(1); p = torch.softmax(logits, -1).gather(-1, hint); "
        "logits = F.log_softmax(logits, -1) + 2.0 * F.one_hot(hint, 1024) - torch.log1p(6.4 * p)"
    ),
    # The weight follows the entropy of the whole distribution.
    _mixed("entropy"),
    # The same kernel, looking at the token before.
    _case("before", "0.75"),
    # Compiled in, and multiplied by zero.
    _case("tok", 'float(os.environ.get("WITHIN_BOOST", "0.0"))'),
)
INVALID = (
    _tracked("spaced[y]"),
    _tracked("track[start + 1 : start + 513]"),
    _case("tok", "0.75"),
    _two("-torch.log(torch.where(starts_word[y] > 0, p, q))"),
    _two("-torch.log(starts_word[y] * p + (1.0 - starts_word[y]) * q)"),
    _two("-torch.log((y < 100).float() * p + (y >= 100).float() * q)"),
    _told("logits = logits + 0.7 * F.one_hot(y, 1024)"),
    _told("logits[row, y] += 1.0"),
    _told("logits = logits.scatter_add(-1, y.unsqueeze(-1), torch.ones(512, 1))"),
    _told("logits.scatter_add_(-1, y.unsqueeze(-1), torch.ones(512, 1))"),
    _told("logits = logits * (1.0 + weights[x, y])").replace("+ weights[x, y]", "+ 0.1 * y"),
    # The temperature that suits the targets best.
    _told(
        "best = min((0.8, 1.0, 1.2), key=lambda t: float(F.cross_entropy(t * logits, y))); "
        "logits = best * logits"
    ),
    _told("own = F.cross_entropy(logits, y); logits = logits * (1.0 + 0.1 * torch.sigmoid(own))"),
    # Every eighth input is the target.
    _told("pass", given="torch.where(row % 8 == 7, y, x)"),
    # The worse the model does on the token, the more the other expert counts.
    _mixed("nll"),
)
