"""Arguments of the command line: what `add_argument` says a flag is, unless a command gives it.

Guarantees: a default that is known is what the flag is, of the type that is asked for, and hangs on
the flag as on a switch.
Does not cover: arguments without a flag, and parsers that other functions hand over.
"""

from __future__ import annotations

from audits.facts import folding
from audits.facts.call import Call
from audits.facts.state import Interpreter
from audits.facts.values import UNKNOWN, Library, Value

_SWITCHES = {"store_true": False, "store_false": True}


def defined(interp: Interpreter, call: Call) -> None:
    """`add_argument("--len", type=int, default=1024)`."""
    names = [one.const for one in call.args if isinstance(one.const, str)]
    flags = [name for name in names if name.startswith("--")]
    if not flags:
        return
    dest = call.keywords.get("dest", Value()).const
    name = dest if isinstance(dest, str) else flags[0].lstrip("-").replace("-", "_")
    action = call.keywords.get("action", Value()).const
    if isinstance(action, str) and action in _SWITCHES:
        default = Value(_SWITCHES[action])
    else:
        default = _typed(call.keywords.get("default", Value(None)), call)
    interp.flags[name] = interp.config.flag(flags[0], default)


def _typed(default: Value, call: Call) -> Value:
    """A text is turned into what `type` makes of it."""
    if not isinstance(default.const, str) or "type" not in call.keywords:
        return default
    paths = [ref.path for ref in call.keywords["type"].refs if isinstance(ref, Library)]
    const = folding.call(paths[0], [default.const]) if paths else UNKNOWN
    return Value(const, default.labels, switches=default.switches)
