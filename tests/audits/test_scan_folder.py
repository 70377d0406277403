"""Folders: which file is judged, and by which configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audits.findings import Finding, Role
from audits.folder import NothingToScan, UsageError, target_of
from audits.judge import scan_path
from audits.rules import CHECKS

Scan = Callable[..., list[Finding]]
Folder = Callable[[Mapping[str, str | bytes]], Path]

ILLEGAL = CHECKS["ORDER-2"].invalid[0]
# The same adaptation behind a switch that is off by default.
SWITCHED = ILLEGAL.replace(
    "for epoch in range(3):",
    'for epoch in range(3 if bool(int(os.environ.get("ADAPT", "0"))) else 0):',
)
GATED = ILLEGAL.replace("for epoch in range(3):", 'if int(os.environ.get("ADAPT", "0")) > 0:')
BLOCK = "```bash\n{}\n```\n"


def statuses(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.rule, one.status) for one in findings]


@pytest.mark.parametrize("script", [SWITCHED, GATED])
def test_a_lone_file_is_judged_by_its_defaults(folder: Folder, script: str) -> None:
    """Switched off by default: information that names the switch, also when a README sets it."""
    root = folder(
        {"train_gpt.py": script, "README.md": BLOCK.format("ADAPT=1 python train_gpt.py")}
    )
    (finding,) = scan_path(root / "train_gpt.py").files[0].findings
    assert (finding.rule, finding.status) == ("ORDER-2", "info")
    assert "ADAPT" in finding.message


@pytest.mark.parametrize("script", [SWITCHED, GATED])
@pytest.mark.parametrize(
    "command",
    [
        "ADAPT=1 torchrun --standalone --nproc_per_node=8 train_gpt.py",
        "SEED=1 \\\nADAPT=1 \\\n  torchrun train_gpt.py",
        "export ADAPT=1\npython3 train_gpt.py",
        "$ env ADAPT=1 python records/x/train_gpt.py > log.txt",
        "ADAPT=${ADAPT:-1} python train_gpt.py",
    ],
)
def test_the_readme_turns_information_into_failure(scan: Scan, script: str, command: str) -> None:
    """What a folder says it ran is what is judged."""
    files = {"train_gpt.py": script, "README.md": "# Run\n\n" + BLOCK.format(command)}
    assert statuses(scan(files)) == [("ORDER-2", "fail")]


def test_a_run_script_counts_as_well(scan: Scan) -> None:
    """Commands in *.sh are commands."""
    files = {
        "train_gpt.py": GATED,
        "run.sh": "#!/bin/bash\nexport ADAPT=1\ntorchrun train_gpt.py\n",
    }
    assert statuses(scan(files)) == [("ORDER-2", "fail")]


def test_prose_is_no_command(scan: Scan) -> None:
    """Only fenced blocks and scripts set anything."""
    files = {"train_gpt.py": GATED, "README.md": "Never run ADAPT=1 python train_gpt.py here.\n"}
    assert statuses(scan(files)) == [("ORDER-2", "info")]


def test_the_command_of_another_script_does_not_count(scan: Scan) -> None:
    """The environment of an ablation is not the entry's."""
    files = {
        "train_gpt.py": GATED,
        "ablation.py": "print(1)\n",
        "README.md": BLOCK.format("python train_gpt.py\nADAPT=1 python ablation.py"),
    }
    assert statuses(scan(files)) == [("ORDER-2", "info")]


def test_commands_that_disagree_decide_nothing(scan: Scan) -> None:
    """A folder that documents both settings gets a warning, not a failure."""
    commands = "ADAPT=0 python train_gpt.py\nADAPT=1 python train_gpt.py"
    files = {"train_gpt.py": GATED, "README.md": BLOCK.format(commands)}
    assert statuses(scan(files)) == [("ORDER-2", "warn")]


def test_a_command_line_flag_that_is_given_decides_nothing(scan: Scan) -> None:
    """Its value is not known, so code behind it is a warning at most; else it has its default."""
    parser = (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        'parser.add_argument("--adapt", action="store_true")\nargs = parser.parse_args()\n'
    )
    script = parser + GATED.replace('int(os.environ.get("ADAPT", "0")) > 0', "args.adapt")
    assert statuses(scan({"train_gpt.py": script})) == [("ORDER-2", "info")]
    readme = BLOCK.format("python train_gpt.py --adapt")
    assert statuses(scan({"train_gpt.py": script, "README.md": readme})) == [("ORDER-2", "warn")]


