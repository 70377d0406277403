"""The script's syntax tree with calls of ours around what it reads, keeps and goes through.

    a[i]                      read(a, i, n)
    total += x; p = x; l.append(x); return x; [x for ...]      x becomes keep(n, x)
    x.sum(), np.mean(x)       x becomes keep(n, x)
    min(x, y)                 x and y, of which one may be counted, do so
    for t in a; zip(a, b)     a becomes each(a)
    exec(text)                exec(rewritten(text)); the tree of it in compile(text, name, "exec")
    dict(os.environ)          os.environ.copy(), whose look-ups are heard

Each gives back what the code would have had there: same objects, same order, same exceptions.
Lines and names stay. Lines of one loop that add to the same total, or append to the same list, are
one account: a token may cost what several of them add. Does not cover: functions that another
compiler reads (decorated with a `jit`), annotations, f-strings, patterns.
"""

import ast
from typing import NamedTuple

from harness.protocol.code_constants import TEXT_FUNCTIONS

READ, KEEP, EACH, SLICE = "__at__", "__of__", "__in__", "__to__"
REWRITTEN, TREE = TEXT_FUNCTIONS
APPENDS = ("append", "appendleft", "add", "put")
ADDS_UP = ("sum", "mean", "average", "nansum", "nanmean", "fsum", "fmean", "dot")
GOES_THROUGH = ("zip", "enumerate", "map", "iter", "list", "tuple", "sum")
CHOOSES = ("min", "max")
FOREIGN_COMPILERS = ("jit", "compile", "kernel", "script", "njit", "vectorize")
NO_NUMBER = (
    *(ast.Constant, ast.Lambda, ast.List, ast.Dict, ast.Set, ast.JoinedStr, ast.Compare),
    *(ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.Name, ast.Attribute),
    *(ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Starred),
)


class Place(NamedTuple):
    """Where a call of ours stands."""

    line: int
    function: str
    number: int  # among those of its line
    account: str = ""  # what it adds to; "": nothing
    minus: bool = False  # it takes off


