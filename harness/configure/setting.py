"""One value that a script is told, and where it comes from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# A folder's values for these say something about its machine, not about its technique.
_MACHINE = re.compile(
    r"^(DATA_|TOKENIZER_PATH|DATASETS?_|RUN_ID$|SEED$|MASTER_|RANK$|LOCAL_RANK$|WORLD_SIZE$|CUDA_|NCCL_"
    r"|OMP_|MKL_|PYTORCH_|TORCH(INDUCTOR|_NCCL|ELASTIC)|HF_|WANDB|PATH$|PYTHON|HOME$|TMPDIR$"
    r"|SELF_?TEST|DRY_?RUN|SMOKE_?TEST|RUN_PHASE$|ARTIFACT_DIR|OUT(PUT)?_DIR|LOG_?DIR|CKPT_DIR|CHECKPOINT_DIR|GPU|NPROC)"
)


class OriginKind(StrEnum):
    """Who says that a setting has its value."""

    FOLDER = "folder"  # the submission: its README, run script, log or submission.json
    SHRUNK = "shrunk"  # made small, in place of what the folder ran with
    FIXED = "fixed"  # the same for every script
    STAGE = "stage"  # leads to what lies in the stage


_SHOWN_AS = {OriginKind.SHRUNK: "ladder", OriginKind.FIXED: "ladder", OriginKind.STAGE: "stage"}


@dataclass(frozen=True)
class Origin:
    """Where a value comes from."""

    kind: OriginKind
    where: str = ""  # "README.md line 42"; of a shrunk one: "64 for 512"

    def __str__(self) -> str:
        """As report.json writes it."""
        return ": ".join(filter(None, (_SHOWN_AS.get(self.kind, ""), self.where)))


@dataclass(frozen=True)
class SettingValue:
    """A value as the script reads it."""

    text: str
    origin: Origin


def texts(settings: Mapping[str, SettingValue]) -> dict[str, str]:
    """The same as a process takes them."""
    return {name: value.text for name, value in settings.items()}


def is_of_machine(name: str) -> bool:
    """Whether a setting describes a machine or a place on it."""
    return _MACHINE.search(name) is not None