def test_a_wrapper_around_the_environment_is_followed(scan: Scan) -> None:
    """Defaults are read through local helper functions."""
    helper = "def flag(name, default):\n    return bool(int(os.getenv(name, default)))\n\n\n"
    script = GATED.replace("class Net", helper + "class Net", 1).replace(
        'int(os.environ.get("ADAPT", "0")) > 0', 'flag("ADAPT", "0")'
    )
    assert statuses(scan({"train_gpt.py": script})) == [("ORDER-2", "info")]
    files = {"train_gpt.py": script, "README.md": BLOCK.format("ADAPT=1 python train_gpt.py")}
    assert statuses(scan(files)) == [("ORDER-2", "fail")]


def test_code_of_an_imported_or_started_file_counts(scan: Scan) -> None:
    """A launcher is judged by what it launches; a file beside it is information."""
    launchers = (
        "import inner\n",
        "from inner import *\n",
        'import runpy\nrunpy.run_path("inner.py")\n',
        'exec(open("inner.py").read())\n',
        'import subprocess\nsubprocess.run(["python", "inner.py"])\n',
    )
    for launcher in launchers:
        files = {"train_gpt.py": launcher, "inner.py": ILLEGAL}
        assert statuses(scan(files)) == [("BUDGET-2", "warn"), ("ORDER-2", "fail")], launcher
    legal = CHECKS["ORDER-2"].valid[0]
    beside = scan({"train_gpt.py": legal, "inner.py": ILLEGAL})
    assert statuses(beside) == [("ORDER-2", "info")]


def test_other_files_are_reported_as_skipped(folder: Folder) -> None:
    """The report shows its own coverage."""
    root = folder({"train_gpt.py": "x = 1\n", "old/train_gpt_v1.py": ILLEGAL})
    assert [(file.path, file.outcome) for file in scan_path(root).files] == [
        ("train_gpt.py", "parsed"),
        ("old/train_gpt_v1.py", "skipped"),
    ]


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        ({"train_gpt.py": "", "helper.py": ""}, "train_gpt.py"),
        ({"train_v5.py": "", "prepare.py": ""}, "train_v5.py"),
        (
            {"train_a.py": "", "train_b.py": "", "README.md": BLOCK.format("torchrun train_b.py")},
            "train_b.py",
        ),
        ({"train_a.py": "", "train_gpt.py": ""}, "train_gpt.py"),
        ({"model.py": ""}, "model.py"),
        (
            {
                "train_gpt.py": "",
                "mine.py": "",
                "submission.json": json.dumps({"harness": {"program": "mine.py"}}),
            },
            "mine.py",
        ),
        (
            {
                "a.py": "",
                "b.py": "",
                "submission.json": json.dumps({"harness": {"predictor": "b.py:make"}}),
            },
            "b.py",
        ),
    ],
)
def test_the_entry(folder: Folder, files: Mapping[str, str], entry: str) -> None:
    """Manifest, then commands, then the only training script."""
    assert target_of(folder(files), None).entry == entry


LEGAL = CHECKS["ORDER-2"].valid[0]
STARTS_EVAL = "TTT_ENABLED=1 torchrun --nproc_per_node=8 eval_ttt.py"


@pytest.mark.parametrize("command", [STARTS_EVAL, "python -m eval_ttt", "python ./eval_ttt.py"])
def test_what_the_folder_runs_is_judged(folder: Folder, command: str) -> None:
    """A file of the usual name that no command starts does not stand for the one that is."""
    root = folder(
        {"train_gpt.py": LEGAL, "eval_ttt.py": ILLEGAL, "README.md": BLOCK.format(command)}
    )
    report = scan_path(root)
    assert [(file.path, file.role) for file in report.files] == [
        ("eval_ttt.py", Role.ENTRY),
        ("train_gpt.py", Role.BESIDE),
    ]
    assert statuses(list(report.files[0].findings)) == [("ORDER-2", "fail")]


