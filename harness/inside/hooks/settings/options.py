"""What the script's command line may say: the options of every parser that parses.

Covers `argparse` and what is built on it. Does not cover: parsers that read `sys.argv` themselves.
"""

import argparse
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
            recorder.guarded("options", self._note, parser)
            return parse(parser, *args, **kwargs)

        argparse.ArgumentParser.parse_known_args = parse_known_args  # type: ignore[assignment]

    def close(self) -> None:
        """Takes everything back."""
        argparse.ArgumentParser.parse_known_args = self._parse  # type: ignore[method-assign]

    def _note(self, parser: argparse.ArgumentParser) -> None:
        for action in parser._actions:
            long = [name for name in action.option_strings if name.startswith("--")]
            if long and action.dest != "help":
                default = None if action.nargs == 0 else action.default  # a switch takes no word
                self._names.note(long[0], Way.OPTION, default)
