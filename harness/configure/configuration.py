"""A configuration: what a script is told, so that it runs small on two cores.

Guarantees: only switches that the script really reads are set; under the small sizes lies what the
folder itself says it ran, so a technique that only the README switches on is on; every value keeps
its origin. Does not cover: where the data lies (`data_places`), seeds, ranks, devices.
"""

import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from audits.switches import SettingKind, Switches, as_number
from harness.configure.setting import Origin, OriginKind, SettingValue, is_of_machine, texts
from harness.configure.shrinking.target import Proportions, ShrinkTarget, StreamShape
from harness.configure.shrunk_constants import shrunk_constants, shrunk_numbers
from harness.configure.shrunk_settings import (
    shrunk_arguments,
    shrunk_attributes,
    shrunk_entries,
    shrunk_switches,
)

NATIVE_ITERATIONS = 10  # 786,432 tokens each in the largest lineage: 8 s on one H100
NATIVE_WHY = "as the folder says it ran, only shorter"
COUNTED_S = 30  # looks at a counted clock: a step of a training needs one or two
CLOCK_S = 100_000  # stops no training; seconds that are compared with 0 first need none

_WIDTHS = ("MODEL_DIM", "D_MODEL", "N_EMBD", "HIDDEN_SIZE", "DIM", "WIDTH")
_HEADS = ("NUM_HEADS", "N_HEADS", "N_HEAD", "HEADS")
_LENGTHS = ("TRAIN_SEQ_LEN", "SEQ_LEN", "BLOCK_SIZE", "CONTEXT_LENGTH", "SEQUENCE_LENGTH")
# Not by a command: what a log dumps, or prose mentions, may be of another run.
_TOLD_ELSEWHERE = frozenset({SettingKind.LOG, SettingKind.MANIFEST, SettingKind.PROSE})
_CALIBRATION = re.compile(r"hessian|calib", re.IGNORECASE)
# `if args.max_wallclock_seconds > 0 else None`: there, no clock is 0.
_NO_CLOCK_IS_ZERO = re.compile(
    r"(wall_?clock|max_sec|seconds|_secs|time_?(limit|budget|cap))\w*\)?\s*(>|<=|==|>=|!=)\s*0"
    r"|\bif (not )?[\w.]*(wall_?clock|seconds|secs|time_?(limit|budget|cap))\w*\s*(else|and|:)",
    re.IGNORECASE,
)
# `while time.time() - began < seconds`: no number of steps ends it, and without a clock nothing.
_BY_CLOCK = re.compile(r"^\s*while\b[^\n]*\b(time|perf_counter|monotonic)\(\)", re.MULTILINE)
_PLACE = re.compile(r"(^|_)(FROM|PATH|FILE|DIR)$")
_WEIGHTS = re.compile(r"\.(pt|pth|ptz|bin|npz|npy|ckpt|safetensors)$")


@dataclass(frozen=True)
class Configuration:
    """All that a script is told, but for its data."""

    target: ShrinkTarget
    environment: Mapping[str, SettingValue] = field(default_factory=dict)
    class_patches: Mapping[str, SettingValue] = field(default_factory=dict)  # "H.model_dim"
    code_constants: Mapping[str, SettingValue] = field(default_factory=dict)  # "51:BUCKETS"
    entries: Mapping[str, SettingValue] = field(default_factory=dict)  # "model.dim 512"
    arguments: tuple[str, ...] = ()
    why: str = "small sizes over what the folder says it ran"
    stream_factor: int = 1  # the stream has to be this many times as long as usual
    learnt: bool = False  # the one before it told only that the script asks for more

    @property
    def settings(self) -> Mapping[str, SettingValue]:
        """Every value, of whatever kind."""
        return {**self.environment, **self.class_patches, **self.code_constants, **self.entries}

    def settings_key(self) -> tuple[object, ...]:
        """Another configuration with the same key ends the same."""
        how = self.target.counted_clock, self.target.compiled
        return texts(self.settings), self.arguments, self.stream_factor, how


def first_configuration(
    switches: Switches, stream: StreamShape, target: ShrinkTarget | None = None
) -> Configuration:
    """The usual one: everything small; on a GPU everything native."""
    target = target or ShrinkTarget()
    target = replace(target, omitted=target.omitted | _never_there(switches))
    if not _NO_CLOCK_IS_ZERO.search(switches.text):
        target = replace(target, wallclock_s=CLOCK_S)
    if not target.native and _BY_CLOCK.search(switches.text):
        target = by_counted_clock(target)
    first = configured(switches, stream, target)
    return replace(first, why=NATIVE_WHY) if target.native else first


def by_counted_clock(target: ShrinkTarget) -> ShrinkTarget:
    """A training that ends by the clock takes as many steps as it may look at it."""
    return replace(target, counted_clock=True, wallclock_s=COUNTED_S)


