"""What the first screen may say: each sentence was once false, or once misled a reader."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.catalogue import RULES
from harness.checks.status import Finding, Level, Status
from harness.experiments.plan import QUICK
from harness.report.driven import MOST_NUMBERS, driven_lines
from harness.report.markdown import render_markdown
from harness.report.model import Report
from harness.report.summary import summarise
from harness.report.terminal import render_terminal
from harness.score import Score
from harness.verdict.decide import REQUIRED_RULES
from harness.verdict.table import Table, verdict

GOLDEN = Path(__file__).with_name("golden")
SUBMISSION = {"name": "Ada Example", "folder": "records/toy", "kind": "upstream", "commit": None}


def said(rule: str, status: Status, message: str, level: Level = Level.BLACK_BOX) -> Finding:
    """One finding."""
    return Finding(rule, status, level, message)


def shown(*findings: Finding, ran: bool = True, **more: Any) -> dict[str, Any]:
    """The report of these findings alone."""
    rules = verdict(Table(findings))
    fields: dict[str, Any] = {"extra": {"driven": None, "data": None}, **more}
    return Report(SUBMISSION, "strict", None, rules, ran, {"drive": 1.0}, **fields).to_json()


def lines(*findings: Finding, **more: Any) -> list[str]:
    """The first screen of these findings alone."""
    found: list[str] = shown(*findings, **more)["summary"]["lines"]
    return found


@pytest.fixture
def violation() -> dict[str, Any]:
    """A whole report, as a command wrote it."""
    found: dict[str, Any] = json.loads((GOLDEN / "violation.json").read_text(encoding="utf-8"))
    return found


@given(nats=st.floats(1.0, 1e9), tokens=st.integers(1, 10**9), n_bytes=st.integers(0, 10**9))
def test_the_numbers_of_a_score_multiply_out(nats: float, tokens: int, n_bytes: int) -> None:
    """bits per byte x bytes x ln 2 are the nats; without a byte there are no bits per byte."""
    score = Score(nats, tokens, n_bytes)
    if score.bits_per_byte is None:
        assert n_bytes == 0
    else:
        assert score.bits_per_byte * n_bytes * math.log(2) == pytest.approx(nats)


def test_rules_of_one_reason_are_one_line() -> None:
    """Six rows with one sentence say it once; another reason keeps a line of its own."""
    reason = "the printed number could not be rebuilt from captured scores"
    six = ("CAUSAL-3", "ORDER-1", "ORDER-2", "PASS-1", "PASS-2", "PASS-3")
    screen = lines(
        *(said(rule, Status.UNKNOWN, reason) for rule in six),
        said("NORM-1", Status.UNKNOWN, "no row was seen"),
    )
    assert sum(reason in line for line in screen) == 1
    (line,) = (line for line in screen if reason in line)
    assert all(rule in line for rule in six) and "NORM-1" not in line


def test_a_review_says_what_a_person_looks_at() -> None:
    """For each reason, also where a required rule was examined by nobody."""
    screen = lines(said("NORM-1", Status.UNKNOWN, "no row was seen"))
    undecided = [n for n, line in enumerate(screen) if line.startswith("  Undecided")]
    assert screen[0].startswith("REVIEW")
    assert len(undecided) == 2
    assert all(screen[n + 1].startswith("    Look at: ") for n in undecided)
    unexamined = set(REQUIRED_RULES) - {"NORM-1"}
    assert all(rule in screen[undecided[1]] for rule in unexamined)


def test_what_was_read_without_a_finding_was_examined_by_reading() -> None:
    """It is neither among what passed nor among what nothing examined."""
    read = ("NORM-2", "BYTES-2")
    report = shown(said("BYTES-1", Status.PASS, "right"), read=read)
    summary, gaps = report["summary"], report["not_covered"]
    nothing = gaps[-1]
    assert nothing.startswith("rules that nothing examined")
    assert all(rule not in nothing for rule in (*read, "BYTES-1"))
    assert any("only read" in gap and "NORM-2, BYTES-2" in gap for gap in gaps)
    assert (summary["passed"], summary["read_only"]) == (1, 2)
    unexamined = len(RULES) - len({*read, "BYTES-1", *REQUIRED_RULES})
    assert summary["not_examined"] == unexamined  # the required rules are undecided


def test_code_that_was_not_read_is_not_said_to_be() -> None:
    """`--no-static`, or no score recognised: every rule without a run is unexamined."""
    report = shown(said("BYTES-1", Status.PASS, "right"))
    assert not any("only read" in gap for gap in report["not_covered"])
    assert "NORM-2" in report["not_covered"][-1]
    assert report["summary"]["read_only"] == 0


def test_where_nothing_ran_nothing_is_said_to_have_been_examined() -> None:
    """Size and loading of an artifact were not, and the screen is cause, cure and no more."""
    report = shown(ran=False, failure="submission.json: broken", cure="repair it")
    gaps = report["not_covered"]
    assert "none came to its end" in gaps[0] and not any("loading are examined" in g for g in gaps)
    first, cause, cure, *rest = report["summary"]["lines"]
    assert first.startswith("UNRUNNABLE") and "says nothing about compliance" in first
    assert (cause, cure) == ("  Cause: submission.json: broken", "  Cure: repair it")
    assert all(line.lstrip().startswith(("Evidence: ", "Replay: ")) for line in rest)


def test_what_broke_off_behind_a_proof_is_a_violation_that_was_not_finished() -> None:
    """What was established stands, and the screen says that there is no more."""
    found = said("CAUSAL-1", Status.FAIL, "9 of 9 moved")
    screen = lines(found, ran=False, failure="interrupted by SIGINT during drive")
    assert screen[0].startswith("VIOLATION")
    assert screen[1] == "  Not finished: interrupted by SIGINT during drive"
    assert any("9 of 9 moved" in line for line in screen)


def test_seconds_are_those_on_the_wall(violation: dict[str, Any]) -> None:
    """Runs side by side take less than their sum, and an evaluation is more than its runs."""
    violation["seconds"] = {"scan": 3.0, "drive": 40.0}
    for run in violation["driven"]["runs"].values():
        run["wall_s"] = 100.0
    assert summarise(violation).effort == "5 runs, 43 s. "


def test_a_score_on_drawn_tokens_is_not_for_the_leaderboard(violation: dict[str, Any]) -> None:
    """The line says which printed number was judged, and that."""
    judged = summarise(violation).judged
    assert violation["driven"]["headline"] in judged
    assert "not comparable with the leaderboard" in judged


def test_the_title_is_the_folder_and_its_commit() -> None:
    """The author's name is not."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    named = SUBMISSION | {"commit": commit}
    report = Report(named, "strict", None, {}, False, {}, "x", extra={}).to_json()
    assert report["summary"]["subject"] == "records/toy (checkout at 0123456789ab)"
    assert "Ada" not in "".join(report["summary"]["lines"])


