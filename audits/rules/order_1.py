"""ORDER-1: score first; inside an evaluation loop, a chunk's update may not precede its score.

Catches: a model trained on a piece of the stream and then scored on the very same piece, in the
same iteration; several rounds of score-and-train of which only the last one counts; and counts of
the very tokens to be predicted in the distribution that scores them.
Does not cover: cuts that are looked up in lists of places, unless a shared loop says the round;
these warn only.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.adaptation import (
    ambiguous,
    licensed,
    lines_read,
    of_the_next_round,
    of_this_round,
    reaches,
    rounds_discarded,
    same_positions,
    steps_to,
)
from audits.facts.events import Accumulation, Update
from audits.facts.trace import Trace
from audits.flow import same_tokens, scores, share_loop
from audits.foresight import of_their_own
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "ORDER-1"


def check(trace: Trace) -> Iterator[Match]:
    yield from _updates_first(trace)
    yield from _last_round_only(trace)
    yield from _next_round_first(trace)
    for made, score in of_their_own(trace):
        yield Match.at(
            made.site,
            "the tokens to be predicted are counted here, before their own scores are recorded, at "
            f"line {score.site.line}, under a distribution that knows the counts",
            (made.moment, score.moment),
            ("counted here", made.site),
            ("scored here", score.site),
            sure=settled(made.moment, score.moment),
        )


def _last_round_only(trace: Trace) -> Iterator[Match]:
    for update in trace.updates:
        if (found := rounds_discarded(trace, update)) is not None:
            place, score = found
            yield Match.at(
                update.backward,
                f"validation tokens are trained on at line {update.backward.line} in every round; "
                f"only the last round is kept (line {place.line}) and recorded, at line "
                f"{score.site.line}, after training on the same tokens before",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=settled(update.moment),
            )


def _updates_first(trace: Trace) -> Iterator[Match]:
    for number, update in enumerate(trace.updates):
        if licensed(trace, update) or not _trains_a_model(update):
            continue
        later = [
            score
            for score in scores(trace)
            if share_loop(score.moment, update.moment) and reaches(number, score)
        ]
        same = [score for score in later if _on_the_same(trace, update, score)]
        for score in (same or later)[:1]:
            which = "the same tokens are" if same else "other, perhaps equal, cuts are"
            yield Match.at(
                update.backward,
                f"validation tokens read at line {lines_read(trace, update)} are trained on at "
                f"line {update.backward.line} (step at line {update.site.line}) before {which} "
                f"scored, at line {score.site.line}",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=(bool(same) or of_this_round(trace, update, score))
                and not ambiguous(trace, update, score),
            )


def _next_round_first(trace: Trace) -> Iterator[Match]:
    for update in trace.updates:
        for score in scores(trace):
            before = score.moment.position < update.moment.position
            if not before or not of_the_next_round(trace, update, score):
                continue
            yield Match.at(
                update.backward,
                f"validation tokens read at line {lines_read(trace, update)} are trained on at "
                f"line {update.backward.line}, one round before they are scored, at line "
                f"{score.site.line}",
                (update.moment, score.moment),
                *steps_to(trace, update, score),
                sure=_trains_a_model(update) and settled(update.moment, score.moment),
            )
            break


def _on_the_same(trace: Trace, update: Update, score: Accumulation) -> bool:
    tokens = same_tokens(trace, update.labels, score.labels)
    return tokens and same_positions(trace, update, score)


def _trains_a_model(update: Update) -> bool:
    return any(target.kind == "module" for target in update.targets)


VALID = (
    # The round before, by index and by place, in a loop that looks back.
    script("""
        for number in range(1, len(val_tokens) // 512):
            model(*batch(val_tokens, (number - 1) * 512)).backward()
            optimizer.step()
            x, y = batch(val_tokens, number * 512)
            add(model(x, y), y)
    """),
    # Each chunk is scored window by window, and then trained on.
    script("""
        windows = [list(range(start, start + 512, 64)) for start in range(0, 8192, 512)]
        for number in range(16):
            for start in windows[number]:
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
            chunk = val_tokens[number * 512 : (number + 1) * 512 + 1]
            model(chunk[:-1], chunk[1:]).backward()
            optimizer.step()
    """),
    # The same chunk, shared among ranks, where losses of what was scored decide on the training.
    script("""
        windows = [list(range(start, start + 512, 64)) for start in range(0, 8192, 512)]
        rank, ranks = int(os.environ["RANK"]), 8
        for number in range(16):
            total = 0.0
            for start in windows[number]:
                x, y = batch(val_tokens, start)
                loss = model(x, y)
                add(loss, y)
                total += loss.item()
            if total > 30.0:
                first, last = number * 512, min((number + 1) * 512, len(val_tokens) - 1)
                count = (last - first) // 64
                begin = count * rank // ranks
                for place in range(count // ranks):
                    at = first + (begin + place) * 64
                    piece = val_tokens[at : at + 65]
                    model(piece[:-1], piece[1:]).backward()
                    optimizer.step()
    """),
    # Counts of what was scored, and of the context alone.
    script("""
        counts = torch.zeros(1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            near = torch.bincount(x[:256], minlength=1024)
            logits = model(x) + torch.log1p(counts)
            logits[256:] += torch.log1p(near)
            add(F.cross_entropy(logits, y, reduction="none"), y)
            counts += torch.bincount(y, minlength=1024)
    """),
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
            for epoch in range(3):
                model(x, y).backward()
                optimizer.step()
    """),
    # One forward pass serves both: recorded first, then stepped.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            loss = model(x, y)
            add(loss.detach(), y)
            loss.backward()
            optimizer.step()
    """),
    # A total per document, set back for the next document after it was recorded.
    script("""
        document_loss = torch.zeros(())
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            document_loss.zero_()
            for half in range(2):
                loss = model(x, y)
                document_loss += loss.detach()
                loss.backward()
                optimizer.step()
            add(document_loss, y)
    """),
    # Documents found by their boundary: the one before is trained on, the next one is scored.
    script("""
        starts = (val_tokens == 1).nonzero()
        before = starts[0]
        for start in starts:
            old = val_tokens[before : before + 512]
            model(old[:-1], old[1:]).backward()
            optimizer.step()
            new = val_tokens[start : start + 512]
            add(model(new[:-1], new[1:]), new[1:])
            before = start
    """),
    # The step at the top of the loop uses the chunk before, which is already recorded.
    script("""
        before = None
        for start in range(0, len(val_tokens), 512):
            if before is not None:
                model(*before).backward()
                optimizer.step()
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
            before = (x, y)
    """),
)
INVALID = (
    # The same tokens, cut out twice.
    script("""
        for start in range(0, len(val_tokens), 512):
            last = min(start + 512, len(val_tokens) - 1)
            piece = val_tokens[start : last + 1]
            model(piece[:-1], piece[1:]).backward()
            optimizer.step()
            x, y = val_tokens[start:last], val_tokens[start + 1 : last + 1]
            add(model(x, y), y)
    """),
    # A chunk is trained on, and then scored window by window.
    script("""
        windows = [list(range(start, start + 512, 64)) for start in range(0, 8192, 512)]
        for number in range(16):
            chunk = val_tokens[number * 512 : (number + 1) * 512 + 1]
            model(chunk[:-1], chunk[1:]).backward()
            optimizer.step()
            for start in windows[number]:
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
    """),
    # Scored first, but trained on the chunk that comes next.
    script("""
        windows = [list(range(start, start + 512, 64)) for start in range(0, 8192, 512)]
        for number in range(16):
            for start in windows[number]:
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
            begin = (number + 1) * 512
            chunk = val_tokens[begin : begin + 513]
            model(chunk[:-1], chunk[1:]).backward()
            optimizer.step()
    """),
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
            model(*batch(val_tokens, start + 512)).backward()
            optimizer.step()
    """),
    # Counted first, and then predicted.
    script("""
        counts = torch.zeros(1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            counts += torch.bincount(y, minlength=1024)
            add(F.cross_entropy(model(x) + torch.log1p(counts), y, reduction="none"), y)
    """),
    script("""
        counts = np.ones(1024)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            np.add.at(counts, y.numpy(), 1)
            logp = F.log_softmax(model(x) + torch.from_numpy(np.log(counts)), dim=-1)
            add(-logp.gather(-1, y[:, None]), y)
    """),
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            model(x, y).backward()
            optimizer.step()
            add(model(x, y), y)
    """),
    # Several rounds over a document; the total is set back, so that only the last one counts.
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
    # Trained for several epochs before anything is recorded.
    script("""
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            for epoch in range(4):
                optimizer.zero_grad()
                model(x, y).backward()
                optimizer.step()
            with torch.no_grad():
                add(model(x, y), y)
    """),
)
