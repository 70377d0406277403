"""NORM-2: a quotient of two hashed counts is no probability.

Catches: `full[hash(context, token)] / context[hash(context)]` from two count tables,
whoever filled them, blended into a loss that is recorded. Collisions make the candidates'
shares add up to far more than one.
Does not cover: quotients taken in another language.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Quotient, TableRead
from audits.facts.labels import ALPHABET, HASHED, RATIO, TOKENS, ids, kinds
from audits.facts.trace import Trace
from audits.flow import first_results, results, with_ancestors
from audits.match import Match, settled
from audits.rules.cases import script

RULE = "NORM-2"


def check(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), RATIO):
        quotient = trace.quotients[number]
        if (pair := _hashed_pair(trace, quotient)) is None:
            continue
        yield Match.at(
            quotient.site,
            f"a count read at line {pair[0].site.line}, under a hash that includes the token "
            f"itself, is divided by a count read at line {pair[1].site.line}, under a hash of "
            f"the context; the quotient is scored at line {score.site.line}, and with "
            "collisions the candidates do not sum to one",
            (score.moment,),
            ("looked up here", pair[0].site),
            ("divided here", quotient.site),
            ("scored here", score.site),
            sure=settled(score.moment),
        )


def _hashed_pair(trace: Trace, quotient: Quotient) -> tuple[TableRead, TableRead] | None:
    for above in sorted(quotient.above):
        for below in sorted(quotient.below):
            pair = trace.table_reads[above], trace.table_reads[below]
            if all(HASHED in kinds(read.key) for read in pair) and _adds_a_token(trace, *pair):
                return pair
    return None


def _adds_a_token(trace: Trace, full: TableRead, context: TableRead) -> bool:
    """Whether one key is made of more cuts of the stream, wherever the cuts were made."""
    if not full.tables.isdisjoint(context.tables):
        return False
    if ALPHABET in kinds(full.key) and ALPHABET not in kinds(context.key):
        return True  # every candidate in turn, over a count that is not their sum
    more, less = (with_ancestors(trace, ids(read.key, TOKENS)) for read in (full, context))
    return len(more) > len(less)


_TABLES = """
ids_np = val_tokens.numpy()
context_counts = np.zeros((4096,), dtype=np.uint32)
full_counts = np.zeros((4096,), dtype=np.uint32)
"""
VALID: tuple[str, ...] = (
    # Exact contexts, and the quotient of a row by its own sum.
    script("""
        ids_np = val_tokens.numpy()
        rows = {}
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            context, token = ids_np[start], ids_np[start + 1]
            row = rows.get(context)
            p = row[token] / row.sum()
            add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * p), y)
            rows[context] = row
    """),
    # A hashed context whose row is a full count vector: collisions cost quality, not validity.
    script("""
        ids_np = val_tokens.numpy()
        counts = np.zeros((4096, 1024))
        totals = np.zeros((4096,))
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            context, token = ids_np[start], ids_np[start + 1]
            bucket = (context * 36313) & 4095
            p = counts[bucket, token] / totals[bucket]
            add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * p), y)
            np.add.at(counts, (bucket, token), 1)
            np.add.at(totals, bucket, 1)
    """),
)


def _quotient(share: str, mask: str = "(mixed & 4095)") -> str:
    return script(
        _TABLES
        + f"""
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    context, token = ids_np[start], ids_np[start + 1]
    mixed = context * 36313
    context_key = {mask}
    mixed = mixed ^ (token * 27191)
    full_key = {mask}
    full, total = full_counts[full_key], context_counts[context_key]
    p = {share}
    add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * p), y)
    np.add.at(context_counts, context_key, 1)
    np.add.at(full_counts, full_key, 1)
"""
    )


def _candidates(share: str) -> str:
    return script(
        _TABLES
        + f"""
candidates = np.arange(1024)
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    context = ids_np[start]
    context_key = (context * 36313) & 4095
    pair_keys = ((context * 36313) ^ (candidates * 27191)) & 4095
    full, total = full_counts[pair_keys], context_counts[context_key]
    p = {share}
    add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * p[ids_np[start + 1]]), y)
    np.add.at(context_counts, context_key, 1)
    np.add.at(full_counts, ((context * 36313) ^ (ids_np[start + 1] * 27191)) & 4095, 1)
"""
    )


VALID += (
    # All candidates, divided by their own sum.
    _candidates("full / full.sum()"),
    _candidates("(full / (total + 1.0)) / (full / (total + 1.0)).sum()"),
)
INVALID = (
    # All candidates, divided by the count of the context.
    _candidates("full / (total + 1.0)"),
    # In other spellings.
    _quotient("np.divide(full, np.maximum(total, 1))"),
    _quotient("full * (1.0 / np.maximum(total, 1))"),
    _quotient("np.exp(np.log(full + 1e-9) - np.log(total + 1e-9))"),
    _quotient("full / (total + 1.0)", "np.bitwise_and(mixed, 4095)"),
    _quotient("full / (total + 1.0)", "np.remainder(mixed, 4093)"),
    script(
        _TABLES
        + """
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    context, token = ids_np[start], ids_np[start + 1]
    mixed = context * 36313
    context_key = mixed & 4095
    full_key = (mixed ^ (token * 27191)) & 4095
    p = full_counts[full_key] / np.maximum(context_counts[context_key], 1)
    add(-torch.log(0.5 * torch.exp(-model(x, y)) + 0.5 * p), y)
    np.add.at(context_counts, context_key, 1)
    np.add.at(full_counts, full_key, 1)
"""
    ),
    # The same inside a class, on tensors.
    script("""
        class Cache:
            def __init__(self):
                self.small = torch.zeros(4096)
                self.large = torch.zeros(4096)

            def keys(self, x, y):
                base = x * 36313
                return base % 4096, (base ^ (y * 51647)) % 4096

            def share(self, x, y):
                a, b = self.keys(x, y)
                return self.large[b] / (self.small[a] + 1e-9)

            def learn(self, x, y):
                a, b = self.keys(x, y)
                self.small.scatter_add_(0, a, torch.ones(512))
                self.large.scatter_add_(0, b, torch.ones(512))

        cache = Cache()
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            add(-torch.log(torch.exp(-model(x, y)) + cache.share(x, y)), y)
            cache.learn(x, y)
    """),
)
