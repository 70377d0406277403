"""What a script is told: small sizes over the folder's own settings."""

from pathlib import Path

import pytest

from audits.switches import SettingKind, Switches, read_switches
from harness.configure.configuration import first_configuration, native_target
from harness.configure.setting import OriginKind, texts
from harness.configure.shrinking.target import ShrinkTarget, StreamShape

STREAM = StreamShape(tokens=4_096, vocab_size=1_024, documents=32)


def test_only_switches_that_the_script_reads_are_set(switches: Switches) -> None:
    """A fixed list would set names that mean something else here."""
    assert set(first_configuration(switches, STREAM).environment) <= set(switches.switches)


def test_a_technique_that_only_the_readme_switches_on_is_on(switches: Switches) -> None:
    """Half of the adaptive scripts have it off by default."""
    given = first_configuration(switches, STREAM).environment["TTT_ENABLED"]
    assert given.text == "1"
    assert str(given.origin) == "README.md line 2"


def test_weights_that_the_folder_does_not_hold_are_not_loaded(tmp_path: Path, script: str) -> None:
    """A snapshot of the author's machine is left out and named; one in the folder is loaded; a
    value that the command leaves empty is not given, nor a place of which a log tells only that
    there was one.
    """
    (tmp_path / "train_gpt.py").write_text(
        script
        + "snapshot = os.environ.get('LOAD_SNAPSHOT', '')\ncap = os.environ.get('VAL_CAP', '5')\n"
        + "if os.environ.get('RESUME_FROM', ''):\n    print('Resumed at step 7')\n"
    )
    (tmp_path / "run.sh").write_text("LOAD_SNAPSHOT=mine.pt VAL_CAP= python train_gpt.py\n")
    (tmp_path / "train.log").write_text("Resumed at step 7\nval_loss:1.2 val_bpb:1.1\n")

    found = first_configuration(read_switches(tmp_path), STREAM)
    assert not {"LOAD_SNAPSHOT", "VAL_CAP", "RESUME_FROM"} & {*found.environment}
    assert found.target.omitted == {"LOAD_SNAPSHOT"}

    (tmp_path / "mine.pt").write_bytes(b"weights")
    there = first_configuration(read_switches(tmp_path), STREAM).environment
    assert there["LOAD_SNAPSHOT"].text == "mine.pt"


def test_sizes_shrink_and_depth_stays(switches: Switches) -> None:
    """Layer-indexed switches assume the depth; every value says what it was."""
    found = first_configuration(switches, STREAM)
    values = texts(found.environment)
    assert values["MODEL_DIM"] == "64" and values["NUM_HEADS"] == "4"
    assert values["NUM_KV_HEADS"] == "2"
    assert values["TRAIN_SEQ_LEN"] == "64" and values["ITERATIONS"] == "3"
    assert "NUM_LAYERS" not in values
    assert str(found.environment["MODEL_DIM"].origin) == "ladder: 64 for 512"


def test_what_decides_the_mixture_stays(switches: Switches) -> None:
    """An entropy threshold in nats does not depend on the size of the stream."""
    assert "NGRAM_ENT_THRESH" not in first_configuration(switches, STREAM).environment


def test_an_attribute_without_a_switch_is_patched(switches: Switches) -> None:
    """The file itself is never edited."""
    assert texts(first_configuration(switches, STREAM).class_patches) == {
        "Hyperparameters.eval_stride": "32"
    }


def test_a_native_configuration_tells_only_the_length(switches: Switches) -> None:
    """What the folder says it ran stays; chunks of the battery are longer than any context."""
    target = native_target(switches)
    found = first_configuration(switches, STREAM, target)
    shrunk = {n for n, given in found.environment.items() if given.origin.kind is OriginKind.SHRUNK}
    assert shrunk == {"ITERATIONS", "MAX_WALLCLOCK_SECONDS"}
    assert texts(found.environment)["TTT_ENABLED"] == "1" and not texts(found.class_patches)
    assert target.seq_len == 2_048 and found.why == "as the folder says it ran, only shorter"


SAYS = """\
import os
def env(name):
    return int(os.environ.get(name, "0"))
by_readme = env("BY_README")
by_script = env("BY_SCRIPT")
by_log = env("BY_LOG")
by_manifest = env("BY_MANIFEST")
by_prose = env("BY_PROSE")
by_message = env("BY_MESSAGE")
if by_message:
    print("adapting every chunk before")
many = "1" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else "0"
by_ranks = os.environ.get("BY_RANKS", many)
"""
LOG, PROSE = "val_bpb: 1.2\nBY_LOG=1\n", "Text says BY_PROSE=1 here.\n"
WITHOUT_COMMANDS = {
    "train_gpt.py": SAYS,
    "train.log": LOG,
    "submission.json": '{"by_manifest": 1}',
    "README.md": PROSE,
}
WITH_COMMANDS = WITHOUT_COMMANDS | {
    "train.log": f"{LOG}adapting every chunk before\n",
    "README.md": f"{PROSE}```\nBY_README=1 python train_gpt.py\n```\n",
    "submission.sh": "BY_SCRIPT=1 python train_gpt.py\n",
}
ALWAYS = {
    "BY_LOG": SettingKind.LOG,
    "BY_MANIFEST": SettingKind.MANIFEST,
    "BY_RANKS": SettingKind.RANKS,
}
COMMANDS = {"BY_README": SettingKind.COMMAND, "BY_SCRIPT": SettingKind.COMMAND}


@pytest.mark.parametrize(
    ("folder", "told", "kept"),
    [
        (
            WITH_COMMANDS,
            {**ALWAYS, **COMMANDS, "BY_MESSAGE": SettingKind.LOG},
            {*COMMANDS, "BY_RANKS"},
        ),
        (WITHOUT_COMMANDS, {**ALWAYS, "BY_PROSE": SettingKind.PROSE}, {"BY_RANKS"}),
    ],
    ids=["with commands", "without"],
)
def test_every_setting_says_who_said_it_and_only_commands_keeps_the_commands(
    tmp_path: Path, folder: dict[str, str], told: dict[str, SettingKind], kept: set[str]
) -> None:
    """README.md and run scripts command, whatever a script is called; logs, messages in them, the
    manifest and prose do not. What the script does on the contest's ranks stays.
    """
    for name, text in folder.items():
        (tmp_path / name).write_text(text)
    switches = read_switches(tmp_path)
    every = first_configuration(switches, STREAM).environment
    few = first_configuration(switches, STREAM, ShrinkTarget(only_commands=True)).environment

    assert {name: setting.kind for name, setting in switches.settings.items()} == told
    assert set(every) == set(told)
    assert set(few) == kept
