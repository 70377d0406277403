"""A whole run: what a script is told where nothing is made small, and how it is told to begin at
its own evaluation.

Guarantees: nothing that shortens or shrinks is set; every value is the folder's own, the caller's,
or leads to data. A script is told to evaluate alone only by a switch that it reads; where it has
none, the refusal names what was looked for. Does not cover: whether the script then does so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from audits.switches import Switches
from harness.configure.configuration import Configuration, as_submitted
from harness.configure.setting import Origin, OriginKind, SettingValue
from harness.errors import UsageError

GIVEN = Origin(OriginKind.FIXED, "the caller's --set")
ALONE = Origin(OriginKind.FIXED, "the caller's --eval-only")
# `EVAL_ONLY=1`, `SKIP_TRAIN=1`, `EVAL_ONLY_PATH=model.ptz`, `LOAD_ARTIFACT=model.ptz`
_ALONE = re.compile(
    r"(^|_)(EVAL(UATE)?_?ONLY|ONLY_?EVAL|SKIP_?TRAIN(ING)?|NO_?TRAIN(ING)?|EVAL_?MODE)(_|$)"
)
_PLACE = re.compile(r"(PATH|FILE|FROM|CKPT|CHECKPOINT|ARTIFACT|MODEL)$")
_ARTIFACT = re.compile(
    r"^(EVAL|LOAD|ARTIFACT|CHECKPOINT|CKPT|QUANT\w*|MODEL|WEIGHTS|INIT|RESUME)\w*_(PATH|FILE|FROM)$"
    r"|^(LOAD_|EVAL_)\w*(CKPT|CHECKPOINT|ARTIFACT|MODEL|WEIGHTS)$"
)
_WEIGHTS = re.compile(r"[\"']([\w.-]+\.(?:ptz|pt|pth|bin|npz|xz|br|zst|safetensors))[\"']")


@dataclass(frozen=True)
class WholeRun:
    """What it is told."""

    configuration: Configuration
    beside: Mapping[str, Path]  # place in the stage -> file


def whole_run(
    switches: Switches,
    native: bool,  # on the device of the contest
    given: Mapping[str, str],  # by the caller
    artifact: Path | None,
    eval_only: bool,
) -> WholeRun:
    """Raises UsageError where it reads no such switch."""
    unknown = sorted(name for name in given if name not in switches.switches)
    if unknown:
        raise UsageError(f"--set {unknown[0]}: {switches.target.entry} reads no such variable")
    told = {name: SettingValue(text, GIVEN) for name, text in given.items()}
    beside: dict[str, Path] = {}
    if artifact is not None:
        alone, beside = _evaluation_alone(switches, artifact, eval_only, given)
        told = alone | told
    found = as_submitted(switches, native)
    environment = dict(found.environment) | told
    return WholeRun(replace(found, environment=environment), beside)


def _evaluation_alone(
    switches: Switches, artifact: Path, eval_only: bool, given: Mapping[str, str]
) -> tuple[dict[str, SettingValue], dict[str, Path]]:
    """Switches and files with which it evaluates the artifact."""
    if not eval_only:
        return {}, {artifact.name: artifact}
    names = [name for name in switches.switches if _ALONE.search(name)]
    if not names and not any(_ALONE.search(name) for name in given):
        read = [*switches.switches]
        raise UsageError(
            f"--eval-only: {switches.target.entry} cannot be told to evaluate alone: of the"
            f" {len(read)} variables that it reads none is named like EVAL_ONLY or SKIP_TRAINING;"
            " leave the option out, and it trains first"
        )
    told = {
        name: SettingValue(artifact.name if _PLACE.search(name) else "1", ALONE) for name in names
    }
    for name, switch in switches.switches.items():
        if _ARTIFACT.search(name) and name not in told and not _is_folder(switch.default):
            told[name] = SettingValue(artifact.name, ALONE)
    # It also lies where its code names a file of that kind: scripts read what they have written.
    suffix = artifact.suffix
    named = {name for name in _WEIGHTS.findall(switches.text) if name.endswith(suffix)}
    return told, dict.fromkeys((artifact.name, *sorted(named)), artifact)


def _is_folder(default: str | None) -> bool:
    return bool(default) and not Path(str(default)).suffix
