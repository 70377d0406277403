"""The stage: a private copy of a record folder, with data where its script looks for it.

Guarantees: the script's text is the submission's, byte for byte, unless this Python cannot read its
grammar; then f-strings are lowered. `changes` says so, and names every number in the code and every
attribute of a class that gets another value while the script is compiled and run. Nothing of the
folder that lies elsewhere (links) is followed, nothing that is no file or larger than
`MAX_FILE_BYTES` is copied, as `changes` says too, and
its logs stay behind, so that what is in them afterwards is the run's own.
Does not cover: packages and programs that the script expects of its machine.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from audits.bounded import Unfinished, in_child
from audits.files import LONGEST_PATH
from audits.source import read_source
from audits.source.grammar import lowered
from harness.configure.run_spec import RunSpec
from harness.configure.setting import texts
from harness.errors import SubmissionError
from harness.protocol.code_constants import place_of
from harness.stage.data_layout import Layout, StageData
from harness.stage.text_layout import write_text
from harness.streams.characters import CharacterVocabulary

MAX_FILE_BYTES = 100 << 20  # an artifact has at most 16 MB
MAX_FOLDER_BYTES = 1 << 30
MAX_FILES = 20_000
MAX_NAMED = 10  # of files that stay behind
_LEFT_BEHIND = (".git", "__pycache__", "logs", "wandb", ".venv", "node_modules")


@dataclass(frozen=True)
class Stage:
    """A place in which a script can run."""

    root: Path
    spec: RunSpec
    binds: Mapping[str, str]  # absolute path that the script asks for -> folder in the stage
    changes: tuple[str, ...] = ()  # one sentence each: what differs from the script as submitted


def build_stage(spec: RunSpec, data: StageData, into: Path) -> Stage:
    """Copies the folder, and writes the data where the script looks for it."""
    into.mkdir(parents=True, exist_ok=True)
    left = _copy_folder(spec, into)
    for place, file in spec.beside.items():
        (into / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, into / place)
    lowered_files = _lower_grammar(spec, into)
    layout = Layout(into, data, spec.vocabulary, spec.sidecar)
    if spec.contest is None:
        layout.fill(spec.data_paths)
    elif isinstance(spec.vocabulary, CharacterVocabulary):
        write_text(spec.contest, spec.vocabulary, data, into)
    return Stage(into, spec, layout.binds, (*left, *lowered_files, *_exchanged(spec)))


# -------------------------------------------------------------------------------------------------
# the copy


def _copy_folder(spec: RunSpec, into: Path) -> list[str]:
    """What was left behind though a script may look for it, a sentence each."""
    if spec.files is not None:
        for name in spec.files:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(spec.root / name, into / name)
        return []
    copied = count = 0
    left: list[str] = []
    for folder, names, files in os.walk(spec.root):
        names[:] = [name for name in names if name not in _LEFT_BEHIND]
        names[:] = [name for name in names if not (Path(folder) / name).is_symlink()]
        place = into / Path(folder).relative_to(spec.root)
        if max(len(os.fsencode(folder)), len(os.fsencode(place))) > LONGEST_PATH:
            left.append(f"{place.relative_to(into).parts[0]}/...: paths that are too long")
            names.clear()
            continue
        place.mkdir(exist_ok=True)
        for name in files:
            source = Path(folder) / name
            if why := _unfit(source):
                left.append(f"{source.relative_to(spec.root)}: {why}, left behind")
            elif source.suffix != ".log":
                copied, count = copied + source.stat().st_size, count + 1
                shutil.copyfile(source, place / name)
            _require_small(spec.root, count, copied)
    more = len(left) - MAX_NAMED
    return [*sorted(left)[:MAX_NAMED], *([f"{more} more files: left behind"] if more > 0 else [])]


def _require_small(root: Path, count: int, copied: int) -> None:
    if count > MAX_FILES:
        raise SubmissionError(f"{root}: more than {MAX_FILES:,} files")
    if copied > MAX_FOLDER_BYTES:
        raise SubmissionError(f"{root}: more than {MAX_FOLDER_BYTES >> 20} MB of files")


def _unfit(source: Path) -> str:
    """Why a file stays behind; empty: it does not."""
    if source.is_symlink():
        return "a link"
    if not source.is_file():
        return "no regular file"
    if not os.access(source, os.R_OK):
        return "not readable"
    return f"more than {MAX_FILE_BYTES >> 20} MB" if source.stat().st_size > MAX_FILE_BYTES else ""


def _lower_grammar(spec: RunSpec, into: Path) -> list[str]:
    """Rewrites files that only a newer Python compiles, also where they are packed."""
    notes = []
    for name in spec.readable:
        path = into / name
        if not path.is_file() or _compiles((source := read_source(path)).text):
            continue
        if (older := _older(source.text)) is not None:
            packed = "" if source.wrapper_line is None else "unpacked, and its "
            path.write_text(older, encoding="utf-8")
            notes.append(
                f"{name}: {packed}f-strings lowered to this Python's grammar before the run"
            )
    return notes


def _older(text: str) -> str | None:
    """The same for this Python; None where there is no such text, or looking for it does not end
    well.
    """

    def found() -> str | None:
        older = lowered(text)
        return older if older is not None and _compiles(older) else None

    try:
        return in_child(found)
    except Unfinished:
        return None


def _exchanged(spec: RunSpec) -> Iterator[str]:
    """What the script's process gets in place of what the file says; the file stays as it is."""
    for key, number in sorted(texts(spec.code_constants).items()):
        yield f"{place_of(key)} = {number}, exchanged while the script is compiled"
    for key, text in sorted(texts(spec.entries).items()):
        yield f"{key.partition(' ')[0]} = {text}, exchanged where a configuration file is parsed"
    for key, text in sorted(texts(spec.class_patches).items()):
        yield f"class attribute {key} = {text}, set while the class is built"


def _compiles(text: str) -> bool:
    try:
        compile(text, "<stage>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
