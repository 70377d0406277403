"""Constants: sizes that stand as numbers in the code, exchanged while it is compiled.

Counting tables: `self.BUCKETS = 4_194_304`, `BUCKETS = 1 << 22`, a default `buckets=16_777_216`, a
keyword of a call, `np.zeros(1 << 22)`: no switch reaches them, and 2,048 tokens in four million
buckets never meet, so that a cache whose probabilities sum to hundreds in the contest would be
normalised here. Quantisers: `t.numel() <= 65536` keeps what is small as it is, which in a small
model is all of it: one calibrated on validation tokens would quantise nothing (#877). Averages:
`ema_decay = 0.997` (53 of 196 scripts) keeps, after three steps, the weights that nobody trained.
The file is never edited: the entry's syntax tree gets another number, and every exchange is in the
report.

Guarantees: only whole numbers of at least `MIN_ENTRIES` that have a name or are used as one of the
nameless, rates of averages, and, where they are asked for, all numbers that have a name, in the
files that the entry imports too, in text that it unpacks and executes, and in a line of text that
holds settings (`"dim=512,layers=9"`). Does not cover: sizes
that are computed; which of them are exchanged, and for what.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PACKED = "<string>"  # the file of a key that stands in text which the script executes
TEXT_FUNCTIONS = ("__as__", "__tree__")  # that rewritten code gives such text to
MIN_ENTRIES = 32_768  # trained tables that stand in code are smaller
MIN_NUMEL = 4_096  # of a matrix that a quantiser leaves alone: 8,192 and 65,536 are usual
AVERAGE = re.compile(r"(^|_)ema_decay$", re.IGNORECASE)
NAMELESS = ALLOCATED, MASK, MODULUS, NUMEL = "zeros", "mask", "modulus", "numel"

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
    ast.Pow: operator.pow,
}
_LARGEST_EXPONENT = 40


# `"dim=256,layers=4"`, a line that the script takes apart itself.
_PAIR = re.compile(r"(?<![\w.])(?P<name>[A-Za-z]\w*)(?P<sign> ?[=:] ?)(?P<number>\d+)(?![\w.])")
_NAME = re.compile(r"-{0,2}[A-Za-z]\w+(-\w+)*")
LEAST_PAIRS = 3  # of a text that holds settings
MOST_CHARACTERS = 2_000  # of such a line; what is longer is packed, and pairs in it are chance


@dataclass(frozen=True)
class CodeConstant:
    """One number that a name is bound to."""

    name: str
    value: int | float
    node: ast.expr  # the number, or the text that holds it

    @property
    def key(self) -> str:
        """Where it stands: "51:BUCKETS"; several nameless ones may: "51:mask 4194303"."""
        value = f" {self.value}" if self.name in NAMELESS else ""
        return f"{self.node.lineno}:{self.name}{value}"

    def exchanged_in(self, was: object, number: str) -> Any:
        """What stands at the node then; `was`: a text, with what was exchanged in it before."""
        if not isinstance(was, str):
            return ast.literal_eval(number)
        return _PAIR.sub(
            lambda m: f"{m['name']}{m['sign']}{number}" if m["name"] == self.name else m[0], was
        )


def place_of(key: str) -> str:
    """A constant's key for people: "line 51: BUCKETS"."""
    place, _, name = key.rpartition(":")
    file, _, line = place.rpartition(":")
    file = "packed text" if file == PACKED else file
    return f"{file} line {line}: {name}" if file else f"line {line}: {name}"


def constants_in(tree: ast.AST) -> Iterator[CodeConstant]:
    """Every number of at least MIN_ENTRIES that the code names, or uses as one of the nameless; a
    mask is one less. Each expression once, by its name where it has one. Rates of averages as well.
    """
    seen: set[int] = set()
    for node in ast.walk(tree):
        for name, value in (*_bindings(node), *_nameless(node)):
            number = _rate(value) if AVERAGE.search(name) else _large(name, value)
            if number is not None and id(value) not in seen:
                seen.add(id(value))
                yield CodeConstant(name, number, value)


def _large(name: str, node: ast.expr) -> int | None:
    number = _whole(node)
    least = MIN_NUMEL if name == NUMEL else MIN_ENTRIES - 1
    return number if number is not None and number >= least else None


def _rate(node: ast.expr) -> float | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, float) and 0 < value < 1 else None


