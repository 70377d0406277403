"""The folder that an evaluation writes: nobody else's, and without what an older one left."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.report_folder import MARK, OURS, REPORTS, ReportFolder


@pytest.fixture
def submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder; the working directory is beside it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a" / "my record"
    path.mkdir(parents=True)
    return path


def _evaluate(submission: Path, seed: int, together: Barrier, chosen: Path) -> None:
    """Stands for one process of several; all of them hold their folders at once."""
    together.wait(30)
    with ReportFolder.unnamed(submission, seed) as folder:
        (chosen / f"{folder.path.name} {submission.parent.name}").touch(exist_ok=False)
        together.wait(30)


def test_evaluations_at_once_never_share_a_folder(tmp_path: Path, submission: Path) -> None:
    """Two of one submission, one of another of that name, in processes of their own."""
    other = tmp_path / "b" / submission.name
    other.mkdir(parents=True)
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(3)
    processes = [
        context.Process(target=_evaluate, args=(which, 7, together, chosen))
        for which in (submission, submission, other)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    names = sorted(path.name.split()[0] for path in chosen.iterdir())
    assert names == ["my-record-7", "my-record-7-2", "my-record-7-3"]


def test_a_later_evaluation_finds_its_own_folder_again(tmp_path: Path, submission: Path) -> None:
    """Each submission of one name keeps the folder that it had first; another seed has its own."""
    other = tmp_path / "b" / submission.name
    other.mkdir(parents=True)
    for _ in range(2):
        for which, name in ((submission, "my-record-7"), (other, "my-record-7-2")):
            with ReportFolder.unnamed(which, 7) as folder:
                assert folder.path == Path("reports", name)
    with ReportFolder.unnamed(other, 8) as folder:
        assert folder.path.name == "my-record-8"


def test_a_folder_in_use_is_refused(tmp_path: Path, submission: Path) -> None:
    """With the cause; it is free again afterwards."""
    out = tmp_path / "out"
    with ReportFolder.named(out, submission):
        (out / "report.json").write_text("of the first")
        with pytest.raises(UsageError, match=r"--out .*out: another evaluation is writing there"):
            ReportFolder.named(out, submission)
        assert (out / "report.json").read_text() == "of the first"
    ReportFolder.named(out, submission).close()


def test_what_an_older_evaluation_left_is_removed_and_nothing_else(
    tmp_path: Path, submission: Path
) -> None:
    """Report, evidence and runs go, whosever they are; a link goes, and not what it leads to."""
    out, foreign = tmp_path / "out", tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "kept").touch()
    with ReportFolder.named(out, submission):
        for name in set(OURS) - set(REPORTS):
            (out / name / "deep").mkdir(parents=True)
        for name in REPORTS:
            (out / name).write_text("old")
        (out / "runs" / "link").symlink_to(foreign)
        (out / "notes.txt").write_text("mine")
    with ReportFolder.named(out, foreign):  # another submission
        assert sorted(path.name for path in out.iterdir()) == [MARK, "notes.txt"]
    assert (foreign / "kept").exists()


@pytest.mark.parametrize("name", OURS)
def test_a_file_of_that_name_that_is_not_ours_is_never_removed(
    name: str, tmp_path: Path, submission: Path
) -> None:
    """A project may have a folder `source` of its own: the evaluation goes elsewhere."""
    (tmp_path / "project" / name).mkdir(parents=True)
    with pytest.raises(UsageError, match=f"it holds {name}, which no evaluation is known"):
        ReportFolder.named(tmp_path / "project", submission)
    assert [path.name for path in (tmp_path / "project").iterdir()] == [name]
    (tmp_path / "reports" / "my-record-7" / name).mkdir(parents=True)
    with ReportFolder.unnamed(submission, 7) as folder:
        assert folder.path.name == "my-record-7-2"


def test_only_what_an_evaluation_made_is_removed(tmp_path: Path, submission: Path) -> None:
    """A folder of ours that was put beside the report later is somebody's own."""
    out = tmp_path / "out"
    with ReportFolder.named(out, submission):
        (out / "report.json").touch()
    (out / "source").mkdir()
    with pytest.raises(UsageError, match="it holds source, which no evaluation is known"):
        ReportFolder.named(out, submission)
    assert (out / "source").exists() and (out / "report.json").exists()


def test_a_submission_is_never_removed_for_its_report(tmp_path: Path, submission: Path) -> None:
    """Nor the link to it, also where an evaluation that was killed may have made that folder."""
    out = tmp_path / "out"
    ReportFolder.named(out, submission)  # never closed: as if it had been killed
    (out / "source" / "mine").mkdir(parents=True)
    (out / "main").symlink_to(submission)
    for inside in (out / "source", out / "source" / "mine", out / "main"):
        with pytest.raises(UsageError, match="the submission lies in it"):
            ReportFolder.named(out, inside)
        assert inside.exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "second name", "folder"])
def test_a_mark_that_is_no_file_of_its_own_is_never_written(
    kind: str, tmp_path: Path, submission: Path
) -> None:
    """What it leads to stays as it is, or is not made; the evaluation goes elsewhere."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    mark = tmp_path / "reports" / "my-record-7" / MARK
    mark.parent.mkdir(parents=True)
    if kind == "folder":
        mark.mkdir()
    elif kind == "second name":
        mark.hardlink_to(precious)
    else:
        mark.symlink_to(precious if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no plain file"):
        ReportFolder.named(mark.parent, submission)
    with ReportFolder.unnamed(submission, 7) as folder:
        assert folder.path.name == "my-record-7-2"
    assert precious.read_text() == "mine" and not (tmp_path / "nowhere").exists()


def test_a_name_of_other_bytes_has_a_report_folder(tmp_path: Path, submission: Path) -> None:
    """Paths are bytes; the note is text, and finds its owner again."""
    strange = submission.parent / "s\udcff"
    strange.mkdir()
    for _ in range(2):
        with ReportFolder.unnamed(strange, 7) as folder:
            assert folder.path.name == "s--7"


def test_a_folder_that_cannot_be_written_is_wrong_use(tmp_path: Path, submission: Path) -> None:
    """Named or not: the path and the system's reason."""
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(UsageError, match=r"reports.my-record-7: cannot be written \(.+\).*--out"):
        ReportFolder.unnamed(submission, 7)
    with pytest.raises(UsageError, match=r"--out .*reports.x: cannot be written"):
        ReportFolder.named(tmp_path / "reports" / "x", submission)


def test_a_report_is_never_part_of_the_submission(
    submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called from inside its folder, beside it; a folder in it that was named is refused."""
    monkeypatch.chdir(submission)
    for given in (Path("."), submission):
        with ReportFolder.unnamed(given, 7) as folder:
            assert folder.path == submission.parent / "reports" / "my-record-7"
    for inside in (Path("."), submission / "deep" / "out"):
        with pytest.raises(UsageError, match="in the submission's own folder"):
            ReportFolder.named(inside, submission)
    assert list(submission.iterdir()) == []
    (submission / "train_gpt.py").touch()
    ReportFolder.named(submission / "out", submission / "train_gpt.py").close()  # a lone script
