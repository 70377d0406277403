"""CAUSAL-1: p_t is a function of what came before t.

Catches: a loss whose targets are the very tokens that the model was given, by the same name, so
that each position may copy its own answer; where they go by other names, or were changed on the
way, it warns: a model that is given noise instead of some of its targets looks the same.
Does not cover: later tokens that reach a model in another way (CAUSAL-2, CAUSAL-8).
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.labels import FORESEEN, OUTPUT, ids
from audits.facts.trace import Trace
from audits.flow import first_results, results
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "CAUSAL-1"


def check(trace: Trace) -> Iterator[Match]:
    yield from _voted(trace)
    scored = list(results(trace))
    for echo in trace.echoes:
        for score in scored:
            if echo.outputs.isdisjoint(ids(score.labels, OUTPUT)):
                continue
            yield Match.at(
                echo.site,
                "the loss is taken of the very tokens that the model was given, and is recorded "
                f"at line {score.site.line}",
                (echo.moment, score.moment),
                ("compared here", echo.site),
                ("scored here", score.site),
                sure=echo.bare and settled(echo.moment, score.moment),
            )
            break


def _voted(trace: Trace) -> Iterator[Match]:
    """Memories of answers that were asked about one that they hold."""
    for number, score in first_results(results(trace), FORESEEN):
        foresight = trace.foresights[number]
        if not foresight.voted:
            continue
        yield Match.at(
            foresight.site,
            "what is mixed in here was made of the tokens that are predicted, with what the model "
            f"said of them; recorded at line {score.site.line}",
            (foresight.moment, score.moment),
            ("mixed here", foresight.site),
            ("scored here", score.site),
            sure=settled(foresight.moment, score.moment),
        )


def _scored(given: str) -> str:
    return script(f"""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(F.cross_entropy(model({given}), y, reduction="none"), y)
    """)


def _remembered(order: str) -> str:
    return script(f"""
        class Memory:
            keys, answers = torch.zeros(0, 64), torch.zeros(0, dtype=torch.long)

            def put(self, states, tokens):
                self.keys = torch.cat([self.keys, states])
                self.answers = torch.cat([self.answers, tokens])

            def ask(self, states):
                near = (states @ self.keys.T).softmax(-1)
                return torch.zeros(512, 1024).index_add_(1, self.answers, near)


        memory, share = Memory(), float(os.environ.get("SHARE", "0.1"))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            states = model.hidden(x)
            p = torch.softmax(model.head(states), dim=-1)
            {order}
    """)


_ASK = """p = (1 - share) * p + share * memory.ask(states)
            add(-p[torch.arange(512), y].log(), y)"""
_PUT = "memory.put(states, y)"
VALID = (
    # A memory of answers that were scored.
    _remembered(f"{_ASK}\n            {_PUT}"),
    _scored("x"),
    # The baseline's signature: the target goes along for the loss.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
)
INVALID = (
    # It holds the answer that it is asked for.
    _remembered(f"{_PUT}\n            {_ASK}"),
    _scored("y"),
    _scored("x) + 0.1 * model(y"),
    _scored("y").replace("model(y), y,", "model(y).view(-1, 1024), y.reshape(-1),"),
)
DOUBTFUL = (
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            noisy = torch.where(torch.rand(512) < 0.5, 1023, y)
            add(F.cross_entropy(model(noisy), y, reduction="none"), y)
    """),
)
