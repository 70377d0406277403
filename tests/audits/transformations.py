"""Rewritings of a script that mean the same: names, layout, packing, loop bodies in functions.

Guarantees: what Python would do stays the same; where a loop cannot be moved (a `break`, a
`return`) there is no variant.
Does not cover: attributes and names that are reached through strings; these keep their spelling.
"""

from __future__ import annotations

import ast
import base64
import builtins
import lzma
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

_OWN_SCOPE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def reformatted(text: str) -> str:
    """Comments, blank lines and line breaks gone."""
    return ast.unparse(ast.parse(text)) + "\n"


def packed(text: str) -> str:
    """As real records are: base85 over LZMA, run by exec."""
    blob = base64.b85encode(lzma.compress(text.encode())).decode()
    return f"import base64,lzma\nexec(lzma.decompress(base64.b85decode({blob!r})).decode())\n"


def packed_twice(text: str) -> str:
    """A wrapper in a wrapper, the outer one base64 over zlib."""
    blob = base64.b64encode(zlib.compress(packed(text).encode(), 9)).decode()
    code = f"z.decompress(b.b64decode({blob!r}))"
    return f"import zlib as z, base64 as b\nexec(compile({code}, 't', 'exec'))\n"


def renamed(text: str) -> str:
    """Every variable, parameter, function, class and import under a name that says nothing."""
    tree = ast.parse(text)
    names = {name: f"q{number}" for number, name in enumerate(sorted(_own_names(tree)))}
    return ast.unparse(ast.fix_missing_locations(_Renaming(names).visit(tree))) + "\n"


def _own_names(tree: ast.Module) -> set[str]:
    """What the script binds and nothing reaches by its spelling."""
    bound: set[str] = set()
    kept = set(dir(builtins)) | {"self"}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.alias(asname=str(name)):
                bound.add(name)
            case ast.alias(name=name) if "." not in name and name != "*":
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.keyword(arg=str(name)):
                kept.add(name)  # a parameter that somebody names
        if isinstance(node, ast.ClassDef):
            kept |= _class_names(node)  # these are attributes
    return {name for name in bound - kept if not name.startswith("__")}


def _class_names(node: ast.ClassDef) -> set[str]:
    found = {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    for statement in node.body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found |= {one.id for one in ast.walk(statement) if isinstance(one, ast.Name)}
    return found


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        for field in ("id", "arg", "name"):
            if isinstance(node, ast.keyword | ast.alias):
                break
            value = getattr(node, field, None)
            if isinstance(value, str):
                setattr(node, field, self.names.get(value, value))
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self.names.get(name, name) for name in node.names]
        if isinstance(node, ast.alias):
            bound = node.asname or node.name
            node.asname = self.names.get(bound, node.asname)
        return node


def with_helpers(text: str) -> Iterator[str]:
    """Two variants per `for` loop whose body can become a function: one that shares the variables
    around it, one that is given them and returns them.
    """
    for number in count():
        for move in (_share, _pass):
            tree = ast.parse(text)
            loops = [node for node in ast.walk(tree) if isinstance(node, ast.For)]
            if number == len(loops):
                return
            if _movable(loops[number]) and move(_Place.of(tree, loops[number])):
                yield ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _movable(loop: ast.For) -> bool:
    """No jump leaves the body, nothing in it yields, and it leaves the loop's variables alone."""
    if loop.orelse or _jumps(loop.body):
        return False
    targets = _stored([loop.target])
    return not targets & _stored(loop.body) and all(
        isinstance(node, ast.Name | ast.Tuple | ast.List | ast.expr_context)
        for node in ast.walk(loop.target)
    )


def _jumps(body: Sequence[ast.AST], inner: bool = False) -> bool:
    for node in body:
        if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom | ast.Await | ast.Global):
            return True
        if isinstance(node, ast.Break | ast.Continue) and not inner:
            return True
        if isinstance(node, _SCOPES):
            continue
        below = inner or isinstance(node, ast.For | ast.While)
        if _jumps(list(ast.iter_child_nodes(node)), below):
            return True
    return False


