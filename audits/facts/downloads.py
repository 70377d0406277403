"""Downloads, foreign weights and programs: calls that reach out of the process.

Guarantees: only calls that the reading reaches are noted, with whether they fetch data or weights.
Does not cover: sockets opened by hand, programs other than the usual ones.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.trace import Download, Pretrained, Program

if TYPE_CHECKING:
    from audits.facts.calls import Args, Keywords

_DATA: Final = frozenset(
    {"snapshot_download", "hf_hub_download", "urlretrieve", "urlopen", "load_dataset", "wget"}
    | {"requests.get", "requests.post", "httpx.get", "gdown.download", "cached_path"}
)
_TOOLS: Final = frozenset({"get_kernel", "torch.hub.load"})
_PROGRAMS: Final = {"wget": True, "curl": True, "git clone": True, "pip install": False}
_STARTERS: Final = frozenset({"run", "Popen", "check_call", "check_output", "call", "system"})


def note(
    m: Machine, path: str, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> None:
    last = path.rsplit(".", 1)[-1]
    if last == "from_pretrained" and "Tokenizer" not in path:
        m.trace.pretrained.append(Pretrained(m.site(node, scope), m.moment(), path))
    if last in _DATA or path in _DATA:
        _append(m, path, node, scope, data=True)
    elif last in _TOOLS or path in _TOOLS:
        _append(m, path, node, scope, data=False)
    elif last in _STARTERS and path.split(".", 1)[0] in ("subprocess", "os"):
        given = _words(node)
        words = " ".join(given)
        if given:
            name = given[0].split(" ", 1)[0].rsplit("/", 1)[-1]
            m.trace.programs.append(Program(m.site(node, scope), m.moment(), name))
        for program, data in _PROGRAMS.items():
            if program in words:
                _append(m, program, node, scope, data=data and "pip" not in words)


def _words(node: ast.Call) -> list[str]:
    """The literal words of a command line."""
    return [
        one.value
        for argument in node.args[:1]
        for one in ast.walk(argument)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def _append(m: Machine, name: str, node: ast.Call, scope: Scope, *, data: bool) -> None:
    m.trace.downloads.append(Download(m.site(node, scope), m.moment(), name, data))