def test_a_broken_rule_is_a_sentence_with_its_level_and_lines(violation: dict[str, Any]) -> None:
    """What it does, how sure that is, and where, in the order in which the code runs."""
    first = summarise(violation).broken[0]
    assert (first.rule, first.level) == ("ORDER-2", "black_box")
    assert first.sentence == RULES["ORDER-2"].broken
    places = [int(step.rpartition(":")[2]) for step in first.steps]
    assert [step.split()[0] for step in first.steps] == ["read", "trained", "stepped", "scored"]
    assert places == [170, 176, 178, 156]


def test_what_only_reading_found_is_said_to_be_read() -> None:
    """Beside what a run proved."""
    screen = lines(
        said("DATA-1", Status.FAIL, "line 7", Level.READ),
        said("CAUSAL-1", Status.FAIL, "9 of 9 moved"),
    )
    assert any(RULES["DATA-1"].broken in line and "read in its files" in line for line in screen)
    assert any(RULES["CAUSAL-1"].broken in line and "proved by running" in line for line in screen)
    assert not any("line 7" in line for line in screen if "Running it" in line)


def test_a_warning_is_no_violation() -> None:
    """A failed rule that a profile only warns of is said to be that."""
    screen = lines(said("DATA-8", Status.FAIL, "line 7", Level.READ))
    assert screen[0].startswith("REVIEW")
    assert any(line.startswith(f"  Warned of: {RULES['DATA-8'].broken}") for line in screen)