def as_submitted(switches: Switches, native: bool) -> Configuration:
    """Nothing is made small, and nothing is told but what the folder says it ran with."""
    longest = native_target(switches).seq_len
    target = ShrinkTarget(native=True, shrink_model=False, seq_len=longest, compiled=native)
    target = replace(target, omitted=_never_there(switches))
    environment = dict(_folder_settings(switches, target))
    return Configuration(target, environment, why="as the folder says it ran")


LONG_S = 100_000  # a clock that ends no training


def trained_longer(
    switches: Switches, stream: StreamShape, configuration: Configuration, iterations: int
) -> Configuration:
    """The same with more training steps, where a setting tells them."""
    grown = replace(stream, tokens=stream.tokens * configuration.stream_factor)
    was = configuration.target
    # 0 may stop it.
    clock_s = 2 * iterations if was.counted_clock else LONG_S
    target = replace(was, iterations=iterations, wallclock_s=clock_s)
    longer = configured(switches, grown, target)
    return replace(
        configuration,
        environment=longer.environment,
        class_patches=longer.class_patches,
        code_constants=longer.code_constants,
        entries=longer.entries,
    )


def native_target(switches: Switches) -> ShrinkTarget:
    """For a GPU: everything as the folder ran it, only shorter."""
    names = ("TRAIN_SEQ_LEN", "EVAL_SEQ_LEN", "SEQ_LEN")
    longest = int(max(_ran_with(switches, name, 0.0) for name in names)) or 2_048
    return ShrinkTarget(
        native=True, shrink_model=False, seq_len=longest, iterations=NATIVE_ITERATIONS
    )


def configured(switches: Switches, stream: StreamShape, target: ShrinkTarget) -> Configuration:
    """What the script is told to become as small as the target says."""
    was = _proportions(switches, stream, target)
    sizes, arguments = dict(shrunk_switches(switches, was)), tuple(shrunk_arguments(switches, was))
    environment = dict(_folder_settings(switches, target)) | sizes
    attributes, numbers = dict(shrunk_attributes(switches, was)), shrunk_constants(switches, was)
    named, entries = shrunk_numbers(switches, was), dict(shrunk_entries(switches, was))
    # Without a switch for any size, several numbers with the names of sizes are the configuration.
    if target.own_sizes or (len(named) > 1 and not (sizes or arguments or attributes or entries)):
        numbers = named | numbers
    if "RUN_ID" in switches.switches:
        environment["RUN_ID"] = SettingValue(_run_id(switches), Origin(OriginKind.FIXED, "a name"))
    return Configuration(
        target=target,
        environment=environment,
        class_patches=attributes,
        code_constants=numbers,
        entries=entries,
        arguments=arguments,
    )


def _run_id(switches: Switches) -> str:
    """As scripts name their runs themselves: the same in every run, another for each script."""
    digest = hashlib.sha256(switches.text.encode(errors="replace")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _never_there(switches: Switches) -> frozenset[str]:
    """Settings that load weights from a file which the folder does not hold."""
    root = switches.target.root
    return frozenset(
        name
        for name, setting in switches.settings.items()
        if re.search(r"LOAD|RESUME|INIT_FROM|RESTORE", name)
        and _WEIGHTS.search(setting.value)
        and not (root / setting.value).exists()
    )


def _proportions(switches: Switches, stream: StreamShape, target: ShrinkTarget) -> Proportions:
    return Proportions(
        width=_first_of(switches, _WIDTHS, 512.0),
        heads=_first_of(switches, _HEADS, 8.0),
        seq_len=_first_of(switches, _LENGTHS, 1_024.0),
        target=target,
        stream=stream,
        calibrates=_CALIBRATION.search(switches.text) is not None,
    )


def _first_of(switches: Switches, names: Sequence[str], otherwise: float) -> float:
    """By the first of several names for one size."""
    found = (_ran_with(switches, name, 0.0) for name in names)
    return next((number for number in found if number), otherwise)


def _ran_with(switches: Switches, name: str, otherwise: float) -> float:
    """What the folder ran with: a switch, else an attribute of that name."""
    if number := as_number(switches.value(name)):
        return number
    numbers = {key: as_number(text) for key, text in switches.entries.items()}
    for key, value in (*switches.attributes.items(), *numbers.items()):
        named = key.rpartition(".")[2].upper() == name
        if named and isinstance(value, int | float) and value > 0:
            return float(value)
    return otherwise


def _folder_settings(
    switches: Switches, target: ShrinkTarget
) -> Iterator[tuple[str, SettingValue]]:
    for name, setting in switches.settings.items():
        if target.only_commands and setting.kind in _TOLD_ELSEWHERE:
            continue
        told = setting.value and name not in target.omitted  # an empty one stands for "not given"
        if setting.value == "1" and _PLACE.search(name):
            continue  # a log tells that it was given ("Resumed at step"), not what
        if told and name in switches.switches and not is_of_machine(name):
            yield name, SettingValue(setting.value, Origin(OriginKind.FOLDER, setting.origin))
