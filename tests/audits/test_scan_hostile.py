"""What a submission holds may be made against its reader: the scan ends, with a verdict, and says
what it could not read; what stands beside it is read all the same.
"""

from __future__ import annotations

import ast
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audits import guarded, scan
from audits.bounded import Bounds, Unfinished, at_file, in_child
from audits.corpus.summary import verdict
from audits.corpus.worker import Settings
from audits.corpus.worker import _scan as scan_content
from audits.facts import folding
from audits.facts.documented import papers
from audits.facts.values import UNKNOWN
from audits.findings import ScanReport
from audits.rules import CHECKS
from audits.source import from_bytes
from audits.system_calls import MACHINES

Folder = Callable[[dict[str, str]], Path]

ILLEGAL, LEGAL = CHECKS["ORDER-2"].invalid[0], CHECKS["ORDER-2"].valid[0]


def test_a_child_gives_what_the_work_gives_and_raises_what_it_raises() -> None:
    """As if there were no child."""
    assert in_child(lambda: {"a": (1, 2.5)}) == {"a": (1, 2.5)}
    with pytest.raises(KeyError, match="b"):
        in_child(lambda: {}["b"])


def _tries(folder: Path) -> list[str]:
    """What a child could do besides reading."""
    attempts: dict[str, Callable[[], object]] = {
        "write": lambda: (folder / "new").write_text("x"),
        "add": lambda: (folder / "old").open("ab").close(),
        "remove": (folder / "old").unlink,
        "rename": lambda: (folder / "old").rename(folder / "other"),
        "chmod": lambda: (folder / "old").chmod(0),
        "program": lambda: os.execv("/bin/true", ["true"]),
        "process": os.fork,
        "socket": socket.socket,
        "signal": lambda: os.kill(os.getppid(), 0),
    }
    done = []
    for name, attempt in attempts.items():
        try:
            attempt()
            done.append(name)
        except PermissionError:
            continue
    return done


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in MACHINES,
    reason="no filter of system calls on this machine",
)
def test_a_child_does_nothing_but_read(tmp_path: Path) -> None:
    """Whatever takes its parser over: it writes nothing, starts nothing and reaches nobody; files
    are read, and threads go on as ever.
    """
    (tmp_path / "old").write_text("as it was")
    assert in_child(lambda: _tries(tmp_path)) == []

    def reads() -> str:
        with ThreadPoolExecutor(2) as pool:
            return pool.submit((tmp_path / "old").read_text).result()

    assert in_child(reads) == "as it was"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def _too_long() -> None:
    time.sleep(60)


def _too_large() -> bytearray:
    return bytearray(1 << 30)


def _too_deep() -> object:
    return _too_deep()


def _children() -> set[str]:
    """Processes of this one, those of other tests among them."""
    lists = Path("/proc/self/task").glob("*/children")
    return {child for one in lists for child in one.read_text().split()}


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (_too_long, r"not read within 0\.2 s"),
        (_too_large, "takes more than 64 MB"),
        (_too_deep, "nested too deeply"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "killed by SIGSEGV"),
        (lambda: os._exit(7), "exit code 7"),
    ],
)
def test_whatever_ends_a_child_is_said_and_ends_nothing_else(
    work: Callable[[], object], why: str
) -> None:
    """With the file that it was at; and no process is left."""
    bounds = Bounds(wall_s=0.2 if work is _too_long else 20.0, memory_bytes=64 << 20)

    def reads() -> object:
        at_file("train_gpt.py")
        return work()

    before = _children()
    with pytest.raises(Unfinished, match=f"{why}.*train_gpt.py"):
        in_child(reads, bounds)
    assert _children() <= before


@pytest.mark.parametrize(
    "made",
    [
        folding.string_method("{:>400000000}", "format", [1]),
        folding.string_method("{:{}}", "format", [1, 400_000_000]),
        folding.string_method("{0}" * 9_000, "format", ["x" * 9_000]),
        folding.string_method("a" * 9_000, "replace", ["a", "b" * 9_000]),
        folding.string_method("a" * 9_000, "join", ["b" * 9_000]),
        folding.binary(ast.Mod(), "%*d", (400_000_000, 1)),
        folding.binary(ast.Mod(), "%0400000000d", 1),
        folding.binary(ast.Mult(), 1 << 3_000, 1 << 3_000),
        folding.call("round", [5, -400_000_000]),
        folding.call("tuple", [range(1 << 40)]),
        folding.call("max", [range(1 << 40)]),
        folding.compare(ast.In(), "a", range(1 << 40)),
    ],
)
def test_what_a_constant_could_grow_to_is_not_tried(made: object) -> None:
    """Neither time nor memory is spent on finding out that it is too much."""
    assert made is UNKNOWN


def test_what_configurations_do_with_constants_is_still_folded() -> None:
    """Paths, sizes, names."""
    assert folding.string_method("shard_{:06d}.bin", "format", [3]) == "shard_000003.bin"
    assert folding.string_method("fineweb_*_00000.bin", "replace", ["*", "val"]).endswith(
        "fineweb_val_00000.bin"
    )
    assert folding.binary(ast.Mod(), "%s_%04d", ("val", 7)) == "val_0007"
    assert folding.binary(ast.Mult(), 0x9E3779B97F4A7C15, 1 << 64) == 0x9E3779B97F4A7C15 << 64
    assert folding.call("len", [(1, 2)]) == 2 and folding.call("round", [2.5678, 2]) == 2.57


