"""The stage of one run: its folder, its shards, and the job that the sandbox is given.

Guarantees: where a script runs says nothing of what the run is for, nor that it is one of ours (in
a file system of its own, among the records of /workspace); the stage is taken away when the run
ends. Does not cover: how a configuration is chosen (`driver`).
"""

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Tokens
from harness.configure.configuration import Configuration
from harness.configure.run_spec import Subject
from harness.configure.setting import texts
from harness.protocol.confinement import IsolationAsked, Quota
from harness.protocol.job import Job
from harness.sandbox import quota
from harness.stage.data_layout import StageData
from harness.stage.stage import build_stage
from harness.stage.text_layout import kept_files
from harness.streams.drawn import SourceStream
from harness.streams.stream import Stream
from harness.streams.vocabulary import Vocabulary
from reference_model.data.folder import DataFolder

SELF = "self"  # the clock of a contest whose scripts end their training themselves
WORKSPACE = Path("/workspace/records")
ROW_EVERY = 16  # positions, of which the whole distribution of one is kept,
ROW_ENTRIES = 1 << 17  # but no more entries in a pass: 512 KiB
SMALL = Quota(memory_bytes=8 << 30)  # small runs take below 2 GB; one that is not small ends soon


@dataclass(frozen=True)
class Limits:
    """What one evaluation may use."""

    device: str = "cpu"
    ranks: int = 1
    isolation: IsolationAsked = IsolationAsked.WHOLE
    deadline: float = float("inf")  # time.monotonic() at which everything ends


@dataclass(frozen=True)
class Staged:
    """What a run is given."""

    job: Job
    changes: tuple[str, ...]  # made to the script


@contextlib.contextmanager
def staged_run(
    subject: Subject,
    configuration: Configuration,
    vocabulary: Vocabulary,
    data: tuple[Stream, Sequence[Tokens]],  # validation, training shards; of files: no shards
    out: Path,  # of this run, emptied first
    limits: Limits,
    run_s: float,
    files: DataFolder | None = None,  # that the data stand in, which are linked to
) -> Iterator[Staged]:
    """The job, while its stage stands."""
    with contextlib.suppress(FileNotFoundError):
        quota.remove(out)  # of an earlier evaluation
    out.mkdir(parents=True)
    stream, shards = data
    spec = subject.spec(configuration, vocabulary)
    name = re.sub(r"[^\w.-]", "_", spec.root.resolve().name) or "submission"
    place = out.parent / secrets.token_hex(6) / name
    try:
        staged = StageData(stream.tokens, tuple(shards), files)
        stage = build_stage(spec, staged, place)
        np.save(out / "stream.npy", stream.tokens)
        job = Job(
            stage=place.resolve(),
            at=_usual_place(name, stage.binds),
            script=spec.entry,
            stream=(out / "stream.npy").resolve(),
            out=out.resolve(),
            environment=texts(spec.environment),
            class_patches=texts(spec.class_patches),
            code_constants=texts(spec.code_constants),
            entries=texts(spec.entries),
            binds=stage.binds,
            given=staged.given,
            arguments=spec.arguments,
            frozen=() if spec.contest is None else kept_files(spec.contest),
            scorer="" if spec.contest is None else spec.contest.score.function.rpartition(":")[2],
            device=limits.device,
            ranks=limits.ranks,
            isolation=limits.isolation,
            time_limit_s=run_s,
            quota=SMALL if configuration.target.shrink_model else Quota(),
            rows=kept_positions(stream, vocabulary.size),
            compiled=configuration.target.compiled,
            counted_clock=configuration.target.counted_clock,
            gradients_take_time=spec.contest is not None and spec.contest.limits.clock == SELF,
        )
        yield Staged(job, stage.changes)
    finally:
        # What cannot be taken away is no reason to lose the run.
        with contextlib.suppress(OSError):
            quota.remove(place.parent)


def _usual_place(name: str, binds: Mapping[str, str]) -> Path | None:
    """As on the contest's machines; none where something of this machine is there, or the script
    insists on something there.
    """
    place = WORKSPACE / name
    insisted = any(Path(bind).is_relative_to(place) for bind in binds)
    return None if insisted or place.exists() else place


def kept_positions(stream: Stream, alphabet: int) -> tuple[int, ...]:
    """Drawn positions, evenly spread, whose whole distributions are kept: the same ones in all runs
    of a battery, since other tokens leave the boundaries where they are.
    """
    if not isinstance(stream, SourceStream):
        return ()
    most = min(len(stream.tokens) // ROW_EVERY, max(1, ROW_ENTRIES // alphabet))
    places = np.flatnonzero(stream.drawn[1:]) + 1
    chosen = np.linspace(0, len(places) - 1, most + 2)[1:-1].astype(int)
    return tuple(places[np.unique(chosen)].tolist()) if len(places) else ()
