"""What must not change a verdict: names, layout, where a loop's body stands, packing. And no bytes
whatever make the scanner raise.
"""

from __future__ import annotations

import ast
import contextlib
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformations import packed, packed_twice, reformatted, renamed, with_helpers

from audits.folder import NothingToScan, UsageError
from audits.judge import scan_path
from audits.rules import CHECKS

CASES = [
    pytest.param(text, id=f"{rule}-{kind}-{number}")
    for rule, check in CHECKS.items()
    for kind, texts in (("VALID", check.valid), ("INVALID", check.invalid))
    for number, text in enumerate(texts, 1)
]
TEXTS = [str(case.values[0]) for case in CASES]


@cache
def verdict(text: str) -> frozenset[tuple[str, str]]:
    """The rules that fail."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_text(text, encoding="utf-8")
        report = scan_path(path)
    return frozenset(
        (one.rule, one.status)
        for file in report.files
        for one in file.findings
        if one.status == "fail"
    )


def reworded(text: str) -> str:
    """Other names in another layout."""
    return reformatted(renamed(text))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rewrite", [reworded, packed_twice])
def test_the_verdict_survives(case: str, rewrite: Callable[[str], str]) -> None:
    """Findings follow the flow of data, wherever and under whatever name it flows."""
    assert verdict(rewrite(case)) == verdict(case)


def leaks(text: str) -> frozenset[tuple[str, str]]:
    """A target among the logits is CAUSAL-8, too, but by its time alone: not yet read in functions
    that get it through their parameters.
    """
    found = verdict(text)
    return found - {("CAUSAL-8", "fail")} if ("CAUSAL-2", "fail") in found else found


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_survives_a_helper_function(case: str) -> None:
    """A loop's body may stand in a function that the loop calls."""
    for variant in with_helpers(case):
        assert leaks(variant) == leaks(case), variant


def test_the_rewritings_rewrite() -> None:
    """Nearly every case has a loop to move and names to lose, and stays a program."""
    assert sum(any(with_helpers(text)) for text in TEXTS) > 0.8 * len(TEXTS)
    assert all("val_tokens" not in renamed(text) for text in TEXTS)
    for text in TEXTS:
        for variant in (renamed(text), *with_helpers(text)):
            ast.parse(variant)
            compile(variant, "variant", "exec")


PROGRAM = """
import math as m
seen, total = [], 0
def note(x, *, scale=1):
    global total
    total += x * scale
class Box:
    size = 3
    def grow(self, by):
        last = None
        for step in range(by):
            last = (step, last)
            for half in range(2):
                self.size += half
        return last
box, before = Box(), None
for start in range(4):
    if before is not None:
        note(before, scale=2)
    for width in (1, 2):
        piece = [start, width]
        seen.append(tuple(piece))
        total += len(seen)
    before = start
print(total, seen, before, piece, box.grow(3), box.size, m.floor(2.5))
"""


def test_the_rewritings_mean_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Run, each of them prints what the program prints."""
    exec(PROGRAM, {})
    expected = capsys.readouterr().out
    variants = list(with_helpers(PROGRAM))
    assert len(variants) == 8
    for rewrite in (reformatted, renamed, packed, packed_twice):
        variants += [rewrite(one) for one in (PROGRAM, variants[1])]
    for variant in variants:
        exec(variant, {})
        assert capsys.readouterr().out == expected, variant


def scan_bytes(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        with contextlib.suppress(UsageError, NothingToScan):
            scan_path(Path(folder))


WORDS = st.sampled_from(
    [*"()[]{}:,.=+-*/%@\\\"'#\n\t ", "def ", "class ", "for ", "in ", "if ", "import ", "exec",
     "lambda ", "x", "self", "val_tokens", "loss.backward()", "f'{", "0", "\n    ", "\r\n", "\x00",
     "\ufeff", "é", "await ", "yield ", "global ", "match ", "case ", "del ", "*a", "**k", ":="]
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=400) | st.lists(WORDS, max_size=60).map(lambda w: "".join(w).encode()))
def test_arbitrary_bytes_never_raise(content: bytes) -> None:
    """As the script, as what it says it ran, as its manifest and its log."""
    scan_bytes({"train_gpt.py": content, "README.md": content})
    scan_bytes({
        "train_gpt.py": TEXTS[0].encode(),
        "README.md": b"```bash\n" + content + b"\n```",
        "run.sh": content,
        "submission.json": content,
        "train.log": content,
    })  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(TEXTS), st.data())
def test_damaged_scripts_never_raise(text: str, data: st.DataObject) -> None:
    """Lines lost, doubled and swapped, bytes changed: real code that means nothing any more."""
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        one, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        what = data.draw(st.sampled_from(["drop", "double", "swap", "word"]))
        if what == "drop" and len(lines) > 1:
            del lines[one]
        elif what == "double":
            lines.insert(one, lines[one])
        elif what == "swap":
            lines[one], lines[other] = lines[other], lines[one]
        else:
            lines[one] += data.draw(WORDS)
    scan_bytes({"train_gpt.py": "\n".join(lines).encode()})
    scan_bytes({"train_gpt.py": packed("\n".join(lines)).encode()})
