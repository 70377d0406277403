"""The command line: contract of its JSON, its exit codes, its manners."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from audits import scan
from audits.catalogue import RULES
from audits.rules import CHECKS

Folder = Callable[[Mapping[str, str | bytes]], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]

ILLEGAL = CHECKS["ORDER-2"].invalid[0]
LEGAL = CHECKS["ORDER-2"].valid[0]
SCHEMA = json.loads(files("audits").joinpath("schemas/scan.schema.json").read_text())


def test_json_follows_the_published_schema(folder: Folder, command: Command) -> None:
    """The contract that other programs read; the same files give the same bytes."""
    root = folder({"train_gpt.py": ILLEGAL, "other.py": LEGAL})
    first = command("--format", "json", str(root))
    report = json.loads(first.stdout)
    jsonschema.validate(report, SCHEMA)
    assert report["schema_version"] == 1
    assert report["profile"] == "strict"
    assert [file["path"] for file in report["files"]] == ["train_gpt.py", "other.py"]
    assert report["files"][0]["findings"][0]["rule"] == "ORDER-2"
    assert command("--format", "json", str(root)).stdout == first.stdout


def test_text_carries_the_flow(folder: Folder, command: Command) -> None:
    """A failure shows rule, place, the three lines of the story, and the code."""
    done = command(str(folder({"train_gpt.py": ILLEGAL})))
    assert "FAIL ORDER-2" in done.stdout
    for part in (
        "validation tokens read at line",
        "trained on at line",
        "only afterwards, at line",
    ):
        assert part in done.stdout
    assert "> model(x, y).backward()" in done.stdout


def test_exit_codes(folder: Folder, command: Command) -> None:
    """0 no failure, 1 failures, 2 use, 3 nothing to scan, 4 could not parse."""
    root = folder({"bad.py": ILLEGAL, "good.py": LEGAL, "broken.py": "def f(:", "empty/note": ""})
    assert command(str(root / "good.py")).returncode == 0
    assert command(str(root / "bad.py")).returncode == 1
    assert command("--exit-zero", str(root / "bad.py")).returncode == 0
    assert command("--ignore", "ORDER-2", str(root / "bad.py")).returncode == 0
    assert command("--select", "NORM-2", str(root / "bad.py")).returncode == 0
    assert command(str(root / "broken.py")).returncode == 4
    assert command(str(root / "empty")).returncode == 3
    for misuse in (
        [],
        ["--nonsense"],
        [str(root / "absent.py")],
        [str(root)],
        ["--explain", "ORDER-99"],
        ["--select", "STATS-1", str(root / "good.py")],
    ):
        done = command(*misuse)
        assert done.returncode == 2, misuse
        assert done.stderr.strip(), misuse
        assert "Traceback" not in done.stderr


def test_several_paths_are_one_verdict(folder: Folder, command: Command) -> None:
    """One failing path fails the whole."""
    root = folder({"a.py": LEGAL, "b.py": ILLEGAL})
    assert command(str(root / "a.py"), str(root / "b.py")).returncode == 1


def test_explain_shows_the_record(command: Command) -> None:
    """Statement, status, sources, look-alikes and the cases, from the one place they live in."""
    done = command("--explain", "order-2")
    rule = RULES["ORDER-2"]
    assert done.returncode == 0
    assert rule.statement in done.stdout
    assert all(source in done.stdout for source in rule.sources)
    assert all(look_alike in done.stdout for look_alike in rule.look_alikes)
    assert ILLEGAL in done.stdout
    assert command("--explain", "STATS-1").returncode == 0


def test_list_rules_lists_them_all(command: Command) -> None:
    """Also those that reading code cannot decide."""
    listed = command("--list-rules").stdout
    assert all(name in listed for name in RULES)


def test_comments_cannot_silence_a_finding(folder: Folder, command: Command) -> None:
    """A submission does not grade itself."""
    quiet = "\n".join(f"{line}  # noqa audits: ignore" for line in ILLEGAL.split("\n"))
    assert command(str(folder({"train_gpt.py": quiet}))).returncode == 1


@pytest.mark.parametrize("heavy", ["torch", "harness", "reference_model", "numpy", "scipy"])
def test_importing_the_scanner_is_light(heavy: str) -> None:
    """The scanner starts in a fraction of a second because it loads nothing it does not need."""
    probe = f"import sys, audits.scan; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_a_crash_of_the_scanner_is_no_verdict(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1 means the submission fails; our own bug must never look like that."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(scan, "scan_path", broken)
    assert scan.main([str(folder({"train_gpt.py": LEGAL}))]) == 2
    assert "nothing was judged" in capsys.readouterr().err


def test_any_python_can_be_scanned() -> None:
    """The standard library has every construct there is: no crash, and no accusation."""
    for path in sorted(Path(json.__file__).parent.parent.glob("*.py"))[:60]:
        report = scan.scan_path(path)
        assert not report.failed, path
        assert report.files[0].outcome in ("parsed", "unpacked", "partly"), path
