"""The compliance-auditing evaluation harness.

    from harness import evaluate, scan, HarnessError, SubmissionError, UsageError

This package is imported beside untrusted code too, and before `python -m` has left the working
directory: it imports nothing else, and loads what it offers when it is asked for.
`harness.evaluate` is that function; the module of the same name is for `python -m` alone.
"""

import sys

if any(word.endswith(("harness.evaluate", "bin/scorefirst")) for word in sys.orig_argv[1:3]):
    import audits  # noqa: F401 - before all else: there a command leaves its working directory

TYPE_CHECKING = False  # that of `typing`, which could be a file of the working directory
if TYPE_CHECKING:
    from harness.errors import HarnessError as HarnessError
    from harness.errors import SubmissionError as SubmissionError
    from harness.errors import UsageError as UsageError
    from harness.library import evaluate as evaluate
    from harness.reading import scan as scan
else:

    def __getattr__(name: str) -> object:
        """The public face, on first use."""
        if name == "evaluate":
            from harness.library import evaluate as found
        elif name == "scan":
            from harness.reading import scan as found
        elif name in ("HarnessError", "SubmissionError", "UsageError"):
            from harness import errors

            return getattr(errors, name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return found


__all__ = ["HarnessError", "SubmissionError", "UsageError", "evaluate", "scan"]
