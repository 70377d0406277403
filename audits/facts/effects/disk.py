"""Files of weights and data: what a script writes, and what it reads back.

Guarantees: what weights have learnt goes to disk with them and comes back from that path, or from
any path where paths are not known.
Does not cover: files that are removed or renamed.
"""

from __future__ import annotations

from audits.facts.effects import weights
from audits.facts.labels import FILE, PATHS, STREAM, TRAIN, Label, kinds
from audits.facts.state import Interpreter
from audits.facts.values import Obj, Value, labels_of


def save(interp: Interpreter, args: list[Value]) -> None:
    """What the weights have learnt goes to disk with them."""
    learnt = frozenset(label for value in args for label in weights.adaptations(value))
    learnt |= interp.choosing[-1] if interp.choosing else frozenset()
    for value in args:
        for ref in value.refs:
            ref.labels |= learnt
        if isinstance(value.const, str):
            _keep(interp, value.const, learnt)
            return
    _keep(interp, None, learnt)


def _keep(interp: Interpreter, path: object, learnt: frozenset[Label]) -> None:
    interp.on_disk[path] = interp.on_disk.get(path, frozenset()) | learnt


def opened(interp: Interpreter, name: Value) -> Value:
    """A file, carrying what was written to that path, or to any path that is not known."""
    path = name.const if name.known else None
    held = [labels for key, labels in interp.on_disk.items() if key in (path, None) or path is None]
    made = Obj("file")
    made.attrs["path"] = name
    made.labels = {label for labels in held for label in weights.carried(labels)}
    made.labels |= {label for label in labels_of(name) if label.kind != PATHS}
    own = path in interp.on_disk or None in interp.on_disk  # the script may have written it itself
    if not own and not kinds(made.labels) & {STREAM, TRAIN}:
        made.labels.add(Label(FILE, 0))
    return Value(refs=frozenset({made}))
