"""What holds for every test: an interrupt arrives, as the tests that send one need (jobs that a
shell starts in the background ignore it, and so does whatever they start); what is built once is
kept in the checkout, and not among what the user of this machine built.
"""

import os
import signal
from pathlib import Path

from reference_model.data.cache import VARIABLE


def pytest_configure() -> None:
    """Before anything is imported or started."""
    os.environ.setdefault(VARIABLE, str(Path(__file__).resolve().parents[1] / ".scorefirst"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
