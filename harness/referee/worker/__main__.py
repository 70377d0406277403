"""The worker's first lines: isolate, then take the three descriptors, learn what to be, be it.

    python -m harness.referee.worker CONFINEMENT LOG SOCKET SLAB_OUT SLAB_IN ANSWERS
                                                                       (started by `process`)

This process stays outside and watches; the predictor is two forks below it, with the standard
descriptors, the socket and the slabs. A Python error of the submission goes back as its traceback;
anything worse ends the process, which the harness notices by itself.
"""

import contextlib
import os
import signal
import socket
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import NoReturn

from harness.errors import ContractError
from harness.loading import loading
from harness.protocol.confinement import Confinement
from harness.referee.wire.channel import Channel, ChannelClosed, Message
from harness.referee.wire.slab import Slab
from harness.referee.worker.answers import End, Start
from harness.sandbox import syscalls
from harness.sandbox.confined import Ended, HarnessGone, Inner, run_confined
from harness.sandbox.init_process import Untrusted
from harness.sandbox.isolation import Entered

with loading():  # inside it is not there to load
    from harness.referee.worker.predictor_host import PredictorHost


def main() -> None:
    """Watches one worker until it ends or the harness says so."""
    syscalls.die_with_parent(signal.SIGTERM)
    confinement, log = Confinement.from_json(sys.argv[1]), Path(sys.argv[2])
    *channel, answers = map(int, sys.argv[3:7])
    inner = Inner(
        lambda entered: _workers(entered, channel, answers),
        lambda cause: Start((), cause).send(answers),
        channel,
    )
    with contextlib.suppress(HarnessGone):
        _end(run_confined(confinement, inner, log, [])).send(answers)


def _workers(entered: Entered, channel: list[int], answers: int) -> list[Untrusted]:
    Start(entered.active, "").send(answers)
    return [Untrusted(channel, partial(_become_worker, *channel))]


def _end(ended: Ended) -> End:
    status = next(iter(ended.statuses), "-")
    code = None if status == "-" else os.waitstatus_to_exitcode(int(status))
    return End(code, ended.stopped.cause if ended.stopped else "")


def _become_worker(sock: int, slab_out: int, slab_in: int) -> NoReturn:
    channel = Channel(socket.socket(fileno=sock), Slab(slab_out), Slab(slab_in))
    sys.argv = ["", *map(str, (sock, slab_out, slab_in))]
    try:
        _be_what_is_asked(channel)
    except ChannelClosed:
        os._exit(0)  # the referee has what it wanted
    except ContractError as error:
        channel.send(Message("contract", {"message": str(error)}))
    except Exception as error:  # noqa: BLE001 - a submission may raise anything; all of it is reported
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} (at {where.filename}:{where.lineno})"
        channel.send(Message("error", {"message": text}))
    os._exit(0)


def _be_what_is_asked(channel: Channel) -> None:
    first = channel.receive()
    if first.op == "load":
        host = PredictorHost(channel)
        host.load(first.fields)
        host.serve()
    else:
        raise ContractError(f"the first message is {first.op!r}, not load")


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing to save, and torch takes a second to unload
