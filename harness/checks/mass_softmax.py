"""NORM-1 by construction: a softmax over the whole alphabet weighs one.

The hooks say that every score is such a cross-entropy; a source that was not beaten agrees. Where
scores are something else, the sums over the alphabet decide, if they were taken.

Guarantees: no pass where the source was beaten: either the hooks missed something or the script
knew its targets, and which of the two is told by other checks. Does not fail a rule.
"""

from harness.checks.status import Finding, Level, Status

RULE = "NORM-1"


def check_softmax(
    width: int,  # entries of the softmax behind every score; 0: scores are something else
    refuted: bool,  # the source was beaten
    sums: Finding,  # over the alphabet, from outside
    rows: bool = False,  # seen where the script read an entry of a row
) -> Finding:
    """Pass or unknown, instrumented."""
    if not width:
        text = f"the scores are not plain softmax outputs; {sums.message}"
        passed = sums.status is Status.PASS and not refuted
        return _seen(passed, text, sums)
    text = f"every score is the cross-entropy of a softmax over {width:,} entries"
    if rows:
        text = f"every score is the logarithm of an entry of a row of {width:,} that adds up to one"
    if refuted:
        text += "; yet some tokens were scored impossibly well, so this alone passes nothing"
        return _seen(False, text, sums)
    return _seen(True, f"{text}, and none of them is impossibly good")


def _seen(passed: bool, text: str, sums: Finding | None = None) -> Finding:
    status = Status.PASS if passed else Status.UNKNOWN
    evidence = sums.evidence if sums else ()
    return Finding(RULE, status, Level.INSTRUMENTED, text, evidence, powered=passed)