@dataclass
class _Place:
    """Where a loop stands, and what its body has in common with the code around it."""

    loop: ast.For
    block: list[ast.stmt]  # that holds the loop
    function: ast.FunctionDef | None  # around it
    in_class: bool
    targets: set[str]  # the loop's own variables
    shared: set[str]  # bound by the body, and used outside it or in the next round
    declared: set[str]  # by a `global` statement that reaches the body
    bound: set[str]  # around the body, other than by the loop
    functions: set[str]  # names of functions, classes and modules

    @classmethod
    def of(cls, tree: ast.Module, loop: ast.For) -> _Place:
        block, function, in_class = _around(tree, loop)
        outer: ast.AST = tree if function is None else function
        top = [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
        near = [node for node in ast.walk(outer) if isinstance(node, ast.Global)]
        bound = _stored(tree.body if function is None else function.body, without=loop)
        if function is not None:
            bound |= {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
        return cls(
            loop,
            block,
            function,
            in_class,
            _stored([loop.target]),
            _shared(outer, loop),
            {name for node in (top if function is None else near) for name in node.names},
            bound,
            _defined(tree),
        )

    def put(self, helper: str, body: list[ast.stmt], call: str, unset: set[str]) -> bool:
        """The function right before the loop, variables that it needs bound before that."""
        function = ast.parse(helper).body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body = [*function.body[:-1], *body, *function.body[-1:]]
        self.loop.body = ast.parse(call).body
        before = ast.parse("\n".join(f"{name} = None" for name in sorted(unset))).body
        position = self.block.index(self.loop)
        self.block[position:position] = [*before, function]
        return True


def _share(place: _Place) -> bool:
    """`global` at the top level, `nonlocal` inside a function."""
    if place.in_class:
        return False
    inside = place.function is not None
    at_top = place.shared & place.declared if inside else place.shared
    near = place.shared - at_top
    lines = [f"global {', '.join(sorted(at_top))}"] * bool(at_top)
    lines += [f"nonlocal {', '.join(sorted(near))}"] * bool(near)
    targets = ", ".join(sorted(place.targets))
    helper = f"def loop_body({targets}):\n" + "".join(f"    {line}\n" for line in [*lines, "pass"])
    return place.put(helper, place.loop.body, f"loop_body({targets})", near - place.bound)


def _pass(place: _Place) -> bool:
    """Everything is given and returned, but what a `global` statement speaks of."""
    if place.in_class or place.functions & place.shared:
        return False
    loaded = {name for statement in place.loop.body for name in _names(statement)}
    kept = place.declared | place.functions
    given = place.targets | place.shared | (loaded & place.bound)
    names = ", ".join(sorted(given - kept))
    back = ", ".join(sorted(place.shared - kept))
    lines = [f"global {', '.join(sorted(place.shared & place.declared))}"]
    lines = lines * bool(place.shared & place.declared) + [f"return {back}" if back else "pass"]
    helper = f"def loop_body({names}):\n" + "".join(f"    {line}\n" for line in lines)
    call = f"{back} = loop_body({names})" if back else f"loop_body({names})"
    return place.put(helper, place.loop.body, call, place.shared - kept - place.bound)


def _defined(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return found


def _around(tree: ast.Module, loop: ast.For) -> tuple[list[ast.stmt], ast.FunctionDef | None, bool]:
    """The block with the loop, the function around it, and whether a class body is nearest."""
    stack: list[tuple[ast.AST, ast.FunctionDef | None, bool]] = [(tree, None, False)]
    while stack:
        node, function, in_class = stack.pop()
        if isinstance(node, ast.FunctionDef):
            function, in_class = node, False
        if isinstance(node, ast.ClassDef):
            in_class = True
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and loop in block:
                return block, function, in_class
        stack += [(child, function, in_class) for child in ast.iter_child_nodes(node)]
    raise AssertionError("the loop is in the tree")


def _shared(outer: ast.AST, loop: ast.For) -> set[str]:
    """Names the body binds that live on outside it, or from one round to the next."""
    inside = {id(node) for statement in loop.body for node in ast.walk(statement)}
    elsewhere = {
        node.id for node in ast.walk(outer) if isinstance(node, ast.Name) and id(node) not in inside
    }
    elsewhere |= {
        name for node in ast.walk(outer) if isinstance(node, ast.Global) for name in node.names
    }
    if isinstance(outer, ast.FunctionDef):
        elsewhere |= {one.arg for one in ast.walk(outer.args) if isinstance(one, ast.arg)}
    stored = _stored(loop.body)
    return {name for name in stored if name in elsewhere or _read_first(loop.body, name)}


def _read_first(body: Sequence[ast.stmt], name: str) -> bool:
    """Whether a round may use what the round before left, or a nested function shares it."""
    for node in (one for statement in body for one in ast.walk(statement)):
        if isinstance(node, ast.AugAssign) and name in _stored([node.target]):
            return True
    first = next((one for one in body if name in _names(one)), None)
    plain = isinstance(first, ast.Assign | ast.AnnAssign | ast.For | ast.With)
    if not plain or (isinstance(first, ast.With | ast.For) and name not in _head_stored(first)):
        return not _only_local(body, name)
    if isinstance(first, ast.Assign | ast.AnnAssign):
        return first.value is not None and name in _names(first.value)
    return False


def _only_local(body: Sequence[ast.stmt], name: str) -> bool:
    """Bound and used inside one nested block only, stored there before it is read."""
    holders = [one for one in body if name in _names(one)]
    if len(holders) != 1:
        return False
    nested = getattr(holders[0], "body", None)
    return isinstance(nested, list) and not _read_first(nested, name)


def _head_stored(node: ast.With | ast.For) -> set[str]:
    if isinstance(node, ast.For):
        return _stored([node.target])
    return _stored([item.optional_vars for item in node.items if item.optional_vars])


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _stored(nodes: Sequence[ast.AST], without: ast.AST | None = None) -> set[str]:
    """Names that the nodes bind in their own scope."""
    found: set[str] = set()
    for node in nodes:
        if node is without:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).split(".")[0] for one in node.names}
        elif not isinstance(
            node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        ):
            found |= _stored(list(ast.iter_child_nodes(node)), without)
    return found
