"""CAUSAL-5: nothing is computed in advance from validation tokens that are not yet scored.

Catches: a quantiser's statistics collected by hooks while validation tokens pass through the model,
before these tokens are scored.
Does not cover: thresholds and temperatures chosen by a sweep; tables filled ahead are PASS-1.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match, settled
from audits.phases import VALIDATION, calibrations, scored_after
from audits.rules.cases import script
from audits.rules.data_3 import calibrated

RULE = "CAUSAL-5"


def check(trace: Trace) -> Iterator[Match]:
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


VALID = (
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
)
INVALID = (
    calibrated("val_tokens"),
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
)
