"""What holds for every test: an interrupt arrives, as the tests that send one need. Jobs that a
shell starts in the background ignore it, and so does whatever they start.
"""

import signal


def pytest_configure() -> None:
    """Before anything is imported or started."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
