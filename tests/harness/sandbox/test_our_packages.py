"""What a script may import of ours: there beside it, closed to it, and never named as its own."""

from collections.abc import Iterator

import pytest
from driven_jobs import make_job, printed

from harness.protocol.job import IsolationPart, RunState
from harness.sandbox.fork_server import ForkServer


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer() as one:
        yield one


def test_the_reference_model_is_there_and_cannot_be_written(server, tmp_path):
    """A program imports the artifact loader inside isolation, and can change none of it."""
    text = """
    import os, sys, reference_model.artifact as artifact
    package = os.path.dirname(artifact.__file__)
    shown = set(os.listdir(os.path.dirname(package))) - {os.path.basename(sys.prefix)}
    print(artifact.load_artifact.__name__, sorted(shown))
    for path in (artifact.__file__, package + "/planted.py"):
        try:
            open(path, "a")
            print("opened", path)
        except OSError as error:
            print(type(error).__name__)
    """
    job = make_job(tmp_path, text)
    outcome = server.run(job)
    if IsolationPart.FILESYSTEM not in outcome.isolation:
        pytest.skip("this machine gives a run no file system of its own")

    assert outcome.state == RunState.ENDED, outcome
    loader, *refusals = printed(job)
    assert loader == "load_artifact ['harness', 'reference_model']"
    assert refusals == ["OSError", "OSError"]


@pytest.mark.parametrize("hanging", [False, True])
def test_a_frame_of_the_reference_model_is_not_the_submissions(server, tmp_path, hanging):
    """However a run ends inside the reference model, the line named is the one that called it."""
    text = f"""
    import os, pathlib
    from reference_model.data import shards
    {'os.mkfifo("shard.bin")' if hanging else ""}
    shards.read_shard(pathlib.Path("shard.bin"))
    """
    outcome = server.run(make_job(tmp_path, text, time_limit_s=4.0))

    assert outcome.state == (RunState.TIMED_OUT if hanging else RunState.FAILED), outcome
    assert outcome.where == "train_gpt.py:5"


def test_what_a_run_needs_may_lie_below_tmp(tmp_path, monkeypatch):
    """A checkout or a library in /tmp is shown, although a run's own /tmp is empty and private."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "part.so").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "library"))
    text = f"import os; print(os.listdir({str(tmp_path / 'library')!r}))"
    job = make_job(tmp_path, text)
    with ForkServer() as own:
        outcome = own.run(job)

    assert outcome.state == RunState.ENDED, outcome
    assert printed(job) == ["['part.so']"]
