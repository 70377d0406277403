"""CAUSAL-6: a one-token look-back stops at the boundary of a document.

Catches: a layer that adds to each position a share of the one before it, in a method that nowhere
compares its inputs with a boundary. A custom of the late leaderboard, not a leak of the metric.
Does not cover: look-back by convolution or by a rolled tensor.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.flow import results
from audits.match import Match
from audits.rules.cases import script

RULE = "CAUSAL-6"


def check(trace: Trace) -> Iterator[Match]:
    last = max(results(trace), key=lambda score: score.moment.position, default=None)
    if last is None:
        return
    for smear in trace.smears:
        if smear.masked:
            continue
        off = trace.switched_off(smear.guards)
        note = f"; not reached in this configuration: {', '.join(off)}" if off else ""
        found = Match.at(
            smear.site,
            "each position takes a share of the one before it, and nothing stops it at the "
            f"boundary of a document{note}",
            (),
            ("mixed here", smear.site),
            ("scored here", last.site),
            sure=not off,
        )
        yield found.behind(off)


def _smeared(mask: str) -> str:
    return script(f"""
        class Smear(nn.Module):
            def forward(self, ids):
                h = self.embed(ids)
                gate = torch.sigmoid(self.gate(h[:, 1:, :12]))
                {mask}
                return torch.cat([h[:, :1], h[:, 1:] + gate * h[:, :-1]], dim=1)


        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (_smeared("gate = gate * (ids[:, 1:] != 1).unsqueeze(-1)"),)
INVALID = (_smeared("pass"),)
