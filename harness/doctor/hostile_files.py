"""Hostile files against the code of ours that reads them: each is read in bounded time and memory,
and what cannot be read is said.
"""

import base64
import lzma
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

import brotli
import numpy as np
import pyarrow as pa
import zstandard

from audits.bounded import Bounds
from audits.findings import ScanReport
from audits.folder import NothingToScan
from audits.guarded import scan_guarded
from harness.configure.record_script import read_record
from harness.doctor.check import Reading
from harness.errors import SubmissionError
from harness.protocol import schema
from harness.trace.reader import BrokenCapture, load
from reference_model.artifact import ArtifactError, load_artifact

BOUNDS = Bounds(wall_s=20.0)
OPENED = 1 << 27  # bytes, out of a bomb
SCRIPT = "train_gpt.py"


def _scanned(write: Callable[[Path], object]) -> Callable[[Path], str]:
    """A script of that content ends as a report, whatever it says."""

    def read(folder: Path) -> str:
        write(folder)
        try:
            found: object = scan_guarded(folder, bounds=BOUNDS)
        except NothingToScan:
            return ""  # nothing that is a script
        return "" if isinstance(found, ScanReport) else "no report"

    return read


def _written(text: str) -> Callable[[Path], str]:
    return _scanned(lambda folder: (folder / SCRIPT).write_text(text, encoding="utf-8"))


def _packed(module: str, compress: Callable[[bytes], bytes]) -> Callable[[Path], str]:
    """A script that unpacks itself, to more than it should."""

    def write(folder: Path) -> None:
        literal = repr(base64.b85encode(compress(bytes(OPENED))).decode())
        text = f"import base64, {module}\nexec({module}.decompress(base64.b85decode({literal})))\n"
        (folder / SCRIPT).write_text(text, encoding="utf-8")

    return _scanned(write)


def _manifest(text: str) -> Callable[[Path], str]:
    def read(folder: Path) -> str:
        (folder / SCRIPT).write_text("print('val_bpb: 1.0')\n")
        (folder / "submission.json").write_text(text)
        scan_guarded(folder, bounds=BOUNDS)
        try:
            read_record(folder, bounds=BOUNDS)
        except SubmissionError:
            return ""  # said
        return ""

    return read


def _arrow_bomb(folder: Path) -> str:
    """An Arrow file whose buffers are compressed opens to more than it has."""
    rank = folder / "rank0"
    rank.mkdir()
    n_rows = OPENED // 32
    columns = [np.zeros(n_rows, field.type.to_pandas_dtype()) for field in schema.SCORES]
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(rank / "scores.arrow", schema.SCORES, options=options) as stream:
        stream.write_batch(pa.record_batch(columns, schema=schema.SCORES))
    try:
        load(folder)
    except BrokenCapture:
        return ""
    return "it was taken for a capture"


class _Touches:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def _pickle_that_runs(folder: Path) -> str:
    (folder / "artifact.bin").write_bytes(pickle.dumps(_Touches(folder / "touched")))
    try:
        load_artifact(folder / "artifact.bin")
    except ArtifactError:
        return "it ran" if (folder / "touched").exists() else ""
    return "it was taken for an artifact"


def _sparse(folder: Path) -> None:
    with (folder / SCRIPT).open("wb") as file:
        file.truncate(10 << 30)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / SCRIPT)


def _imports_pipe(folder: Path) -> None:
    os.mkfifo(folder / "helper.py")
    (folder / SCRIPT).write_text("import helper\n")


def _device(folder: Path) -> None:
    (folder / SCRIPT).symlink_to("/dev/zero")


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / SCRIPT))


def _deep(folder: Path) -> None:
    (folder / SCRIPT).write_text("import helper\n")
    (folder / "helper.py").write_text("x = " + "(" * 3_000 + "1" + ")" * 3_000 + "\n")


BIG_NUMBER = '{"val_bpb": 1.0e400, "x": 1' + "0" * 5000 + "}"

FILES = (
    Reading("parentheses 3,000 deep", _scanned(_deep)),
    Reading("a constant that folds to gigabytes", _written("x = '%0999999999d' % 7\n" * 4)),
    Reading(
        "squares of squares",
        _written("x0 = 7\n" + "".join(f"x{n + 1} = x{n} * x{n}\n" for n in range(40))),
    ),
    Reading("an lzma bomb", _packed("lzma", lzma.compress)),
    Reading("a zstandard bomb", _packed("zstandard", zstandard.ZstdCompressor().compress)),
    Reading("a brotli bomb", _packed("brotli", lambda data: brotli.compress(data, quality=1))),
    Reading("an Arrow bomb", _arrow_bomb, fast=True),
    Reading("a pickle that runs code, as an artifact", _pickle_that_runs, fast=True),
    Reading("JSON nested 100,000 deep", _manifest("[" * 100_000 + "]" * 100_000)),
    Reading("a JSON number that no float is", _manifest(BIG_NUMBER)),
    Reading("a pipe in place of the script", _scanned(_pipe), fast=True),
    Reading("a pipe that the script imports", _scanned(_imports_pipe)),
    Reading("a device in place of the script", _scanned(_device)),
    Reading("a socket in place of the script", _scanned(_socket)),
    Reading("10 GB of nothing in place of the script", _scanned(_sparse), fast=True),
)
