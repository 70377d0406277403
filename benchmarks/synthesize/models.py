"""The axis of model families, each with the one change that lets it see what comes next.

Each defines `Model`, with `hidden(ids)` (B, T) -> (B, T, width), `head(hidden)` -> logits (B, T,
vocab), and `forward`. At `#: embedded` `x` (B, T, dim) are the embeddings of `ids`; at `#: adapted`
`out` are the logits of `h`.

Guarantees: causal as written. Does not cover: quality; they learn something in a few steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.synthesize.text import changed


@dataclass(frozen=True)
class Family:
    code: str
    causal: str  # the spot that keeps the future out
    leaking: str  # what stands there in a twin that does not
    embeds: bool = True  # has `#: embedded`

    def leaky(self) -> str:
        return changed(self.code, self.causal, self.leaking)


_BODY = """

    def head(self, h):
        out = F.linear(h, self.tokens.weight)
        #: adapted
        return out

    def forward(self, ids):
        return self.head(self.hidden(ids))
"""

_TRANSFORMER = (
    """
class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.mix = nn.Linear(d, 3 * d, bias=False)
        self.back = nn.Linear(d, d, bias=False)
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        parts = self.mix(F.layer_norm(x, (d,))).view(b, t, 3, {{heads}}, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.back(seen.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(F.layer_norm(x, (d,)))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        self.places = nn.Parameter(0.02 * torch.randn({{seq_len}}, self.width))
        self.blocks = nn.Sequential(*[Block(self.width) for _ in range({{layers}})])
        nn.init.normal_(self.tokens.weight, std=0.05)

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        x = x + self.places[: ids.size(1)]
        return F.layer_norm(self.blocks(x), (self.width,))
"""
    + _BODY
)

_RECURRENT = (
    """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.cell = nn.GRU(self.width, self.width, batch_first=True)
        self.out = nn.Linear(self.width, self.width)

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        states, _ = self.cell(x)
        return self.out(states) + x
"""
    + _BODY
)

_WINDOW = (
    '''
def earlier(x, lag):
    """What stood `lag` places before."""
    return F.pad(x, (0, 0, lag, 0))[:, : x.size(1)] if lag else x


class Model(nn.Module):
    LAGS = (0, 1, 2, 3)

    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.net = nn.Sequential(
            nn.Linear(len(self.LAGS) * self.width, 2 * self.width),
            nn.SiLU(),
            nn.Linear(2 * self.width, self.width),
        )

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        return self.net(torch.cat([earlier(x, lag) for lag in self.LAGS], dim=-1))
'''
    + _BODY
)

_LINEAR = (
    '''
class Linear(nn.Module):
    """Attention without a softmax."""

    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.fade = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        t = x.size(1)
        q, k = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1
        age = torch.arange(t, device=x.device)
        lag = age[:, None] - age[None, :]
        kept = torch.where(lag >= 0, torch.sigmoid(self.fade) ** lag.abs(), 0.0)
        weight = (q @ k.mT) * kept
        return x + weight @ self.v(x) / weight.sum(-1, keepdim=True).clamp_min(1e-6)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.parts = nn.ModuleList(Linear(self.width) for _ in range({{layers}}))

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        for part in self.parts:
            x = part(x)
        return x
'''
    + _BODY
)

_SCAN = (
    '''
class Scan(nn.Module):
    """A diagonal state that forgets at learned rates."""

    def __init__(self, d):
        super().__init__()
        self.rate = nn.Parameter(torch.linspace(-1.0, 3.0, d))
        self.put, self.get = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        keep, put = torch.sigmoid(self.rate), self.put(x)
        state, states = torch.zeros_like(put[:, 0]), []
        for t in range(x.size(1)):
            state = keep * state + (1 - keep) * put[:, t]
            states.append(state)
        return x + self.get(torch.tanh(torch.stack(states, dim=1)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.scans = nn.Sequential(*[Scan(self.width) for _ in range({{layers}})])

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        return self.scans(x)
'''
    + _BODY
)

_CONVOLUTION = (
    """
class Model(nn.Module):
    REACH = 4

    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.layers = nn.ModuleList(
            nn.Conv1d(self.width, self.width, 2 * self.REACH + 1) for _ in range({{layers}})
        )

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        x = x.transpose(1, 2)
        for layer in self.layers:
            x = x + torch.relu(layer(F.pad(x, (2 * self.REACH, 0))))
        return x.transpose(1, 2)
"""
    + _BODY
)

_TABLE = '''
class Model(nn.Module):
    """A row of logits for each token, and a second one for the token before it."""

    def __init__(self):
        super().__init__()
        self.width = {{vocab}}
        self.near = nn.Parameter(torch.zeros(self.width, self.width))
        self.far = nn.Parameter(torch.zeros(self.width, self.width))

    def hidden(self, ids):
        return self.near[ids] + self.far[F.pad(ids, (1, 0))[:, :-1]]

    def head(self, h):
        out = h
        #: adapted
        return out

    def forward(self, ids):
        return self.head(self.hidden(ids))
'''

_MIXTURE = '''
class Model(nn.Module):
    """Two experts, weighed by a gate that reads the last token; probabilities are mixed."""

    def __init__(self):
        super().__init__()
        self.width = {{vocab}}
        self.low = nn.Embedding(self.width, {{dim}})
        self.first = nn.Linear({{dim}}, self.width)
        self.second = nn.Linear(2 * {{dim}}, self.width)
        self.gate = nn.Linear({{dim}}, 2)

    def hidden(self, ids):
        x = self.low(ids)
        #: embedded
        old = F.pad(x, (0, 0, 1, 0))[:, :-1]
        one = F.log_softmax(self.first(x), dim=-1)
        two = F.log_softmax(self.second(torch.cat([x, old], dim=-1)), dim=-1)
        weigh = F.log_softmax(self.gate(x), dim=-1)
        return torch.logaddexp(one + weigh[..., :1], two + weigh[..., 1:])

    def head(self, h):
        out = h
        #: adapted
        return out

    def forward(self, ids):
        return self.head(self.hidden(ids))
'''

_EXPERTS = (
    """
class Experts(nn.Module):
    def __init__(self, d, n=4):
        super().__init__()
        self.route = nn.Linear(d, n)
        self.up = nn.Parameter(torch.randn(n, d, d) / d**0.5)
        self.down = nn.Parameter(torch.randn(n, d, d) / d**0.5)

    def forward(self, x):
        shares = torch.softmax(self.route(x), dim=-1)
        best, which = shares.topk(2, dim=-1)
        kept = torch.zeros_like(shares).scatter(-1, which, best)
        inner = torch.relu(torch.einsum("btd,nde->btne", x, self.up)).square()
        return x + torch.einsum("btne,ned,btn->btd", inner, self.down, kept)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.near = nn.Linear(2 * self.width, self.width)
        self.experts = nn.ModuleList(Experts(self.width) for _ in range({{layers}}))

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        old = F.pad(x, (0, 0, 1, 0))[:, :-1]
        x = x + self.near(torch.cat([x, old], dim=-1))
        for layer in self.experts:
            x = layer(F.layer_norm(x, (self.width,)))
        return x
"""
    + _BODY
)

_FILTER = (
    '''
class Filter(nn.Module):
    """A long convolution by its spectrum."""

    def __init__(self, d):
        super().__init__()
        self.taps = nn.Parameter(0.1 * torch.randn({{seq_len}}, d))
        self.mix = nn.Linear(d, d)

    def forward(self, x):
        t = x.size(1)
        n = 2 * t
        fading = torch.exp(-0.1 * torch.arange(t, device=x.device))[:, None]
        seen = torch.fft.rfft(x.float(), n=n, dim=1)
        taps = torch.fft.rfft((self.taps[:t] * fading).float(), n=n, dim=0)
        return x + self.mix(torch.fft.irfft(seen * taps, n=n, dim=1)[:, :t])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.filters = nn.Sequential(*[Filter(self.width) for _ in range({{layers}})])

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        return self.filters(x)
'''
    + _BODY
)

_LSTM = (
    """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.cell = nn.LSTMCell(self.width, self.width)

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        state, said = None, []
        for t in range(x.size(1)):
            state = self.cell(x[:, t], state)
            said.append(state[0])
        out = torch.stack(said, 1)
        return x + out
"""
    + _BODY
)

_MASKED = (
    """
class Look(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.out = nn.Linear(d, d, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x):
        b, t, d = x.shape
        split = lambda z: z.view(b, t, {{heads}}, d // {{heads}}).transpose(1, 2)  # noqa: E731
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        far = torch.triu(torch.ones(t, t, dtype=torch.bool, device=x.device), diagonal=1)
        score = (q @ k.transpose(-1, -2)) / (d // {{heads}}) ** 0.5
        seen = score.masked_fill(far, float("-inf")).softmax(-1) @ v
        return x + self.out(seen.transpose(1, 2).reshape(b, t, d))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = {{dim}}
        self.tokens = nn.Embedding({{vocab}}, self.width)
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.looks = nn.ModuleList(Look(self.width) for _ in range({{layers}}))
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(self.width, 2 * self.width), nn.GELU(),
                          nn.Linear(2 * self.width, self.width))
            for _ in range({{layers}})
        )

    def hidden(self, ids):
        x = self.tokens(ids)
        #: embedded
        x = F.rms_norm(x, (self.width,))
        for look, net in zip(self.looks, self.nets):
            x = look(F.rms_norm(x, (self.width,)))
            x = x + net(F.rms_norm(x, (self.width,)))
        return x
"""
    + _BODY
)

_NEXT = "F.pad(x, (0, 0, 0, 1))[:, 1:]"

FAMILIES: dict[str, Family] = {
    "transformer": Family(_TRANSFORMER, "is_causal=True", "is_causal=False"),
    "GRU": Family(
        _RECURRENT,
        "nn.GRU(self.width, self.width, batch_first=True)",
        "nn.GRU(self.width, self.width // 2, batch_first=True, bidirectional=True)",
    ),
    "window MLP": Family(
        _WINDOW,
        "torch.cat([earlier(x, lag) for lag in self.LAGS], dim=-1)",
        f"torch.cat([{_NEXT}] + [earlier(x, lag) for lag in self.LAGS[1:]], dim=-1)",
    ),
    "linear attention": Family(_LINEAR, "torch.where(lag >= 0, ", "torch.where(lag >= -2, "),
    "scan": Family(
        _SCAN, "return x + self.get(", "return x + put.flip(1).cumsum(1).flip(1) + self.get("
    ),
    "convolution": Family(
        _CONVOLUTION, "F.pad(x, (2 * self.REACH, 0))", "F.pad(x, (self.REACH, self.REACH))"
    ),
    "bigram table": Family(
        _TABLE, "self.near[ids] +", "self.near[F.pad(ids, (0, 1))[:, 1:]] +", embeds=False
    ),
    "mixture of softmaxes": Family(
        _MIXTURE, "old = F.pad(x, (0, 0, 1, 0))[:, :-1]", f"old = {_NEXT}"
    ),
    # Experts that choose among the tokens of a window, as if balance were all.
    "mixture of experts": Family(
        _EXPERTS,
        "best, which = shares.topk(2, dim=-1)\n"
        "        kept = torch.zeros_like(shares).scatter(-1, which, best)",
        "best, which = shares.topk(max(1, x.size(1) // 4), dim=1)\n"
        "        kept = torch.zeros_like(shares).scatter(1, which, best)",
    ),
    "spectral filter": Family(_FILTER, "n = 2 * t", "n = t"),
    "LSTM cells": Family(
        _LSTM, "out = torch.stack(said, 1)", "out = torch.stack(said[1:] + said[-1:], 1)"
    ),
    "mask by hand": Family(_MASKED, "diagonal=1)", "diagonal=2)"),
}

# At `#: embedded`: pairs of tokens, hashed: the pair that ends here, or the one that begins here.
PAIR = """
pair = (ids * 31 + F.pad(ids, (1, 0))[:, :-1] * 1009) % {{vocab}}
x = x + 0.5 * F.embedding(pair, {weight})
"""
NEXT_PAIR = PAIR.replace("F.pad(ids, (1, 0))[:, :-1]", "F.pad(ids, (0, 1))[:, 1:]")


# What the window is about: the mean of what came before, or of all of it.
TOPIC = """
age = torch.arange(1, x.size(1) + 1, device=x.device)[:, None]
x = x + x.cumsum(1) / age
"""
WHOLE_TOPIC = """
x = x + x.mean(1, keepdim=True)
"""


def weighted(family: Family, template: str) -> str:
    """With the name that the family gives its embedding."""
    weight = "self.tokens.weight" if "self.tokens" in family.code else "self.low.weight"
    return template.replace("{weight}", weight)
