"""Says what ended a run, and which line of the submission it was.

A frame is theirs unless its file belongs to Python, an installed package, this harness or the
reference model; text that the script unpacked and executed ("<string>") is theirs too. Does not
cover errors whose traceback the script itself threw away.
"""

import os
import re
import sys
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

CAUSE_CHARACTERS = 500  # some scripts raise a whole table

_CHECKOUT = Path(__file__).resolve().parents[2]
OUR_PACKAGES = (_CHECKOUT / "harness", _CHECKOUT / "reference_model")  # there beside every script


def is_library(folder: Path) -> bool:
    """Whether packages were installed into it."""
    return next(folder.glob("*.dist-info"), None) is not None


_FOREIGN_FOLDERS = {
    *(sys.prefix, sys.base_prefix, *map(str, OUR_PACKAGES)),
    *(entry for entry in sys.path if os.path.isabs(entry) and is_library(Path(entry))),
    *(path for key, path in sysconfig.get_paths().items() if "lib" in key),
}
_FOREIGN = ("<frozen", *(folder.rstrip(os.sep) + os.sep for folder in _FOREIGN_FOLDERS))
_DUMPED_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


def is_theirs(file: str) -> bool:
    """Whether code of this file name belongs to the submission."""
    return not file.startswith(_FOREIGN)


def cause_of(error: BaseException) -> str:
    """The exception's type and message, on one line."""
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()
    line = text[-1] if isinstance(error, SyntaxError) else " ".join(text)
    return line[:CAUSE_CHARACTERS]


def where_of(error: BaseException, stage: Path) -> str:
    """The innermost line of the submission's own files, "train_gpt.py:123"; empty without one."""
    if isinstance(error, SyntaxError) and error.filename and is_theirs(error.filename):
        return _place(error.filename, error.lineno or 0, stage)
    return _innermost(error.__traceback__, stage)


def where_of_dump(text: str, stage: Path) -> str:
    """The same of a dump by `faulthandler` (innermost first); of the main thread, dumped last.

    Of another thread, where the main one is not in a file of theirs: it waits for it at its end.
    """
    for thread in reversed(text.split("most recent call first")):
        for frame in _DUMPED_FRAME.finditer(thread):
            if is_theirs(frame["file"]):
                return _place(frame["file"], int(frame["line"]), stage)
    return ""


def _innermost(trace: TracebackType | None, stage: Path) -> str:
    place = ""
    for frame, line in traceback.walk_tb(trace):
        if is_theirs(frame.f_code.co_filename):
            place = _place(frame.f_code.co_filename, line, stage)
    return place


def _place(file: str, line: int, stage: Path) -> str:
    path = Path(file)
    inside = path.relative_to(stage) if path.is_relative_to(stage) else path
    return f"{inside}:{line}"
