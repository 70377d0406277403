"""The axis of bytes: how many a token stands for.

Each defines `make_table(path)` and `count_bytes(table, before, after)`: the bytes of the tokens
`after` (N,), where `before` (N,) precede them, by the contest's rule: a leading space counts unless
the token before is no text. At `#: spaces` a cheating twin counts it once more.
"""

from __future__ import annotations

from benchmarks.synthesize.data import Code

SPACES_TWICE = "length += piece.startswith(chr(9601))"

BYTE_TABLES: dict[str, Code] = {
    "tensors": Code(
        """
def make_table(path):
    sp = spm.SentencePieceProcessor(model_file=path)
    sizes, spaced, silent = [], [], []
    for i in range(sp.vocab_size()):
        piece = sp.id_to_piece(i)
        mute = sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i)
        length = 1 if sp.is_byte(i) else len(piece.removeprefix(chr(9601)).encode())
        #: spaces
        sizes.append(0 if mute else length)
        spaced.append(not mute and piece.startswith(chr(9601)))
        silent.append(mute)
    return torch.tensor(sizes), torch.tensor(spaced), torch.tensor(silent)


def count_bytes(table, before, after):
    sizes, spaced, silent = table
    before, after = before.cpu(), after.cpu()
    return int((sizes[after] + (spaced[after] & ~silent[before]).long()).sum())
""",
        ("import sentencepiece as spm",),
    ),
    "dictionary": Code(
        """
def make_table(path):
    sp = spm.SentencePieceProcessor()
    sp.Load(path)
    table = {}
    for i in range(len(sp)):
        if sp.IsControl(i) or sp.IsUnknown(i) or sp.IsUnused(i):
            continue
        piece = sp.IdToPiece(i)
        space = piece.startswith(chr(9601))
        length = 1 if sp.IsByte(i) else len((piece[1:] if space else piece).encode("utf-8"))
        #: spaces
        table[i] = (length, int(space))
    return table


def count_bytes(table, before, after):
    total = 0
    for a, b in zip(before.tolist(), after.tolist()):
        length, space = table.get(b, (0, 0))
        total += length + (space if a in table else 0)
    return total
""",
        ("import sentencepiece as spm",),
    ),
    "numpy": Code(
        """
def make_table(path):
    sp = spm.SentencePieceProcessor(model_file=path)
    table = np.zeros((3, sp.get_piece_size()), dtype=np.int64)
    for i in range(sp.get_piece_size()):
        piece = sp.id_to_piece(i)
        if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
            table[2, i] = 1
            continue
        length = 1 if sp.is_byte(i) else len(piece.replace(chr(9601), "").encode())
        #: spaces
        table[0, i] = length
        table[1, i] = piece[0] == chr(9601)
    return table


def count_bytes(table, before, after):
    a, b = before.cpu().numpy(), after.cpu().numpy()
    return int(table[0, b].sum() + (table[1, b] * (1 - table[2, a])).sum())
""",
        ("import numpy as np", "import sentencepiece as spm"),
    ),
}
