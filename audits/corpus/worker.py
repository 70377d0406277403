"""Reads one submission's content: its small files go to a private folder, and are scanned there.

Guarantees: an exception of the scanner comes back as a result with its traceback; content that ends
its reader, by its bounds or by a signal, is unreadable; nothing outside
the private folder is written; a result is what `python -m audits.scan FOLDER` would say.
Does not cover: a worker that dies or hangs itself; the pool looks after these.
"""

from __future__ import annotations

import resource
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path, PurePosixPath
from typing import Any, Final

from audits.bounded import Bounds
from audits.corpus.repository import Blob, BlobReader, MissingObject
from audits.findings import Role
from audits.folder import NothingToScan
from audits.guarded import scan_guarded
from audits.source import MAX_BYTES, Outcome

MAX_OTHER_BYTES: Final = 2_000_000  # README, logs, run scripts; artifacts of 16 MB are left out
TO_ANSWER_S: Final = 2.0  # of a job's limit: a reading that ends before is a result
MEMORY_BYTES: Final = 4 << 30  # a worker that needs more fails alone, not the machine

Result = dict[str, Any]  # what becomes a line of results.jsonl


@dataclass(frozen=True, slots=True)
class Job:
    """One distinct content."""

    key: str
    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all jobs."""

    repository: Path
    profile: str
    rules: tuple[str, ...]
    limit_s: float = 60.0  # for one job


def serve(connection: Connection, settings: Settings) -> None:
    """Answers jobs until the other end hangs up."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    reader = BlobReader(settings.repository)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            reader.close()
            return
        connection.send(analyse(job, settings, reader))


def analyse(job: Job, settings: Settings, reader: BlobReader) -> Result:
    """One content's result, whatever happens."""
    started = time.perf_counter()
    omitted: list[dict[str, str]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="scorefirst-") as folder:
            _write_out(job.blobs, Path(folder), reader, omitted)
            result = _scan(Path(folder), settings)
    except Exception:  # noqa: BLE001 - one script's crash is its result; the run goes on
        result = {"status": "error", "note": traceback.format_exc(), "files": []}
    return {**result, "omitted": omitted, "wall_s": round(time.perf_counter() - started, 3)}


def _write_out(
    blobs: tuple[Blob, ...], folder: Path, reader: BlobReader, omitted: list[dict[str, str]]
) -> None:
    for blob in blobs:
        if (why := _write_one(blob, folder, reader)) is not None:
            omitted.append({"path": blob.path.encode("utf-8", "replace").decode(), "why": why})


def _write_one(blob: Blob, folder: Path, reader: BlobReader) -> str | None:
    """Writes a file, or says why not."""
    parts = PurePosixPath(blob.path).parts
    if ".." in parts or blob.path.startswith("/"):
        return "the path leads out of the folder"
    limit = MAX_BYTES if blob.path.endswith(".py") else MAX_OTHER_BYTES
    try:
        if (size := reader.size(blob.id)) > limit:
            return f"{size} bytes"
        content = reader.read(blob.id)
    except MissingObject:
        return "not in this clone"
    try:
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:  # a name that this file system cannot hold
        return error.strerror or str(error)
    return None


def _scan(folder: Path, settings: Settings) -> Result:
    try:
        bounds = Bounds(max(settings.limit_s - TO_ANSWER_S, 1.0))
        report = scan_guarded(folder, settings.profile, None, settings.rules, bounds)
    except NothingToScan as nothing:
        return {"status": "nothing", "note": _without(folder, nothing), "files": []}
    read = [asdict(file) for file in report.files if file.outcome != Outcome.SKIPPED]
    skipped = len(report.files) - len(read)
    candidates = ", ".join(file.path for file in report.files if file.role == Role.CANDIDATE)
    if report.beside:
        status, note = "judged", f"the folder also starts {candidates}"
    elif candidates:
        status, note = "undecided", f"cannot tell which file is the submission: {candidates}"
    else:
        status, note = "judged", ""
    return {"status": status, "note": note, "files": read, "skipped": skipped}


def _without(folder: Path, error: Exception) -> str:
    """The message without the private folder's name, which differs from run to run."""
    return str(error).replace(f"{folder}/", "").replace(f"{folder}: ", "")
