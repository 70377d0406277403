"""What a script does to a file that nobody may change is seen, with its line."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.inside.hooks.conduct.frozen import Frozen
from harness.protocol.schema import EventKind

JUDGE = """
import functools, math
TOKENS = 40
RATE = 1.0
CHANGES = 1

def score(model):
    return TOKENS

class Tokens:
    @classmethod
    def opened(cls):
        return cls()

    @property
    def size(self):
        return 4

    @functools.cached_property
    def kinds(self):
        return 2

    def encode(self, text):
        return text

@functools.lru_cache
def kept(model):
    global CHANGES
    CHANGES += 1
    return model
"""


class Noted:
    """What the recorder is told."""

    def __init__(self, stage: Path) -> None:
        self.said: dict[str, str] = {}
        own = str(stage)
        self.sites = SimpleNamespace(
            is_theirs=lambda code: code.co_filename.startswith(own),
            name_of=lambda file: Path(file).name,
        )

    def guarded(self, _: str, look: Any, *arguments: Any) -> None:
        """As the recorder runs what may break."""
        look(*arguments)

    def event(self, kind: EventKind, text: str, site: Any = None) -> None:
        """One event."""
        assert kind is EventKind.FROZEN
        self.said[text] = "" if site is None else site.line


def seen(stage: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is noted of a script that imports the judge."""
    judge, train = stage / "judge.py", stage / "train.py"
    judge.write_text(JUDGE, encoding="utf-8")
    recorder: Any = Noted(stage)
    parsed = lambda path: ast.parse(path.read_text())  # noqa: E731
    frozen = Frozen(recorder, [judge], stage, parsed, "score")
    monkeypatch.syspath_prepend(str(stage))
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())  # type: ignore[arg-type]
    main = vars(sys.modules["__main__"])
    exec(compile(f"import judge\n{script}", str(train), "exec"), main)
    try:
        frozen.close()
    finally:
        sys.modules.pop("judge", None)
    return dict(recorder.said)


@pytest.mark.parametrize(
    ("script", "what", "place"),
    [
        ("judge.TOKENS = 4", "judge.TOKENS", ""),
        ("def mine(model):\n    return 0\njudge.score = mine", "judge.score", "train.py:2"),
        ("judge.kept = lambda model: 0", "judge.kept", "train.py:2"),
        (
            "def score(model):\n    return 0",
            "score of judge.py, by one of the same name",
            "train.py:2",
        ),
        ("class Math:\n    log = 2.0\njudge.math = Math", "judge.math", ""),
        ("judge.Tokens.encode = lambda self, text: ''", "judge.Tokens.encode", "train.py:2"),
        (
            "judge.Tokens.size = property(lambda self: 5)",
            "judge.Tokens.size",
            "train.py:2",
        ),
        ("import os\nos.truncate(judge.__file__, 0)", "judge.py, the file itself", ""),
    ],
)
def test_what_is_replaced_is_named(
    script: str, what: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions, numbers, the file, and a name of the script's own in the function's stead."""
    assert seen(tmp_path, script, monkeypatch) == {what: place}


@pytest.mark.parametrize(
    "script",
    [
        "",
        "from judge import score, TOKENS\nscore(None)",
        "judge.kept(1)\njudge.kept(2)",
        "judge.mine = 1",
        "class Mine(judge.Tokens):\n    def encode(self, text):\n        return ''",
        "judge.Tokens.opened().encode('')\njudge.Tokens.more = 1",
        "TOKENS = 4",
        "def kept(model):\n    return model",
    ],
)
def test_what_uses_the_file_is_nothing(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls, names beside the file's own, what the file changes by itself, and functions that
    share a name with one that does not score: a loader for the training.
    """
    assert seen(tmp_path, script, monkeypatch) == {}


def test_data_that_are_written_over_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of bytes, the tokenizer and the validation shard are the contest's, too."""
    table = tmp_path / "bytes.pt"
    table.write_bytes(b"1")
    recorder: Any = Noted(tmp_path)
    frozen = Frozen(recorder, [table], tmp_path, lambda path: ast.parse(path.read_text()))
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())  # type: ignore[arg-type]
    frozen.close()
    assert recorder.said == {}
    table.write_bytes(b"2")
    frozen.close()

    assert recorder.said == {"bytes.pt, the file itself": ""}
