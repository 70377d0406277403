"""Where a script is told that its data lies: its own default where a stage can serve it, else the
contest's usual place.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from audits.switches import Switches
from harness.configure.setting import Origin, OriginKind, SettingValue
from harness.streams.vocabulary import Vocabulary

SIDECAR = "fineweb_val_bytes"  # read by 88-96 scripts: the bytes of each validation token
# Where the contest keeps its data, relative to the working directory.
SHARDS = "./data/datasets/fineweb10B_sp{size}"
TOKENIZER = "./data/tokenizers/fineweb_{size}_bpe.model"
_VARIABLES = {"DATA_DIR": "./data/", "DATA_PATH": SHARDS, "TOKENIZER_PATH": TOKENIZER}
_OPTIONS = {
    "data-path": SHARDS,
    "data-dir": SHARDS,
    "tokenizer-path": TOKENIZER,
    "tokenizer": TOKENIZER,
}


def data_environment(switches: Switches, vocabulary: Vocabulary) -> dict[str, SettingValue]:
    """Variables that lead to data, and the size of the vocabulary."""
    found = {}
    for name, standard in _VARIABLES.items():
        switch = switches.switches.get(name)
        if switch is not None and not _is_inside(switch.default):
            found[name] = SettingValue(
                standard.format(size=vocabulary.size), Origin(OriginKind.STAGE)
            )
    if "VOCAB_SIZE" in switches.switches:
        found["VOCAB_SIZE"] = SettingValue(
            str(vocabulary.size), Origin(OriginKind.STAGE, vocabulary.source)
        )
    return found


def data_arguments(switches: Switches, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Command-line options that lead to data."""
    words: list[str] = []
    for flag in switches.flags.values():
        place = _OPTIONS.get(flag.name.lstrip("-").replace("_", "-"))
        if place is not None and not _is_inside(flag.default):
            words += [flag.name, place.format(size=vocabulary.size)]
    return tuple(words)


def required_place(option: str, size: int) -> str | None:
    """What to give for an option that a script insists on; None where it leads to no data."""
    split = "val" if re.search(r"val|eval|test", option) else "train"
    if "tokenizer" in option:
        return TOKENIZER.format(size=size)
    if re.search(r"pattern|glob|files|shard", option):
        return f"{SHARDS.format(size=size)}/fineweb_{split}_*.bin"
    if re.search(r"out|log|save|artifact", option):
        return "./out"
    return SHARDS.format(size=size) if re.search(r"data|train|val|eval", option) else None


def data_paths(switches: Switches, environment: Mapping[str, str]) -> dict[str, str]:
    """Every place at which the script, so configured, looks for data."""
    return _defaults(switches, environment) | switches.paths_under(environment)


def _defaults(switches: Switches, given: Mapping[str, str]) -> dict[str, str]:
    """Of a script that passes what it reads through a function of its own, as #641 does."""
    read = {
        name: switches.switches[name].default for name in _VARIABLES if name in switches.switches
    }
    return {name: text for name, text in read.items() if text and name not in given}


def _is_inside(default: str | None) -> bool:
    return bool(default) and not Path(default or "/").is_absolute() and ".." not in str(default)
