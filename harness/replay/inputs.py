"""What a report needs to be repeated, and what of that is not here.

Guarantees: nothing of a submission is read or run before its folder, its artifact, the data and the
device were found to be those of the report; a difference of versions is said, and stops nothing.
Does not cover the machine: another processor may round otherwise.
"""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from audits.tool import commit
from harness.errors import SubmissionError
from harness.replay.recorded import Recorded
from harness.report.hashes import file_sha256, folder_sha256, library_versions
from harness.request import Request
from harness.submission import code_files, read_submission
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was."""

    what: str
    then: str
    now: str
    stops: bool  # nothing can be repeated without it

    @property
    def text(self) -> str:
        return f"{self.what}: {self.then} then, {self.now} here"


def differences(recorded: Recorded, request: Request) -> list[Difference]:
    """Inputs and versions that are not as they were."""
    folder = request.submission
    if not folder.exists():
        return [Difference("the submission's folder", str(folder), "nothing", True)]
    found = [*_submission(recorded, folder), *_versions(recorded)]
    if recorded.report.get("data"):
        found += _data(recorded, request)
    if recorded.report.get("device") == "cuda" and not torch.cuda.is_available():
        found.append(Difference("the device", "cuda", "no CUDA device", True))
    return found


def _submission(recorded: Recorded, folder: Path) -> Iterator[Difference]:
    then = recorded.report["submission"]
    code = file_sha256(folder) if folder.is_file() else folder_sha256(folder, code_files(folder))
    yield from _unlike("the submission's code", then.get("code_sha256"), code)
    artifact = _artifact(folder)
    if artifact is not None:
        yield from _unlike("the artifact", then.get("artifact_sha256"), file_sha256(artifact))


def _artifact(folder: Path) -> Path | None:
    """Where it is a file of the folder; a reference artifact is trained from the data."""
    try:
        submission = read_submission(folder)
    except SubmissionError:
        return None
    named = submission.artifact and ":" not in submission.artifact
    return folder / submission.artifact if named else None


def _data(recorded: Recorded, request: Request) -> Iterator[Difference]:
    then = recorded.report["data"]
    try:
        data = DataFolder.open(request.data) if request.data else embedded_data()
    except DataError as error:
        yield Difference("the data", then["folder"], str(error), True)
        return
    yield from _unlike("the data", then["hash"], data.fingerprint())


def _versions(recorded: Recorded) -> Iterator[Difference]:
    then, here = recorded.report["platform"], library_versions()
    pairs = [
        ("scorefirst's commit", recorded.report["tool"]["commit"], commit()),
        ("Python", then["python"], platform.python_version()),
        ("the system", then["system"], platform.platform()),
        *((name, was, here.get(name)) for name, was in then.get("libraries", {}).items()),
    ]
    for what, was, now in pairs:
        if was != now:
            yield Difference(what, str(was), str(now), False)


def _unlike(what: str, then: str | None, now: str | None) -> Iterator[Difference]:
    """By hash; nothing where the report has none."""
    if then is not None and then != now:
        yield Difference(what, then[:16], (now or "nothing")[:16], True)
