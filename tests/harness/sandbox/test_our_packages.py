"""What a script may import of ours: there beside it, closed to it, and never named as its own."""

import os

import pytest
from driven_jobs import make_job, printed

from harness.protocol.confinement import IsolationPart
from harness.protocol.job import RunState
from harness.sandbox.fork_server import ForkServer


def test_the_reference_model_is_there_and_cannot_be_written(server, tmp_path):
    """A program imports the artifact loader inside isolation, and can change none of it."""
    text = """
    import os, sys
    print({name for name in sys.modules if name.partition(".")[0] in ("harness", "audits")})
    import reference_model.artifact as artifact
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
    ours, loader, *refusals = printed(job)
    assert ours == "set()"  # what runs it is no module that it finds
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


def test_what_a_run_needs_may_lie_anywhere(tmp_path, monkeypatch):
    """Libraries and packages below /tmp and in a path with a space are there, for the script and
    its children, although a run's own /tmp is empty and private; of a folder on the path that holds
    the run itself, and of the folder where the harness was started, nothing is.
    """
    library, packages = tmp_path / "a library", tmp_path / "some packages"
    started = tmp_path / "started here"
    for file in (library / "part.so", packages / "at_hand.py", started / "left_over.py"):
        file.parent.mkdir()
        file.touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("PYTHONPATH", f"../{packages.name}{os.pathsep}{tmp_path}")
    monkeypatch.chdir(started)
    text = f"""
    import importlib.util, os, subprocess, sys
    print(os.listdir({str(library)!r}), sorted(os.listdir({str(tmp_path)!r})))
    import at_hand
    subprocess.run([sys.executable, "-c", "import at_hand"], check=True)
    print(importlib.util.find_spec("left_over"))
    """
    job = make_job(tmp_path, text)
    with ForkServer() as own:
        outcome = own.run(job)

    assert outcome.state == RunState.ENDED, outcome
    shown = ["a library", "some packages", "stage"]
    if IsolationPart.FILESYSTEM in outcome.isolation:
        assert printed(job) == [f"['part.so'] {shown}", "None"]
