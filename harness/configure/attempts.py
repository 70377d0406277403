"""Which configuration comes next, when a script did not run with the last one.

Guarantees: at most `MAX_ATTEMPTS`, chosen by the script's own complaint; none is tried twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from audits.switches import Switches
from harness.configure.complaints import Complaint, RequiredOptions, answers_to, is_final
from harness.configure.configuration import Configuration, configured, first_configuration
from harness.configure.shrinking.target import StreamShape
from harness.protocol.job import Outcome

MAX_ATTEMPTS = 4
COMPLAINT_CHARACTERS = 800  # at the end of a log, in which a complaint is looked for


def next_configuration(
    switches: Switches,
    stream: StreamShape,
    tried: Sequence[Configuration],
    outcome: Outcome,  # of the last one
    log: str,
) -> Configuration | None:
    """Another one, by what the script complained of; None when there is none."""
    if not tried:
        return first_configuration(switches, stream)
    if len(tried) >= MAX_ATTEMPTS or is_final(outcome.cause):
        return None
    last = tried[-1]
    complaint = Complaint(outcome.state, f"{outcome.cause}\n{log[-COMPLAINT_CHARACTERS:]}")
    if required := RequiredOptions.of(complaint.text):
        words = required.words(stream)
        return replace(last, arguments=words, why="options that it requires") if words else None
    return _by_complaint(switches, stream, tried, complaint)


def _by_complaint(
    switches: Switches, stream: StreamShape, tried: Sequence[Configuration], complaint: Complaint
) -> Configuration | None:
    """The best answer that tells the script something new."""
    last = tried[-1]
    targets = {one.target for one in tried}
    keys = [one.settings_key() for one in tried]
    for answer in answers_to(complaint, last):
        grows = answer.stream_factor > 1 and last.stream_factor == 1
        if answer.target in targets and not grows:
            continue
        grown = replace(stream, tokens=stream.tokens * answer.stream_factor)
        found = configured(switches, grown, answer.target)
        found = replace(found, why=answer.why, stream_factor=answer.stream_factor)
        if found.settings_key() not in keys:
            return found
    return None