class Rewriter(ast.NodeTransformer):
    """Rewrites one tree; `places` grows."""

    def __init__(self, first: int) -> None:
        self._first = first  # number of the first place
        self.places: list[Place] = []
        self._functions = ["<module>"]
        self._classes = [""]
        self._loops = [0]  # of each function, those that were begun; negative inside of one
        self._of_line: dict[int, int] = {}

    # -- statements -----------------------------------------------------------------------------

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """`total += x`."""
        account = self._account(node.target)
        node.value = self.visit(node.value)
        self.generic_target(node.target)
        if isinstance(node.op, ast.Add | ast.Sub):
            node.value = self._kept(node.value, account, isinstance(node.op, ast.Sub))
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """`p = x`, `total = total + x`."""
        inside = self._added(node)
        account = self._account(node.targets[0])
        node.value = self.visit(node.value)
        for target in node.targets:
            self.generic_target(target)
        if inside is not None and isinstance(node.value, ast.BinOp):
            minus = isinstance(node.value.op, ast.Sub)
            node.value.right = self._kept(node.value.right, account, minus)
        else:
            node.value = self._kept_each(node.value)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """The annotation stays."""
        if node.value is not None:
            node.value = self._kept(self.visit(node.value))
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """`return x`."""
        if node.value is not None:
            node.value = self._kept_each(self.visit(node.value))
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        """`for t in a`."""
        self._loop(node)
        node.iter = self._through(node.iter)
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        """The numbers of its lines belong together."""
        self._loop(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Its body alone."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Its body alone."""
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Its body alone."""
        self._classes.append(node.name)
        node.body = [self.visit(part) for part in node.body]
        self._classes.pop()
        return node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        """Patterns stay."""
        node.subject = self.visit(node.subject)
        for case in node.cases:
            case.body = [self.visit(part) for part in case.body]
        return node

    # -- expressions ----------------------------------------------------------------------------

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """`a[i]`, where it is read."""
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load):
            return node
        key = _Slices().visit(node.slice)
        return self._call(READ, node, node.value, key, self._place(node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`l.append(x)`, `zip(a, b)`, `exec(text)`."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("super", "locals", "globals", "vars", "eval"):
            return node
        account = ""
        if isinstance(node.func, ast.Attribute) and _appends(node):
            account = self._account(node.func.value)
        self.generic_visit(node)
        if ast.unparse(node) in ("dict(os.environ)", "dict(environ)"):
            node.func, node.args = ast.Attribute(node.args[0], "copy", ast.Load()), []
            return ast.fix_missing_locations(node)
        if name in GOES_THROUGH:
            node.args = [a if isinstance(a, ast.Starred) else self._through(a) for a in node.args]
        elif name in CHOOSES and len(node.args) > 1:
            node.args = [a if isinstance(a, ast.Starred) else self._kept(a) for a in node.args]
        elif name == "exec" and node.args and not isinstance(node.args[0], ast.Starred):
            node.args[0] = self._call(REWRITTEN, node.args[0], node.args[0])
        elif name == "compile" and _makes_a_module(node):
            node.args[0] = self._call(TREE, node.args[0], node.args[0])
        elif _appends(node):
            node.args[0] = self._kept(node.args[0], account)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in ADDS_UP:
            self._added_up(node, node.func)
        return node

    def _added_up(self, node: ast.Call, function: ast.Attribute) -> None:
        """What is added up has a number a token, which no line may keep otherwise."""
        if node.args and not isinstance(node.args[0], ast.Starred):
            node.args[0] = self._kept(node.args[0])
        if not node.args or not isinstance(function.value, ast.Name | ast.Attribute):
            place = self._place(function.value)
            function.value = self._call(KEEP, function.value, place, function.value)

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        """`[x for ...]`."""
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        """The same."""
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        """The same."""
        return self._comprehension(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """`for t in a` of one."""
        self.generic_visit(node)
        if not node.is_async:
            node.iter = self._through(node.iter)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Stays."""
        return node

    def generic_target(self, target: ast.expr) -> None:
        """What stands in a target is read as elsewhere, the target itself is not."""
        self.generic_visit(target)

    # -- parts ----------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        names = {part.lower() for d in node.decorator_list for part in _names(d)}
        if any(foreign in name for name in names for foreign in FOREIGN_COMPILERS):
            return node
        self._functions.append(node.name)
        self._loops.append(0)
        node.body = [self.visit(part) for part in node.body]
        self._loops.pop()
        self._functions.pop()
        return node

    def _loop(self, node: ast.For | ast.While) -> None:
        """The outermost ones of a function are counted."""
        outermost = self._loops[-1] >= 0
        if outermost:
            self._loops[-1] = -self._loops[-1] - 1
        self.generic_visit(node)
        if outermost:
            self._loops[-1] = -self._loops[-1]

    def _account(self, target: ast.expr) -> str:
        """A name in one loop of a function; an attribute of `self` in a class."""
        root = target
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        if not isinstance(root, ast.Name):
            return ""
        inside = ".".join(self._functions) + f":{self._loops[-1]}"
        scope = self._classes[-1] if root.id == "self" else inside
        return f"{scope} {ast.unparse(target)}"

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> ast.AST:
        self.generic_visit(node)
        node.elt = self._kept_each(node.elt)
        return node

    def _kept_each(self, value: ast.expr) -> ast.expr:
        if isinstance(value, ast.Tuple):
            value.elts = [self._kept(e) for e in value.elts]
            return value
        return self._kept(value)

    def _kept(self, value: ast.expr, account: str = "", minus: bool = False) -> ast.expr:
        if isinstance(value, NO_NUMBER) and not isinstance(value, ast.Name):
            return value
        return self._call(KEEP, value, self._place(value, account, minus), value)

    def _through(self, value: ast.expr) -> ast.expr:
        if isinstance(value, ast.Constant | ast.JoinedStr | ast.GeneratorExp):
            return value
        return self._call(EACH, value, value)

    def _added(self, node: ast.Assign) -> ast.BinOp | None:
        """`total = total + x`."""
        value = node.value
        if len(node.targets) != 1 or not isinstance(value, ast.BinOp):
            return None
        if not isinstance(value.op, ast.Add | ast.Sub):
            return None
        return value if ast.unparse(node.targets[0]) == ast.unparse(value.left) else None

    def _place(self, node: ast.expr, account: str = "", minus: bool = False) -> ast.expr:
        number = self._of_line[node.lineno] = self._of_line.get(node.lineno, 0) + 1
        self.places.append(Place(node.lineno, self._functions[-1], number, account, minus))
        return ast.copy_location(ast.Constant(self._first + len(self.places) - 1), node)

    @staticmethod
    def _call(name: str, at: ast.expr, *arguments: ast.expr) -> ast.expr:
        function = ast.copy_location(ast.Name(name, ast.Load()), at)
        return ast.copy_location(ast.Call(function, list(arguments), []), at)


class _Slices(ast.NodeTransformer):
    """`lo:hi` outside of brackets."""

    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        parts = [p or ast.Constant(None) for p in (node.lower, node.upper, node.step)]
        made = ast.Call(ast.Name(SLICE, ast.Load()), parts, [])
        return ast.fix_missing_locations(ast.copy_location(made, node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node


def _appends(node: ast.Call) -> bool:
    """`l.append(x)`."""
    return getattr(node.func, "attr", "") in APPENDS and len(node.args) == 1


def _makes_a_module(node: ast.Call) -> bool:
    """`compile(text, name, "exec")`."""
    mode = node.args[2] if len(node.args) == 3 else None
    return isinstance(mode, ast.Constant) and mode.value == "exec" and not node.keywords


def _names(node: ast.expr) -> list[str]:
    return [
        part.id if isinstance(part, ast.Name) else part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Name | ast.Attribute)
    ]
