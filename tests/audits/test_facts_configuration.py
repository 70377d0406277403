"""The effective configuration: commands, logs, printed messages and the script's own defaults."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audits.facts.documented.logs import from_texts
from audits.facts.documented.setting import Setting, SettingKind
from audits.findings import Finding
from audits.rules.cases import script

Scan = Callable[..., list[Finding]]

ADAPTS = script("""
    class Settings:
        adapt = bool(int(os.environ.get("ADAPT_FIRST", "0")))


    settings = Settings()
    if settings.adapt:
        for start in range(0, len(val_tokens), 512):
            x, y = batch(val_tokens, start)
            model(x, y).backward()
            optimizer.step()
        print(f"adapted:done loss={1.0}")
    for start in range(0, len(val_tokens), 512):
        x, y = batch(val_tokens, start)
        add(model(x, y), y)
""")
NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
DUMP = "\n".join(f"  {name}: 1" for name in NAMES)
END = "\nfinal val_loss: 2.0 val_bpb: 1.2\n"


def failed(findings: list[Finding]) -> set[str]:
    return {one.rule for one in findings if one.status == "fail"}


def test_off_by_default_is_no_failure(scan: Scan) -> None:
    """What nothing shows to have run is told, with the switch, and fails nobody."""
    findings = scan({"train_gpt.py": ADAPTS})

    assert failed(findings) == set()
    assert any("ADAPT_FIRST" in one.message for one in findings)


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "```bash\nADAPT_FIRST=1 torchrun train_gpt.py\n```\n"},
        {"README.md": "Run it:\n\n    ADAPT_FIRST=1 torchrun train_gpt.py\n\nand wait.\n"},
        {"run.sh": "export ADAPT_FIRST=1\ntorchrun train_gpt.py\n"},
        {"train.log": f"{DUMP}\n  adapt_first: True\n{END}"},
        {"train.log": f"started with ADAPT_FIRST=1{END}"},
        {"train.log": f"adapted:done loss=1.5{END}"},
        {"submission.json": '{"val_bpb": 1.2, "settings": {"adapt_first": 1}}'},
    ],
    ids=["readme", "indented", "script", "dump", "assignment", "message", "manifest"],
)
def test_what_the_folder_shows_is_what_ran(scan: Scan, files: dict[str, str]) -> None:
    """A command, a dump, a printed message or the manifest switches the code on."""
    assert "ORDER-2" in failed(scan({"train_gpt.py": ADAPTS, **files}))


@pytest.mark.parametrize(
    "log",
    [
        f'        print(f"adapted:done loss={{1.0}}"){END}',
        f"{DUMP}\n  adapt_first: False\nadapted:done loss=1.5{END}",
        END,
    ],
    ids=["source in the log", "the dump says off", "nothing"],
)
def test_a_log_is_not_over_read(scan: Scan, log: str) -> None:
    """Source that a script writes into its log is no output, and a dump goes before a guess."""
    assert failed(scan({"train_gpt.py": ADAPTS, "train.log": log})) == set()


def test_commands_go_before_logs(scan: Scan) -> None:
    """The documented command decides where a log says otherwise."""
    files = {
        "train_gpt.py": ADAPTS,
        "README.md": "```bash\nADAPT_FIRST=0 torchrun train_gpt.py\n```\n",
        "train.log": f"started with ADAPT_FIRST=1{END}",
    }

    assert failed(scan(files)) == set()


def test_logs_that_disagree_say_nothing() -> None:
    """A setting counts only when every log that shows it agrees."""
    logs = from_texts({"a.log": "LEVEL_ONE=1 LEVEL_TWO=2", "b.log": "LEVEL_ONE=1 LEVEL_TWO=3"}, {})

    assert logs.settings["level_one"] == Setting("1", "a.log", SettingKind.LOG)
    assert "level_two" not in logs.settings


@pytest.mark.parametrize(("declared", "last"), [(1.1, True), (1.3, False), (0.9, None)])
def test_the_declared_figure_tells_the_headline(declared: float, last: bool | None) -> None:
    """Only a figure that was printed can be told to be the last one or not."""
    text = "step:10/20 val_bpb:9.0\nfirst val_bpb:1.3\nsecond val_bpb: 1.1\n"

    assert from_texts({"a.log": text}, {"val_bpb": declared}).last_is_headline is last


CASES = """
base() {
  export ADAPT_FIRST=0
}
case "$1" in
  plain) ;;
  adapted) export ADAPT_FIRST=1 ;;
esac
torchrun train_gpt.py
"""


def test_one_arm_of_a_shell_script_decides_nothing(scan: Scan) -> None:
    """An ablation script that sets a switch in one of its cases does not say what was reported."""
    findings = scan({"train_gpt.py": ADAPTS, "run.sh": CASES})

    assert failed(findings) == set()
    assert any("ADAPT_FIRST" in one.message or one.status == "warn" for one in findings)


@pytest.mark.parametrize("shown", ["0", "1"])
def test_a_setting_compared_with_spelt_out_values(scan: Scan, shown: str) -> None:
    """`value.lower() in {"1", "true"}` is decided by what the folder sets."""
    code = ADAPTS.replace(
        'bool(int(os.environ.get("ADAPT_FIRST", "0")))',
        'os.environ.get("ADAPT_FIRST", "1").strip().lower() in {"1", "true", "yes"}',
    )
    run = {"run.sh": f"ADAPT_FIRST={shown} torchrun train_gpt.py\n"}

    assert ("ORDER-2" in failed(scan({"train_gpt.py": code, **run}))) is (shown == "1")
