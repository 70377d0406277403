"""The numbers of README.md: `name: figure` in its text, and the cells of its tables.

Guarantees: a cell is named by its column, and by its row where a table has one for each run
("post-ttt bpb [1337]"); what is not called a score, a size or a time is left.
Does not cover: figures in sentences, of which nobody can tell whose they are; other languages than
the names of the contest's own numbers.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from audits.facts.documented.commands import READMES
from audits.facts.documented.papers import read_paper
from harness.claims.record import Number, Place

MOST_NUMBERS = 1_000
_NAMED = re.compile(
    r"(?<![\w.])((?:\w+_)?(?:bpb|val_loss|bytes_total|artifact_bytes))[`*\s]*[:=][`*\s]*"
    r"(\d[\d,]*(?:\.\d+)?)(?![\d%])",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"bpb|loss|bytes|artifact|seed|steps|time|size|nats", re.IGNORECASE)
_FIGURE = re.compile(r"^[~<≤]?\s*(\d[\d,]*(?:\.\d+)?)")
_RULER = re.compile(r"^[\s|:-]+$")
_MARKUP = re.compile(r"[*`_]{1,3}(?=\S)|(?<=\S)[*`]{1,3}")


def read_readme(folder: Path) -> tuple[tuple[Number, ...], str]:
    """Its numbers, and why some of it was not read."""
    for name in READMES:
        if (paper := read_paper(folder / name)) is not None:
            return tuple(_numbers(paper.text, name))[:MOST_NUMBERS], paper.unreadable
    return (), ""


def _numbers(text: str, file: str) -> Iterator[Number]:
    columns: Sequence[str] = ()
    for line_number, line in enumerate(text.split("\n"), 1):
        place = Place(file, line_number)
        for name, figure in _NAMED.findall(line[:2_000]):
            yield Number(name.lower(), float(figure.replace(",", "")), place)
        if line.count("|") < 2 or len(line) > 2_000:
            columns = ()
        elif not _RULER.match(line):
            cells = [_MARKUP.sub("", cell).strip() for cell in line.strip().strip("|").split("|")]
            if not columns:
                columns = [cell.lower() for cell in cells]
            else:
                yield from _row(columns, cells, place)


def _row(columns: Sequence[str], cells: Sequence[str], place: Place) -> Iterator[Number]:
    for column, cell in list(zip(columns, cells, strict=False))[1:]:
        if _COUNTED.search(column) and (found := _FIGURE.match(cell)):
            yield Number(f"{column} [{cells[0][:40]}]", float(found[1].replace(",", "")), place)
