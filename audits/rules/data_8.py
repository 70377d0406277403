"""DATA-8: weights and data come from the official training set.

Catches: models fetched or opened with `from_pretrained`, which somebody else has trained.
Does not cover: weights in files without a name that says so; seeds that were searched for. There
is no ruling, so it warns.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match
from audits.rules.cases import script

RULE = "DATA-8"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    for one in trace.pretrained:
        yield Match.at(
            one.site,
            f"{one.name} brings weights that were trained outside the contest's time and data",
            (one.moment,),
            ("loaded here", one.site),
            sure=False,
        )


def _started_from(model: str) -> str:
    return "import transformers\n" + script(f"""
        model = {model}
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (
    _started_from("Net()"),
    # A tokeniser has no weights.
    _started_from("transformers.AutoTokenizer.from_pretrained('gpt2') and Net()"),
)
INVALID = (_started_from("transformers.AutoModelForCausalLM.from_pretrained('gpt2')"),)
