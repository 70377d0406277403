"""Layers: what can be told from the text of a model's class.

A model is one step to the reader of the trace; its inside is only looked at here, as text.

Guarantees: a smear counts as masked when anything in the method compares inputs with a boundary.
Does not cover: layers written without the shifted slices.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.facts.events import Attention, LookAhead, ModelLoss, Site, Smear
from audits.facts.inside.entrance import looks_between, read_class
from audits.facts.inside.reader import Around, FunctionNode
from audits.facts.objects import Function
from audits.facts.scope import Scope
from audits.facts.state import Interpreter
from audits.facts.values import Library


def note(interp: Interpreter, node: ast.ClassDef, scope: Scope) -> None:
    """Looks ahead, smears, `cat([x[:, :1], x[:, 1:] + g * x[:, :-1]])`, and open attention."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    interp.trace.named_in[node.name] = frozenset(names - {node.name})
    inside = read_class(node, _around(interp, scope))
    interp.models[node.name] = node
    for look in inside.looks:
        site = Site(scope.file, look.line, look.cls)
        found = LookAhead(site, look.how, look.cls, look.guards, node.name, look.sure)
        interp.trace.looks.append(found)
    for look, share in inside.shares:
        site = Site(scope.file, look.line, node.name)
        loss = ModelLoss(site, look.how, node.name, look.guards, share)
        interp.trace.model_losses.append(loss)
    for method in node.body:
        if not isinstance(method, ast.FunctionDef):
            continue
        for call, guards in _calls(method.body, ()):
            if _smears(call):
                site = Site(scope.file, call.lineno, f"{node.name}.{method.name}")
                interp.trace.smears.append(Smear(site, _masked(method), guards))
            if _sees_all(call):
                site = Site(scope.file, call.lineno, f"{node.name}.{method.name}")
                interp.trace.attentions.append(Attention(site, guards))


def _around(interp: Interpreter, scope: Scope) -> Around:
    """The classes of models so far, and the functions and libraries of the file."""
    functions: set[FunctionNode] = set()
    paths: set[tuple[str, str]] = set()
    for name, value in scope.globals.names.items():
        for ref in value.refs:
            if isinstance(ref, Library):
                paths.add((name, ref.path))
            elif isinstance(ref, Function) and isinstance(ref.node, ast.FunctionDef):
                functions.add(ref.node)
    return Around(frozenset(interp.models.values()), frozenset(functions), frozenset(paths))


def note_function(interp: Interpreter, node: FunctionNode, scope: Scope) -> None:
    """Looks ahead between a model's pass and the loss."""
    _note_between(interp, node, scope, node.name)


def note_module(interp: Interpreter, tree: ast.Module, scope: Scope) -> None:
    """The same in what a file does by itself."""
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    block = [one for one in tree.body if not isinstance(one, definitions)]
    _note_between(interp, ast.Module(block, []), scope, "<module>")


def _note_between(
    interp: Interpreter, node: FunctionNode | ast.Module, scope: Scope, name: str
) -> None:
    for look in looks_between(node, _around(interp, scope)):
        site = Site(scope.file, look.line, name)
        interp.trace.looks.append(LookAhead(site, look.how, "", look.guards, whole=name))


def _calls(
    block: list[ast.stmt], guards: tuple[str, ...]
) -> Iterator[tuple[ast.Call, tuple[str, ...]]]:
    for statement in block:
        if isinstance(statement, ast.If):
            tested = {
                one.attr for one in ast.walk(statement.test) if isinstance(one, ast.Attribute)
            }
            yield from _calls(statement.body, (*guards, *sorted(tested)))
            yield from _calls(statement.orelse, guards)
        elif isinstance(statement, ast.For | ast.With):
            yield from _calls(statement.body, guards)
        else:
            for one in ast.walk(statement):
                if isinstance(one, ast.Call):
                    yield one, guards


def _smears(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name not in ("cat", "concat") or not call.args:
        return False
    match call.args[0]:
        case (
            ast.List(elts=[first, ast.BinOp(op=ast.Add()) as second])
            | ast.Tuple(elts=[first, ast.BinOp(op=ast.Add()) as second])
        ):
            text = ast.unparse(second).replace(" ", "")
            return ast.unparse(first).endswith(":1]") and ",1:]" in text and ":-1]" in text
    return False


def _sees_all(call: ast.Call) -> bool:
    """Attention over a sequence that is not causal and has no mask."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    flag = {"scaled_dot_product_attention": "is_causal"}.get(name)
    if name.startswith("flash_attn") and name.endswith("func"):
        flag = "causal"
    if flag is None:
        return False
    given = {one.arg: one.value for one in call.keywords}
    masked = len(call.args) > 3 or {"attn_mask", "window_size", None} & set(given)
    causal = given.get(flag, ast.Constant(value=False))
    return not masked and isinstance(causal, ast.Constant) and causal.value is False


def _masked(method: ast.FunctionDef) -> bool:
    return any(
        isinstance(one, ast.Compare) and isinstance(one.ops[0], ast.NotEq | ast.Eq)
        for one in ast.walk(method)
        if isinstance(one, ast.Compare) and "1:]" in ast.unparse(one)
    )
