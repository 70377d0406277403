"""Plain numbers that the script's own lines keep, each with the token that was read for it.

A line keeps numbers that it assigns, adds to a total, appends or returns; several lines that add to
one total are one. Whether they are scores is decided where they are read, by value: do they come to
the number that was printed? A line that keeps many numbers for one token fills a row of the
alphabet, and is left out.
"""

from harness.inside.hooks.recording.position_maps import Positions
from harness.inside.hooks.recording.reading_clock import ReadingClock
from harness.inside.hooks.recording.sites import Site

MOST_A_TOKEN = 160  # numbers of one line for one token: 20 bytes of 8 digits
# Different tokens for which a line may keep more. Training tokens are read unseen, so that their
# numbers go to the last token that was: the end of a passage that the stream has by chance, often.
MOST_FILLED = 16
RUN = 64  # numbers until a run is written down
LOOKED_BACK = 64  # reads before a line's first number
CONTEXT = 8  # places before a token that may be read again for its next number
LONG = 64  # places; no context that is read place by place reaches so far back


class LineOfValues:
    """One place of the code, or one account, and the run of numbers that it is keeping."""

    __slots__ = (
        *("_at", "_clock", "_forgotten", "_of_place", "filled", "highest", "name", "site"),
        *("positions", "values", "width"),
    )

    def __init__(self, site: Site, name: str, clock: ReadingClock) -> None:
        self.site, self.name, self._clock = site, name, clock
        self._at, self._forgotten = -1, 0  # reads that were seen
        self._of_place = 0
        self.filled: set[int] = set()
        self.highest = -1
        self.positions: list[int] = []
        self.values: list[float] = []
        self.width = 0

    @property
    def key(self) -> str:
        """What a question calls it by (`mass_requery`)."""
        return f"{self.site.line}#{self.name}"

    def place(self) -> int:
        """Of the number that is kept now; -1: none that counts."""
        read = self._clock.read
        self._clock.kept_at = len(read)
        if self._forgotten != self._clock.forgotten:
            self._at, self._forgotten = 0, self._clock.forgotten
        if self._at < 0:
            self._at = max(0, len(read) - LOOKED_BACK)
        if self._at < len(read):
            since = read[max(self._at, self._clock.begun_at) :] or read[-1:]
            self._at = len(read)
            highest = max(since)
            if since[-1] <= 1 and highest > LONG:  # the stream is gone through anew
                highest = max(place for place in since[-2:] if place <= 1)
            if not 0 < self.highest - highest <= CONTEXT:
                if highest != self.highest:
                    self._of_place = 0
                self.highest = highest
        self._of_place += 1
        if self._of_place > MOST_A_TOKEN:
            if self._of_place == MOST_A_TOKEN + 1:
                self.filled.add(self.highest)
            return -1
        return self.highest

    @property
    def is_first(self) -> bool:
        """The number that it keeps now is its first for the place."""
        return self._of_place == 1

    def breaks(self, place: int) -> bool:
        """The run does not go on with this place."""
        if not self.positions:
            return False
        last = self.positions[-1]
        return (place != last and place != last + 1) or (
            place != last and len(self.positions) >= RUN
        )

    def takes_block(self, places: Positions) -> bool:
        """Whether an array for these places counts: not the same again and again."""
        first = int(places.reshape(-1)[0])
        if first != self.highest:
            self._of_place, self.highest = 0, first
        self._of_place += 1
        return self._of_place <= MOST_A_TOKEN

    @property
    def is_dead(self) -> bool:
        """It fills rows."""
        return len(self.filled) > MOST_FILLED
