"""The stage: a private copy of a record folder, with data where its script looks for it.

Guarantees: the script's text is the submission's, byte for byte, unless this Python cannot read its
grammar; then f-strings are lowered and the stage says so. Nothing of the folder that lies elsewhere
(links) is followed, nothing larger than `MAX_FILE_BYTES` is copied, and its logs stay behind, so
that what is in them afterwards is the run's own.
Does not cover: packages and programs that the script expects of its machine.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audits.source import read_source
from audits.source.grammar import lowered
from audits.switches import Switches
from harness.configure.attempts import Given, Rung
from harness.errors import SubmissionError
from harness.stage.data_layout import SIDECAR, Layout, StageData

MAX_FILE_BYTES = 100 << 20  # an artifact has at most 16 MB
MAX_FOLDER_BYTES = 1 << 30
_LEFT_BEHIND = (".git", "__pycache__", "logs", "wandb", ".venv", "node_modules")

_STANDARD = {  # where the contest keeps its data, relative to the working directory
    "DATA_DIR": "./data/",
    "DATA_PATH": "./data/datasets/fineweb10B_sp{size}",
    "TOKENIZER_PATH": "./data/tokenizers/fineweb_{size}_bpe.model",
}


@dataclass(frozen=True)
class Stage:
    """A place in which a script can run."""

    root: Path
    script: str  # relative to root
    environment: Mapping[str, Given]
    patches: Mapping[str, Given]
    binds: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what differs from the folder as it was submitted

    def variables(self) -> dict[str, str]:
        """The environment as a `Job` takes it."""
        return {name: given.text for name, given in self.environment.items()}

    def attributes(self) -> dict[str, str]:
        """The patches as a `Job` takes them."""
        return {name: given.text for name, given in self.patches.items()}


def build_stage(switches: Switches, data: StageData, rung: Rung, into: Path) -> Stage:
    """Copies the folder, writes the data, and says what the script has to be told."""
    into.mkdir(parents=True, exist_ok=True)
    _copy_folder(switches, into)
    notes = tuple(_lower_grammar(switches, into))
    environment = dict(rung.environment) | _data_environment(switches, data)
    texts = {name: given.text for name, given in environment.items()}
    layout = Layout(into, data, sidecar=SIDECAR in switches.text)
    layout.fill(_defaults(switches, texts) | switches.paths_under(texts))
    return Stage(
        root=into,
        script=switches.target.entry,
        environment=environment,
        patches=rung.patches,
        binds=layout.binds,
        arguments=(*rung.arguments, *_data_arguments(switches, data)),
        notes=notes,
    )


# -------------------------------------------------------------------------------------------------
# the copy


def _copy_folder(switches: Switches, into: Path) -> None:
    source = switches.target.root
    if switches.target.files == (switches.target.entry,) and not (source / "README.md").is_file():
        shutil.copyfile(source / switches.target.entry, into / switches.target.entry)
        return  # a lone script: what lies beside it is not its own
    copied = 0
    for folder, names, files in os.walk(source):
        names[:] = [name for name in names if name not in _LEFT_BEHIND]
        names[:] = [name for name in names if not (Path(folder) / name).is_symlink()]
        place = into / Path(folder).relative_to(source)
        place.mkdir(exist_ok=True)
        for name in files:
            copied += _copy_file(Path(folder) / name, place / name)
            if copied > MAX_FOLDER_BYTES:
                raise SubmissionError(f"{source}: more than {MAX_FOLDER_BYTES >> 20} MB of files")


def _copy_file(source: Path, place: Path) -> int:
    """Bytes copied; a log, a link, a device or a huge file stays behind."""
    if source.is_symlink() or not source.is_file() or source.suffix == ".log":
        return 0
    size = source.stat().st_size
    if size > MAX_FILE_BYTES:
        return 0
    shutil.copyfile(source, place)
    return size


def _lower_grammar(switches: Switches, into: Path) -> list[str]:
    """Rewrites files that only a newer Python compiles, also where they are packed."""
    notes = []
    for name in switches.files:
        path = into / name
        if not path.is_file() or _compiles(text := read_source(path).text):
            continue
        if (older := lowered(text)) is not None and _compiles(older):
            path.write_text(older)
            notes.append(f"{name}: f-strings lowered to this Python's grammar before the run")
    return notes


def _compiles(text: str) -> bool:
    try:
        compile(text, "<stage>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


# -------------------------------------------------------------------------------------------------
# where the data is


def _data_environment(switches: Switches, data: StageData) -> dict[str, Given]:
    """The script's own default where the stage can serve it, else the contest's usual place."""
    size = data.vocabulary.size
    found = {}
    for name, standard in _STANDARD.items():
        switch = switches.switches.get(name)
        if switch is not None and not _is_inside(switch.default):
            found[name] = Given(standard.format(size=size), "stage")
    if "VOCAB_SIZE" in switches.switches:
        found["VOCAB_SIZE"] = Given(str(size), f"stage: {data.vocabulary.source}")
    return found


def _defaults(switches: Switches, given: Mapping[str, str]) -> dict[str, str]:
    """Where a script looks that passes what it reads through a function of its own (#641)."""
    read = {
        name: switches.switches[name].default for name in _STANDARD if name in switches.switches
    }
    return {name: text for name, text in read.items() if text and name not in given}


def _is_inside(default: str | None) -> bool:
    return bool(default) and not Path(default or "/").is_absolute() and ".." not in str(default)


def _data_arguments(switches: Switches, data: StageData) -> list[str]:
    """Command-line options that lead to data."""
    size = data.vocabulary.size
    places = {
        "data-path": _STANDARD["DATA_PATH"],
        "data-dir": _STANDARD["DATA_PATH"],
        "tokenizer-path": _STANDARD["TOKENIZER_PATH"],
        "tokenizer": _STANDARD["TOKENIZER_PATH"],
    }
    words = []
    for flag in switches.flags.values():
        place = places.get(flag.name.lstrip("-").replace("_", "-"))
        if place is not None and not _is_inside(flag.default):
            words += [flag.name, place.format(size=size)]
    return words
