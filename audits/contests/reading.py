"""From a TOML file to a contest.

Guarantees: what is wrong with a file is said by file, key, cause and cure, one sentence; nothing
that the schema does not know is taken. Does not cover: whether what it says of a repository holds.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from audits.contests.contest import (
    SYMBOLS,
    Contest,
    Data,
    Family,
    Files,
    Frozen,
    KnownText,
    Limits,
    PaperClaims,
    Rows,
    Score,
    Significance,
    Size,
    SizeRole,
    Suspect,
    TokenizerFiles,
    Where,
)

MAX_BYTES = 1 << 18  # the longest shipped one has 3 kB
SUFFIX = ".toml"


class ContestError(Exception):
    """A contest file cannot be used; the text names file, key, cause and cure."""

    def __init__(self, file: str, key: str, cause: str, cure: str) -> None:
        self.file, self.key, self.cause, self.cure = file, key, cause, cure
        super().__init__(f"{file}: {key}: {cause}; {cure}" if key else f"{file}: {cause}; {cure}")


def shipped_names() -> tuple[str, ...]:
    """Names that need no file."""
    found = (one.name for one in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)))


def load_contest(named: str) -> Contest:
    """By the name of a shipped one, or by the path of a file."""
    if named in shipped_names():
        return _shipped(named)
    path = Path(named)
    if path.suffix != SUFFIX and not path.exists():
        raise ContestError(
            named, "", "no such contest", f"name one of {', '.join(shipped_names())}, or a file"
        )
    return read_contest(path)


@cache
def _shipped(name: str) -> Contest:
    text = files(__package__).joinpath(f"{name}{SUFFIX}").read_text(encoding="utf-8")
    return parse_contest(text, f"{name}{SUFFIX}")


def read_contest(path: Path) -> Contest:
    """A file of the user's own."""
    name = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ContestError(name, "", f"more than {MAX_BYTES:,} bytes", "give a contest's file")
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContestError(
            name, "", f"no UTF-8 at byte {error.start}", "save it as UTF-8"
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise ContestError(
            name, "", f"cannot be read ({why})", "give a file that is there"
        ) from error
    return parse_contest(text, name)


def parse_contest(text: str, name: str) -> Contest:
    """`name`: of the file, for what is wrong with it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContestError(name, "", f"no TOML: {error}", "mend that line") from error
    _require_schema(table, name)
    contest = _contest(table)
    _require_sense(contest, name)
    return contest


# -------------------------------------------------------------------------------------------------
# what may be wrong


@cache
def schema() -> Mapping[str, Any]:
    """The published form of a contest file."""
    text = files("audits").joinpath("schemas/contest.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _require_schema(table: Mapping[str, Any], name: str) -> None:
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(schema()).iter_errors(table),
        key=lambda e: list(map(str, e.absolute_path)),
    )
    for error in errors[:1]:
        key = _key(error.absolute_path)
        if error.validator == "additionalProperties":
            unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
            known = ", ".join(error.schema["properties"])
            raise ContestError(
                name,
                _joined(key, unknown[0]),
                "nothing reads this key",
                f"there are {known}: correct or remove it",
            )
        if error.validator == "required":
            missing = next(one for one in error.validator_value if one not in error.instance)
            form = error.schema["properties"][missing]["description"]
            raise ContestError(name, _joined(key, missing), "missing", f"write {form}")
        form = error.schema.get("description", "what the schema asks for")
        raise ContestError(name, key, f"{_shown(error.instance)} does not fit", f"write {form}")


def _key(path: Sequence[str | int]) -> str:
    """`sizes[2].role`; places are counted from one, as people count tables."""
    found = ""
    for part in path:
        found = f"{found}[{part + 1}]" if isinstance(part, int) else _joined(found, part)
    return found


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_sense(contest: Contest, name: str) -> None:
    """What a schema cannot say."""
    parts = (_of_score(contest), _of_files(contest), _of_sizes(contest), _of_claims(contest))
    for complaint in (one for part in parts for one in part):
        raise ContestError(name, *complaint)


Complaint = tuple[str, str, str]  # key, cause, cure


def _of_score(contest: Contest) -> list[Complaint]:
    found = []
    try:
        if re.compile(contest.score.printed).groups < 1:
            found.append(("score.printed", "no group", "put the number's part between parentheses"))
    except re.error as error:
        found.append(
            (
                "score.printed",
                f"no regular expression ({error})",
                "mend it, or escape what is meant as it is written",
            )
        )
    if contest.family is Family.FUNCTION and not contest.score.function:
        found.append(
            ("score.function", 'missing, and the family is "function"', 'write "module:function"')
        )
    return found


UNITS = ("n", "s", "ms", "word")  # groups of a line's pattern: what the figure counts


def _of_claims(contest: Contest) -> Iterator[Complaint]:
    own = contest.claims
    bare = {
        "claims.limited": own.limited,
        "claims.unlimited": own.unlimited,
        "claims.folder": own.folder,
    }
    patterns = list(bare.items())
    for name, several in contest.claims.lines.items():
        patterns += [(f"claims.lines.{name}", pattern) for pattern in several]
    for key, pattern in patterns:
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            yield key, f"no regular expression ({error})", "mend it"
            continue
        if key not in bare and len(set(groups) & set(UNITS)) != 1:
            cure = f"name one group {' or '.join(f'(?P<{unit}>...)' for unit in UNITS)}"
            yield key, f"{pattern!r} has no unit", cure


def _of_files(contest: Contest) -> list[Complaint]:
    own = contest.files
    both = [one.path for one in own.frozen if one.path in own.editable]
    found = [
        ("files.editable", f"{path!r} is frozen as well", "leave it in one of the two")
        for path in both
    ]
    outside = [
        p
        for p in (own.entry, *(f.path for f in own.frozen))
        if Path(p).is_absolute() or ".." in Path(p).parts
    ]
    found += [
        ("files", f"{path!r} leads out of the folder", "name a file relative to the folder")
        for path in outside
    ]
    return found


def _of_sizes(contest: Contest) -> list[Complaint]:
    found: list[Complaint] = []
    for number, size in enumerate(contest.sizes, 1):
        unknown = [
            word for word in size.value.split(" * ") if not word.isdigit() and word not in SYMBOLS
        ]
        if unknown:
            found.append(
                (
                    f"sizes[{number}].value",
                    f"{unknown[0]!r} is no size of a run",
                    f"use numbers and {', '.join(SYMBOLS)}",
                )
            )
        if size.where is Where.CONSTANT and not size.file:
            found.append(
                (
                    f"sizes[{number}].file",
                    "missing, and the size is a constant",
                    "write the file that it stands in",
                )
            )
    rows = contest.rows
    if rows is not None and rows.rows % rows.batch:
        found.append(
            (
                "rows.rows",
                f"{rows.rows} is no multiple of batch, {rows.batch}",
                "write a multiple: a last batch would be left out",
            )
        )
    parts = {"rows": contest.rows, "data": contest.data, "tokenizer": contest.tokenizer}
    missing = [key for key, part in parts.items() if part is None]
    if 0 < len(missing) < len(parts):
        found.append(
            (
                missing[0],
                "missing, and a run needs rows, data and tokenizer",
                f"write a table [{missing[0]}], or none of the three",
            )
        )
    return found


# -------------------------------------------------------------------------------------------------
# tables to a contest


def _contest(table: Mapping[str, Any]) -> Contest:
    own, score, limits = table["contest"], table["score"], table.get("limits", {})
    chance, data = table.get("significance", {}), table.get("data")
    return Contest(
        name=own["name"],
        title=own["title"],
        upstream=own.get("upstream", ""),
        commit=own.get("commit", ""),
        license=own.get("license", ""),
        family=Family(own["family"]),
        files=_files(table["files"]),
        score=Score(
            score["unit"],
            score.get("function", ""),
            score.get("uncounted", ""),
            score.get("between_rows", "score-first"),
            score["printed"],
            score.get("which", "last"),
            float(score.get("target", 0.0)),
        ),
        limits=Limits(
            float(limits.get("train_s", 0.0)),
            float(limits.get("eval_s", 0.0)),
            limits.get("artifact_bytes", 0),
            limits.get("clock", "self"),
            limits.get("free_steps", 0),
        ),
        significance=Significance(
            chance.get("rule", "none"),
            float(chance.get("sigma", 0.0)),
            float(chance.get("p", 0.0)),
            float(chance.get("margin", 0.0)),
            chance.get("results", ""),
        ),
        rules=MappingProxyType(dict(table.get("rules", {}))),
        exempt=MappingProxyType(dict(table.get("exempt", {}))),
        rows=_rows(table.get("rows")),
        data=None if data is None else _data(data),
        tokenizer=_tokenizer(table.get("tokenizer")),
        sizes=tuple(map(_size, table.get("sizes", ()))),
        environment=MappingProxyType(dict(table.get("environment", {}))),
        claims=_claims(table.get("claims", {})),
    )


def _claims(table: Mapping[str, Any]) -> PaperClaims:
    texts = [
        KnownText(one["bytes"], one.get("tokens", 0), one.get("documents", 0))
        for one in table.get("text", ())
    ]
    lines = {name: tuple(patterns) for name, patterns in table.get("lines", {}).items()}
    return PaperClaims(
        tuple(table.get("required", ())),
        tuple(texts),
        table.get("ranks", 0),
        table.get("limited", ""),
        table.get("unlimited", ""),
        table.get("folder", ""),
        tuple(Suspect(one["rule"], one["numbers"], one["why"]) for one in table.get("suspect", ())),
        MappingProxyType(lines),
    )


def _files(table: Mapping[str, Any]) -> Files:
    frozen = [Frozen(one["path"], tuple(one.get("sha256", ()))) for one in table.get("frozen", ())]
    return Files(
        entry=table["entry"],
        arguments=tuple(table.get("arguments", ())),
        editable=tuple(table.get("editable", ())),
        frozen=tuple(frozen),
        layout=tuple(table.get("layout", ())),
        mark=table.get("mark", ""),
    )


def _rows(table: Mapping[str, Any] | None) -> Rows | None:
    if table is None:
        return None
    file, _, constant = table.get("length_at", "").partition(":")
    return Rows(
        rows=table["rows"],
        batch=table["batch"],
        length=table["length"],
        real=table.get("real", 0),
        length_file=file,
        length_name=constant,
        steps=table["steps"],
    )


def _data(table: Mapping[str, Any]) -> Data:
    return Data(
        table["kind"],
        table["folder"],
        tuple(table["train"]),
        table["validation"],
        table.get("column", "text"),
    )


def _tokenizer(table: Mapping[str, Any] | None) -> TokenizerFiles | None:
    if table is None:
        return None
    return TokenizerFiles(
        kind=table["kind"],
        file=table.get("file", ""),
        table=table.get("table", ""),
        digest=table.get("digest", ""),
        specials=tuple(table["specials"]),
    )


def _size(table: Mapping[str, Any]) -> Size:
    where, role = Where(table["where"]), SizeRole(table["role"])
    return Size(where, table.get("file", ""), table["name"], role, str(table["value"]))
