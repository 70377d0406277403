"""The gallery's own laws: what it calls caught, what it calls open, and what it remembers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audits.rules.order_2 import INVALID
from harness.checks.status import Level
from harness.commands.gallery import main
from harness.errors import UsageError
from harness.gallery.exhibit import Exhibit, exhibits, read_exhibit
from harness.gallery.kept import Kept, key_of
from harness.gallery.outcome import Seen, State, compare
from harness.verdict.decide import Verdict

ROOT = Path(__file__).resolve().parents[3] / "submissions"


def folder(root: Path, room: str, name: str, **expect: object) -> Path:
    made = root / room / name
    made.mkdir(parents=True)
    (made / "train_gpt.py").write_text(INVALID[0])
    manifest = {"name": name, "blurb": "an idea", "expect": expect}
    (made / "submission.json").write_text(json.dumps(manifest))
    return made


def test_every_manifest_of_ours_names_its_idea_verdict_rule_and_level() -> None:
    """A folder that says less than its verdict needs is refused when it is read."""
    found = exhibits(ROOT)

    assert {one.room for one in found} == {"exploits", "legal"}
    assert all(one.idea for one in found)
    assert len({(one.room, one.name) for one in found}) == len(found)
    assert any(one.short for one in found)


@pytest.mark.parametrize(
    ("room", "expect"),
    [
        ("exploits", {"verdict": "VIOLATION", "rules": ["ORDER-1"]}),  # at which level?
        ("exploits", {"verdict": "VIOLATION", "level": "read"}),  # which rule?
        ("exploits", {"verdict": "VIOLATION", "level": "read", "rules": ["ORDER-99"]}),
        ("exploits", {"verdict": "UNRUNNABLE"}),  # anything is unrunnable somehow
        ("exploits", {"verdict": "CLEAN"}),
        ("legal", {"verdict": "REVIEW", "says": "x"}),
        ("legal", {"verdict": "CLEAN", "rule": "ORDER-1"}),  # nothing reads that
    ],
)
def test_a_manifest_that_says_too_little_is_an_error(
    room: str, expect: dict, tmp_path: Path
) -> None:
    """Nothing passes by saying nothing."""
    with pytest.raises(UsageError, match=r"submission\.json"):
        read_exhibit(folder(tmp_path, room, "one", **expect), room)


ATTACK = Exhibit(
    Path("x"), "exploits", "idea", Verdict.VIOLATION, ("ORDER-1", "PASS-1"), Level.BLACK_BOX,
    says="", options=(), short=False, today=None, cause="",
)  # fmt: skip
HONEST = replace(ATTACK, room="legal", verdict=Verdict.CLEAN, rules=(), level=None)


@pytest.mark.parametrize(
    ("verdict", "failed", "state"),
    [
        (Verdict.VIOLATION, {"PASS-1": Level.BLACK_BOX}, State.CAUGHT),
        (Verdict.VIOLATION, {"PASS-1": Level.REFEREE}, State.CAUGHT),
        (Verdict.VIOLATION, {"PASS-1": Level.READ}, State.WRONG),  # weaker than it must be
        (Verdict.VIOLATION, {"SOURCE-1": Level.REFEREE}, State.WRONG),  # another rule's name
        (Verdict.REVIEW, {"PASS-1": Level.BLACK_BOX}, State.WRONG),
        (Verdict.CLEAN, {}, State.WRONG),
    ],
)
def test_an_attack_is_caught_by_its_own_rule_at_its_own_level(
    verdict: Verdict, failed: dict, state: State
) -> None:
    """A verdict alone catches nothing."""
    assert compare(ATTACK, Seen(verdict, failed, "", 1.0)).state is state


def test_what_is_open_is_never_caught_and_must_get_todays_verdict() -> None:
    """Another verdict than the named one is wrong, so that a gallery cannot drift."""
    known = replace(ATTACK, today=Verdict.REVIEW, cause="no power")

    assert compare(known, Seen(Verdict.REVIEW, {}, "", 1.0)).state is State.OPEN
    assert compare(known, Seen(Verdict.CLEAN, {}, "", 1.0)).state is State.WRONG
    mended = compare(known, Seen(Verdict.VIOLATION, {"ORDER-1": Level.BLACK_BOX}, "", 1.0))
    assert (mended.state, "remove" in mended.note) == (State.CAUGHT, True)


def test_the_legal_must_be_clean_and_a_refusal_must_say_why() -> None:
    """CLEAN and nothing else; UNRUNNABLE for the reason that the manifest names."""
    refused = replace(ATTACK, verdict=Verdict.UNRUNNABLE, rules=(), level=None, says="hold NaN")

    assert compare(HONEST, Seen(Verdict.CLEAN, {}, "", 1.0)).state is State.CLEAN
    assert compare(HONEST, Seen(Verdict.REVIEW, {}, "", 1.0)).state is State.WRONG
    told = Seen(Verdict.UNRUNNABLE, {}, "rows for positions 1-64 hold NaN", 1.0)
    assert compare(refused, told).state is State.CAUGHT
    assert compare(refused, replace(told, said="no such module")).state is State.WRONG


def test_a_result_is_kept_until_its_folder_changes(tmp_path: Path) -> None:
    """And a line that was cut off costs no other."""
    made = folder(tmp_path, "legal", "one", verdict="CLEAN")
    exhibit, seen = read_exhibit(made, "legal"), Seen(Verdict.CLEAN, {"A-1": Level.READ}, "w", 2.0)
    key = key_of(exhibit, 7)
    Kept(tmp_path / "results").add(key, seen)
    with (tmp_path / "results").open("a") as file:
        file.write('{"key": {"ro')

    assert Kept(tmp_path / "results").get(key) == seen
    assert Kept(tmp_path / "results").get(key_of(exhibit, 8)) is None
    (made / "train_gpt.py").write_text("pass\n")
    assert Kept(tmp_path / "results").get(key_of(exhibit, 7)) is None


def test_the_command_shows_a_row_and_ends_with_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 where all is as it must be, 1 where something came otherwise, 2 where nothing is."""
    read = {"verdict": "VIOLATION", "level": "read"}
    folder(tmp_path, "exploits", "caught", rules=["ORDER-2"], **read)
    folder(tmp_path, "exploits", "escapes", rules=["BYTES-2"], **read)
    words = ["--root", str(tmp_path), "--out", str(tmp_path / "out")]

    assert main(words) == 1
    shown = capsys.readouterr().out
    assert "caught  ORDER-2   read" in shown
    assert "exploits: 2 shown, 1 caught, 1 WRONG (by 1 read)" in shown
    assert main([*words, "--only", "caught"]) == 0  # known by now
    assert main([*words, "--only", "nothing"]) == 2
