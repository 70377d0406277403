"""The errors of the harness: whose fault it was decides what the verdict may say.

    ScorefirstError
    ├── SubmissionError      theirs: the folder, its contract, its crash       -> UNRUNNABLE, exit 4
    │   ├── ContractError    it answered, but not what the protocol asks for
    │   └── WorkerDied       its process ended, hung, or stopped talking
    ├── SandboxError         the machine: no process, no memory, no descriptor -> UNRUNNABLE, exit 4
    │   └── NotIsolated      it refuses a part of the isolation
    └── HarnessError         ours                                               -> exit 2
        └── UsageError       the way we were called: options, paths, data folder

None of them ever means *non-compliant*: a violation is a finding, not an exception.
"""


class ScorefirstError(Exception):
    """Anything the harness raises on purpose: the message names the cause, `cure` what to do."""

    cure = ""  # unless the message says it


class SubmissionError(ScorefirstError):
    """The submission could not be read or run."""

    CURE = ""  # where an error brings none of its own

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure or self.CURE


class ContractError(SubmissionError):
    """The submission answered outside the protocol (shape, dtype, NaN, a missing headline)."""

    CURE = "mend what is named, and run it again"


class WorkerDied(SubmissionError):
    """The worker process crashed, hung past its time limit, or closed its channel.

    `log_tail` holds the last lines that it printed.
    """

    CURE = "mend what ended it, and run it again"

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class SandboxError(ScorefirstError):
    """The machine refused a process, memory or a descriptor."""

    cure = "mend the machine, or use another one: this says nothing of the submission"


class NotIsolated(SandboxError):
    """The machine refused a part of the isolation without which nothing is to start."""

    cure = (
        "let this user make namespaces (in a container, `--security-opt seccomp=unconfined"
        " --security-opt apparmor=unconfined`, or one with SYS_ADMIN; on Ubuntu `sysctl"
        " kernel.apparmor_restrict_unprivileged_userns=0`), or accept less with --isolation"
        " partial, which the first line then says, and which is never CLEAN"
    )


class HarnessError(ScorefirstError):
    """Our own fault, or a wrong call: bad options, missing data, an unwritable folder."""


class UsageError(HarnessError):
    """A wrong call, refused before anything runs: change the call."""