HOSTILE = "@org/team <script>alert(1)</script> | `x` ](http://a.example) \x1b[2J \u202e #12"


def test_text_of_a_submission_stays_text() -> None:
    """In report.md no markup, mention or table of its own; on the terminal no control character."""
    finding = said("DATA-1", Status.FAIL, HOSTILE, Level.READ)
    report = shown(finding, said("NORM-1", Status.UNKNOWN, HOSTILE))
    page, screen = render_markdown(report), render_terminal(report["summary"]["lines"])
    for raw in ("@org", "<script>", "](http", "\x1b", "\u202e"):
        assert raw not in page
    assert "\x1b" not in screen and "\u202e" not in screen and "@org" in screen


def test_the_replay_command_is_one_line_that_can_be_copied() -> None:
    """On the screen, unwrapped; in report.md as code, whatever it holds."""
    command = "scorefirst evaluate '/home/a`da/my record' " + "--tokenizer /a/b.model " * 8
    report = shown(said("BYTES-1", Status.PASS, "right"), replay=command)
    assert f"Replay: {command}" in render_terminal(report["summary"]["lines"])
    assert command in render_markdown(report)


@pytest.mark.parametrize("level", list(Level))
def test_what_hooks_saw_is_not_the_harness_s_word(level: Level) -> None:
    """Hooks live in the submission's own process."""
    rule = shown(said("ORDER-1", Status.PASS, "fine", level))["rules"]["ORDER-1"]
    assert rule["witness"] == ("worker" if level is Level.INSTRUMENTED else "harness")


def test_an_interruption_is_said_and_what_was_established_stays_on_the_screen() -> None:
    """Never "it could not be run"; without any rule it is cause and no more."""
    stopped = {
        "ran": False,
        "failure": "interrupted by SIGINT during drive",
        "interrupted": "SIGINT",
    }
    screen = lines(said("NORM-1", Status.PASS, "all sum to one"), **stopped)
    assert screen[0].endswith("(interrupted before its end, which says nothing about compliance)")
    assert any("all sum to one (NORM-1)" in line for line in screen)
    (place,) = (n for n, line in enumerate(screen) if "was interrupted before a run" in line)
    assert "ORDER-1" in screen[place] and "run it again" in screen[place + 1]
    assert any(line.startswith("  Rules: 0 failed, 5 undecided, 1 passed") for line in screen)
    assert not any("Undecided" in line for line in lines(**stopped))


def test_what_was_broken_off_is_not_said_never_to_have_begun(violation: dict[str, Any]) -> None:
    """Nor is it said which isolation an unfinished run had."""
    driven = violation["driven"] | {"attempts": [], "runs": {}, "walls": [], "broken_off": ["base"]}
    shown = "\n".join(driven_lines(driven))
    assert "it was started, and base broken off" in shown and "not known" in shown
    assert "never started" in "\n".join(driven_lines(driven | {"broken_off": []}))


def test_of_very_many_printed_numbers_the_first_and_the_last_are_shown(
    violation: dict[str, Any],
) -> None:
    """And how many there are besides."""
    one = violation["driven"]["numbers"][0]
    numbers = [one | {"line": number} for number in range(10_000)]
    shown = driven_lines(violation["driven"] | {"numbers": numbers})
    of_numbers = [line for line in shown if line.startswith("line ") or "printed numbers" in line]
    assert len(of_numbers) == MOST_NUMBERS + 1 and of_numbers[-1].startswith("line 9999,")
    assert of_numbers[MOST_NUMBERS // 2].startswith("9,960 more printed numbers")


def test_a_quick_review_says_what_was_left_out(violation: dict[str, Any]) -> None:
    """The cure of a REVIEW that --quick made one; of no other verdict."""
    driven = violation["driven"] | {"not_run": {"repeat": QUICK}}
    review = violation | {"driven": driven, "verdict": "REVIEW"}
    assert "  Cure: run it without --quick for the rest" in summarise(review).lines()
    assert summarise(violation | {"driven": driven}).cure == ""
