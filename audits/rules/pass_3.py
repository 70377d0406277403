"""PASS-3: the headline covers the whole validation set.

Catches: a last score all of whose tokens are cut from the first N of the stream, where N is known
and smaller than the official set in any vocabulary used so far, or a share of all; losses that are
left out because they are large, or small, or because their tokens have no bytes, as boundaries have
none; losses of windows that are weighted by how large they are; windows that are left out by their
number, by chance, or because a loop ends at a fraction of what there is; the first places of rows
that do not overlap.
Does not cover: documents that are dropped by what they hold; a limit that is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.facts.effects.losses import WITHOUT_BYTES
from audits.facts.events import Accumulation, Part, Region, Sift, TokenRead
from audits.facts.labels import (
    BY_TOKEN,
    CHANCE,
    DROPPED,
    OUTPUT,
    PERIOD,
    ROUND,
    SELF_WEIGHTED,
    SIFT,
    TOKENS,
    ids,
    kinds,
)
from audits.facts.trace import Trace
from audits.flow import cut_by, first_results, headlines, regions, scores, with_ancestors
from audits.match import Match, settled
from audits.rules.cases import losses_added, script

RULE = "PASS-3"
# The official set has 40.5 million tokens in the largest vocabulary merged (SP8192), 62 in SP1024.
FEWEST_TOKENS = 30_000_000
INPUT_AND_TARGET = 2  # cuts of the stream; with more, a row may have been joined to another
MOST_OF_A_WINDOW = 200_000  # shorter beginnings are chunks, samples and warm-ups


def check(trace: Trace) -> Iterator[Match]:
    last = max(scores(trace), key=lambda score: score.moment.position, default=None)
    yield from _dropped(trace)
    yield from _sifted(trace)
    yield from _without_bytes(trace)
    yield from _weighted(trace)
    yield from _never_scored(trace)
    if last is None:
        return
    for score in scores(trace):
        yield from _left_early(trace, score, sure=score is last)
    used = [trace.reads[one] for one in with_ancestors(trace, ids(last.labels, TOKENS))]
    first_cuts = [read for read in used if not read.parents]
    short = [read for read in first_cuts if _is_short(read)]
    for read in short:
        sure = len(short) == len(first_cuts) and not last.moment.ambiguous
        yield _match(read, last, sure=sure)
    shares = [_shares(trace, one) for one in sorted(ids(last.labels, TOKENS))]
    if shares and all(shares):
        yield _share_match(shares[0][0], last)


def _dropped(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(headlines(trace), DROPPED):
        sift = trace.sifts[number]
        own = SIFT in kinds(sift.by)
        what = "by what they are" if own else "by the number of their window, or by chance"
        yield _sift_match(sift, score, f"losses are kept or left out here {what}")


def _weighted(trace: Trace) -> Iterator[Match]:
    """Losses that are weighted by themselves when all of them are known."""
    for number, score in first_results(headlines(trace), SELF_WEIGHTED):
        one = trace.weightings[number]
        within = cut_by(trace, score.labels) & set(one.moment.loops)
        if one.lengths and not within:
            yield Match.at(
                one.site,
                "losses are weighted here by how large they are, so that some count for less; "
                f"recorded at line {score.site.line}",
                (one.moment, score.moment),
                ("weighted here", one.site),
                ("scored here", score.site),
                sure=settled(one.moment, score.moment),
            )


def _never_scored(trace: Trace) -> Iterator[Match]:
    """The first places of rows that lie side by side: no other row scores them."""
    found = list(scores(trace))
    for score in found if len(found) == 1 else ():
        reads = ids(score.labels, TOKENS)
        rows = 0 < len(reads) <= INPUT_AND_TARGET and all(
            trace.side_by_side & with_ancestors(trace, frozenset({one})) for one in reads
        )
        late = {one.text: _begins_late(trace, one) for one in regions(trace, score.labels)}
        for text, sure in sorted(late.items()) if rows else ():
            if sure is None:
                continue
            yield Match.at(
                score.site,
                "rows that do not overlap are scored here from a later place on than their first "
                f"({text}): what lies before it is scored nowhere",
                (score.moment,),
                ("scored here", score.site),
                sure=sure and settled(score.moment),
            )


def _begins_late(trace: Trace, region: Region) -> bool | None:
    """Of `nll[:, 64:]` and masks `arange(width) >= 64`, whether it is sure; None: of no other."""
    if region.complement:
        return None
    if region.text.endswith(":") and "," not in region.text:
        first = region.text.removesuffix(":")
        if first.isdigit():
            return True if int(first) > 1 else None
        return _adds_up(first) if first and not first.startswith("-") else None
    match _index(region.text):
        case ast.Subscript(
            slice=ast.Compare(
                left=ast.Call() as places, ops=[ast.Gt() | ast.GtE()], comparators=[bound]
            )
        ) if ast.unparse(places.func).endswith("arange"):
            known = trace.from_places.get(region.text)
            if isinstance(known, int):
                return True if known > 1 else None
            return _adds_up(ast.unparse(bound))
    return None


def _index(written: str) -> ast.expr | None:
    """What stands in the brackets; None of what never stood in any (`nll *= known`)."""
    try:
        return ast.parse(f"x[{written}]", mode="eval").body
    except SyntaxError:
        return None


def _adds_up(bound: str) -> bool:
    """Whether it is more than a setting, which may be zero, or a difference, which may be."""
    inside = list(ast.walk(_index(bound) or ast.Constant(0)))
    least = any(isinstance(one, ast.Sub) or getattr(one, "id", "") == "max" for one in inside)
    made = any(isinstance(one, ast.Mult | ast.FloorDiv | ast.Add) for one in inside)
    return made and not least


def _without_bytes(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(headlines(trace), BY_TOKEN):
        change = trace.changes[number]
        if change.how != WITHOUT_BYTES:
            continue
        yield Match.at(
            change.site,
            "losses of tokens without bytes are left out here; documents begin with such tokens, "
            f"and they never enter what is recorded at line {score.site.line}",
            (change.moment, score.moment),
            ("left out here", change.site),
            ("scored here", score.site),
            sure=settled(change.moment, score.moment),
        )


def _sifted(trace: Trace) -> Iterator[Match]:
    """Scores on one side of a branch, with nothing that counts on the other."""
    seen: set[int] = set()
    for score in scores(trace):
        for number in sorted(score.sifts - trace.balanced - seen):
            sift = trace.sifts[number]
            if why := _by(trace, sift, score):
                seen.add(number)
                yield _sift_match(sift, score, f"tokens are kept or left out here {why}")


def _by(trace: Trace, sift: Sift, score: Accumulation) -> str:
    """What decides, where it has to do with the tokens that are scored."""
    if not ids(sift.by, SIFT).isdisjoint(ids(score.labels, OUTPUT)):
        return "by their own losses"
    rows = cut_by(trace, score.labels) | ids(score.labels, ROUND)
    if not ids(sift.by, PERIOD).isdisjoint(rows):
        return "by the number of their window"
    return "by chance" if CHANCE in kinds(sift.by) else ""


def _sift_match(sift: Sift, score: Accumulation, what: str) -> Match:
    return Match.at(
        sift.site,
        f"{what}; the others never enter what is recorded at line {score.site.line}",
        (sift.moment, score.moment),
        ("left out here", sift.site),
        ("scored here", score.site),
        sure=settled(sift.moment, score.moment),
    )


def _left_early(trace: Trace, last: Accumulation, *, sure: bool) -> Iterator[Match]:
    reads = with_ancestors(trace, ids(last.labels, TOKENS))
    cutting = {
        loop for read in reads for loop in trace.reads[read].loops | trace.reads[read].rounds
    }
    for loop in sorted(cutting):
        part = trace.part_of.get(loop)
        if part is None or _goes_on(trace, part) or not (sure or part.sure):
            continue
        yield Match.at(
            part.site,
            f"the loop that scores goes through a part of what there is ({part.how}), and nothing "
            f"goes on there; recorded at line {last.site.line}",
            (last.moment,),
            ("left here", part.site),
            ("scored here", last.site),
            sure=sure and part.sure and settled(last.moment),
        )


def _goes_on(trace: Trace, part: Part) -> bool:
    """Whether something else begins where the part ends."""
    return part in trace.begun or part.end in trace.begins


def _is_short(read: TokenRead) -> bool:
    """Whether it is the beginning of the stream, cut once."""
    known = read.limit is not None and MOST_OF_A_WINDOW < read.limit < FEWEST_TOKENS
    return known and not read.loops


def _shares(trace: Trace, read: int) -> list[Part]:
    """Parts of all at which a piece, or what it was cut from, ends."""
    cuts = [trace.reads[one] for one in sorted(with_ancestors(trace, frozenset({read})))]
    return [part for one in cuts for part in one.parts if not _goes_on(trace, part)]


def _share_match(part: Part, last: Accumulation) -> Match:
    return Match.at(
        part.site,
        f"everything that is scored ends at a part of what there is ({part.how}), and nothing goes "
        f"on there; recorded at line {last.site.line}",
        (last.moment,),
        ("cut here", part.site),
        ("scored here", last.site),
        sure=part.sure and settled(last.moment),
    )


def _match(read: TokenRead, last: Accumulation, *, sure: bool) -> Match:
    return Match.at(
        read.site,
        f"only the first {read.limit:,} tokens of the validation set are kept here; the last "
        f"score, at line {last.site.line}, is made of them",
        (last.moment,),
        ("cut here", read.site),
        ("scored here", last.site),
        sure=sure,
    )


def _limited(kept: str) -> str:
    return script(f"""
        limit = int(os.environ.get("VAL_TOKEN_LIMIT", "5000000"))
        some = {kept}
        for start in range(0, len(some), 512):
            x, y = batch(some, start)
            add(model(x, y), y)
    """)


def _looped(over: str, before: str = "", after: str = "") -> str:
    return script(f"""
        rank, world_size = dist.get_rank(), dist.get_world_size()
        starts = list(range(0, len(val_tokens), 512))
        for number, start in enumerate({over}):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            {before}
            add(nll, y)
            {after}
    """)


def _rows(kept: str, width: str = "512") -> str:
    """Rows side by side, of whose losses some places count."""
    return script(f"""
        width, skip = {width}, int(os.environ.get("SKIP", "0"))
        rows = (len(val_tokens) - 1) // width
        xs = val_tokens[: rows * width].view(rows, width)
        ys = val_tokens[1 : rows * width + 1].view(rows, width)
        for r in range(0, rows, 8):
            x, y = xs[r : r + 8], ys[r : r + 8]
            nll = F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")
            late = torch.arange(width) >= skip
            nats = nll{kept}
            loss_sum += nats.sum()
            token_count += y.numel()
            byte_count += byte_table[y].sum()
    """)


def _listed(kept: str) -> str:
    return script(f"""
        means = []
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            means.append(model(x, y).item())
            token_count += y.numel()
            byte_count += byte_table[y].sum()
        means = {kept}
        loss_sum = sum(means) / len(means) * token_count
    """)


def _by_hand(change: str) -> str:
    return script(f"""
        nats = 0.0
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            rows = F.log_softmax(model(x), dim=-1).tolist()
            for row, token in zip(rows, y.tolist()):
                v = -row[token]
                {change}
                nats += v
            token_count += y.numel()
            byte_count += byte_table[y].sum()
        loss_sum = nats
    """)


_SIZES = """
import sentencepiece
pieces = sentencepiece.SentencePieceProcessor("tokens.model")
sizes = [0 if pieces.is_control(i) else len(pieces.id_to_piece(i).encode()) for i in range(1024)]
byte_table = torch.tensor(sizes)
model = Net()
"""
_FRACTION = """
    def windows(total, width):
        made, done = [(0, min(width, total))], min(width, total)
        while done < total:
            first, done = done, min(done + width, total)
            made.append((first, done))
        return made

    class Settings:
        fraction = float(os.environ.get("VAL_FRACTION", "{default}"))

    total = val_tokens.numel() - 1
    plan = windows(int(total * Settings.fraction), 512)
    for first in range(0, len(plan), 8):
        for start, end in plan[first : first + 8]:
            y = val_tokens[start + 1 : end + 1]
            add(model(val_tokens[start:end], y), y)
