"""What the script reads in configuration files: each number that has a name (`parsed_files`)."""

from collections.abc import MutableMapping
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.settings.asked_names import AskedNames
from harness.inside.parsed_files import MOST_ENTRIES, Parsers, numbers_of
from harness.protocol.asked import Way


class Entries:
    """Hears parsers while installed."""

    def __init__(self, recorder: Recorder, names: AskedNames, stage: Path) -> None:
        self._recorder, self._names = recorder, names
        self._parsers = Parsers(self._heard, self._is_theirs, stage)

    def close(self) -> None:
        """Takes everything back."""
        self._parsers.close()

    def _is_theirs(self, frame: FrameType) -> bool:
        return self._recorder.sites.is_theirs(frame.f_code)

    def _heard(self, parsed: MutableMapping[str, Any]) -> None:
        self._recorder.guarded("entries", self._note, parsed)

    def _note(self, parsed: MutableMapping[str, Any]) -> None:
        found = list(islice(numbers_of(parsed), MOST_ENTRIES + 1))
        if len(found) <= MOST_ENTRIES:
            for path, holder, key in found:
                self._names.note(path, Way.ENTRY, holder[key])
