"""The configuration ladder: what a script is told, so that it runs small on two cores.

Guarantees: only switches that the script really reads are set; under the small sizes lies what the
folder itself says it ran, so a technique that only the README switches on is on; every value keeps
its source ("README.md line 42", "ladder: width"). A script that rejects a size gets another rung,
at most `MAX_RUNGS`, chosen by its own complaint.
Does not cover: where the data lies (`stage`), seeds, ranks, devices.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audits.source import Outcome
from audits.switches import Switches, as_number
from harness.configure.shrink_rules import Ratio, Size, StreamShape, counted_entries, small
from harness.protocol.code_constants import AVERAGE, MODULUS, NUMEL, fixed_numbers

MAX_RUNGS = 4
NATIVE_ITERATIONS = 10  # 786,432 tokens each in the largest lineage: 8 s on one H100
NATIVE = "as the folder says it ran, only shorter"
RUN_ID = "scorefirst"

# The folder's values for these say something about its machine, not about its technique.
_MACHINE = re.compile(
    r"^(DATA_|TOKENIZER_PATH|DATASETS?_|RUN_ID$|SEED$|MASTER_|RANK$|LOCAL_RANK$|WORLD_SIZE$|CUDA_|NCCL_"
    r"|OMP_|MKL_|PYTORCH_|TORCH(INDUCTOR|_NCCL|ELASTIC)|HF_|WANDB|PATH$|PYTHON|HOME$|TMPDIR$"
    r"|SELF_?TEST|DRY_?RUN|SMOKE_?TEST|RUN_PHASE$|ARTIFACT_DIR|OUT(PUT)?_DIR|LOG_?DIR|CKPT_DIR|CHECKPOINT_DIR|GPU|NPROC)"
)
_CALIBRATION = re.compile(r"hessian|calib", re.IGNORECASE)
_CONFIGURATION = re.compile(r"hyper|config|cfg|args|param|setting|^H\.|^C\.", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """One value and who says so."""

    text: str
    source: str  # "README.md line 42", "ladder: 64 for 512"


@dataclass(frozen=True)
class Rung:
    """One configuration to try."""

    size: Size
    environment: Mapping[str, Given] = field(default_factory=dict)
    patches: Mapping[str, Given] = field(default_factory=dict)  # "H.model_dim", "51:BUCKETS"
    arguments: tuple[str, ...] = ()
    why: str = "small sizes over what the folder says it ran"
    stream_factor: int = 1  # the stream has to be this much longer than the last one

    def variables(self) -> dict[str, str]:
        """The environment as a process takes it."""
        return {name: given.text for name, given in self.environment.items()}

    def attributes(self) -> dict[str, str]:
        """The patches as a `Job` takes them."""
        return {name: given.text for name, given in self.patches.items()}

    def tells(self) -> tuple[object, ...]:
        """All that a script is told: another rung that tells the same ends the same."""
        return self.variables(), self.attributes(), self.arguments, self.stream_factor


def first_rung(switches: Switches, stream: StreamShape, size: Size | None = None) -> Rung:
    """The usual rung: everything small; on a GPU everything native."""
    size = size or Size()
    size = replace(size, without=size.without | _never_there(switches))
    rung = _rung(switches, stream, size)
    return replace(rung, why=NATIVE) if rung.size.native else rung


def trained_longer(switches: Switches, stream: StreamShape, rung: Rung, iterations: int) -> Rung:
    """The same configuration with more training steps, where a setting tells them."""
    grown = replace(stream, tokens=stream.tokens * rung.stream_factor)
    longer = _rung(switches, grown, replace(rung.size, iterations=iterations))
    return replace(rung, environment=longer.environment, patches=longer.patches)


_WEIGHTS = re.compile(r"\.(pt|pth|ptz|bin|npz|npy|ckpt|safetensors)$")


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


def native_size(switches: Switches) -> Size:
    """For a GPU: everything as the folder ran it, only shorter."""
    lengths = [_was(switches, name, 0.0) for name in ("TRAIN_SEQ_LEN", "EVAL_SEQ_LEN", "SEQ_LEN")]
    longest = int(max(lengths)) or 2_048
    return Size(native=True, shrink_model=False, seq_len=longest, iterations=NATIVE_ITERATIONS)


def next_rung(
    switches: Switches, stream: StreamShape, tried: Sequence[Rung], cause: str, log_tail: str
) -> Rung | None:
    """Another rung, chosen by what the script complained of; None when the ladder ends."""
    if not tried:
        return first_rung(switches, stream)
    if len(tried) >= MAX_RUNGS or not can_climb(cause):
        return None
    used = {rung.size for rung in tried}
    last = tried[-1]
    complaint = f"{cause}\n{log_tail[-800:]}"
    if wanted := _REQUIRED.search(complaint):
        words = _answers(wanted[1], stream)
        return replace(last, arguments=words, why="options that it requires") if words else None
    answers = [*_without_unfit(last, complaint), *_as_demanded(last, complaint)]
    for size, why, factor in [*answers, *_ways_up(last.size, complaint)]:
        if size not in used or (factor > 1 and last.stream_factor == 1):
            grown = replace(stream, tokens=stream.tokens * factor)
            rung = replace(_rung(switches, grown, size), why=why, stream_factor=factor)
            if all(rung.tells() != other.tells() for other in tried):
                return rung
    return None


_REQUIRED = re.compile(r"following arguments are required: ([^\n]+)")  # argparse


def _answers(options: str, stream: StreamShape) -> tuple[str, ...]:
    """What to give for required options that lead to data; nothing when one leads elsewhere."""
    data = f"./data/datasets/fineweb10B_sp{stream.vocab_size}"
    words: list[str] = []
    for option in (word.strip() for word in options.split(",")):
        split = "val" if re.search(r"val|eval|test", option) else "train"
        if "tokenizer" in option:
            words += [option, f"./data/tokenizers/fineweb_{stream.vocab_size}_bpe.model"]
        elif re.search(r"pattern|glob|files|shard", option):
            words += [option, f"{data}/fineweb_{split}_*.bin"]
        elif re.search(r"out|log|save|artifact", option):
            words += [option, "./out"]
        elif re.search(r"data|train|val|eval", option):
            words += [option, data]
        else:
            return ()
    return tuple(words)


# What the script says of a setting that another version, or another machine, was given.
_UNFIT = (
    (r"(?:not found|No such file[^:]*|missing)\W+([^\s'\"]+)", "the folder holds no {}"),
    (r"invalid literal for int\(\) with base 10: '([^']+)'", "the script cannot read {}"),  # #1038
)


def _without_unfit(last: Rung, complaint: str) -> Iterator[tuple[Size, str, int]]:
    """A setting that the script complains of is left out, and its own default stands."""
    for pattern, says in _UNFIT:
        for match in re.finditer(pattern, complaint):
            cited = match[1].rsplit("/", 1)[-1].rstrip(".,")
            names = {n for n, g in last.environment.items() if g.text.rsplit("/", 1)[-1] == cited}
            if names:
                why = f"without {', '.join(sorted(names))}: {says.format(cited)}"
                yield replace(last.size, without=last.size.without | names), why, 1


_LEAST = re.compile(r"\b([A-Za-z]\w+)\W{1,3}must be (?:>=|at least) ?(\d+)")  # #706


def _as_demanded(last: Rung, complaint: str) -> Iterator[tuple[Size, str, int]]:
    """A switch that was set below what the script takes gets the bound that it names."""
    for match in _LEAST.finditer(complaint):
        name, least = match[1].upper(), int(match[2])
        given = as_number(last.variables().get(name))
        if given is not None and given < least:
            why = f"{name} at least {least}, as the script demands"
            yield replace(last.size, least=last.size.least | {(name, least)}), why, 1


def can_climb(cause: str) -> bool:
    """Whether another size could help; a missing package or a lack of memory stays."""
    return not re.search(
        r"ModuleNotFoundError|ImportError|SyntaxError|No module named|MemoryError|cutlass|nvcc"
        r"|not served|CUDA error|Read-only file system|PermissionError",
        cause,
    )


def _ways_up(size: Size, complaint: str) -> Iterator[tuple[Size, str, int]]:
    """Sizes in the order in which they are worth trying."""
    for pattern, change, why, factor in _COMPLAINTS:
        if re.search(pattern, complaint, re.IGNORECASE):
            yield replace(size, **change), why, factor
    yield replace(size, only_common=True), "uncommon switches as the folder ran them", 1
    wide = replace(size, only_common=True, width=128, heads=4)
    yield wide, "a wider model, uncommon switches as the folder ran them", 1
    yield replace(size, shrink_model=False, iterations=1, epochs=1), "the folder's own model", 1


# What the script says -> what changes. The first one that was not tried yet is the next rung.
_COMPLAINTS: tuple[tuple[str, dict[str, Any], str, int], ...] = (
    (r"mutually exclusive|cannot both|incompatible|not compatible|conflict|requires? \w+=",
     {"only_commands": True}, "only what the folder's commands set", 1),
    (r"modulo by zero|modulo or division by zero",
     {"val_every": 100_000}, "validation at long intervals instead of never", 1),
    (r"wall.?clock|stopping_early|time budget|budget exhausted|NoneType|UnboundLocalError",
     {"wallclock_s": 100_000}, "a clock that does not stop the training", 1),
    (r"invalid for input of size|positive-definite|singular|cholesky",
     {"batches": 8}, "larger batches, more calibration", 1),
    (r"timed out|time limit",
     {"iterations": 2, "epochs": 1, "steps": 2, "stride": 32, "batch_seqs": 16},
     "fewer steps, larger batches", 1),
    (r"divisible|must divide|% ?num_heads|head_dim|multiple of|even head|rotary|rope",
     {"width": 128, "heads": 4}, "wider heads", 1),
    (r"too short|too small|at least|not enough|no documents|no .*windows|insufficient|fewer than"
     r"|need(s|ed)? more|empty|zero-size|nothing to|division by zero|ZeroDivision",
     {"seq_len": 32, "stride": 8}, "shorter sequences on a longer stream", 2),
    (r"out of range|index .* is out of bounds|size mismatch|shape|mat1 and mat2|must match"
     r"|broadcast|expanded size|invalid for input",
     {"only_common": True}, "uncommon switches as the folder ran them", 1),
)  # fmt: skip


# -------------------------------------------------------------------------------------------------
# building one


def _rung(switches: Switches, stream: StreamShape, size: Size) -> Rung:
    ratio = _ratio(switches, stream, size)
    environment = dict(_folder_values(switches, size)) | dict(_small_values(switches, ratio))
    if "RUN_ID" in switches.switches:
        environment["RUN_ID"] = Given(RUN_ID, "ladder: a fixed name")
    return Rung(
        size=size,
        environment=environment,
        patches=dict(_patches(switches, ratio)) | dict(_numbers_in_code(switches, ratio)),
        arguments=tuple(_arguments(switches, ratio)),
    )


def _ratio(switches: Switches, stream: StreamShape, size: Size) -> Ratio:
    heads = _was(switches, "NUM_HEADS", 8.0)
    return Ratio(
        width=_was(switches, "MODEL_DIM", 512.0),
        heads=heads,
        kv_heads=_was(switches, "NUM_KV_HEADS", heads / 2),
        seq_len=_was(switches, "TRAIN_SEQ_LEN", _was(switches, "SEQ_LEN", 1_024.0)),
        size=size,
        stream=stream,
        calibrates=_CALIBRATION.search(switches.text) is not None,
    )


def _was(switches: Switches, name: str, otherwise: float) -> float:
    """What the folder ran with: a switch, else an attribute of that name."""
    if number := as_number(switches.value(name)):
        return number
    for key, value in switches.attributes.items():
        named = key.rpartition(".")[2].upper() == name
        if named and isinstance(value, int | float) and value > 0:
            return float(value)
    return otherwise


def _folder_values(switches: Switches, size: Size) -> Iterator[tuple[str, Given]]:
    for name, setting in switches.settings.items():
        if size.only_commands and re.search(r"\.(log|txt)\b|prose|submission", setting.source):
            continue
        told = setting.value and name not in size.without  # an empty one stands for "not given"
        if told and name in switches.switches and not _MACHINE.search(name):
            yield name, Given(setting.value, setting.source)


def _small_values(switches: Switches, ratio: Ratio) -> Iterator[tuple[str, Given]]:
    for name in switches.switches:
        if _MACHINE.search(name):
            continue
        was = switches.value(name)
        if (text := _small_text(name, was, ratio)) is not None:
            text = _at_least(text, [bound for told, bound in ratio.size.least if told == name])
            yield name, Given(text, f"ladder: {text} for {'no default' if was is None else was}")


def _at_least(text: str, bounds: Sequence[int]) -> str:
    number = as_number(text)
    below = number is not None and any(number < bound for bound in bounds)
    return str(max(bounds)) if below else text


def _small_text(name: str, was: str | None, ratio: Ratio) -> str | None:
    """The small value, written as the old one was; None where it stays."""
    if was is not None and (listed := _small_list(name, was, ratio)) is not None:
        return listed
    number = _truth(was) if as_number(was) is None else as_number(was)
    if number is None:
        number = _WITHOUT_DEFAULT.get(name)
    if number is None or (value := small(name, number, ratio)) is None or value == number:
        return None
    return _written(value, was)


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
_SCHEDULE = re.compile(r"SEQ.*SCHEDULE$|SEQ_?LENS$|CONTEXT_SCHEDULE$")


def _small_list(name: str, was: str, ratio: Ratio) -> str | None:
    """`TRAIN_SEQ_SCHEDULE=1024@0.1,2048@0.7`: every length in it."""
    if not _SCHEDULE.search(name) or not re.search(r"\d{3}", was):
        return None

    def shorter(match: re.Match[str]) -> str:
        value = small("SEQ_LEN", float(match[0]), ratio)
        return match[0] if value is None else str(int(value))

    return re.sub(r"(?<![\d.])\d{3,5}(?![\d.])", shorter, was)


def _truth(was: str | None) -> float | None:
    if was is None:
        return None
    return {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}.get(was.strip().lower())


def _written(value: float, was: str | None) -> str:
    """Whole numbers as such; `600.0` stays a float, `True` a word."""
    if was is not None and was.strip().lower() in ("true", "false"):
        return str(bool(value))
    if not float(value).is_integer():
        return f"{value:g}"
    as_float = was is not None and re.fullmatch(r"-?\d+\.\d+", was)
    return f"{value:.1f}" if as_float else f"{value:.0f}"


def _patches(switches: Switches, ratio: Ratio) -> Iterator[tuple[str, Given]]:
    """Sizes that a class of the configuration fixes itself."""
    for key, value in switches.attributes.items():
        owner, _, name = key.rpartition(".")
        if not owner or name.upper() in switches.switches or not _configures(owner, switches):
            continue
        text = _small_text(name.upper(), str(value), ratio)
        if text is not None and not isinstance(value, str | tuple):
            yield key, Given(text, f"ladder: {text} for {value}, fixed in the class")


def _numbers_in_code(switches: Switches, ratio: Ratio) -> Iterator[tuple[str, Given]]:
    """Numbers in the entry's code: counting tables with their masks, quantisers, averages."""
    source = switches.sources.get(switches.target.entry)
    if source is None or source.outcome is not Outcome.PARSED or source.tree is None:
        return
    if ratio.size.only_common or ratio.size.native:  # a later rung; a size that fits
        return
    found = list(fixed_numbers(source.tree))
    tables = [f for f in found if counted_entries(f.name, str(f.value)) == f.value]
    sizes = {f.value: int(small(f.name.upper(), f.value, ratio) or f.value) for f in tables}
    moduli = [f for f in found if f.name == MODULUS and f.value in sizes]
    masks = [f for f in found if "MASK" in f.name.upper() and f.value + 1 in sizes]
    others = [f for f in found if AVERAGE.search(f.name) or NUMEL.upper() in f.name.upper()]
    given = {f.key: (f.value, str(sizes[f.value])) for f in (*tables, *moduli)}
    given |= {f.key: (f.value, str(sizes[f.value + 1] - 1)) for f in masks}
    for one in others:
        if (text := _small_text(one.name.upper(), str(one.value), ratio)) is not None:
            given[one.key] = one.value, text
    for key, (value, text) in given.items():
        yield key, Given(text, f"ladder: {text} for {value}, a number in the code")


def _configures(owner: str, switches: Switches) -> bool:
    """A class is the configuration by its name, or because it holds a few sizes."""
    if _CONFIGURATION.search(f"{owner}."):
        return True
    names = {key.rpartition(".")[2] for key in switches.attributes if key.startswith(f"{owner}.")}
    return len(names & {"model_dim", "num_layers", "vocab_size", "iterations", "train_seq_len"}) > 1


def _arguments(switches: Switches, ratio: Ratio) -> Iterator[str]:
    """Command-line options with a numeric default shrink as switches do."""
    for flag in switches.flags.values():
        name = flag.name.lstrip("-").replace("-", "_").upper()
        if (text := _small_text(name, flag.default, ratio)) is not None:
            yield flag.name
            yield text
