"""What the script's command line may say: the options of every parser that parses.

Covers `argparse` and what is built on it. An option without a default has the value that a file of
options or a list in the code gave it (`@flags.txt`). Does not cover: parsers that read `sys.argv`
themselves.
"""

import argparse
import sys
from typing import Any

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.settings.asked_names import AskedNames
from harness.protocol.asked import Way


class Options:
    """Hears parsers while installed."""

    def __init__(self, recorder: Recorder, names: AskedNames) -> None:
        self._recorder, self._names = recorder, names
        parse = self._parse = argparse.ArgumentParser.parse_known_args

        def parse_known_args(parser: Any, *args: Any, **kwargs: Any) -> Any:
            found = None
            try:
                found = parse(parser, *args, **kwargs)
            finally:  # a parser that wants more ends the script
                recorder.guarded("options", self._note, parser, vars(found[0]) if found else {})
            return found

        argparse.ArgumentParser.parse_known_args = parse_known_args  # type: ignore[assignment]

    def close(self) -> None:
        """Takes everything back."""
        argparse.ArgumentParser.parse_known_args = self._parse  # type: ignore[method-assign]

    def _note(self, parser: argparse.ArgumentParser, values: dict[str, Any]) -> None:
        for action in parser._actions:
            long = [name for name in action.option_strings if name.startswith("--")]
            if long and action.dest != "help":
                default = action.default
                if default is None and not _is_told(long):
                    default = values.get(action.dest)
                is_switch = action.nargs == 0  # it takes no word
                self._names.note(long[0], Way.OPTION, None if is_switch else default)


def _is_told(names: list[str]) -> bool:
    """On the command line, so that its value is ours."""
    return any(word.partition("=")[0] in names for word in sys.argv[1:])
