"""A whole repository at once: what belongs to whom, read once, resumed after a kill, never stopped
by one script.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from audits.corpus import __main__ as command
from audits.corpus import page
from audits.corpus.pool import run_jobs
from audits.corpus.repository import BlobReader, MissingObject, Repository
from audits.corpus.submissions import Finder
from audits.corpus.summary import summarise, verdict
from audits.rules import CHECKS

ILLEGAL, LEGAL = CHECKS["ORDER-2"].invalid[0], CHECKS["ORDER-2"].valid[0]
SCHEMA = json.loads(files("audits").joinpath("schemas/corpus.schema.json").read_text())
# Neither the machine's settings nor its user have a say.
GIT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


class Contest:
    """A repository with a main branch and pull requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=GIT, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, changes: Mapping[str, str | bytes]) -> str:
        for name, content in changes.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def pull(self, number: int, changes: Mapping[str, str | bytes], start: str = "main") -> str:
        self.git("checkout", "-q", "--detach", start)
        head = self.commit(changes)
        self.git("update-ref", f"refs/pull/{number}/head", head)
        self.git("checkout", "-q", "main")
        return head

    def found(self, *refs: str) -> list[tuple[str, str]]:
        repository = Repository(self.path)
        base = repository.commit("main")
        assert base is not None
        finder = Finder(repository, base)
        return [
            (one.ref, one.folder)
            for ref in repository.refs(refs or ("refs/pull/*/head",))
            for one in finder.find(ref)
        ]


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    """Main with one record; pull request 1 adds an illegal one, 2 a copy of it, 3 a legal one."""
    made = Contest(tmp_path / "repository")
    made.commit({"records/old/train_gpt.py": LEGAL, "README.md": "contest"})
    made.pull(1, {"records/a/train_gpt.py": ILLEGAL, "records/a/model.bin": b"\0" * 3_000_000})
    made.pull(2, {"records/a/train_gpt.py": ILLEGAL, "records/a/model.bin": b"\0" * 3_000_000})
    made.pull(3, {"records/b/train_gpt.py": LEGAL, "records/b/submission.json": "{}"})
    return made


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()[1:]]


def test_a_pull_request_answers_for_what_it_changes(contest: Contest) -> None:
    """Not for what it inherits; main answers for all of its own."""
    assert contest.found() == [
        ("refs/pull/1/head", "records/a"),
        ("refs/pull/2/head", "records/a"),
        ("refs/pull/3/head", "records/b"),
    ]
    assert contest.found("main") == [("main", "records/old")]


def test_a_merged_pull_request_keeps_its_submission(contest: Contest) -> None:
    """Compared with the branch before the merge, whether merged or fast-forwarded."""
    contest.git("merge", "-q", "--no-ff", "-m", "merge", "refs/pull/3/head")
    contest.commit({"records/later/train_gpt.py": LEGAL})
    assert ("refs/pull/3/head", "records/b") in contest.found()
    contest.pull(4, {"records/d/train_gpt.py": LEGAL})
    contest.git("merge", "-q", "--ff-only", "refs/pull/4/head")
    contest.commit({"README.md": "on"})
    assert ("refs/pull/4/head", "records/d") in contest.found()


def test_a_head_without_common_history_is_compared_with_main(contest: Contest) -> None:
    """Only what differs is its own."""
    contest.git("checkout", "-q", "--orphan", "alone")
    head = contest.commit({"records/c/train_gpt.py": ILLEGAL})
    contest.git("update-ref", "refs/pull/5/head", head)
    contest.git("checkout", "-q", "main")
    assert ("refs/pull/5/head", "records/c") in contest.found()
    assert ("refs/pull/5/head", "records/old") not in contest.found()