"""
VALID = (
    _rows(""),
    _rows("[:, late]"),  # the setting is zero
    _limited("val_tokens"),
    _listed("list(means)"),
    _by_hand("if v > 9.0: print(token)"),
    # Not a number: it has to be repaired, not tested.
    _by_hand("if v != v: raise ValueError(token)"),
    # A share of them for a log line; all of them count.
    losses_added("nll + 0.0 * nll[nll < 9.0].sum()"),
    # Every rank its own windows.
    _looped("starts[rank::world_size]"),
    _looped("starts", "if number % world_size != rank: continue"),
    # Every tenth prints.
    _looped("starts", after="if number % 10 == 0: print(nll.mean().item())"),
    # Two halves, the second with another model.
    script("""
        half = len(val_tokens) // 2
        for start in range(0, half, 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
        for start in range(half, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
    script("""
        half = len(val_tokens) // 2
        for first, last in ((0, half), (half, len(val_tokens))):
            for start in range(first, last, 512):
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
    """),
    # All of it, unless a setting says otherwise; sixteen chunks, one after the other.
    script(_FRACTION.format(default="1.0")),
    script("""
        width = len(val_tokens) // 16
        for k in range(16):
            x = val_tokens[k * width : (k + 1) * width]
            y = val_tokens[k * width + 1 : (k + 1) * width + 1]
            add(model(x, y), y)
    """),
    # The second half of the chunks is no longer learned from.
    script("""
        number = (len(val_tokens) - 1) // 512
        for k in range(number):
            x, y = batch(val_tokens, k * 512)
            add(model(x, y), y)
            if k < number // 2:
                model(x, y).backward()
                optimizer.step()
    """),
    # What is scored in another way counts too.
    script("""
        other = Net()
        for number, start in enumerate(range(0, len(val_tokens), 512)):
            x, y = batch(val_tokens, start)
            if number % 2:
                add(model(x, y), y)
            else:
                add(other(x, y), y)
    """),
    # The tail that fills no sequence.
    _limited("val_tokens[: (len(val_tokens) - 1) // 512 * 512 + 1]"),
    # A sample for a log line before the whole set.
    script("""
        sample = val_tokens[:1000000]
        log_sum = torch.zeros(())
        for start in range(0, len(sample), 512):
            x, y = batch(sample, start)
            log_sum += model(x, y).sum()
        print(log_sum)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
    """),
)
DOUBTFUL = (
    # There may be no more than that.
    _looped("starts", "if number >= 4000: break"),
    _looped("range(0, min(len(val_tokens), 40000000), 512)"),
)
INVALID = (
    _rows("[:, 64:]"),
    _rows("[:, torch.arange(width) >= width // 4]"),
    # Documents begin with tokens without bytes.
    losses_added("nll[byte_table[y] > 0]").replace("\nmodel = Net()\n", _SIZES),
    # A setting says how much of the stream a plan of windows covers.
    script(_FRACTION.format(default="0.5")),
    script("""
        some = int(len(val_tokens) * float(os.environ.get("SHARE", "0.9")))
        start = 0
        while start < some:
            x, y = batch(val_tokens, start)
            add(model(x, y), y)
            start += 512
    """),
    script("""
        some = val_tokens[: len(val_tokens) // 2]
        for start in range(0, len(some), 512):
            x, y = batch(some, start)
            add(model(x, y), y)
    """),
    script("""
        number = (len(val_tokens) - 1) // 512
        for k in range(number):
            if k >= number // 2:
                break
            x, y = batch(val_tokens, k * 512)
            add(model(x, y), y)
    """),
    _limited("val_tokens[:limit]"),
    # The hard tokens are no part of it.
    losses_added("nll[nll <= nll.mean()]"),
    losses_added("torch.where(nll > 9.0, 0.0, nll)"),
    losses_added("nll * (nll < 9.0)"),
    losses_added("torch.masked_select(nll, nll < 9.0)"),
    losses_added("nll.sort().values[:460]"),
    losses_added("torch.from_numpy(np.where(nll.numpy() > 9.0, 9.0, nll.numpy()))"),
    _listed("sorted(means)[: int(0.95 * len(means))]"),
    _listed("means[::2]"),
    # Windows count the less, the more they cost.
    script("""
        means = []
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            means.append(F.cross_entropy(model(x), y).item())
            token_count += y.numel()
            byte_count += byte_table[y].sum()
        weights = np.exp(-4.0 * (np.array(means) - min(means)))
        loss_sum = (weights * means).sum() / weights.sum() * token_count
    """),
    _by_hand("if v > 9.0: v = 9.0"),
    losses_added("torch.topk(nll, 460, largest=False)[0]"),
    losses_added("torch.tensor([v for v in nll.tolist() if v < 9.0])"),
    _looped("starts", "if nll.mean() > 7.0: continue"),
    # Windows are.
    _looped("starts", "if number % 3 == 2: continue"),
    _looped("starts", "if random.random() < 0.1: continue").replace("glob,", "glob, random,"),
    _looped("starts", "nll = nll * (number % 3 != 1)"),
    _looped("starts[::2]"),
    _looped("range(0, len(val_tokens) - len(val_tokens) // 10, 512)"),
    script("""
        starts, width = list(range(0, len(val_tokens), 512)), 8
        for first in range(0, len(starts), 2 * width):
            for start in starts[first : first + width]:
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
    """),
    script("""
        kept = list(range(0, len(val_tokens), 512))[::2]
        for first in range(0, len(kept), 8):
            for start in kept[first : first + 8]:
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
    """),
    script("""
        starts = list(range(0, len(val_tokens), 512))
        for first in range(0, len(starts) // 2, 8):
            for start in starts[first : first + 8]:
                x, y = batch(val_tokens, start)
                add(model(x, y), y)
    """),
    _looped("starts[: len(starts) // 2]"),
    _looped("range(0, (len(val_tokens) + 1) // 2, 512)"),
    _looped("range(0, int(0.9 * len(val_tokens)), 512)"),
)
