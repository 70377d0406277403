"""A submission folder: what kind it is, what it declares, what counts towards its size.

A native submission adds a `harness` object to its submission.json:

    {"name": "...", "harness": {
        "protocol": 1,
        "artifact": "model.bin" or "reference:tiny",
        "engine": {"name": "score_first_ttt", "lr": 0.002, ...}    one of these three
        "predictor": "file.py:factory"
        "program": "file.py",
        "settings": {"chunk_tokens": 32768, "seq_len": 1024, "stride": 64, ...}}}

`reference:PRESET` stands for the artifact of our own reference model, built on first use. A folder
without a `harness` object is a record folder, as it was submitted; so is one whose manifest cannot
be read, which reading its papers reports. Does not cover running those.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from audits.facts.documented.manifest import NAME as MANIFEST
from audits.facts.documented.manifest import manifest_of
from audits.files import files_below
from harness.errors import ContractError, SubmissionError, UsageError
from harness.predictor import PROTOCOL_VERSION


class Kind(StrEnum):
    """What a folder is; the value is how a manifest and report.json say it."""

    ENGINE = "engine"  # one of our strategies, with its hyperparameters
    PREDICTOR = "predictor"  # refereed: it gives distributions, we keep the score
    PROGRAM = "program"  # its own evaluation loop, given the whole stream
    RECORD = "upstream"  # an unmodified record folder, or a lone script


NATIVE = (Kind.ENGINE, Kind.PREDICTOR, Kind.PROGRAM)  # declared in a manifest
KEYS = ("protocol", "artifact", *NATIVE, "settings")  # of the manifest's `harness` object

DEEPEST = 32  # levels of that object
NEAR = 0.8  # of two names, by difflib: as near as a slip of the keyboard
CURE = (
    "correct it there: submissions/template has manifests that work, and docs/submit.md says what"
    " each key means"
)
_LEAVES = (str, int, float, type(None))

# What the machine reads at run time, by suffix: rule BUDGET-2 reading (R), raw bytes as shipped.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

CODE_SUFFIXES = frozenset({".py", ".c", ".cc", ".cpp", ".cu", ".h", ".so", ".sh"})

# The contest's numbers (#549; main train_gpt.py), used where the manifest is silent.
DEFAULTS: Mapping[str, int] = MappingProxyType(
    {"chunk_tokens": 32768, "seq_len": 1024, "stride": 64}
)


@dataclass(frozen=True)
class Submission:
    """A folder, read and checked."""

    folder: Path
    name: str
    kind: Kind
    target: str  # engine name, "file.py:factory", "file.py", or "" for a record
    artifact: str  # file name inside the folder, or "reference:PRESET"
    settings: Mapping[str, Any]  # geometry, hyperparameters; defaults filled in; none of a record

    @property
    def code_bytes(self) -> int:
        """Raw bytes of the files that count as code."""
        return sum(p.stat().st_size for p in code_files(self.folder))

    @property
    def script(self) -> Path | None:
        """The file that holds the submission's own code, if it brings any."""
        return None if self.kind in (Kind.ENGINE, Kind.RECORD) else self.folder / self.file_name

    @property
    def file_name(self) -> str:
        """The file part of `target`."""
        return self.target.partition(":")[0]


def code_files(folder: Path) -> list[Path]:
    """Files that count as code, the manifest among them: its settings reach the worker too.

    Nothing else is copied to a worker, so a file that was not counted is not there to be read; nor
    is one that lies elsewhere, behind a link.
    """
    home = folder.resolve()
    return [
        path
        for path in sorted(files_below(folder))
        if (path.suffix in CODE_SUFFIXES or path == folder / MANIFEST)
        and path.is_file()
        and path.resolve().is_relative_to(home)
        and "__pycache__" not in path.parts
    ]


def read_submission(folder: Path) -> Submission:
    """Reads a folder. Raises SubmissionError that names the file, the cause and the cure, and
    UsageError where its manifest has a key that nothing reads.
    """
    if folder.is_file() and folder.suffix == ".py":
        return Submission(folder.parent, folder.name, Kind.RECORD, folder.name, "", {})
    if not folder.is_dir():
        raise SubmissionError(f"{folder}: not a folder; give the submission's own folder")
    manifest_path, manifest = folder / MANIFEST, manifest_of(folder).table
    native = manifest.get("harness")
    name = manifest.get("name")
    name = name if name and isinstance(name, str) else folder.resolve().name
    if native is None:
        return Submission(folder, name, Kind.RECORD, "", "", {})
    if not isinstance(native, dict):
        raise _wrong(f"{manifest_path}: `harness` is {type(native).__name__}, not an object")
    return _native(folder, name, manifest_path, native)


