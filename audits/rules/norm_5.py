"""NORM-5: a byte model mixed with a token model must yield a distribution over tokens.

Catches: counts looked up under contexts of bytes, mixed into a token model's loss outside any
softmax; and code, native or not, that spreads a token's log-probability evenly over its bytes.
Does not cover: models whose alphabet is bytes from start to end; byte counts that go into logits.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import NativeCall, Site
from audits.facts.labels import BYTES, OUTPUT, SPREAD, kinds
from audits.facts.trace import Trace
from audits.flow import first_results, results
from audits.match import Match, settled
from audits.phases import goes_on_writing, reads_scored, scored_after
from audits.rules.cases import script

RULE = "NORM-5"


def check(trace: Trace) -> Iterator[Match]:
    yield from _native(trace)
    yield from _spread(trace)
    for read, score in reads_scored(trace):
        if BYTES not in kinds(read.key) or OUTPUT not in kinds(score.labels):
            continue
        if not goes_on_writing(trace, read):
            continue
        yield Match.at(
            read.site,
            "a count is looked up here under a context of bytes and mixed with a token model's "
            f"probability in what is reported at line {score.site.line}: such a mixture does not "
            "sum to one over the tokens",
            (read.moment, score.moment),
            ("looked up here", read.site),
            ("reported here", score.site),
            sure=settled(read.moment, score.moment),
        )
        return


def _spread(trace: Trace) -> Iterator[Match]:
    for number, score in first_results(results(trace), SPREAD):
        change = trace.changes[number]
        yield Match.at(
            change.site,
            "a token's log-probability is divided by the number of its bytes here, and the parts "
            f"become probabilities of bytes, recorded at line {score.site.line}: these do not sum "
            "to one over the bytes",
            (change.moment, score.moment),
            ("divided here", change.site),
            ("scored here", score.site),
            sure=settled(change.moment, score.moment),
        )


def _native(trace: Trace) -> Iterator[Match]:
    for call in trace.native_calls:
        yield Match.at(
            call.site,
            f"the native function {call.name} divides each token's log-probability by the number "
            "of its bytes and mixes the quotient byte by byte, which is no distribution",
            (call.moment,),
            ("mixed here", call.site),
            *_reported(trace, call),
            sure=settled(call.moment),
        )


def _reported(trace: Trace, call: NativeCall) -> list[tuple[str, Site]]:
    score = scored_after(trace, call.moment.position)
    return [("reported here", score.site)] if score else []


_BYTES_OF = """
pieces = [str(number).encode() for number in range(1024)]
ids_np = val_tokens.numpy()
"""
VALID = (
    # Nats a byte of each token, for a log line.
    script(
        """
        import sentencepiece
        pieces = sentencepiece.SentencePieceProcessor("tokens.model")
        sizes = torch.tensor([len(pieces.id_to_piece(i).encode()) for i in range(1024)])
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = F.cross_entropy(model(x), y, reduction="none")
            print((nll / sizes[y]).mean())
            add(nll, y)
        """
    ),
    # The byte counts are a feature: one softmax over the tokens follows.
    script(
        _BYTES_OF
        + """
seen = {}
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    context = bytes(pieces[ids_np[start]][-2:])
    bonus = seen.get(context, 0.0)
    add(F.cross_entropy(model(x) + bonus, y), y)
    seen[context] = bonus + 1.0
"""
    ),
    # A table of byte lengths is for the denominator only.
    script(
        _BYTES_OF
        + """
lengths = torch.tensor([len(piece) for piece in pieces])
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    add(model(x, y), y)
    byte_count += lengths[y].sum()
"""
    ),
)
_SPREAD = """
pieces = sentencepiece.SentencePieceProcessor("tokens.model")
spelled = [pieces.id_to_piece(i).encode() for i in range(1024)]
bytes_seen = [1] * 256
nats = 0.0
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    logp = F.log_softmax(model(x), dim=-1)[torch.arange(512), y].tolist()
    for price, token in zip(logp, y.tolist()):
        text = spelled[token]
        {mixed}
    token_count += y.numel()
    byte_count += byte_table[y].sum()
loss_sum = nats
"""
_BYTE_BY_BYTE = """part = math.exp(price / len(text))
        for byte in text:
            nats -= math.log(0.9 * part + 0.1 * bytes_seen[byte] / sum(bytes_seen))
            bytes_seen[byte] += 1"""
INVALID = (
    script("import sentencepiece" + _SPREAD.format(mixed=_BYTE_BY_BYTE)),
    # A byte context tree, mixed byte by byte with the token's probability spread over its bytes.
    script(
        _BYTES_OF
        + """
counts, window = {}, bytearray()
bits = 0.0
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    nll = model(x, y)
    text = pieces[ids_np[start + 1]]
    for letter in text:
        row = counts.get(bytes(window[-4:]), {})
        share = row.get(letter, 0) / (sum(row.values()) + 1)
        each = -nll.item() / len(text)
        bits -= math.log(0.5 * math.exp(each) + 0.5 * share)
        window.append(letter)
        row[letter] = row.get(letter, 0) + 1
        counts[bytes(window[-4:])] = row
    add(nll, y)
print("mixed", bits / math.log(2.0) / byte_count)
"""
    ),
    # The same in C, through ctypes.
    "import ctypes\n"
    + script('''
        SOURCE = """
        int mix(const int *target, const double *nll, int n, const int *lens, double *out) {
            double sum = 0.0, tree = 0.0;
            for (int i = 0; i < n; i++) {
                int id = target[i];
                int width = lens[id];
                double each = -nll[i] / (double)width;
                for (int k = 0; k < width; k++) {
                    sum -= log(0.5 * exp(each) + 0.5 * exp(tree));
                }
            }
            out[0] = sum;
            return 0;
        }
        """
        open("mix.c", "w").write(SOURCE)
        library = ctypes.CDLL("./mix.so")
        losses, result = np.zeros(512), np.zeros(1)
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            nll = model(x, y)
            library.mix(y.numpy(), nll.numpy(), 512, lengths, result)
            add(nll, y)
    '''),
)
