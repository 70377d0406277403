"""Finds the artifact that a manifest names; builds our reference one on first use and keeps it.

`reference:PRESET` is trained by `python -m reference_model.train`, in a process of its own, on the
training shards of the data that the submission is evaluated on, and kept under
`.scorefirst/artifacts/PRESET-<data>-<code>/`: a second evaluation loads it, a change of the data or
of the training code trains anew. Interrupted training resumes.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import reference_model
from harness import child_python
from harness.errors import HarnessError, SubmissionError
from harness.submission import Submission
from reference_model.data.folder import DataFolder
from reference_model.presets import PRESETS

CACHE = Path(".scorefirst")
REFERENCE = "reference:"


def resolve_artifact(submission: Submission, data: DataFolder) -> Path:
    """The artifact's file. Raises SubmissionError where the manifest's file is missing."""
    if submission.artifact.startswith(REFERENCE):
        return reference_artifact(submission.artifact.removeprefix(REFERENCE), data)
    path = submission.folder / submission.artifact
    if not submission.artifact or not path.is_file():
        raise SubmissionError(
            f"{submission.folder / 'submission.json'}: `harness.artifact` names"
            f" {submission.artifact!r}, which is not there; add the file, or write reference:tiny"
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
        raise SubmissionError(f"`harness.artifact` names reference:{preset}; there are {known}")
    folder = CACHE / "artifacts" / f"{preset}-{data.fingerprint()[:16]}-{_training_code()[:8]}"
    path = folder / "artifact.bin"
    if path.is_file():
        return path
    print(f"training the reference artifact {preset!r} (kept in {folder})", file=sys.stderr)
    told = ["--preset", preset, "--data", str(data.root), "--out", str(folder)]
    command = child_python.command("reference_model.train", *told)
    # Threads that sleep while they wait: 5 % slower alone, several times faster on a busy machine.
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"} | child_python.environment()
    done = subprocess.run(command, stdout=sys.stderr, check=False, env=environment)
    if done.returncode or not path.is_file():
        raise HarnessError(
            f"`{' '.join(command)}` failed (exit {done.returncode}); its output is above"
        )
    return path


def _training_code() -> str:
    """Hash of the reference model's sources."""
    digest = hashlib.sha256()
    for source in sorted(Path(reference_model.__path__[0]).rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