def test_a_run_reads_each_content_once_and_writes_a_line_each(
    contest: Contest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two heads with the same files share an analysis; files left out are named."""
    out = tmp_path / "out"
    assert command.main([str(contest.path), "--out", str(out), "--jobs", "2"]) == 0
    found = {str(line["ref"]): line for line in lines(out)}
    for line in found.values():
        jsonschema.validate(line, SCHEMA)
    assert found["refs/pull/1/head"]["key"] == found["refs/pull/2/head"]["key"]
    assert [verdict(found[f"refs/pull/{n}/head"]) for n in (1, 2)] == ["fail", "fail"]
    assert verdict(found["refs/pull/3/head"]) == "no finding"
    assert found["refs/pull/1/head"]["omitted"] == [{"path": "model.bin", "why": "3000000 bytes"}]
    assert summarise(found.values()).contents == 2
    printed = capsys.readouterr().out
    assert "3 submissions of 3 refs, 2 distinct contents: 2 fail, 1 no finding" in printed
    assert "ORDER-2" in (out / "index.html").read_text()


def test_skipped_refs_are_never_read(contest: Contest, tmp_path: Path) -> None:
    """Names and patterns, with comments."""
    skip = tmp_path / "skip.txt"
    skip.write_text("# not these\nrefs/pull/[12]/head  # a pair\n\n")
    out = tmp_path / "out"
    assert command.main([str(contest.path), "--skip-refs", str(skip), "--out", str(out)]) == 0
    assert [line["ref"] for line in lines(out)] == ["refs/pull/3/head"]


def test_a_run_goes_on_after_a_kill(contest: Contest, tmp_path: Path) -> None:
    """Nothing that was written is done again; a line cut in half is."""
    for number in range(10, 30):
        contest.pull(number, {f"records/n{number}/train_gpt.py": LEGAL + f"# {number}\n"})
    out = tmp_path / "out"
    words = [sys.executable, "-m", "audits.corpus", str(contest.path), "--out", str(out)]
    running = subprocess.Popen(
        [*words, "--jobs", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    results = out / "results.jsonl"
    deadline = time.monotonic() + 60
    while not results.exists() or results.read_bytes().count(b"\n") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = results.read_bytes()
    kept = kept[: kept.rindex(b"\n") + 1]
    results.write_bytes(kept + b'{"ref": "refs/pu')
    assert subprocess.run(words, check=False, capture_output=True).returncode == 0
    whole = results.read_bytes()
    assert whole.startswith(kept)
    assert len(lines(out)) == len({str(line["ref"]) for line in lines(out)}) == 23


def test_another_scanner_does_not_go_on(contest: Contest, tmp_path: Path) -> None:
    """Results of different rules or profiles are not mixed."""
    out = str(tmp_path / "out")
    assert command.main([str(contest.path), "--out", out]) == 0
    assert command.main([str(contest.path), "--out", out, "--profile", "leaderboard"]) == 2
    assert command.main([str(contest.path), "--out", out, "--select", "NORM-2"]) == 2


def test_a_crash_of_the_scanner_is_reported_and_the_run_goes_on(
    contest: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is the result of that content; the others have theirs; exit code 2."""
    monkeypatch.setattr(command, "serve", serve_with_a_bug)
    out = tmp_path / "out"
    assert command.main([str(contest.path), "--out", str(out)]) == 2
    found = {str(line["ref"]): line for line in lines(out)}
    assert found["refs/pull/1/head"]["status"] == "error"
    assert "RuntimeError: a bug" in str(found["refs/pull/1/head"]["note"])
    assert found["refs/pull/3/head"]["status"] == "judged"


def serve_with_a_bug(connection: object, settings: object) -> None:
    """The real worker, with a scanner that fails on some code."""
    from audits.corpus import worker

    real = worker.scan_guarded

    def scan(path: Path, *words: object, **named: object) -> object:
        if (path / "train_gpt.py").read_text() == ILLEGAL:
            raise RuntimeError("a bug")
        return real(path, *words, **named)  # type: ignore[arg-type]

    worker.scan_guarded = scan  # type: ignore[assignment]
    worker.serve(connection, settings)  # type: ignore[arg-type]


def misbehave(connection: object, settings: object) -> None:
    """Hangs, dies or answers, as the job says."""
    while connection.poll(None):  # type: ignore[attr-defined]
        try:
            job = connection.recv()  # type: ignore[attr-defined]
        except EOFError:
            return
        if job == "hang":
            time.sleep(60)
        if job == "die":
            os._exit(7)
        connection.send({"status": "judged", "note": job})  # type: ignore[attr-defined]


def test_every_job_has_one_answer() -> None:
    """Late and dying processes cost their own job only."""
    jobs = ["a", "hang", "b", "die", "c", "hang", "d"]
    answers = list(run_jobs(jobs, misbehave, None, processes=2, limit_s=1.0))
    assert sorted(job for job, _ in answers) == sorted(jobs)
    said = {job: (answer["status"], answer["note"]) for job, answer in answers}
    assert said["hang"] == ("timeout", "not read within 1 s")
    assert said["die"] == ("error", "the process died (exit code 7)")
    assert all(said[job] == ("judged", job) for job in "abcd")


def test_an_absent_blob_is_missing_and_the_next_is_read(contest: Contest) -> None:
    """A partial clone: named, not fetched, not fatal."""
    there = contest.git("rev-parse", "HEAD:README.md")
    reader = BlobReader(contest.path)
    for ask in (reader.size, reader.read):
        with pytest.raises(MissingObject):
            ask("1" * 40)
    assert (reader.size(there), reader.read(there)) == (7, b"contest")
    reader.close()


def test_misuse_is_explained(
    tmp_path: Path, contest: Contest, capsys: pytest.CaptureFixture[str]
) -> None:
    """No repository, no branch, no rule: exit code 2 and a sentence; no submission: 3."""
    out = ["--out", str(tmp_path / "out")]
    for words in ([str(tmp_path / "no"), *out], [str(contest.path), "--base", "no", *out]):
        assert command.main(words) == 2
        assert "audits.corpus:" in capsys.readouterr().err
    assert command.main([str(contest.path), "--refs", "refs/none/*", *out]) == 3


def test_the_page_shows_hostile_text_as_text() -> None:
    """Names and code of a submission are escaped, and bytes that are no text are shown."""
    bad = "</td><script>alert(1)</script>\udcff @ROWS@"
    finding = {
        "rule": "ORDER-2", "status": "fail", "line": 1, "wrapper_line": None,
        "function": bad, "message": bad, "excerpt": bad,
        "flow": [{"role": "read here", "file": bad, "line": 1, "function": bad, "excerpt": bad}],
    }  # fmt: skip
    record = {
        "ref": bad, "head": "1", "folder": bad, "key": "k", "status": "judged", "note": bad,
        "files": [{"path": bad, "outcome": "partly", "note": bad, "findings": [finding]}],
        "omitted": [{"path": bad, "why": bad}], "wall_s": 0.1,
    }  # fmt: skip
    shown = page.render([record], summarise([record]), "strict")
    assert shown.count("<script>") == 1
    assert "&lt;script&gt;" in shown
    assert "@ROWS@" in shown
    shown.encode("utf-8")