@pytest.mark.parametrize("place", ["eval_ttt.py", "finish.py", "tools/finish.py"])
def test_another_script_that_the_folder_runs_is_no_pass(folder: Folder, place: str) -> None:
    """It gives a score: read as a candidate, which cannot fail; the entry stays, and can."""
    commands = f"torchrun train_gpt.py\nTTT_ENABLED=1 torchrun {place}"
    root = folder({"train_gpt.py": LEGAL, place: ILLEGAL, "README.md": BLOCK.format(commands)})
    entry, other = scan_path(root).files
    assert (entry.path, entry.role, entry.findings) == ("train_gpt.py", Role.ENTRY, ())
    assert (other.path, other.role) == (place, Role.CANDIDATE)
    assert statuses(list(other.findings)) == [("ORDER-2", "warn")]
    assert target_of(root, None).entry == "train_gpt.py"
    (root / "train_gpt.py").write_text(ILLEGAL)
    (root / place).write_text(LEGAL)
    entry, other = scan_path(root).files
    assert statuses([*entry.findings, *other.findings]) == [("ORDER-2", "fail")]


def test_what_only_the_other_script_reaches_cannot_fail(folder: Folder) -> None:
    """Also in the file that is judged: it may not be what was submitted."""
    adapted = ILLEGAL.replace("for epoch in range(3):", "for epoch in range(3 if ADAPT else 0):")
    shared = adapted.replace("class Net", "ADAPT = __name__ != '__main__'\n\n\nclass Net", 1)
    commands = "python train_gpt.py\npython eval_ttt.py"
    root = folder(
        {
            "train_gpt.py": shared,
            "eval_ttt.py": "from train_gpt import *\n",
            "README.md": BLOCK.format(commands),
        }
    )
    found = [finding for file in scan_path(root).files for finding in file.findings]
    assert "fail" not in {finding.status for finding in found}


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("prepare_data.py", "import numpy as np\nprint('val_bpb is not computed here')\n"),
        ("download.py", "print('done')\n"),
        ("launch.py", 'import subprocess\nsubprocess.run(["python", "train_gpt.py"])\n'),
        ("eval_all.py", 'import runpy\nrunpy.run_path("train_gpt.py")\n'),
    ],
)
@pytest.mark.parametrize("trains", ["", "\npython train_gpt.py"])
def test_what_prepares_or_launches_is_no_entry(
    folder: Folder, name: str, script: str, trains: str
) -> None:
    """Whether or not the script itself is started."""
    commands = f"python {name}{trains}"
    files = {"train_gpt.py": LEGAL, name: script, "README.md": BLOCK.format(commands)}
    report = scan_path(folder(files))
    assert [file.path for file in report.files if file.role == Role.ENTRY] == ["train_gpt.py"]
    assert report.beside == ()


def test_an_evaluation_that_is_not_understood_is_no_pass(folder: Folder) -> None:
    """No score is recognised in it; what it is called says that one is made there."""
    commands = "python train_gpt.py\npython eval_model.py"
    files = {
        "train_gpt.py": LEGAL,
        "eval_model.py": "import torch\nprint(torch.load('score'))\n",
        "README.md": BLOCK.format(commands),
    }
    report = scan_path(folder(files))
    assert [file.path for file in report.unjudged] == ["eval_model.py"]


def test_a_script_that_has_another_name_elsewhere_stays_the_entry(folder: Folder) -> None:
    """A command for a training script that is not here means the one that is."""
    commands = "python records/train_v7.py\npython check.py"
    files = {"train_gpt.py": LEGAL, "check.py": LEGAL, "README.md": BLOCK.format(commands)}
    report = scan_path(folder(files))
    assert [(file.path, file.role) for file in report.files] == [
        ("train_gpt.py", Role.ENTRY),
        ("check.py", Role.CANDIDATE),
    ]


def test_an_ambiguous_folder_asks(folder: Folder) -> None:
    """The error names the folder, the cause and the cure; --entry settles it."""
    root = folder({"train_a.py": "", "train_b.py": ""})
    with pytest.raises(UsageError, match="--entry"):
        target_of(root, None)
    assert target_of(root, "train_b.py").entry == "train_b.py"


def test_nothing_to_scan(folder: Folder) -> None:
    """A declared engine has no code; neither has a folder of text."""
    for files in (
        {"README.md": "hello"},
        {"submission.json": json.dumps({"harness": {"engine": {"kind": "sliding_window"}}})},
    ):
        with pytest.raises(NothingToScan):
            target_of(folder(files), None)
        (folder({}) / "submission.json").unlink(missing_ok=True)
        (folder({}) / "README.md").unlink(missing_ok=True)
