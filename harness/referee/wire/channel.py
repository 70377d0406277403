"""A channel: length-prefixed JSON messages over one private socket, arrays beside them in slabs.

    message = 4 bytes big-endian length + UTF-8 JSON {"op": str, "fields": {...}, "arrays": {...}}

Nothing is pickled, nothing is evaluated; a reader that meets a wrong length, wrong JSON or an array
outside its slab raises ContractError. Printing does no harm: stdout and stderr are not the channel.
Does not cover: who may hold the descriptor (the sandbox decides) and time limits of the whole run.
"""

import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from harness.errors import ContractError
from harness.referee.wire.slab import Slab

MAX_MESSAGE_BYTES = 4_000_000  # JSON only; arrays travel in slabs
NUMBER = "question"  # a field of each question, and of its answer


@dataclass(frozen=True)
class Message:
    """One message, arrays already copied out of shared memory."""

    op: str
    fields: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


class ChannelClosed(ContractError):
    """The other side is gone."""


class Channel:
    """One end of the conversation. `outgoing` is written here and read there; `incoming` the
    reverse.
    """

    def __init__(self, sock: socket.socket, outgoing: Slab, incoming: Slab) -> None:
        self._socket = sock
        self._outgoing = outgoing
        self._incoming = incoming

    def send(self, message: Message) -> None:
        """Writes arrays, then the message that describes them. Raises ChannelClosed."""
        layout = self._outgoing.write(message.arrays)
        body = json.dumps({"op": message.op, "fields": message.fields, "arrays": layout}).encode()
        try:
            self._socket.sendall(struct.pack(">I", len(body)) + body)
        except OSError as error:
            raise ChannelClosed("the other side closed the channel") from error

    def receive(self, timeout_s: float | None = None) -> Message:
        """The next message. Raises TimeoutError, ChannelClosed or ContractError."""
        self._socket.settimeout(timeout_s)
        (length,) = struct.unpack(">I", self._exactly(4))
        if length > MAX_MESSAGE_BYTES:
            raise ContractError(f"a message of {length:,} bytes; at most {MAX_MESSAGE_BYTES:,}")
        body = self._exactly(length)
        try:
            raw = json.loads(body)
            op, fields, layout = str(raw["op"]), dict(raw["fields"]), dict(raw["arrays"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ContractError(f"not a message of the protocol: {body[:80]!r}") from error
        return Message(op, fields, self._incoming.read(layout))

    def close(self) -> None:
        """Closes the socket and both slabs."""
        self._socket.close()
        self._outgoing.close()
        self._incoming.close()

    def _exactly(self, n_bytes: int) -> bytes:
        parts: list[bytes] = []
        while n_bytes:
            try:
                part = self._socket.recv(min(n_bytes, 1 << 20))
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosed("the other side closed the channel") from error
            if not part:
                raise ChannelClosed("the other side closed the channel")
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)
