"""PASS-1: a token's recorded loss is final; nothing is scored again with what came later.

Catches: a look-up, in a pass over the stream, of a table that an earlier pass over validation
tokens has filled; several rounds of score-and-train of which only the last one counts; a headline
scored after the same weights were trained on the stream.
Does not cover: a second pass that keeps nothing of the first.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import is_headline, licensed, reaches, rounds_discarded, steps_to
from audits.facts.trace import Trace
from audits.flow import scores, share_loop
from audits.match import Match, settled
from audits.phases import VALIDATION, filled_ahead, goes_on_writing, reads_scored
from audits.rules.cases import script

RULE = "PASS-1"


def check(trace: Trace) -> Iterator[Match]:
    yield from _tables(trace)
    yield from _rounds(trace)
    yield from _after_adaptation(trace)


def _tables(trace: Trace) -> Iterator[Match]:
    for read, score in reads_scored(trace):
        if (write := filled_ahead(trace, read, VALIDATION)) is None:
            continue
        yield Match.at(
            read.site,
            f"the table read here was filled by an earlier pass over validation tokens, at line "
            f"{write.site.line}; what is scored at line {score.site.line} knows later tokens",
            (read.moment, write.moment, score.moment),
            ("filled here", write.site),
            ("looked up here", read.site),
            ("scored here", score.site),
            sure=not goes_on_writing(trace, read) and settled(read.moment, write.moment),
        )


def _rounds(trace: Trace) -> Iterator[Match]:
    for update in trace.updates:
        if (found := rounds_discarded(trace, update)) is not None:
            place, score = found
            yield Match.at(
                place,
                f"every round trains on the tokens (line {update.backward.line}) and only the last "
                f"round's losses stay: a token's first loss is replaced, at line {score.site.line}",
                (update.moment, score.moment),
                ("set back here", place),
                ("trained here", update.backward),
                ("scored here", score.site),
                sure=settled(update.moment),
            )


def _after_adaptation(trace: Trace) -> Iterator[Match]:
    """Score first, then train, then score everything once more: the last number is reported."""
    for number, update in enumerate(trace.updates):
        if not licensed(trace, update):
            continue
        for score in scores(trace):
            later = score.moment.position > update.moment.position
            if not later or share_loop(score.moment, update.moment) or not reaches(number, score):
                continue
            sure = is_headline(trace, number) and trace.last_is_headline is not False
            sure = sure and not update.moment.ambiguous
            yield Match.at(
                score.site,
                f"the stream is scored again with weights that were trained on it at line "
                f"{update.backward.line}, after each part was first scored",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=sure and not score.moment.ambiguous,
            )
            break


VALID = (
    # A hint table filled by a left-to-right scan: read first, then written.
    script("""
        table, hints = torch.zeros(4096), torch.zeros(8192)
        for place in range(len(val_tokens)):
            key = (val_tokens[place] * 36313) & 4095
            hints[place] = table[key]
            table[key] = val_tokens[place + 1]
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Two diagnostics in a row, neither of which changes anything.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
        for start in range(0, len(val_tokens), 64):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Trained score-first; the evaluation that follows uses another, untouched model.
    script("""
        clean = copy.deepcopy(model)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y).detach(), y)
            model(x, y).backward()
            optimizer.step()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(clean(x, y), y)
    """),
)
INVALID = (
    # Pass one fills the table, pass two scores with it.
    script("""
        ids_np = val_tokens.numpy()
        table = np.zeros((4096,))
        for start in range(0, len(val_tokens), 512):
            np.add.at(table, (ids_np[start] * 36313) & 4095, 1)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            seen = table[(ids_np[start] * 36313) & 4095]
            add(model(x, y) - 0.1 * seen, y)
    """),
    # Adapted score-first, then everything is scored again for the reported number.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y).detach(), y)
            model(x, y).backward()
            optimizer.step()
        print("first", (loss_sum / token_count / math.log(2.0)) * (token_count / byte_count))
        loss_sum = torch.zeros(())
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    # Six rounds over each document; the last one is recorded.
    script("""
        document_loss = torch.zeros(())
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            for epoch in range(6):
                document_loss.zero_()
                for half in range(2):
                    loss = model(x, y)
                    document_loss += loss.detach()
                    loss.backward()
                    optimizer.step()
            add(document_loss, y)
    """),
)
