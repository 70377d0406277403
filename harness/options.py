"""What the caller of an evaluation chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.experiments.plan import Effort
from harness.observer import Observer
from harness.protocol.confinement import IsolationAsked
from reference_model.data.folder import DataFolder


@dataclass(frozen=True)
class Options:
    """One evaluation; which of these a kind of folder uses, `harness.request` says."""

    folder: Path  # or a lone script
    out: Path  # where report and evidence go
    seed: int
    device: str = "cpu"
    isolation: IsolationAsked = IsolationAsked.WHOLE
    profile: str = "strict"
    static: bool = True  # read the code as well
    entry: str | None = None  # the script to read or run, where the folder leaves it open
    contest: str | None = None  # by name or file; None: recognised
    replay: str = ""  # the command that repeats it
    observer: Observer = field(default_factory=Observer)  # is told how far it is
    # native folders
    data: DataFolder | None = None  # what they are scored on; None: the embedded data
    time_limit_s: float = 3600.0  # for a run on that data
    # scripts that run on streams of ours
    effort: Effort = Effort.DEFAULT
    budget_s: float = 600.0  # for all those runs
    jobs: int = 1  # of them side by side
    ranks: int = 1  # processes of a run
    tokenizers: Sequence[Path] = ()
    # a whole run, witnessed
    full: bool = False
    artifact: Path | None = None  # beside the script
    eval_only: bool = False  # nothing but the evaluation of that artifact
    documents: Path | None = None  # that the validation shards were made of
    told: Mapping[str, str] = field(default_factory=dict)  # variables that the caller sets

    @property
    def runs(self) -> Path:
        """Where those runs leave what they printed and what was recorded."""
        return self.out / "runs"
