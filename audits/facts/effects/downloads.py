"""Downloads, foreign weights and programs: calls that reach out of the process.

Guarantees: only calls that the reading reaches are noted, with whether they fetch data or weights.
Does not cover: sockets opened by hand, programs other than the usual ones.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.call import Call
from audits.facts.events import Download, Pretrained, Program
from audits.facts.state import Interpreter

_DATA: Final = frozenset(
    {"snapshot_download", "hf_hub_download", "urlretrieve", "urlopen", "load_dataset", "wget"}
    | {"requests.get", "requests.post", "httpx.get", "gdown.download", "cached_path"}
)
_TOOLS: Final = frozenset({"get_kernel", "torch.hub.load"})
_PROGRAMS: Final = {"wget": True, "curl": True, "git clone": True, "pip install": False}
_STARTERS: Final = frozenset({"run", "Popen", "check_call", "check_output", "call", "system"})


def note(interp: Interpreter, path: str, call: Call) -> None:
    """Remembers a call by the path of what is called."""
    last = path.rsplit(".", 1)[-1]
    if last == "from_pretrained" and "Tokenizer" not in path:
        interp.trace.pretrained.append(Pretrained(interp.site_of(call), interp.moment(), path))
    if last in _DATA or path in _DATA:
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
