"""What pytest shows of a broken law, and of one that could not be tested."""

from audits.tool import NAME


class NotShown(AssertionError):
    """Neither broken nor kept: the call as it is lets nothing be seen."""


def broken(rule: str, sentence: str, example: str, cure: str) -> AssertionError:
    """A counterexample: the law, the position with its numbers, and what mends it."""
    text = f"{sentence}\n  {example}\n  cure: {cure}\n  the rule, with cases: {NAME} rules {rule}"
    return AssertionError(f"{rule}: {text}")


def not_shown(rule: str, why: str, cure: str) -> NotShown:
    """What would let it be seen."""
    return NotShown(f"{rule} was not tested: {why}\n  cure: {cure}")
