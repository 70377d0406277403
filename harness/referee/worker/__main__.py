"""The worker's first lines: take the three descriptors, learn what to be, be it.

    python -m harness.referee.worker SOCKET SLAB_OUT SLAB_IN   (started by `process`)

A Python error of the submission goes back as its traceback; anything worse ends the process, which
the harness notices by itself.
"""

import socket
import sys
import traceback

from harness.errors import ContractError
from harness.referee.wire.channel import Channel, ChannelClosed, Message
from harness.referee.wire.slab import Slab


def main() -> None:
    """Serves one predictor, as the first message asks."""
    sock, slab_out, slab_in = map(int, sys.argv[1:4])
    channel = Channel(socket.socket(fileno=sock), Slab(slab_out), Slab(slab_in))
    try:
        _be_what_is_asked(channel)
    except ChannelClosed:
        return  # the referee has what it wanted
    except ContractError as error:
        channel.send(Message("contract", {"message": str(error)}))
    except Exception as error:  # noqa: BLE001 - a submission may raise anything; all of it is reported
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} (at {where.filename}:{where.lineno})"
        channel.send(Message("error", {"message": text}))


def _be_what_is_asked(channel: Channel) -> None:
    first = channel.receive()
    if first.op == "load":
        from harness.referee.worker.predictor_host import PredictorHost

        host = PredictorHost(channel)
        host.load(first.fields)
        host.serve()
    else:
        raise ContractError(f"the first message is {first.op!r}, not load")


if __name__ == "__main__":
    main()