def overlooked(folder: Path) -> str:
    """What a folder that was taken for a record may have meant to declare."""
    manifest = manifest_of(folder)
    if manifest.unreadable:
        return f"its {MANIFEST} declares nothing: {manifest.unreadable}"
    near = difflib.get_close_matches("harness", map(str, manifest.table), n=1, cutoff=NEAR)
    if not near or "harness" in manifest.table:
        return ""
    return f"its {MANIFEST} has {near[0]!r}, which nothing reads: was `harness` meant?"


def _wrong(message: str) -> ContractError:
    return ContractError(message, CURE)


def _native(folder: Path, name: str, path: Path, native: dict[str, Any]) -> Submission:
    if _is_deep(native):
        raise _wrong(f"{path}: `harness` is nested more than {DEEPEST} deep")
    if native.get("protocol") != PROTOCOL_VERSION:
        raise _wrong(
            f"{path}: `harness.protocol` is {native.get('protocol')!r}; this harness speaks"
            f" {PROTOCOL_VERSION}"
        )
    _refuse_unknown(path, native)
    declared = [kind for kind in NATIVE if kind in native]
    if len(declared) != 1:
        raise _wrong(
            f"{path}: `harness` declares {', '.join(declared) or 'none'} of {', '.join(NATIVE)};"
            " name exactly one"
        )
    kind = declared[0]
    target, settings = _target(path, kind, native[kind])
    settings = {**DEFAULTS, **_declared_settings(path, native), **settings}
    _check_geometry(path, settings)
    submission = Submission(
        folder, name, kind, target, str(native.get("artifact") or ""), MappingProxyType(settings)
    )
    script = submission.script
    if script and not script.resolve().is_relative_to(folder.resolve()):
        raise _wrong(f"{path}: `{kind}` names {submission.file_name!r}, outside the folder")
    if script and not script.is_file():
        raise _wrong(f"{path}: `{kind}` names {submission.file_name!r}, which is not there")
    return submission


def _refuse_unknown(path: Path, native: dict[str, Any]) -> None:
    """A key that nothing reads was meant for something: no evaluation would be the one meant."""
    unknown = ", ".join(repr(key) for key in native if key not in KEYS)
    if unknown:
        raise UsageError(
            f"{path}: `harness` has {unknown}, which nothing reads; correct or remove it"
            f" (there are {', '.join(KEYS)})"
        )


def _is_deep(value: Any) -> bool:
    """Deeper than whoever writes a report could follow."""
    level = [value]
    for _ in range(DEEPEST):
        tables = [one.values() if isinstance(one, dict) else one for one in level]
        level = [inner for one in tables if not isinstance(one, _LEAVES) for inner in one]
    return bool(level)


def _declared_settings(path: Path, native: dict[str, Any]) -> dict[str, Any]:
    """Names that can stand in an environment; whole numbers that a machine can hold."""
    settings = native.get("settings") or {}
    if not isinstance(settings, dict):
        raise _wrong(f"{path}: `settings` is {type(settings).__name__}, not an object")
    for name, value in settings.items():
        if not _NAME.fullmatch(name):
            raise _wrong(f"{path}: setting {name!r}; write letters, digits and _ alone")
        if isinstance(value, int) and abs(value) >= 1 << 63:
            raise _wrong(f"{path}: setting {name!r} is larger than 64 bits hold")
    return settings


def _target(path: Path, kind: Kind, value: Any) -> tuple[str, dict[str, Any]]:
    """The declared strategy, and the hyperparameters written beside an engine's name."""
    if kind is Kind.ENGINE and isinstance(value, dict) and isinstance(value.get("name"), str):
        return value["name"], {k: v for k, v in value.items() if k != "name"}
    if kind is Kind.PREDICTOR and isinstance(value, str) and ".py:" in value:
        return value, {}
    if kind is Kind.PROGRAM and isinstance(value, str) and value.endswith(".py"):
        return value, {}
    form = {
        Kind.ENGINE: '{"name": ...}',
        Kind.PREDICTOR: '"file.py:factory"',
        Kind.PROGRAM: '"file.py"',
    }
    raise _wrong(f"{path}: `{kind}` is {value!r}; write {form[kind]}")


def _check_geometry(path: Path, settings: dict[str, Any]) -> None:
    for key in DEFAULTS:
        value = settings[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise _wrong(f"{path}: `{key}` is {value!r}; a positive whole number of tokens")
    if settings["stride"] > settings["seq_len"]:
        raise _wrong(f"{path}: stride {settings['stride']} exceeds seq_len {settings['seq_len']}")
