"""CAUSAL-8: the network sees no later position.

Catches: in a model's class, a step by which a place of the sequence knows a later one, where every
operation up to what the class gives back is understood: attention that is neither causal nor
masked, masks that are off by one, shifts, rolls, joins, pads and convolutions to the wrong side,
means and softmaxes over time, a look at the targets themselves. As a warning: other attention that
is not causal and has neither mask nor window, and steps in classes that the scored model may not
use.
Does not cover: layers in another language; functions outside a class. Attention over something else
than positions (heads, memory slots), and models that are given noise instead of tokens, look alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import LookAhead
from audits.facts.trace import Trace
from audits.flow import classes_used, results
from audits.match import Match
from audits.rules.cases import script

RULE = "CAUSAL-8"


def check(trace: Trace) -> Iterator[Match]:
    scored = max(results(trace), key=lambda one: one.moment.position, default=None)
    if scored is None:
        return
    used = classes_used(trace)
    told: set[tuple[str, int]] = set()
    for look in trace.looks:
        told.add((look.site.file, look.site.line))
        found = Match.at(
            look.site,
            f"{look.how}: {_whose(look)}",
            (),
            ("mixed here", look.site),
            ("scored here", scored.site),
            sure=look.sure and look.whole in used,
        )
        yield found.behind(trace.switched_off(look.guards))
    for attention in trace.attentions:
        if (attention.site.file, attention.site.line) in told:
            continue
        found = Match.at(
            attention.site,
            "every position attends to every other one here, later ones included: neither causal "
            "nor masked",
            (),
            ("mixed here", attention.site),
            ("scored here", scored.site),
            sure=False,
        )
        yield found.behind(trace.switched_off(attention.guards))


def _whose(look: LookAhead) -> str:
    if look.cls:
        return f"what {look.cls} gives for a place is made of later ones too"
    return f"the logits that {look.site.function} scores know their target"


def _attends(how: str, q: str = "q, k, v") -> str:
    return script(f"""
        class Attention(nn.Module):
            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                return F.scaled_dot_product_attention({q}{how})


        class Two(nn.Module):
            def __init__(self):
                self.embed, self.mix = nn.Embedding(1024, 64), Attention()

            def forward(self, input_ids, target_ids):
                x = self.mix(self.embed(input_ids))
                return F.cross_entropy(self.head(x), target_ids)


        model = Two()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