def named_numbers_in(tree: ast.AST) -> Iterator[CodeConstant]:
    """Every number that the code gives a name: a variable, an attribute, a field, a default, a
    keyword, a key of a table, a word beside it. `constants_in` has those that are large; a script
    without a switch keeps all of its sizes so.
    """
    seen: set[int] = set()
    for node in ast.walk(tree):
        for name, value in (*_beside(node), *_bindings(node), *_keys(node)):
            number = _number(value)
            if number is not None and id(value) not in seen:
                seen.add(id(value))
                yield CodeConstant(name, number, value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (CodeConstant(*pair, node) for pair in _pairs(node.value))


def _pairs(text: str) -> Iterator[tuple[str, int]]:
    """Settings in one line of text; texts of several lines are parsed (`parsed_files`)."""
    is_line = len(text) <= MOST_CHARACTERS and "\n" not in text
    found = list(_PAIR.finditer(text)) if is_line else []
    yield from ((m["name"], int(m["number"])) for m in found if len(found) >= LEAST_PAIRS)


def _number(node: ast.expr) -> int | float | None:
    plain = node.value if isinstance(node, ast.Constant) else None
    return plain if isinstance(plain, float) else _whole(node)


def _beside(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """`option(640, "WIDTH", "of the model")`, `parser.add_argument("--width", default=640)`: the
    one number of a call beside a word that may name it; prose has blanks.
    """
    if not isinstance(node, ast.Call):
        return
    numbers = [value for value in (*node.args, *_default(node)) if _number(value) is not None]
    words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    names = [word for word in words if isinstance(word, str) and _NAME.fullmatch(word)]
    if len(numbers) == len(names) == 1:
        yield names[0].lstrip("-").replace("-", "_"), numbers[0]


def _default(call: ast.Call) -> Iterator[ast.expr]:
    yield from (one.value for one in call.keywords if one.arg == "default")


def _keys(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """`{"dim": 512}`."""
    for key, value in (
        zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
    ):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value


def of_file(values: Mapping[str, str], name: str) -> dict[str, str]:
    """Those of one file that the entry imports: keys "model.py:51:BUCKETS", without the file."""
    return {
        key[len(name) + 1 :]: text for key, text in values.items() if key.startswith(f"{name}:")
    }


def parsed_with(text: bytes | str, file: str, values: Mapping[str, str]) -> ast.Module:
    """The tree of a script with other numbers in it; lines stay what they are.

    Raises SyntaxError where the script does not parse.
    """
    tree = ast.parse(text, file)
    exchanged: dict[int, Any] = {}
    for one in (*named_numbers_in(tree), *constants_in(tree)):
        if one.key in values:
            was = exchanged.get(id(one.node), getattr(one.node, "value", None))
            exchanged[id(one.node)] = one.exchanged_in(was, values[one.key])
    _Exchange(exchanged).visit(tree)
    return tree


class _Exchange(ast.NodeTransformer):
    def __init__(self, constants: Mapping[int, Any]) -> None:
        self._constants = constants

    def visit(self, node: ast.AST) -> ast.AST:
        constant = self._constants.get(id(node))
        if constant is None:
            return self.generic_visit(node)
        return ast.copy_location(ast.Constant(constant), node)


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Assignments to a name or an attribute, defaults of parameters, keywords of calls."""
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from _named(target, node.value)
    elif isinstance(node, ast.arguments):
        plain = [*node.posonlyargs, *node.args]
        with_default = plain[len(plain) - len(node.defaults) :]
        yield from ((a.arg, d) for a, d in zip(with_default, node.defaults, strict=True))
        keywords = zip(node.kwonlyargs, node.kw_defaults, strict=True)
        yield from ((a.arg, d) for a, d in keywords if d is not None)
    elif isinstance(node, ast.keyword) and node.arg is not None:
        yield node.arg, node.value


def _named(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """`width = 512`, `self.width = 512`, `width, depth = 512, 9`."""
    match target, value:
        case ast.Name(), _:
            yield target.id, value
        case ast.Attribute(), _:
            yield target.attr, value
        case ((ast.Tuple() | ast.List()), (ast.Tuple() | ast.List())):
            for one, part in zip(target.elts, value.elts, strict=False):
                yield from _named(one, part)


def _nameless(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """`np.zeros(1 << 22)`, `(1 << 22) - 1`, `h & 4194303`, `h % 4194304`, `t.numel() <= 65536`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if node.func.attr == ALLOCATED and _is_table(_whole(node.args[0])):
            yield ALLOCATED, node.args[0]
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Sub) and _whole(node.right) == 1:
            yield MASK, node
        elif isinstance(node.op, ast.BitAnd):
            yield MASK, node.right
        elif isinstance(node.op, ast.Mod):
            yield MODULUS, node.right
    elif isinstance(node, ast.Compare) and _counts_weights(node.left):
        yield NUMEL, node.comparators[0]


def _is_table(entries: int | None) -> bool:
    """A power of two that no 16-bit token is an index of."""
    return entries is not None and entries > 65_536 and entries & (entries - 1) == 0


def _counts_weights(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == NUMEL
    )


def _whole(node: ast.expr) -> int | None:
    """The value of a whole number, or of a sum, product, power or shift of such."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    left, right = _whole(node.left), _whole(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.LShift | ast.Pow) and not 0 <= right <= _LARGEST_EXPONENT:
        return None
    return _OPERATORS[type(node.op)](left, right)
