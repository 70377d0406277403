"""JUnit XML: a suite per path, a case per rule, so that any CI shows a table.

Guarantees: well-formed whatever a submission holds; a file of code that could not be read, and a
path without any, is an error; where something was not read, not read to its end, or not judged, the
rules that did not fail are skipped, never passed.
Does not cover: times; a scan has none in its report.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from audits.catalogue import RULES
from audits.findings import Role, ScanReport
from audits.output.escape import visible
from audits.output.text import flow_lines
from audits.output.view import Entry, View, shown
from audits.source import Outcome


def as_junit(view: View) -> str:
    root = ElementTree.Element("testsuites", name="scorefirst")
    for report in view.reports:
        root.append(_suite(view, report))
    for message in view.nothing:
        root.append(_empty_suite(message))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(view: View, report: ScanReport) -> ElementTree.Element:
    name = shown(report, report.files[0].path) if report.files else report.root
    suite = ElementTree.Element("testsuite", name=visible(name))
    for file in report.files:
        if file.outcome == Outcome.UNREADABLE:
            case = _case(suite, name, f"reading {file.path}")
            kind = "skipped" if file.role == Role.PAPER else "error"
            ElementTree.SubElement(case, kind, message=visible(file.note))
    entries, skipped = view.of(report), _why_skipped(view, report)
    for rule in view.rules:
        case = _case(suite, name, f"{rule} {RULES[rule].title}")
        _outcome(case, [one for one in entries if one.finding.rule == rule], skipped)
    _count(suite)
    return suite


def _count(suite: ElementTree.Element) -> None:
    for kind in ("failure", "error", "skipped"):
        plural = "skipped" if kind == "skipped" else f"{kind}s"
        suite.set(plural, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite)))


def _empty_suite(message: str) -> ElementTree.Element:
    """A path without anything to scan."""
    suite = ElementTree.Element("testsuite", name=visible(message))
    case = _case(suite, message, "reading it")
    ElementTree.SubElement(case, "error", message="nothing to scan, so nothing was judged")
    _count(suite)
    return suite


def _why_skipped(view: View, report: ScanReport) -> str:
    """Why a rule without a failure did not pass; empty where it did."""
    mine = {id(file) for file in report.files}
    reservations = [one for one in view.reservations if id(one.file) in mine]
    return "; ".join(f"{one.path}: {one.kind}, {one.file.note}" for one in reservations)


def _case(suite: ElementTree.Element, name: str, title: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=visible(name), name=visible(title))


def _outcome(case: ElementTree.Element, entries: Sequence[Entry], skipped: str) -> None:
    failures = [one for one in entries if one.finding.status == "fail" and not one.known]
    rest = [one for one in entries if one not in failures]
    if failures:
        said = ElementTree.SubElement(case, "failure", message=visible(failures[0].finding.message))
        said.text = "\n".join(map(_told, failures))
    elif skipped:
        ElementTree.SubElement(case, "skipped", message=visible(skipped))
    if rest:
        ElementTree.SubElement(case, "system-out").text = "\n".join(map(_told, rest))


def _told(entry: Entry) -> str:
    finding = entry.finding
    known = " (in the baseline)" if entry.known else ""
    lines = [f"{finding.status}{known} {entry.place}: {finding.message}", f"> {finding.excerpt}"]
    return "\n".join(map(visible, [*lines, *flow_lines(entry)]))
