"""Static audits of evaluation code. Knows nothing of torch; nothing here imports harness or
reference_model.

Guarantees: a command of ours imports nothing of the folder that it is started in, now or later: it
may be a submission's, with an argparse.py of its own. `-m` and empty entries of PYTHONPATH put that
folder on the path; it is taken off before anything is imported that is not loaded yet. Who imports
us as a library keeps the path as it is, and so does a checkout that is started from its own root.
Does not cover: what Python itself loads from there to find us; `scorefirst`, and `python -P -m`,
look nowhere but in Python's own folders.
"""

import os
import sys


def _starts_a_command() -> bool:
    """Only while Python looks for the module of `-m`, or when `scorefirst` was typed."""
    started = sys.argv[0] if sys.argv else ""
    if started == "-m":
        modules = {word.removeprefix("-m").partition(".")[0] for word in sys.orig_argv}
        return not modules.isdisjoint(("audits", "harness"))
    return os.path.basename(started) == "scorefirst"


def _leave_working_directory() -> None:
    """Neither this process nor one that it starts looks there."""
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # it was removed: nothing can be imported from it
        return
    if here == home:
        return
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in given if os.path.realpath(entry) != here]
    os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    os.environ["PYTHONSAFEPATH"] = "1"


if _starts_a_command():
    _leave_working_directory()
    if not {"audits.scan", "harness.evaluate"}.isdisjoint(sys.orig_argv) or sys.argv[0] != "-m":
        from audits.interruption import end_at_once  # the others have their own ends

        end_at_once()
