"""`from harness import scan`: reading a submission, with this package's errors.

Guarantees: nothing of the submission is run and torch is not loaded. Raises UsageError for wrong
use and SubmissionError where there is no code to read.
"""

from os import PathLike

from audits import library
from audits.folder import NothingToScan
from audits.folder import UsageError as NotReadable
from harness.errors import SubmissionError, UsageError


def scan(
    path: str | PathLike[str], *, profile: str = "strict", entry: str | None = None
) -> library.Scan:
    """Reads a script or a submission's folder; `entry`: the file of the folder that is judged."""
    try:
        return library.scan(path, profile=profile, entry=entry)
    except NotReadable as error:
        raise UsageError(str(error)) from error
    except NothingToScan as error:
        raise SubmissionError(str(error)) from error
