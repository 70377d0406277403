"""submission.json as numbers, each with its path and line.

Guarantees: what is no JSON, or no object, is a record that says so; a number that JSON has no word
for is none. Does not cover: numbers inside sentences (a "blurb").
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from audits.facts.documented.manifest import NAME
from audits.facts.documented.papers import read_paper
from harness.claims.record import Declared, Number, Place, SeedClaim

OTHER_NAMES = "submission*.json"  # some folders hold one for each variant
MOST_NUMBERS = 2_000
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_SEED = re.compile(r"(?:seed[_ -]?)?(\d{1,9})", re.IGNORECASE)
BITS = ("val_bpb", "bpb", "ttt_val_bpb", "final_bpb", "score", "val_bpb_ttt")
NATS = ("val_loss", "val_loss_nats", "loss")
BYTES = ("artifact_bytes", "bytes_total", "total_bytes", "total_submission_bytes")


def read_declared(folder: Path) -> Declared:
    """The manifest, or the first file named like one."""
    others = sorted(path for path in folder.glob(OTHER_NAMES) if path.name != NAME)
    for path in (folder / NAME, *others):
        if (paper := read_paper(path)) is None:
            continue
        if paper.unreadable:
            return Declared(path.name, unread=paper.unreadable)
        try:
            table = json.loads(paper.text)
        except (ValueError, RecursionError) as error:
            return Declared(path.name, unread=f"no JSON: {error}")
        if not isinstance(table, dict):
            return Declared(path.name, unread=f"JSON, but no object: {type(table).__name__}")
        return _declared(path.name, table, paper.text)
    return Declared()


def _declared(file: str, table: Mapping[str, object], text: str) -> Declared:
    numbers: dict[str, Number] = {}
    for path, word, line in _leaves(text):
        if len(numbers) < MOST_NUMBERS and (value := _figure(word)) is not None:
            numbers[path] = Number(path, value, Place(file, line))
    track = table.get("track")
    groups: dict[str, list[SeedClaim]] = {}
    for group, claim in _seeds(numbers, file):
        groups.setdefault(group, []).append(claim)
    seeds = groups[min(groups, key=lambda group: group.count("."))] if groups else []
    return Declared(file, numbers, tuple(seeds), track if isinstance(track, str) else "")


def _figure(word: str) -> float | None:
    """Of a word of JSON; "1.08" in quotes is a number to whoever typed it."""
    try:
        value = float(word.strip('"'))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _leaves(text: str) -> Iterator[tuple[str, str, int]]:
    """Path, word and line of each value of valid JSON."""
    path: list[str | int] = []
    key, line, seen = "", 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen, word = token.start(), token[0]
        if word in "{[":
            path.append(key if not path or isinstance(path[-1], str) else path[-1])
            path.append("" if word == "{" else 0)
        elif word in "}]":
            del path[-2:]
        elif word == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
        elif word != ":":
            rest = text[token.end() : token.end() + 80].lstrip()
            if path and isinstance(path[-1], str) and rest.startswith(":"):
                key = _plain(word)
                continue
            own = str(path[-1]) if path and isinstance(path[-1], int) else key
            yield ".".join([*map(str, path[2::2]), own]), word, line


def _plain(word: str) -> str:
    try:
        return str(json.loads(word))
    except ValueError:
        return word


def _seeds(numbers: Mapping[str, Number], file: str) -> Iterator[tuple[str, SeedClaim]]:
    """Tables of runs: under a seed's number, or with a number that is called seed. Where several
    parts of the file hold such, the outermost are the claim (#1868 adds a rerun of each).
    """
    tables: dict[str, dict[str, Number]] = {}
    for path, number in numbers.items():
        table, _, name = path.rpartition(".")
        tables.setdefault(table, {})[name] = number
    for path, row in tables.items():
        named = _SEED.fullmatch(path.rpartition(".")[2]) if "seed" in path.lower() else None
        seed = row["seed"].value if "seed" in row else float(named[1]) if named else None
        bits, nats = _of(row, BITS), _of(row, NATS)
        if path and seed is not None and (bits is not None or nats is not None):
            line = min(number.place.line for number in row.values())
            claim = SeedClaim(int(seed), bits, nats, _of(row, BYTES), Place(file, line))
            yield path.rpartition(".")[0], claim


def _of(table: Mapping[str, Number], names: tuple[str, ...]) -> float | None:
    return next((table[name].value for name in names if name in table), None)
