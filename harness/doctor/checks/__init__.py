"""The checks, by what is attacked."""

from collections.abc import Mapping, Sequence

from harness.doctor.check import Check
from harness.doctor.checks.conduct import ENDS, FORGED
from harness.doctor.checks.kept_apart import NETWORK, READING, WRITING
from harness.doctor.checks.machine import PROCESSES, STATE
from harness.doctor.checks.resources import RESOURCES

SECTIONS: Mapping[str, Sequence[Check]] = {
    "network": NETWORK,
    "what it may read": READING,
    "what it may write": WRITING,
    "state from run to run": STATE,
    "processes": PROCESSES,
    "memory, disk and time": RESOURCES,
    "ends": ENDS,
    "what it says of itself": FORGED,
}
