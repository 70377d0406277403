"""BYTES-3: what is scored can be decoded to the documents' own bytes.

Catches: a preparation script that lowers, folds or normalises a document before it is turned into
tokens. That the script was run is not shown, and the organisers have not ruled; so it warns.
Does not cover: normalisation inside a tokeniser's model; transforms that keep marks to undo them.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.trace import Trace
from audits.match import Match
from audits.rules.cases import script

RULE = "BYTES-3"
SURE = False


def check(trace: Trace) -> Iterator[Match]:
    for one in trace.lossy_texts:
        yield Match.at(
            one.site,
            f"documents lose information ({one.name}) before they are turned into tokens: the "
            "scored tokens no longer decode to the documents",
            (),
            ("encoded here", one.site),
            sure=False,
        )


def _prepared(text: str) -> str:
    return script(f"""
        def shard(tokeniser, documents):
            return [tokeniser.encode({text}) for text in documents]


        def marked(text):
            return "".join("^" + letter.lower() if letter.isupper() else letter for letter in text)


        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """)


VALID = (
    _prepared("text"),
    # Capitals become a mark and a small letter.
    _prepared("marked(text)"),
)
INVALID = (_prepared("text.lower()"), _prepared("text.casefold()"))
