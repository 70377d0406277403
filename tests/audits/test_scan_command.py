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
from audits.judge import scan_path
from audits.output import FORMATS
from audits.output.rule_text import FRAME
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


def test_exit_codes(folder: Folder, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """0 no failure, 1 failures, 2 use, 3 nothing judged, 4 could not parse."""
    root = folder({"bad.py": ILLEGAL, "good.py": LEGAL, "broken.py": "def f(:", "empty/note": ""})
    assert command(str(root / "good.py")).returncode == 0
    assert command(str(root / "bad.py")).returncode == 1
    assert command("--exit-zero", str(root / "bad.py")).returncode == 0
    assert command("--ignore", "ORDER-2", str(root / "bad.py")).returncode == 0
    assert command("--select", "NORM-2", str(root / "bad.py")).returncode == 0
    assert command(str(root / "broken.py")).returncode == 4
    assert command(str(root / "empty")).returncode == 3
    (root / "empty" / "silent.py").write_text("print('no score')\n")
    assert scan.main([str(root / "empty")]) == 3
    for misuse in (
        [],
        ["--nonsense"],
        [str(root / "absent.py")],
        ["--explain", "ORDER-99"],
        ["--select", "STATS-1", str(root / "good.py")],
        ["--select", "ORDER-2", "--ignore", "ORDER", str(root / "good.py")],
        ["--baseline", str(root / "absent.json"), str(root / "good.py")],
        ["--baseline", str(root / "good.py"), str(root / "good.py")],
        ["--output", str(root / "absent" / "report"), str(root / "good.py")],
    ):
        try:
            code: object = scan.main(misuse)
        except SystemExit as stopped:  # argparse
            code = stopped.code
        said = capsys.readouterr().err
        assert code == 2, misuse
        assert said.strip(), misuse
        assert "Traceback" not in said


def test_several_paths_are_one_verdict(folder: Folder, command: Command) -> None:
    """One failing path fails the whole."""
    root = folder({"a.py": LEGAL, "b.py": ILLEGAL})
    assert command(str(root / "a.py"), str(root / "b.py")).returncode == 1


def test_a_script_from_standard_input(command: Command) -> None:
    """`-` is a lone file; the same verdict, and packed or plain the same way."""
    assert command("-", stdin=ILLEGAL).returncode == 1
    assert command("-", stdin=LEGAL).returncode == 0
    assert command("-", stdin="def f(:").returncode == 4


def test_only_new_findings_fail_against_a_baseline(folder: Folder, command: Command) -> None:
    """What an earlier report holds is shown and forgiven, also when its lines have moved."""
    root = folder({"train_gpt.py": ILLEGAL})
    known = str(root.parent / "known.json")
    assert command("--format", "json", "--output", known, str(root)).returncode == 1
    (root / "train_gpt.py").write_text("# moved\n\n" + ILLEGAL)
    done = command("--baseline", known, str(root))
    assert done.returncode == 0
    assert "(in the baseline)" in done.stdout
    other = next(case for case in CHECKS["NORM-2"].invalid)
    (root / "train_gpt.py").write_text(other)
    assert command("--baseline", known, str(root)).returncode == 1


def test_a_family_of_rules_can_be_named(folder: Folder, command: Command) -> None:
    """ORDER stands for every ORDER rule with a static check."""
    root = str(folder({"train_gpt.py": ILLEGAL}))
    assert command("--select", "order", root).returncode == 1
    assert (
        command("--ignore", "order", root).returncode
        == command(
            "--ignore", ",".join(name for name in CHECKS if name.startswith("ORDER-")), root
        ).returncode
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_same_exit_code(folder: Folder, name: str) -> None:
    """The code says what was found, not how it is shown."""
    root = folder({"bad.py": ILLEGAL, "good.py": LEGAL, "broken.py": "def f(:"})
    for file, code in (("good.py", 0), ("bad.py", 1), ("broken.py", 4)):
        out = root / f"{file}.{name}"
        words = ["--format", name, "--output", str(out), str(root / file)]
        assert scan.main(words) == code
        assert out.read_text() or name == "github"


def test_explain_shows_the_record(command: Command) -> None:
    """Statement, status, sources, look-alikes and the cases, from the one place they live in."""
    before, _, after = FRAME
    lines = ILLEGAL.removeprefix(before).removesuffix(after).strip().split("\n")
    done = command("--explain", "order-2")
    rule = RULES["ORDER-2"]
    assert done.returncode == 0
    assert rule.statement in done.stdout
    assert all(source in done.stdout for source in rule.sources)
    assert all(look_alike in done.stdout for look_alike in rule.look_alikes)
    assert all(line in done.stdout for line in lines)
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

    monkeypatch.setattr(scan, "scan_as_named", broken)
    assert scan.main([str(folder({"train_gpt.py": LEGAL}))]) == 2
    assert "nothing was judged" in capsys.readouterr().err


def test_any_python_can_be_scanned() -> None:
    """The standard library has every construct there is: no crash, and nothing flagged."""
    for path in sorted(Path(json.__file__).parent.parent.glob("*.py"))[:60]:
        report = scan_path(path)
        assert not report.failed, path
        assert report.files[0].outcome in ("parsed", "unpacked", "partly"), path
