"""scorefirst doctor: whether this machine keeps hostile scripts and files where they belong.

Exit codes: 0 everything holds, 1 something got through or was left behind, 2 the tool failed, 4
this machine refuses a part of the isolation: what then does not hold is listed, and nothing of it
was tried.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from audits.output.escape import write_escapes
from audits.tool import NAME, version
from harness.errors import NotIsolated, ScorefirstError
from harness.protocol.confinement import IsolationPart

EPILOG = """\
examples:
  {prog}
  {prog} --fast

Every check is a script that is run behind the walls, or a file that is read, on this machine; what
they aim at was made for it. Nothing is sent beyond loopback.

exit codes: 0 everything holds, 1 something got through, 2 the tool failed, 4 this machine refuses a
part of the isolation (the checks that need it are listed and not tried)
"""
HELD, BROKEN, FAILED, LESS = 0, 1, 2, 4


def main(argv: Sequence[str] | None = None, prog: str = "scorefirst doctor") -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Tries hostile scripts and files on this machine, and says which of them it"
        " keeps: network, memory, files, state, processes, limits, what they say of themselves.",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--fast", action="store_true", help="the part that takes seconds")
    parser.add_argument("--version", action="version", version=f"{NAME} {version()}")
    options = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        write_escapes(stream)
    try:
        return _examined(fast=options.fast)
    except (ScorefirstError, OSError) as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return FAILED


def _examined(*, fast: bool) -> int:
    from harness.doctor.check import Result, Status
    from harness.doctor.examine import Examiner
    from harness.doctor.ground import Ground
    from harness.sandbox.fork_server import ForkServer

    results: list[Result] = []
    with ExitStack() as open_:
        ground = open_.enter_context(Ground())
        examiner = Examiner(open_.enter_context(ForkServer()), ground)
        print("\n".join(_head(examiner.active, examiner.refused)))
        for result in examiner.results(fast=fast):
            if not results or results[-1].section != result.section:
                print(f"\n{result.section}")
            said = f": {result.said}" if result.said else ""
            print(f"  {result.status:<9}{result.what}{said}", flush=True)
            results.append(result)
    hold, fail, untried = (sum(r.status is status for r in results) for status in Status)
    print(f"\n{hold} hold, {fail} fail, {untried} are held by nothing here and were not tried.")
    if fail:
        return BROKEN
    return LESS if examiner.refused else HELD


def _head(active: Sequence[IsolationPart], refused: str) -> Iterator[str]:
    """The machine, and which walls it has."""
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    yield f"scorefirst {version()} on {system}, as {user}"
    yield f"Isolation: {', '.join(part.name.lower() for part in active) or 'none'}"
    if refused:
        yield f"  Refused: {refused}"
        yield f"  Cure: {NotIsolated.cure}"
        yield "  Until then an evaluation is UNRUNNABLE here, unless less is accepted."
