"""Which configuration comes next, when a script did not run with the last one, or not with all of
its work, or asked for settings that nobody had told it.

Guarantees: at most `MAX_ATTEMPTS`, chosen by what the last run lacked and what its script
complained of, apart from `MAX_LEARNT` whose run only told more names; none is tried twice, and none
behind one that did all its work where telling it more ended it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from audits.switches import Switches
from harness.configure.attempted import Attempted, Lack
from harness.configure.complaints import (
    Answer,
    Complaint,
    RequiredOptions,
    answers_to,
    is_final,
)
from harness.configure.configuration import (
    CLOCK_S,
    Configuration,
    by_counted_clock,
    configured,
    first_configuration,
)
from harness.configure.shrinking.target import StreamShape
from harness.protocol.job import RunState

MAX_ATTEMPTS = 4
MAX_LEARNT = 3
COMPLAINT_CHARACTERS = 800  # at the end of a log, in which a complaint is looked for
NAMES_SHOWN = 4
NOTHING_NEW = "the same, to its end: nothing that it asked for has a size that could be told"
_LOOKS_AT_CLOCK = re.compile(
    r"\b(time|perf_counter|monotonic)\(\)[^\n]*[<>]|\b(elapsed|spent|seconds|t0|began)\w*\s*[<>]"
)


def next_configuration(
    switches: Switches,  # with all that the runs asked for
    stream: StreamShape,
    tried: Sequence[Attempted],
) -> Configuration | None:
    """Another one; None when there is none."""
    if not tried:
        return first_configuration(switches, stream)
    last = tried[-1]
    if not last.printed and any(one.is_complete for one in tried):
        return None  # what it was told since only stopped it
    learnt = [one for one in tried if one.configuration.learnt]
    if len(learnt) < MAX_LEARNT:
        if told := _told_more(switches, stream, last.configuration):
            return told
        if last.cut_short:
            return replace(last.configuration, why=NOTHING_NEW, learnt=True)
    others = len(tried) - len(learnt)
    if last.is_complete or others >= MAX_ATTEMPTS or is_final(last.outcome.cause):
        return None
    complaint = Complaint(
        last.outcome.state, f"{last.outcome.cause}\n{last.log_tail[-COMPLAINT_CHARACTERS:]}"
    )
    if required := RequiredOptions.of(complaint.text):
        words = required.words(stream)
        why = "options that it requires"
        return replace(last.configuration, arguments=words, why=why) if words else None
    idle = last.printed and last.outcome.state is RunState.ENDED
    answers = _to_lacks(last) if idle else answers_to(complaint, last.configuration)
    if complaint.state is RunState.TIMED_OUT and _LOOKS_AT_CLOCK.search(switches.text):
        answers = chain(_to_clock(last.configuration), answers)
    elif last.configuration.target.counted_clock and last.outcome.state is RunState.FAILED:
        answers = chain(_without_counting(last.configuration), answers)
    return _first_new(switches, stream, [one.configuration for one in tried], answers)


def _to_clock(last: Configuration) -> Iterator[Answer]:
    """A loop that nothing but the clock ends."""
    why = "a clock that goes on by a second whenever the script looks at it"
    yield Answer(by_counted_clock(last.target), why)


def _without_counting(last: Configuration) -> Iterator[Answer]:
    """Something may have waited for another thread by such a clock."""
    yield Answer(replace(last.target, counted_clock=False), "the machine's own clock")


def _told_more(
    switches: Switches, stream: StreamShape, last: Configuration
) -> Configuration | None:
    """The same for a script that asked for more than reading had found."""
    grown = replace(stream, tokens=stream.tokens * last.stream_factor)
    found = configured(switches, grown, last.target)
    kept = {**last.code_constants, **found.code_constants}  # what is not asked for is as before
    found = replace(found, code_constants=kept)
    new = [name for name in found.settings if name not in last.settings]
    if not new and found.arguments == last.arguments:
        return None
    options = [one for one in found.arguments[::2] if one not in last.arguments]
    why = f"settings that it asked for while it ran: {_listed([*new, *options])}"
    return replace(found, why=why, stream_factor=last.stream_factor, learnt=True)


def _to_lacks(last: Attempted) -> Iterator[Answer]:
    """What may bring about the work that was not done."""
    target = last.configuration.target
    if Lack.NO_STEP in last.lacks:
        clock = 0 if target.wallclock_s else CLOCK_S
        yield Answer(replace(target, wallclock_s=clock), "a clock that does not stop the training")
        yield Answer(replace(target, wallclock_s=clock, iterations=30), "30 training steps")
    if Lack.IDLE in last.lacks:
        many = replace(target, batch_seqs=1)
        yield Answer(many, "one sequence a batch, so that a batch follows another one")
        yield Answer(many, "twice the stream, one sequence a batch", stream_factor=2)


def _first_new(
    switches: Switches,
    stream: StreamShape,
    tried: Sequence[Configuration],
    answers: Iterator[Answer],
) -> Configuration | None:
    """The best answer that tells the script something new."""
    last = tried[-1]
    targets = {one.target for one in tried if not one.learnt}
    keys = [one.settings_key() for one in tried]
    for answer in (_of_own_sizes(one) if last.target.native else one for one in answers):
        grows = answer.stream_factor > 1 and last.stream_factor == 1
        if answer.target in targets and not grows:
            continue
        grown = replace(stream, tokens=stream.tokens * answer.stream_factor)
        found = configured(switches, grown, answer.target)
        found = replace(found, why=answer.why, stream_factor=answer.stream_factor)
        if found.settings_key() not in keys:
            return found
    return None


def _of_own_sizes(answer: Answer) -> Answer:
    """What a native run is for stays: only how long it runs may change."""
    target = replace(answer.target, own_sizes=False, by_value=False, layers=0)
    return replace(answer, target=target)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