HOSTILE = {
    "doubled": "x = (1, 1)\n" + "x = (x, x)\n" * 60 + "s = str(x)\nd = {x: x}\ny = x == (x, x)\n",
    "squared": "x = 99999999\n" + "x = x * x\n" * 400,
    "pasted": "x = 'ab'\n" + "x = f'{x}{x}'\n" * 60,
    "wide": "x = '{:>4000000000}'.format(1)\n",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_constants_without_end_cost_nothing(code: str, folder: Folder) -> None:
    """The rest of the script is judged as ever."""
    started = time.monotonic()
    report = guarded.scan_guarded(folder({"train_gpt.py": code + ILLEGAL}))
    assert report.failed and time.monotonic() - started < 10


@pytest.mark.parametrize("deep", ["x = " + "(" * 5_000 + ")" * 5_000, "x = " + "-" * 99_999 + "1"])
def test_code_that_is_nested_too_deeply_is_unreadable(deep: str, folder: Folder) -> None:
    """And what imports it is not."""
    assert from_bytes(deep.encode()).note.startswith("nested too deeply")
    root = folder({"train_gpt.py": f"import helper\n{ILLEGAL}", "helper.py": deep})
    entry, helper = guarded.scan_guarded(root).files
    assert any(one.status == "fail" for one in entry.findings)
    assert (helper.outcome, helper.judged) == ("unreadable", False)


@pytest.mark.parametrize("name", ["rot13", "zlib", "no-such-encoding"])
def test_a_first_line_that_names_no_encoding_is_unreadable(name: str) -> None:
    """Also where Python has a codec of that name that makes no text."""
    assert from_bytes(f"# coding: {name}\n{ILLEGAL}".encode()).note.startswith("not text")


def test_a_folder_too_deep_for_a_path_is_said_and_the_rest_is_judged(folder: Folder) -> None:
    """And a command that is no command costs nothing."""
    root = folder(
        {"train_gpt.py": ILLEGAL, "run.sh": "A=1 " * 400_000 + "\necho '" + "$((" * 99_999}
    )
    inner = os.open(root, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("x" * 200, dir_fd=inner)
        outer, inner = inner, os.open("x" * 200, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    started = time.monotonic()
    report = guarded.scan_guarded(root)
    assert report.failed and time.monotonic() - started < 10
    assert any("paths of more than" in one.note for one in report.files)


def test_a_link_that_leads_out_of_the_folder_is_not_followed(folder: Folder) -> None:
    """It is not the submission's; inside the folder, or named by the user, a link is a file."""
    root = folder({"own/real.py": ILLEGAL, "there.py": ILLEGAL}) / "own"
    (root / "train_gpt.py").symlink_to(root.parent / "there.py")
    (root / "README.md").symlink_to(root.parent / "there.py")
    (root / "inside.py").symlink_to(root / "real.py")
    (file, *_) = guarded.scan_guarded(root, entry="train_gpt.py").files
    assert (file.outcome, file.findings) == ("unreadable", ()) and "out of its folder" in file.note
    assert guarded.scan_guarded(root, entry="inside.py").failed
    assert guarded.scan_guarded(root / "train_gpt.py").failed
    papers_read = [one for one in guarded.scan_guarded(root).files if one.path == "README.md"]
    assert papers_read[0].outcome == "unreadable"


def test_a_long_paper_is_read_as_far_as_it_is_worth(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that it was longer."""
    monkeypatch.setattr(papers, "MAX_BYTES", 100)
    root = folder({"README.md": "word " * 1_000})
    paper = papers.read_paper(root / "README.md")
    assert paper is not None and len(paper.text) == 100 and "longer than 100" in paper.unreadable


@pytest.mark.parametrize(
    "manifest",
    [
        '{"val_bpb": 1' + "0" * 400 + "}",
        '{"val_bpb": 1e999}',
        '{"val_bpb": -Infinity}',
        '{"a": ' * 50_000 + "1" + "}" * 50_000,
        '{"val_bpb": 1' + "0" * 9_000 + "}",
    ],
    ids=["big", "overflow", "infinite", "nested", "digits"],
)
def test_no_manifest_keeps_the_script_from_being_judged(manifest: str, folder: Folder) -> None:
    """What it declares is no number, or it is no manifest."""
    root = folder(
        {"train_gpt.py": ILLEGAL, "submission.json": manifest, "run.log": "code: 9" * 999}
    )
    assert guarded.scan_guarded(root).failed


def test_a_path_that_cannot_be_read_keeps_no_other_from_being_read(
    folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is unreadable, with the cause; the exit code is the failures' of the others."""
    bad, dies, good = (
        folder({f"{name}/train_gpt.py": code}) / name
        for name, code in (("bad", ILLEGAL), ("dies", LEGAL), ("good", LEGAL))
    )
    real = guarded.scan_path

    def dying(path: Path, *options: object) -> ScanReport:
        if path == dies:
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(path, *options)  # type: ignore[arg-type]

    monkeypatch.setattr(guarded, "scan_path", dying)
    assert scan.main([str(dies), str(bad), str(good)]) == 1
    shown = capsys.readouterr().out
    assert "dies: unreadable (the reader was killed by SIGSEGV" in shown
    assert f"{bad}/train_gpt.py" in shown and f"{good}/train_gpt.py" in shown
    assert scan.main([str(dies), str(good)]) == 4
    settings = Settings(tmp_path, "strict", tuple(CHECKS))
    assert verdict(scan_content(dies, settings)) == "unreadable"
    assert scan.main([str(good)]) == 0
