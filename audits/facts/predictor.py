"""A predictor, driven as the harness drives it: a chunk's distributions first, then `adapt`.

Guarantees: what is read of a predictor is read as code of a script would be.
Does not cover: the harness's own checks of a predictor; they run it.
"""

from __future__ import annotations

import ast
from typing import Final

from audits.facts.call import Call
from audits.facts.effects import contract
from audits.facts.interpreter import calls, statements
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import Library, Obj, Value

# Names that no submission uses.
_DRIVER: Final = """
_total_ = _zeros_
for _start_ in range(0, len(_stream_), 512):
    _piece_ = _stream_[_start_ : _start_ + 513]
    _x_, _y_ = _piece_[:-1], _piece_[1:]
    _logp_ = _predictor_.log_probs(_x_, 512)
    _total_ += -_softmax_(_logp_, -1).gather(-1, _y_)
    _predictor_.adapt(_y_)
"""


def drive(interp: Interpreter, factory: Value, scope: Scope) -> None:
    """Reads what the harness would do with the predictor that the factory gives."""
    tree = ast.parse(_DRIVER)
    made = ast.Call(ast.Name("_factory_", ast.Load()), [], [])
    ast.copy_location(made, tree.body[0])
    context = Value(refs=frozenset({Obj("context")}))
    inner = Scope(scope)
    inner.names |= {
        "_predictor_": calls.call_value(interp, factory, Call([context], {}, made, scope)),
        "_stream_": contract.stream(),
        "_zeros_": Value(refs=frozenset({Obj("tensor")})),
        "_softmax_": Value(refs=frozenset({Library("torch.log_softmax")})),
    }
    statements.run_block(interp, tree.body, inner)
    contract.headline(interp, inner.names["_total_"], tree.body[-1], inner)
