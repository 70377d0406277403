"""What lies in a folder may be made against its reader: configuring a run ends, and says why."""

import json
import os
import signal
from pathlib import Path

import pytest

from audits.bounded import Bounds
from harness import evaluate
from harness.configure import record_script, vocabulary_choice
from harness.configure.record_script import read_record
from harness.errors import SubmissionError

SCRIPT = "import os\nDIM = int(os.environ.get('DIM', 64))\n"


def _folder(tmp_path: Path) -> Path:
    root = tmp_path / "record"
    root.mkdir()
    (root / "train_gpt.py").write_text(SCRIPT)
    return root


def test_a_folder_that_ends_its_reader_cannot_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNRUNNABLE, with a report and the cause: nothing of it is a verdict on the submission."""
    real, parent = record_script.read_switches, os.getpid()

    def dying(path: Path, entry: str | None) -> object:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(path, entry)

    monkeypatch.setattr(record_script, "read_switches", dying)
    report = evaluate(_folder(tmp_path), static=False, out=tmp_path / "out")
    assert report.verdict == "UNRUNNABLE" and "killed by SIGSEGV" in str(report.failure)
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["failure"] == report.failure and written["cure"]


def test_a_folder_that_takes_too_long_cannot_be_run(tmp_path: Path) -> None:
    """The time of reading is bounded as that of running is."""
    with pytest.raises(SubmissionError, match="not read within 0 s"):
        read_record(_folder(tmp_path), bounds=Bounds(wall_s=0.0))


def test_a_tokenizer_is_opened_in_a_child_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends it, a link, a pipe and a huge one are no tokenizers."""
    (tmp_path / "bad.model").write_bytes(b"\x0a\xff\xff\xff\xff\x0f" + os.urandom(100))
    (tmp_path / "link.model").symlink_to(tmp_path / "bad.model")
    os.mkfifo(tmp_path / "pipe.model")
    with (tmp_path / "huge.model").open("wb") as file:
        file.truncate(1 << 34)
    names = ("bad", "link", "pipe", "huge")
    assert not any(vocabulary_choice._opens(tmp_path / f"{name}.model") for name in names)
    parent = os.getpid()

    def dying(_: Path) -> None:
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGSEGV)

    monkeypatch.setattr(vocabulary_choice, "load_tokenizer", dying)
    assert not vocabulary_choice._opens(tmp_path / "bad.model")
