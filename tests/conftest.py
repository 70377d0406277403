"""What holds for every test: an interrupt arrives, as the tests that send one need (jobs that a
shell starts in the background ignore it, and so does whatever they start); what is built once is
kept in the checkout, and not among what the user of this machine built.
"""

import os
import signal
from pathlib import Path

from harness.own_seed import KEY, KEY_BYTES
from reference_model.data.cache import VARIABLE, cache_folder, keep


def pytest_configure() -> None:
    """Before anything is imported or started."""
    os.environ.setdefault(VARIABLE, str(Path(__file__).resolve().parents[1] / ".scorefirst"))
    keep(cache_folder() / KEY, bytes(KEY_BYTES))  # the same streams on every machine
    signal.signal(signal.SIGINT, signal.default_int_handler)
