"""Small values for what a script reads: its switches, class attributes and command-line options.

Guarantees: a value is written as the old one was (a whole number, a float, a word). Does not cover:
numbers inside the code (`shrunk_constants`).
"""

import re
from collections.abc import Iterator, Sequence

from audits.switches import Switches, as_number
from harness.configure.setting import Origin, OriginKind, SettingValue, is_of_machine
from harness.configure.shrinking.rules import shrunk_value
from harness.configure.shrinking.target import Proportions

_CONFIGURATION = re.compile(r"hyper|config|cfg|args|param|setting|^H\.|^C\.", re.IGNORECASE)
_SIZES = {"model_dim", "num_layers", "vocab_size", "iterations", "train_seq_len"}
_SCHEDULE = re.compile(r"SEQ.*SCHEDULE$|SEQ_?LENS$|CONTEXT_SCHEDULE$")
# Switches that some scripts read without a default, or with one that is computed.
_WITHOUT_DEFAULT = {
    "ITERATIONS": 20_000.0,
    "TRAIN_SEQ_LEN": 1_024.0,
    "EVAL_SEQ_LEN": 1_024.0,
    "TRAIN_BATCH_TOKENS": 524_288.0,
    "VAL_BATCH_SIZE": 524_288.0,
    "WARMUP_STEPS": 20.0,
    "MODEL_DIM": 512.0,
}


def shrunk_switches(switches: Switches, was: Proportions) -> Iterator[tuple[str, SettingValue]]:
    """Environment variables; never below what the script demands."""
    for name in switches.switches:
        old = switches.value(name)
        if is_of_machine(name) or (text := shrunk_text(name, old, was)) is None:
            continue
        text = _at_least(text, [bound.least for bound in was.target.bounds if bound.name == name])
        yield name, _shrunk(f"{text} for {'no default' if old is None else old}", text)


def shrunk_attributes(switches: Switches, was: Proportions) -> Iterator[tuple[str, SettingValue]]:
    """Sizes that a class of the configuration fixes itself."""
    for key, value in switches.attributes.items():
        owner, _, name = key.rpartition(".")
        if not owner or name.upper() in switches.switches or not _configures(owner, switches):
            continue
        text = shrunk_text(name.upper(), str(value), was)
        if text is not None and not isinstance(value, str | tuple):
            yield key, _shrunk(f"{text} for {value}, fixed in the class", text)


def shrunk_arguments(switches: Switches, was: Proportions) -> Iterator[str]:
    """Command-line options with a numeric default shrink as switches do."""
    for flag in switches.flags.values():
        name = flag.name.lstrip("-").replace("-", "_").upper()
        if (text := shrunk_text(name, flag.default, was)) is not None:
            yield flag.name
            yield text


def shrunk_entries(switches: Switches, was: Proportions) -> Iterator[tuple[str, SettingValue]]:
    """Numbers in configuration files, by the last part of their names."""
    for path, old in switches.entries.items():
        text = shrunk_text(path.rpartition(".")[2].upper(), old, was)
        if text is not None and not is_of_machine(path.upper()):
            yield f"{path} {old}", _shrunk(f"{text} for {old}, in a configuration file", text)


def shrunk_text(name: str, old: str | None, was: Proportions) -> str | None:
    """The small value, written as the old one was; None where it stays."""
    if old is not None and (listed := _shrunk_schedule(name, old, was)) is not None:
        return listed
    number = _truth(old) if as_number(old) is None else as_number(old)
    if number is None:
        number = _WITHOUT_DEFAULT.get(name)
    if number is None or (value := shrunk_value(name, number, was)) is None or value == number:
        return None
    return _written(value, old)


def _shrunk(where: str, text: str) -> SettingValue:
    return SettingValue(text, Origin(OriginKind.SHRUNK, where))


def _at_least(text: str, bounds: Sequence[int]) -> str:
    number = as_number(text)
    below = number is not None and any(number < bound for bound in bounds)
    return str(max(bounds)) if below else text


def _shrunk_schedule(name: str, old: str, was: Proportions) -> str | None:
    """`TRAIN_SEQ_SCHEDULE=1024@0.1,2048@0.7`: every length in it."""
    if not _SCHEDULE.search(name) or not re.search(r"\d{3}", old):
        return None

    def shorter(match: re.Match[str]) -> str:
        value = shrunk_value("SEQ_LEN", float(match[0]), was)
        return match[0] if value is None else str(int(value))

    return re.sub(r"(?<![\d.])\d{3,5}(?![\d.])", shorter, old)


def _truth(old: str | None) -> float | None:
    if old is None:
        return None
    return {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}.get(old.strip().lower())


def _written(value: float, old: str | None) -> str:
    """Whole numbers as such; `600.0` stays a float, `True` a word."""
    if old is not None and old.strip().lower() in ("true", "false"):
        return str(bool(value))
    if not float(value).is_integer():
        return f"{value:g}"
    as_float = old is not None and re.fullmatch(r"-?\d+\.\d+", old)
    return f"{value:.1f}" if as_float else f"{value:.0f}"


def _configures(owner: str, switches: Switches) -> bool:
    """A class is the configuration by its name, or because it holds a few sizes."""
    if _CONFIGURATION.search(f"{owner}."):
        return True
    names = {key.rpartition(".")[2] for key in switches.attributes if key.startswith(f"{owner}.")}
    return len(names & _SIZES) > 1
