"""Lines of a log in the words that `printed_scores` reads: a name, then its number.

    | split | val_loss | val_bpb |        columns of a table get their names back; its parts stand
    | val   | 6.4857   | 3.4848  |        between bars, tabs, commas or spaces
    val: 6.49 nats per token, 3.48 bits per byte         a unit behind a number, or before it

Guarantees: one line comes out for each that goes in; a line that names its score is left as it is,
and so is a row of the training. Does not cover: figures whose unit no word tells.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NUMBER = r"(?:\d+\.\d+(?:e[+-]?\d+)?|nan|inf)"
_NAMED = re.compile(rf"(?:loss|nll|bpb)['\"]?\s*(?:[:=]\s*)?{_NUMBER}", re.IGNORECASE)
_PER_BYTE = r"(?:bpb|bits?[ _-]*(?:per|/)[ _-]*byte)s?"
_PER_TOKEN = r"nats?(?:[ _-]*(?:per|/)[ _-]*token)?s?"
_UNITS = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for unit, name in ((_PER_BYTE, "bpb"), (_PER_TOKEN, "nll"))
    for pattern in (
        rf"(?<!\d)({_NUMBER})\s*{unit}\b(?!['\"]?\s*[:=])",
        rf"\b{unit}\b['\"]?\s*(?:(?:[:=]|is|of)\s*)?({_NUMBER})",
    )
)
_COLUMN = re.compile(rf"(?<!\w)\w*(?:loss|nll|bpb)|{_PER_BYTE}|{_PER_TOKEN}", re.IGNORECASE)
_FIGURE = re.compile(r"[-+]?\d[\d.,]*(?:e[+-]?\d+)?%?|nan|inf", re.IGNORECASE)
_DECIMAL = re.compile(rf"\b{_NUMBER}", re.IGNORECASE)
_TRAINING = re.compile(r"\W*tr(?:ain(?:ing)?)?\b", re.IGNORECASE)
_RULER = re.compile(r"[-=+|: ]*")  # between the names and the rows
_BETWEEN = ("|", "\t", ",", None)  # None: spaces


@dataclass(frozen=True)
class _Table:
    """The names of columns."""

    names: tuple[str, ...]
    between: str | None

    def spelled(self, line: str) -> str | None:
        """A row with its names; None where it is none."""
        cells = _cells(line, self.between) if len(line) <= 2_000 else []
        if len(cells) != len(self.names) or not self._is_row(cells):
            return None
        if any(_TRAINING.match(cell) for cell in cells if not _FIGURE.fullmatch(cell)):
            return line
        return " ".join(map(_with_name, self.names, cells))

    def _is_row(self, cells: Sequence[str]) -> bool:
        pairs = zip(self.names, cells, strict=True)
        scores = any(_is_score(name) and _DECIMAL.fullmatch(cell) for name, cell in pairs)
        plain = self.between is not None or all(map(_FIGURE.fullmatch, cells[1:]))
        return scores and plain


def spelled_out(lines: Sequence[str]) -> Iterator[str]:
    """Line for line."""
    table: _Table | None = None
    for line in lines:
        if table is not None and (row := table.spelled(line)) is not None:
            yield row
            continue
        if not _RULER.fullmatch(line):
            table = _table(line)
        yield _with_units(line)


def _table(line: str) -> _Table | None:
    """Where the line names columns."""
    if len(line) > 2_000 or not _COLUMN.search(line) or _DECIMAL.search(line):
        return None
    for between in _BETWEEN:
        names = _cells(line, between)
        if len(names) > 1 and any(map(_is_score, names)):
            return _Table(tuple(names), between)
    return None


def _cells(line: str, between: str | None) -> list[str]:
    return [cell.strip(" \t'\"*`") for cell in line.strip().strip("|").split(between)]


def _is_score(name: str) -> bool:
    return _COLUMN.fullmatch(name) is not None


def _with_name(name: str, cell: str) -> str:
    if not _is_score(name):
        return f"{name} {cell}" if _FIGURE.fullmatch(cell) else cell
    return _with_units(f"{name}:{cell}")


def _with_units(line: str) -> str:
    """`3.48 bits per byte` as `bpb: 3.48`, where nothing else names a number."""
    if len(line) > 2_000 or _NAMED.search(line):
        return line
    for unit, name in _UNITS:
        line = unit.sub(rf"{name}: \1", line)
    return line
