"""The tokenizers that a folder ships: do they give back the text that they are given?

    byte fallback      a character outside the vocabulary costs its bytes, instead of vanishing
    lone space         a space between two pieces that hold none can be spelled
    round trip         sample texts, a kind of change each: case, accents, digits, other scripts

Guarantees: a file that is no model is a record that says so; what the contest's own normaliser
changes as well (width, compatibility, runs of spaces) is not among the samples. Read in the bounded
child. Does not cover: other kinds of tokenizers than SentencePiece; all of the text.
"""

from collections.abc import Iterator
from pathlib import Path

import sentencepiece as spm

from audits.bounded import at_file
from audits.files import files_below
from harness.claims.record import Tokenizer

MOST_BYTES = 16 << 20
MOST_MODELS = 8
SPACE = "\u2581"
# Every character is its own compatibility form, and no two spaces meet: nmt_nfkc keeps them all.
SAMPLES = (
    "The Quick BROWN Fox",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m",
    "3.14159 and 2,718 or 100%",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440",
    "\u65e5\u672c\u8a9e \u4e2d\u6587",
    "\u0645\u0631\u062d\u0628\u0627",
    "\U0001f600 \u20ac \u2603",
    "https://example.org/a_b?c=d&e",
    "a < b && c > d; {e} [f] ~g^h",
)


def read_tokenizers(folder: Path) -> Iterator[Tokenizer]:
    """Each SentencePiece model, in the order of names."""
    paths = [path for path in sorted(files_below(folder)) if path.suffix == ".model"]
    for path in paths[:MOST_MODELS]:
        at_file(path.name)
        name = path.relative_to(folder).as_posix()
        model = spm.SentencePieceProcessor()
        try:
            if not path.is_file() or path.is_symlink() or path.stat().st_size > MOST_BYTES:
                raise OSError("no regular file of a model's size")
            model.LoadFromSerializedProto(path.read_bytes())
        except (RuntimeError, OSError) as error:
            unread = f"no SentencePiece model ({error})"
            yield Tokenizer(name, 0, 0, lone_space=False, unread=unread)
        else:
            yield _read(name, model)


def _read(name: str, model: spm.SentencePieceProcessor) -> Tokenizer:
    pieces = model.get_piece_size()
    bytes_ = sum(model.is_byte(number) for number in range(pieces))
    space = model.piece_to_id(SPACE) != model.unk_id()
    lost = tuple(_lost(model, sample) for sample in SAMPLES)
    return Tokenizer(name, pieces, bytes_, space, tuple(filter(None, lost)))


def _lost(model: spm.SentencePieceProcessor, sample: str) -> str:
    """What came back, where it is not the sample."""
    back = model.decode(model.encode(sample))
    return "" if back == sample else f"{sample!r} comes back as {back!r}"
