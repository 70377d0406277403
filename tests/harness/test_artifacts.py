"""Reference artifacts: trained once, told through logging."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from harness import artifacts
from harness.errors import HarnessError
from reference_model.data.cache import VARIABLE
from reference_model.data.folder import DataFolder


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stands for the training, which is the one slow part: each is noted, and leaves its files."""
    done: list[Path] = []

    def train(preset: str, data: DataFolder, folder: Path) -> None:
        done.append(folder)
        folder.mkdir()
        (folder / "artifact.bin").write_text(preset)
        (folder / "result.json").touch()

    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(artifacts, "_train", train)
    return done


def test_an_artifact_that_two_want_is_trained_once(
    trainings: list[Path], data_folder: DataFolder
) -> None:
    """The second waits for the first; both get the whole file."""
    found: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(artifacts.reference_artifact("nano", data_folder))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(trainings) == 1 and found[0] == found[1] and found[0].read_text() == "nano"


def test_one_that_was_not_finished_is_not_used(
    trainings: list[Path], data_folder: DataFolder
) -> None:
    """A training that was killed leaves an artifact without the file that is written last."""
    artifacts.reference_artifact("nano", data_folder)
    (trainings[0] / "result.json").unlink()
    (trainings[0] / "artifact.bin").unlink()
    trainings[0].rmdir()
    artifacts.reference_artifact("nano", data_folder)
    assert len(trainings) == 2


def test_a_training_that_fails_says_why_and_prints_nothing(
    tmp_path: Path,
    data_folder: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What the training itself said is in the error; the log tells what was begun."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    gone = replace(data_folder, root=tmp_path / "gone")
    with caplog.at_level(logging.INFO, "scorefirst"), pytest.raises(HarnessError) as failed:
        artifacts.reference_artifact("nano", gone)
    assert "gone: no such data folder" in str(failed.value)
    assert "training the reference artifact 'nano'" in caplog.text
    assert "".join(capfd.readouterr()) == ""
