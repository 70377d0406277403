"""Downloads, foreign weights and programs: calls that reach out of the process.

Guarantees: only calls that the reading reaches are noted, with whether they fetch data or weights;
a socket counts when something is sent or received after it was connected to another machine.
Does not cover: programs other than the usual ones; addresses that are computed.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.call import Call
from audits.facts.events import Download, Pretrained, Program
from audits.facts.state import Interpreter
from audits.facts.values import Obj, Value

_DATA: Final = frozenset(
    {"snapshot_download", "hf_hub_download", "urlretrieve", "urlopen", "load_dataset", "wget"}
    | {"requests.get", "requests.post", "httpx.get", "gdown.download", "cached_path"}
)
_TOOLS: Final = frozenset({"get_kernel", "torch.hub.load"})
_PROGRAMS: Final = {"wget": True, "curl": True, "git clone": True, "pip install": False}
_CONNECTS: Final = frozenset(
    {"socket.create_connection", "http.client.HTTPConnection", "http.client.HTTPSConnection"}
    | {"ftplib.FTP", "smtplib.SMTP", "telnetlib.Telnet", "asyncio.open_connection"}
)
_TALKS: Final = frozenset(
    {
        "send",
        "sendall",
        "sendto",
        "sendmsg",
        "sendfile",
        "recv",
        "recv_into",
        "recvfrom",
        "makefile",
    }
)
_HERE: Final = frozenset({"", "localhost", "127.0.0.1", "::1", "0.0.0.0"})
_CONNECTED: Final = "connected to another machine"
_STARTERS: Final = frozenset({"run", "Popen", "check_call", "check_output", "call", "system"})


def note(interp: Interpreter, path: str, call: Call) -> None:
    """Remembers a call by the path of what is called."""
    last = path.rsplit(".", 1)[-1]
    if last == "from_pretrained" and "Tokenizer" not in path:
        interp.trace.pretrained.append(Pretrained(interp.site_of(call), interp.moment(), path))
    if (path in _CONNECTS and _elsewhere(call.args[:1])) or last in _DATA or path in _DATA:
        _append(interp, path, call, data=True)
    elif last in _TOOLS or path in _TOOLS:
        _append(interp, path, call, data=False)
    elif last in _STARTERS and path.split(".", 1)[0] in ("subprocess", "os"):
        given = _words(call.node)
        words = " ".join(given)
        if given:
            name = given[0].split(" ", 1)[0].rsplit("/", 1)[-1]
            interp.trace.programs.append(Program(interp.site_of(call), interp.moment(), name))
        for program, data in _PROGRAMS.items():
            if program in words:
                _append(interp, program, call, data=data and "pip" not in words)


def a_socket(call: Call) -> Value:
    return Value(refs=frozenset({Obj("socket", call.node.lineno)}))


def on_socket(interp: Interpreter, ref: Obj, name: str, call: Call) -> None:
    """`connect`, and what is sent or received afterwards."""
    given = call.args[-1:] if name == "sendto" else call.args[:1]
    if name in ("connect", "connect_ex", "sendto") and _elsewhere(given):
        ref.attrs[_CONNECTED] = Value(True)
    if name in _TALKS and _CONNECTED in ref.attrs:
        _append(interp, f"socket.{name}", call, data=True)


def _elsewhere(given: list[Value]) -> bool:
    """Whether an address, or a host, is known and another machine's."""
    host = (
        given[0].items[0].const if given and given[0].items else given[0].const if given else None
    )
    return isinstance(host, str) and host not in _HERE and not host.startswith(("/", "127."))


def _words(node: ast.Call) -> list[str]:
    """The literal words of a command line."""
    return [
        one.value
        for argument in node.args[:1]
        for one in ast.walk(argument)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def _append(interp: Interpreter, name: str, call: Call, *, data: bool) -> None:
    interp.trace.downloads.append(Download(interp.site_of(call), interp.moment(), name, data))
