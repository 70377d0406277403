"""The command `scorefirst evaluate`: a submission folder in, a verdict with evidence out.

Exit codes: 0 clean, 1 violation, also where we failed behind its proof, 2 the tool or its use
failed, with a report where it failed half-way, 3 review, 4 unrunnable, 130 and 143
interrupted by SIGINT and SIGTERM. What judges
is imported once the arguments are known to be usable: help and refusals come at once.
"""

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence

from audits.interruption import ends_at_once
from audits.output.escape import write_escapes
from audits.tool import NAME
from harness.commands.command_line import PROG, parser, request_of
from harness.commands.signals import interruptible, leave
from harness.errors import HarnessError
from harness.interrupts import Interrupted
from harness.loading import loading
from harness.report_folder import ReportFolder
from harness.request import Request

EXIT_TOOL_FAILED = 2


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Runs the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a path's letters may be none of the terminal's
        write_escapes(stream)
    with ends_at_once():
        return _exit_code(argv, prog)


def _exit_code(argv: Sequence[str] | None, prog: str) -> int:
    try:
        arguments = parser(prog).parse_args(argv)
        with _messages_on_stderr():
            code = _evaluate(request_of(arguments))
    except Interrupted as stop:
        print(f"scorefirst: {stop}", file=sys.stderr)
        leave(stop.exit_code)
    except (HarnessError, OSError) as error:
        print(f"scorefirst: {error}", file=sys.stderr)
        return EXIT_TOOL_FAILED
    except Exception:  # noqa: BLE001 - exit 1 means VIOLATION; a bug of ours must never read as one
        traceback.print_exc()
        print("scorefirst: the harness itself failed; nothing was judged", file=sys.stderr)
        return EXIT_TOOL_FAILED
    return 0 if arguments.exit_zero else code


def _is_whole(folder: ReportFolder) -> bool:
    """Its last file tells of an end."""
    from harness.evaluation import UNFINISHED

    page = folder.path / "report.md"
    return page.exists() and UNFINISHED not in page.read_text(encoding="utf-8")


@contextlib.contextmanager
def _messages_on_stderr() -> Iterator[None]:
    """What the library logs, as plain lines."""
    logger, handler = logging.getLogger(NAME), logging.StreamHandler(sys.stderr)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _evaluate(request: Request) -> int:
    request.check()
    chosen = request.settled()
    # Before torch is loaded, which takes seconds: an older report must not be taken for this one's.
    with ReportFolder.chosen(chosen.out, chosen.submission, request.seed) as folder:
        return _carry_out(request, folder)


def _carry_out(request: Request, folder: ReportFolder) -> int:
    with loading():
        from harness.commands.progress import Shown
        from harness.library import carry_out
        from harness.report.terminal import render_terminal
        from harness.verdict.decide import EXIT_CODES, Verdict

    try:
        with interruptible():
            done = carry_out(request, Shown(), folder.path)
    except Interrupted:
        said = f"the report is whole: {folder.path}" if _is_whole(folder) else "nothing was judged"
        print(f"scorefirst: {said}", file=sys.stderr)
        raise
    print(render_terminal(done.report.to_json()["summary"]["lines"]))
    if done.interrupted:
        folder.close()
        leave(done.interrupted.exit_code)
    if done.broken:
        traceback.print_exception(done.broken)
        print(f"scorefirst: the harness itself failed; see {folder.path}", file=sys.stderr)
        if done.report.verdict is not Verdict.VIOLATION:
            return EXIT_TOOL_FAILED
    return EXIT_CODES[done.report.verdict]
