"""What was not judged, not read, or cannot be told never looks like a pass, in any format."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from audits import scan
from audits.corpus.page import render
from audits.corpus.summary import as_table, summarise, verdict
from audits.corpus.worker import Settings
from audits.corpus.worker import _scan as scan_content
from audits.findings import FileReport, Finding, Role, ScanReport
from audits.folder import NothingToScan, UsageError, target_of
from audits.judge import PAPERS, scan_path
from audits.output import FORMATS
from audits.output.conclusion import NO_FINDING, exit_code, sentences
from audits.output.view import View
from audits.rules import CHECKS
from harness.checks.static import check_static
from harness.checks.status import Status

Folder = Callable[[Mapping[str, str | bytes]], Path]
Capture = pytest.CaptureFixture[str]
ILLEGAL, LEGAL = CHECKS["ORDER-2"].invalid[0], CHECKS["ORDER-2"].valid[0]
RULES = tuple(sorted(CHECKS))
SILENT = "import helper\nprint('no score here')\n"


def view_of(path: Path) -> View:
    report = replace(scan_path(path), root="run")
    return View("strict", (report,), RULES)


def record_of(path: Path) -> dict[str, object]:
    """As the corpus mode would write it."""
    result = scan_content(path, Settings(path, "strict", RULES))
    return {"ref": "r", "head": "h", "folder": "f", "key": "k", "wall_s": 0.1, **result}


def test_a_script_without_a_score_is_no_pass(folder: Folder) -> None:
    """An outcome of its own, said by every format; what needs no score still stands."""
    root = folder({"train_gpt.py": SILENT, "helper.py": "x = 1\n"})
    shown = view_of(root)
    (report,) = shown.reports
    assert [file.path for file in report.unjudged] == ["train_gpt.py"]
    assert exit_code(shown) == 3
    for name in FORMATS:
        assert "No known violation" not in FORMATS[name](shown)
    for name in ("text", "markdown"):
        assert "Nothing was judged: no score was recognised" in FORMATS[name](shown)
    assert "::warning file=run/train_gpt.py,title=not judged::no score" in FORMATS["github"](shown)
    assert json.loads(FORMATS["json"](shown))["summary"]["unjudged"] == 1
    suite = ElementTree.fromstring(FORMATS["junit"](shown))[0]
    assert suite.get("skipped") == suite.get("tests") == str(len(RULES))
    (run,) = json.loads(FORMATS["sarif"](shown))["runs"]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["level"] == "warning"
    assert "no score was recognised" in note["message"]["text"]
    assert [entry.finding.rule for entry in shown.entries] == ["BUDGET-2"]


def test_the_corpus_has_a_class_for_it(folder: Folder) -> None:
    """Not among those without a finding, in the table and on the page."""
    record = record_of(folder({"train_gpt.py": SILENT, "helper.py": ""}))
    assert verdict(record) == "unjudged"
    assert "1 unjudged" in as_table(summarise([record]))
    assert 'data-verdict="unjudged"' in render([record], summarise([record]), "strict")


def test_an_evaluation_keeps_its_verdict(folder: Folder) -> None:
    """Reading that recognised no score is said, but is no finding: a run may judge the script."""
    report = scan_path(folder({"train_gpt.py": "print('no score')\n"}))
    assert report.unjudged
    assert check_static(report) == []


def file(outcome: str = "parsed", *findings: Finding, judged: bool = True) -> FileReport:
    return FileReport("a.py", outcome, findings, judged=judged)


def found(status: str) -> Finding:
    return Finding("ORDER-2", status, "fail", "high", 5, "main", "said", "code()")


@pytest.mark.parametrize(
    ("files", "baseline", "code", "said"),
    [
        ([file()], None, 0, NO_FINDING),
        ([file("parsed", found("info"))], None, 0, NO_FINDING),
        ([file("parsed", found("fail"))], None, 1, ""),
        ([file("parsed", found("warn"))], None, 0, "Nothing failed; 1 warning needs a person."),
        ([file("parsed", found("warn"))], 1, 0, "Nothing new was found; 1 finding is known"),
        ([file("parsed", found("fail"))], 1, 0, "Nothing new was found; 1 finding is known"),
        ([file("partly")], None, 4, "What was not read was not judged: a.py"),
        ([file("unreadable", judged=False)], None, 4, "What could not be read was not judged."),
        ([file(judged=False)], None, 3, "Nothing was judged: no score was recognised in a.py."),
        ([file(judged=False), file()], None, 3, "No score was recognised in a.py, so no rule"),
        ([file(judged=False), file("parsed", found("fail"))], None, 1, "No score was recognised"),
    ],
)
def test_every_sentence_is_true(
    files: list[FileReport], baseline: int | None, code: int, said: str
) -> None:
    """ "No known violation" only where all was judged and nothing needs a person."""
    reports = tuple(ScanReport("strict", (one,)) for one in files)
    shown = View("strict", reports, RULES)
    known = {entry.fingerprint: baseline for entry in shown.entries if baseline}
    shown = View("strict", reports, RULES, baseline=known if baseline else None)
    assert exit_code(shown) == code
    assert any(sentence.startswith(said) for sentence in sentences(shown) or [""])
    assert (NO_FINDING in sentences(shown)) == (said == NO_FINDING)


def test_what_was_read_in_part_is_no_pass() -> None:
    """Its rules are skipped, and every format says so."""
    shown = View("strict", (ScanReport("strict", (file("partly"),)),), RULES)
    suite = ElementTree.fromstring(FORMATS["junit"](shown))[0]
    assert suite.get("skipped") == str(len(RULES))
    assert "title=read in part" in FORMATS["github"](shown)
    assert "not read was not judged" in FORMATS["sarif"](shown)


def test_a_script_that_is_started_too_is_no_pass(folder: Folder) -> None:
    """Every format says so, and an evaluation of the other script cannot be clean."""
    commands = "```bash\npython train_gpt.py\npython eval.py\n```\n"
    root = folder({"train_gpt.py": LEGAL, "eval.py": LEGAL, "README.md": commands})
    shown = view_of(root)
    assert exit_code(shown) == 3
    assert sentences(shown)[0].startswith("Undecided: run also starts eval.py, which may be what")
    assert verdict(record_of(root)) == "undecided"
    assert "title=undecided" in FORMATS["github"](shown)
    assert ElementTree.fromstring(FORMATS["junit"](shown))[0].get("skipped") == str(len(RULES))
    (finding,) = check_static(shown.reports[0])
    assert (finding.rule, finding.status) == ("MISC-3", Status.UNKNOWN)
    assert "--entry eval.py" in finding.text
    (root / "train_gpt.py").write_text(ILLEGAL)
    assert verdict(record_of(root)) == "fail"


def test_every_candidate_is_scanned(folder: Folder) -> None:
    """Nothing tells which file was submitted: each is read, and none fails the submission."""
    root = folder({"a.py": ILLEGAL, "b.py": LEGAL, "c/other.py": "x = 1\n"})
    report = scan_path(root)
    roles = [(one.path, one.role, one.judged) for one in report.files]
    assert roles == [
        ("a.py", Role.CANDIDATE, True),
        ("b.py", Role.CANDIDATE, True),
        ("c/other.py", Role.BESIDE, False),
    ]
    assert "candidate entry 1 of 2: cannot tell which one was submitted" in report.files[0].note
    (finding,) = report.files[0].findings
    assert (finding.rule, finding.status) == ("ORDER-2", "warn")
    assert "may not be what was submitted" in finding.message
    assert verdict(record_of(root)) == "undecided"
    shown = view_of(root)
    assert exit_code(shown) == scan.main([str(root)]) == 3
    assert sentences(shown)[0].startswith("Undecided: any of 2 files may be what run submits")
    suite = ElementTree.fromstring(FORMATS["junit"](shown))[0]
    assert suite.get("skipped") == str(len(RULES))
    with pytest.raises(UsageError, match=r"\(a.py, b.py\).*--entry"):
        target_of(root, None)


LONG = "# the code that was submitted\n" * 10 + LEGAL
LOG = "step:1 train_loss:3.2\nval_bpb:1.1\n"


@pytest.mark.parametrize(
    "papers",
    [
        {"submission.json": json.dumps({"bytes_code": len(LONG)})},
        {"submission.json": json.dumps({"sizes": {"code_size_bytes": len(LONG)}})},
        {"train.log": LOG + f"Code size: {len(LONG)} bytes\n"},
        {"train.log": LONG.strip() + "\n=====\n" + LOG},
        {"train.log": LONG.replace("\n", "\r\n") + LOG, "submission.json": "{}"},
        {"README.md": "```\ntorchrun b.py\n```\n"},
        {"run.sh": "python b.py\n"},
    ],
)
def test_the_evidence_of_the_folder_decides(folder: Folder, papers: Mapping[str, str]) -> None:
    """Commands, the size of the code, the source in a log: no option is needed."""
    assert target_of(folder({"a.py": ILLEGAL, "b.py": LONG, **papers}), None).entry == "b.py"


def test_evidence_that_differs_decides_nothing(folder: Folder) -> None:
    """The size says one file, the log another."""
    files = {"a.py": ILLEGAL, "b.py": LONG, "train.log": LONG + LOG}
    root = folder({**files, "submission.json": json.dumps({"bytes_code": len(ILLEGAL)})})
    with pytest.raises(UsageError, match="--entry"):
        target_of(root, None)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("submission.json", b'{"name": "unterminated', "no JSON"),
        ("submission.json", b"[1, 2]", "JSON, but no object"),
        ("submission.json", b"{\xff}", "not UTF-8"),
        ("submission.json", None, "a folder"),
        ("README.md", b"caf\xe9", "not UTF-8"),
        ("README.md", None, "a folder"),
        ("train.log", b"val_bpb:1.1 \xff", "not UTF-8"),
    ],
)
def test_a_paper_that_cannot_be_read_is_a_finding(
    folder: Folder, name: str, content: bytes | None, why: str
) -> None:
    """It names the file, the cause and the cure; the script is judged all the same."""
    root = folder({"train_gpt.py": ILLEGAL} | ({name: content} if content is not None else {}))
    if content is None:
        (root / name).mkdir()
    script, paper = scan_path(root).files
    assert [one.rule for one in script.findings] == ["ORDER-2"]
    assert (paper.path, paper.role, paper.outcome) == (name, Role.PAPER, "unreadable")
    (finding,) = paper.findings
    assert (finding.rule, finding.status) == (PAPERS, "warn")
    assert finding.message.startswith(f"{name} cannot be read ({why}")
    assert "repair" in finding.message
    shown = view_of(root)
    for form in FORMATS:
        assert name in FORMATS[form](shown)
    (root / "train_gpt.py").write_text(LEGAL)
    assert exit_code(view_of(root)) == 0
    (said,) = check_static(scan_path(root))
    assert (said.rule, said.status) == (PAPERS, Status.UNKNOWN)


def test_papers_that_can_be_read_are_no_finding(folder: Folder) -> None:
    """A mark of the byte order, other letters, no paper at all, a folder of logs."""
    files = {"submission.json": b"\xef\xbb\xbf{}", "README.md": "größer", "notes.txt": b"\xff"}
    root = folder({"train_gpt.py": LEGAL, **files, "runs.log/1.log": LOG})
    assert [one.path for one in scan_path(root).files] == ["train_gpt.py"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_path_without_code_is_no_pass(folder: Folder, name: str) -> None:
    """Said by every format, beside what was judged; a report of an earlier day does not stay."""
    root = folder({"ok/train_gpt.py": LEGAL, "empty/note": "", "report": "an older one"})
    for paths in (["ok", "empty"], ["empty"]):
        words = ["--format", name, "--output", str(root / "report")]
        assert scan.main([*words, *(str(root / path) for path in paths)]) == 3
        written = (root / "report").read_text()
        assert "no Python files and no harness manifest" in written
        assert NO_FINDING not in written
        if name == "junit":
            assert ElementTree.fromstring(written)[-1].get("errors") == "1"


def test_rules_that_were_left_out_are_said(folder: Folder, capsys: Capture) -> None:
    """Nothing is claimed of them."""
    root = folder({"bad.py": ILLEGAL})
    for name in ("text", "markdown"):
        assert scan.main(["--select", "ORDER-1", "--format", name, str(root / "bad.py")]) == 0
        shown = capsys.readouterr().out
        assert f"{len(RULES) - 1} other rules were left out" in shown
        assert "No known violation" not in shown


def test_what_is_no_regular_file_is_not_opened(folder: Folder) -> None:
    """A pipe, a device and a link to nowhere: no wait, no crash; as the entry, unreadable."""
    root = folder({"train_gpt.py": LEGAL})
    os.mkfifo(root / "pipe.py")
    os.mkfifo(root / "kernel.cu")
    (root / "gone.py").symlink_to(root / "nowhere")
    (root / "zero.py").symlink_to("/dev/zero")
    assert exit_code(view_of(root)) == 0
    for name in ("pipe.py", "gone.py", "zero.py"):
        (file, *_) = scan_path(root, entry=name).files
        assert (file.outcome, file.note) == ("unreadable", "no regular file")
    (root / "train_gpt.py").unlink()
    assert exit_code(view_of(root)) == 4


def test_a_path_that_cannot_be_looked_at_is_refused(capsys: Capture) -> None:
    """No traceback; and nothing of a path reaches the terminal as it is."""
    for path in ("a" * 300, "\x1b[31m\nforged"):
        assert scan.main([path]) == 2
        said = capsys.readouterr().err
        assert "give a script or a submission folder" in said
        assert len(said.splitlines()) == 1
        assert "\x1b" not in said


def test_a_message_about_a_path_is_one_line(folder: Folder, capsys: Capture) -> None:
    """Of an empty folder with a hostile name."""
    root = folder({"\x1b[31m\nforged/note": ""})
    assert scan.main([str(root / "\x1b[31m\nforged")]) == 3
    printed = capsys.readouterr()
    assert "\x1b" not in printed.err + printed.out
    assert len(printed.err.splitlines()) == 1


def test_a_terminal_without_umlauts_shows_escapes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is the scan's."""
    root = folder({"\xfcmlaut/train_gpt.py": LEGAL})
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert scan.main([str(root / "\xfcmlaut")]) == 0
    sys.stdout.flush()
    assert b"\\xfcmlaut/train_gpt.py: parsed" in written.getvalue()


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ('{"name": "a", "name": "b"}', "'name' is given twice"),
        ('{"val_bpb": NaN}', "NaN is no number of JSON"),
        ('{"inner": {"x": -Infinity, "x": 1}}', "-Infinity is no number of JSON, 'x' is given"),
    ],
)
def test_a_manifest_that_reads_two_ways_is_a_finding(
    folder: Folder, manifest: str, why: str
) -> None:
    """It is read all the same, as Python does; nothing else of the scan changes."""
    root = folder({"train_gpt.py": LEGAL, "submission.json": manifest})
    code, paper = scan_path(root).files
    assert (code.findings, code.judged) == ((), True)
    (finding,) = paper.findings
    assert (finding.rule, finding.status, paper.path) == (PAPERS, "warn", "submission.json")
    assert why in finding.message


def test_a_manifest_without_a_known_kind_says_so(folder: Folder) -> None:
    """No engine is claimed where none is declared; the key that was meant for one is named."""
    manifest = '{"harness": {"protocol": 1, "progam": "evaluate.py"}}'
    root = folder({"evaluate.py": LEGAL, "submission.json": manifest})
    with pytest.raises(NothingToScan, match=r"names no program, predictor or engine.*'progam'"):
        scan_path(root)
