"""Finds the artifact that a manifest names; builds our reference one on first use and keeps it.

`reference:PRESET` is trained by `python -m reference_model.train`, in a process of its own, on the
training shards of the data that the submission is evaluated on, and kept in the cache as
`artifacts/PRESET-<data>-<code>/`: a second evaluation loads it, a change of the data or of the
training code trains anew. Interrupted training resumes; of two evaluations that want one artifact
the second waits.
"""

import fcntl
import hashlib
import logging
import os
import shlex
import subprocess
import time
from collections import deque
from pathlib import Path

import reference_model
from harness import child_python
from harness.errors import HarnessError, SubmissionError
from harness.submission import Submission
from reference_model.data.cache import cache_folder
from reference_model.data.folder import DataFolder
from reference_model.presets import PRESETS

LOG = logging.getLogger("scorefirst")
LINE_EACH_S = 10.0  # of what the training prints
REFERENCE = "reference:"


def resolve_artifact(submission: Submission, data: DataFolder) -> Path:
    """The artifact's file. Raises SubmissionError where the manifest's file is missing."""
    if submission.artifact.startswith(REFERENCE):
        return reference_artifact(submission.artifact.removeprefix(REFERENCE), data)
    path = submission.folder / submission.artifact
    if not submission.artifact or not path.is_file():
        raise SubmissionError(
            f"{submission.folder / 'submission.json'}: `harness.artifact` names"
            f" {submission.artifact!r}, which is not there",
            "add the file, or write reference:tiny, our own small model, which is trained on first"
            " use: that takes minutes",
        )
    if not path.resolve().is_relative_to(submission.folder.resolve()):
        raise SubmissionError(f"{path}: lies outside the submission's folder and was not counted")
    return path


def reference_artifact(preset: str, data: DataFolder) -> Path:
    """The reference model's artifact for this data, trained if it is not there yet.

    Raises SubmissionError where there is no such preset.
    """
    if preset not in PRESETS:
        known = ", ".join(sorted(PRESETS))
        raise SubmissionError(
            f"`harness.artifact` names reference:{preset}; there are {known}",
            "write one of these, such as reference:tiny, or the name of a file in the folder",
        )
    name = f"{preset}-{data.fingerprint()[:16]}-{_training_code()[:8]}"
    folder = cache_folder() / "artifacts" / name
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may train it: wait for that one
        if not (folder / "result.json").is_file():  # the last file that a training writes
            _train(preset, data, folder)
    return folder / "artifact.bin"


def _train(preset: str, data: DataFolder, folder: Path) -> None:
    """What it prints goes to the log, a line now and then. Raises HarnessError where it fails."""
    LOG.info(
        "training the reference artifact %r: on first use, for minutes; a line now and then says"
        " how far it is (kept in %s)",
        preset,
        folder,
    )
    told = ["--preset", preset, "--data", str(data.root), "--out", str(folder)]
    command = child_python.command("reference_model.train", *told)
    # Threads that sleep while they wait: 5 % slower alone, several times faster on a busy machine.
    fixed = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    environment = os.environ | fixed | child_python.environment()
    said: deque[str] = deque(maxlen=20)
    next_line = time.monotonic()
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a terminal's interrupt is for us: we end it
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                said.append(line.rstrip())
                if said[-1] and time.monotonic() >= next_line:
                    LOG.info("  %s", said[-1])
                    next_line = time.monotonic() + LINE_EACH_S
        except BaseException:
            child.terminate()  # it goes on from its checkpoint next time
            raise
    if child.returncode:
        last = "\n".join(said)
        raise HarnessError(f"`{shlex.join(command)}` failed (exit {child.returncode}):\n{last}")


def _training_code() -> str:
    """Hash of the reference model's sources."""
    digest = hashlib.sha256()
    for source in sorted(Path(reference_model.__path__[0]).rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
