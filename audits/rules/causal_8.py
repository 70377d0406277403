"""CAUSAL-8: the network sees no later position.

Catches: attention in a model's class that is not causal and has neither mask nor window.
Does not cover: masks that are off by one, convolutions and scans. Attention over something else
than positions (heads, memory slots) looks the same, so it warns.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match
from audits.rules.cases import script

RULE = "CAUSAL-8"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    scored = max(results(trace), key=lambda one: one.moment.position, default=None)
    for attention in trace.attentions if scored else ():
        assert scored is not None
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


def _attends(how: str) -> str:
    return script(f"""
        class Attention(nn.Module):
            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                return F.scaled_dot_product_attention(q, k, v{how})


        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (_attends(", is_causal=True"), _attends(", attn_mask=self.mask, is_causal=False"))
INVALID = (_attends(", is_causal=False"), _attends(""))