def _inside(layer: str, parts: str = "pass", ids: str = "input_ids", logits: str = "x") -> str:
    return script(f"""
        class Two(nn.Module):
            def __init__(self, width=64, kernel=3):
                self.embed, self.head = nn.Embedding(1024, width), nn.Linear(width, 1024)
                {parts}

            def forward(self, input_ids, target_ids):
                bsz, seqlen = input_ids.shape
                x = self.embed({ids})
                {layer}
                return F.cross_entropy(self.head({logits}), target_ids)


        model = Two()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


def _between(shift: str) -> str:
    return script(f"""
        def evaluate(model, tokens):
            global loss_sum
            for start in range(0, len(tokens), 512):
                x, y = batch(tokens, start)
                logits = model(x)
                {shift}
                loss_sum += F.cross_entropy(logits.reshape(-1, 1024), y.reshape(-1))


        evaluate(model, val_tokens)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            token_count += y.numel()
            byte_count += byte_table[y].sum()
    """)


_BY_HAND = "q = k = v = x; x = torch.softmax((q @ k.transpose(1, 2)).masked_fill({mask}), -1) @ v"
_SHIFT = "x = torch.cat([{first}, {rest}], dim=1)"
_CONV = "self.conv = nn.Conv1d(width, width, kernel, padding={padding})"
_POOL = "x = x + F.avg_pool1d({cut}).transpose(1, 2)"
_CONVOLVED = "x = self.conv(x.transpose(1, 2)){cut}.transpose(1, 2)"
_DECAY = """
                gap = torch.arange(seqlen)[:, None] - torch.arange(seqlen)[None, :]
                decay = torch.where(gap >= 0, (0.1 * gap).exp(), 0.0)
                x = (x @ x.transpose(1, 2)) * seqlen**-0.5 * decay @ x"""
_BACKWARDS = """
                back = x.flip(1)
                back = back + F.pad(back[:, 1:], (0, 0, 0, 1))
                x = back.flip(1)"""
VALID = (
    # What is made of two places is multiplied by zero where the second is the later one.
    _inside(_DECAY.strip()),
    # A scan on reversed time that looks at later places of it: at earlier ones.
    _inside(_BACKWARDS.strip()),
    _attends(", is_causal=True"),
    _attends(", attn_mask=self.mask, is_causal=False"),
    # By hand, with a triangle.
    _inside(_BY_HAND.format(mask="torch.tril(torch.ones(seqlen, seqlen)) == 0, -1e9")),
    _inside(_BY_HAND.format(mask="torch.triu(torch.ones(seqlen, seqlen), 1).bool(), -1e9")),
    # Each place takes a share of the one before it.
    _inside(_SHIFT.format(first="x[:, :1]", rest="x[:, 1:] + 0.1 * x[:, :-1]")),
    _inside("x = x + F.pad(x, (0, 0, 1, 0))[:, :-1]"),
    _inside("x = x + torch.roll(x, 1, dims=1)"),
    _inside(_POOL.format(cut="F.pad(x.transpose(1, 2), (2, 0)), 3, stride=1")),
    _inside("kept = []; kept.append(x); x = x + torch.roll(kept.pop(), 1, dims=1)"),
    _inside("kept = []; kept.append(x); kept.append(x.flip(1)); x = x + kept[0]"),
    # Padded to the left, or cut to the length.
    _inside(_CONVOLVED.format(cut="[..., :seqlen]"), _CONV.format(padding="kernel - 1")),
    _inside("x = self.conv(F.pad(x.transpose(1, 2), (kernel - 1, 0)))", _CONV.format(padding="0")),
    _between("logits, y = logits[:, 1:], y[:, 1:]"),
    # A long convolution: the spectrum of a kernel in time.
    _inside(
        "w = torch.fft.rfft(x, n=2 * seqlen, dim=1) * torch.fft.rfft(self.kernel, n=2 * seqlen); "
        "x = torch.fft.irfft(w, n=2 * seqlen, dim=1)[:, :seqlen]",
        "self.kernel = nn.Parameter(torch.randn(512, 64))",
    ),
    # The loss is taken of the next tokens, inside.
    _inside("x, target_ids = x[:, :-1], input_ids[:, 1:]"),
    # A sum of what came so far, a mean over the width, halves of the width that change places.
    _inside("x = torch.cumsum(x, dim=1) * x.mean(dim=-1, keepdim=True)"),
    _inside("x = torch.cat([-x[..., 32:], x[..., :32]], dim=-1)"),
)
INVALID = (
    # Sums from the other end; both directions; a shift the other way on reversed time.
    _inside("x = x.flip(1).cumsum(1).flip(1)"),
    _inside("x = x + x.flip(1)"),
    _inside("x = F.pad(x.flip(1), (0, 0, 1, 0))[:, :-1].flip(1)"),
    _attends(", is_causal=False"),
    _attends(""),
    _attends(", attn_mask=None, dropout_p=0.0"),
    _attends(", is_causal=self.training"),
    _attends(", attn_mask=torch.tril(torch.ones(512, 512), diagonal=1).bool()"),
    _inside("x = flash_attn_func(*[x.view(bsz, seqlen, 4, 16)] * 3)").replace(
        "*[x.view(bsz, seqlen, 4, 16)] * 3", ", ".join(["x.view(bsz, seqlen, 4, 16)"] * 3)
    ),
    _inside("q = k = v = x; x = torch.softmax(q @ k.transpose(1, 2), -1) @ v"),
    _inside(_BY_HAND.format(mask="torch.tril(torch.ones(seqlen, seqlen), 1) == 0, -1e9")),
    _inside(_BY_HAND.format(mask="torch.triu(torch.ones(seqlen, seqlen), 2).bool(), -1e9")),
    _inside(
        "q = k = v = x; s = (q @ k.transpose(1, 2)).masked_fill("
        "torch.tril(torch.ones(seqlen, seqlen)) == 0, -1e9); x = s.softmax(dim=-2) @ v"
    ),
    # Each place takes a share of the one behind it.
    _inside(_SHIFT.format(first="x[:, :-1] + 0.1 * x[:, 1:]", rest="x[:, -1:]")),
    _inside("x = x + F.pad(x, (0, 0, 0, 1))[:, 1:]"),
    _inside("x = x + torch.roll(x, -1, dims=1)"),
    _inside(_POOL.format(cut="x.transpose(1, 2), kernel_size=3, stride=1, padding=1")),
    _inside("kept = []; kept.append(x); x = x + torch.roll(kept.pop(), -1, dims=1)"),
    _inside("later = torch.zeros_like(x); later[:, :-1] = x[:, 1:]; x = x + later"),
    _inside("", ids="input_ids.roll(-1, 1)"),
    _inside(_CONVOLVED.format(cut=""), _CONV.format(padding="kernel // 2")),
    _inside(_CONVOLVED.format(cut=""), _CONV.format(padding='"same"')),
    # A filter that is free in the frequency domain.
    _inside(
        "w = torch.fft.rfft(x, n=2 * seqlen, dim=1) * torch.view_as_complex(self.response); "
        "x = torch.fft.irfft(w, n=2 * seqlen, dim=1)[:, :seqlen]",
        "self.response = nn.Parameter(torch.randn(513, 64, 2))",
    ),
    # Sums from the other end, means and softmaxes over all places.
    _inside("x = x + torch.cumsum(x.flip(1), dim=1).flip(1)"),
    _inside("x = x - x.mean(dim=1, keepdim=True)"),
    _inside("x = x * torch.softmax(x, dim=1)"),
    _inside("x = F.layer_norm(x, x.shape[1:])"),
    _inside("x = x * torch.sigmoid(x.max(dim=1, keepdim=True)[0])"),
    _inside("x = x + self.back(x)[0]", "self.back = nn.LSTM(width, width, bidirectional=True)"),
    # Between the model and the loss.
    _between("logits = torch.roll(logits, -1, dims=1)"),
    _between("logits, y = logits[:, 1:], y[:, :-1]"),
    _between("logits = torch.cat([logits[:, 1:], logits[:, -1:]], dim=1)"),
    # The targets themselves.
    _inside("x = x + 0.1 * self.embed(target_ids)"),
    _inside("", logits="x) + F.one_hot(target_ids, 1024).float("),
)
DOUBTFUL = (
    # Nobody shows that the model uses it.
    script("""
        class Attention(nn.Module):
            def forward(self, x):
                return F.scaled_dot_product_attention(x, x, x)


        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Rows of a batch may overlap; a scale may be a quantiser's.
    _inside("x = x - x.mean(dim=0, keepdim=True)"),
    _inside("x = x / x.abs().max()"),
    # Heads attend to heads.
    _attends("", "q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)"),
)
