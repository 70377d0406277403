"""Library functions: the ones whose meaning matters to a rule.

Guarantees: everything not named here is a pure function of its arguments' labels.
Does not cover: third-party optimisers and models beyond what their path says.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from audits.facts import (
    calls,
    contract,
    deadlines,
    downloads,
    expressions,
    files,
    folding,
    foreign,
    pieces,
    stores,
    totals,
    weights,
)
from audits.facts.machine import Machine
from audits.facts.scope import Scope
from audits.facts.values import (
    ADAPTED,
    BLANK,
    BYTES,
    COUNT,
    FILE,
    OUTPUT,
    RATIO,
    REALISED,
    REGION,
    ROWS,
    STREAM,
    TALLY,
    TOKENS,
    TRAIN,
    UNKNOWN,
    Label,
    Library,
    Obj,
    Partial,
    Value,
    derive,
    ids,
    join,
    kinds,
    kinds_of,
    labels_of,
)

if TYPE_CHECKING:
    from audits.facts.calls import Args, Keywords

_FACTORIES: Final = frozenset(
    {"zeros", "ones", "empty", "full", "rand", "randn", "tensor", "as_tensor", "array", "asarray"}
    | {"zeros_like", "ones_like", "empty_like", "full_like", "Parameter", "randint", "Buffer"}
)
_CONTAINERS: Final = frozenset(
    {"list", "set", "dict", "collections.defaultdict", "collections.deque", "collections.Counter"}
    | {"collections.OrderedDict", "sorted", "reversed", "tuple", "iter"}
)
_TRANSPARENT: Final = frozenset(
    {"compile", "DistributedDataParallel", "DDP", "DataParallel", "FullyShardedDataParallel"}
    | {"jit", "script", "njit", "wraps", "cache", "lru_cache", "no_grad", "inference_mode", "cast"}
)
_MEASURES: Final = frozenset(
    {"len", "print", "isinstance", "issubclass", "hasattr", "id", "type", "callable", "range"}
    | {"is_tensor", "manual_seed", "is_available", "synchronize", "perf_counter", "time"}
)
_STARTERS: Final = frozenset(
    {"subprocess.run", "subprocess.Popen", "subprocess.check_call", "os.system"}
)


def call(
    m: Machine, path: str, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    last = path.rsplit(".", 1)[-1]
    if path in ("os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ.setdefault"):
        return _environment(m, args, keywords)
    if args and not keywords and all(value.known for value in args):
        const = folding.call(path, [value.const for value in args])
        if const is not UNKNOWN:
            made = derive(*args)
            return Value(const, made.labels, switches=made.switches)
    if path in _CONTAINERS:
        return _container(m, path, args, node)
    if path in deadlines.CLOCKS:
        return deadlines.now()
    if path == contract.PROGRAM:
        return contract.program()
    if path == contract.MODEL:
        return contract.model(node)
    if path == "len" and args:
        return pieces.length(args[0])
    downloads.note(m, path, args, keywords, node, scope)
    if last in _MEASURES and "." not in path.removeprefix("builtins."):
        return derive_switches(args)
    if last in foreign.LOADERS:
        return foreign.library(m, args, node, scope)
    if last in ("bytes", "bytearray"):
        return _bytes(last, args, keywords, node)
    if last in _FACTORIES:
        return _tensor(m, args, keywords, node)
    if path.startswith("torch.optim.") and last[0].isupper() and "lr_scheduler" not in path:
        return _optimizer(m, args, keywords, node)
    if path.startswith("torch.nn.") and last[0].isupper() and not last.endswith("Parallel"):
        return _module(m, last, args, node)
    if last in _TRANSPARENT:
        return args[0] if args else Value(refs=frozenset({Library("functools.wraps")}))
    if last in totals.MINIMA and len(args) == 2:
        return totals.minimum(m, args[0], args[1], node, scope)
    return _special(m, path, last, args, keywords, node, scope)


def _special(
    m: Machine, path: str, last: str, args: Args, keywords: Keywords, node: ast.Call, scope: Scope
) -> Value:
    match last:
        case "deepcopy" | "copy" if args:
            return copied(m, args[0], node)
        case "partial" if args:
            made = Partial(args[0], args[1:], keywords)
            return Value(refs=frozenset({made}))
        case "field":
            if factory := keywords.get("default_factory"):
                return calls.call_value(m, factory, [], {}, node, scope)
            return keywords.get("default", BLANK)
        case "bincount" if args:
            return Value(labels=labels_of(args[0]) | {Label(TALLY, 0)})
        case "zip":
            return _zip(args)
        case "enumerate" if args:
            return listed(Value(items=(BLANK, expressions.element_of(args[0]))))
        case "map" if len(args) > 1:
            elements = [expressions.element_of(value) for value in args[1:]]
            return listed(calls.call_value(m, args[0], elements, {}, node, scope))
        case "getattr" if len(args) > 1 and isinstance(args[1].const, str):
            return _getattr(m, args)
        case "setattr" if len(args) > 2 and isinstance(args[1].const, str):
            for ref in args[0].refs:
                ref.attrs[args[1].const] = args[2]
            return BLANK
        case "where" if len(args) == 3:
            return _where(m, args, node, scope)
        case "save" | "savez" | "dump" | "save_file" if len(args) > 1:
            return save(m, args)
        case "load" | "load_file" | "open" if args:
            return opened(m, args)
        case "cross_entropy" | "nll_loss" if args:
            aims = [*args[1:2], *(keywords[name] for name in ("target",) if name in keywords)]
            totals.note_target(m, args[0], derive(*aims), node, scope)
            logits = normalised(args[0])
            return realised(predicted(m, expressions.opaque([logits, *args[1:]], keywords)))
        case "softmax" | "log_softmax" if args:
            return predicted(m, expressions.opaque([normalised(args[0])], {}))
        case "gather" | "take_along_axis" | "take_along_dim" if len(args) > 1:
            picked = expressions.opaque(args, keywords)
            return realised(picked) if TOKENS in kinds_of(args[-1]) else picked
        case "log2" if args:
            totals.note_bits(m, args[0], node, scope)
        case "log" | "log1p" | "logaddexp" | "logsumexp" if args:
            return totals.log_of_sum(last, expressions.opaque(args, keywords), node)
        case "at" if path.endswith("add.at") and len(args) > 1:
            return _count(m, args, node, scope)
        case "run_path" | "exec":
            return files.execute(m, args)
    if path in _STARTERS:
        return files.start(m, args)
    if target := keywords.get("target"):
        given = keywords.get("args", BLANK)
        calls.call_value(m, target, list(given.items or ()), {}, node, scope)
    return expressions.opaque(args, keywords)


def realised(value: Value) -> Value:
    """Losses and probabilities of the very tokens, told from whole distributions."""
    marks = frozenset(Label(REALISED, number) for number in ids(value.labels, OUTPUT))
    return Value(labels=value.labels | marks, refs=value.refs, switches=value.switches)


def normalised(logits: Value) -> Value:
    """Counts that went into logits are part of one distribution after the softmax."""
    labels = frozenset(one for one in labels_of(logits) if one.kind not in (COUNT, RATIO))
    return Value(labels=labels, switches=logits.switches)


def predicted(m: Machine, value: Value) -> Value:
    """Probabilities or losses of tokens came out of a model, also where it was not recognised."""
    held = kinds(value.labels)
    if OUTPUT in held or not held & {TOKENS, STREAM}:
        return value
    return Value(labels=value.labels | {Label(OUTPUT, m.fresh_id())}, switches=value.switches)


def derive_switches(args: Args) -> Value:
    return Value(switches=derive(*args).switches)


def _bytes(last: str, args: Args, keywords: Keywords, node: ast.Call) -> Value:
    made = expressions.opaque(args, keywords)
    labels = made.labels | {Label(BYTES, 0)}
    if last == "bytes":
        return Value(labels=labels, switches=made.switches)
    grown = Obj("list", node.lineno)  # a bytearray grows like a list
    grown.labels = set(labels)
    return Value(refs=frozenset({grown}))


def _environment(m: Machine, args: Args, keywords: Keywords) -> Value:
    default = args[1] if len(args) > 1 else keywords.get("default", Value(None))
    name = args[0].const if args else None
    return m.config.read(name, default) if isinstance(name, str) else BLANK


def _container(m: Machine, path: str, args: Args, node: ast.Call) -> Value:
    kind = "dict" if path in ("dict", "collections.defaultdict", "collections.Counter") else "list"
    made = Obj(kind, node.lineno)
    made.home = tuple(m.loops)
    if path == "collections.defaultdict" or not args:
        return Value(refs=frozenset({made}))
    if args[0].items is not None and path in ("list", "tuple"):
        return args[0] if path == "tuple" else listed(join(args[0].items))
    element = expressions.element_of(args[0])
    if element is not BLANK:
        made.entries[None] = element
    return Value(refs=frozenset({made}))


def _tensor(m: Machine, args: Args, keywords: Keywords, node: ast.Call) -> Value:
    made = Obj("tensor", node.lineno)
    made.home = tuple(m.loops)
    made.labels = set(derive(*args).labels)
    if (rows := _rows(args)) is not None:
        made.attrs[ROWS] = Value(rows)
    return Value(refs=frozenset({made}))


def _rows(args: Args) -> object:
    """The leading dimension of a new tensor, where it is written out."""
    if not args:
        return None
    if args[0].items:
        return args[0].items[0].const if args[0].items[0].known else None
    if args[0].known and len(args) > 1:
        return args[0].const
    kept = [ref.attrs[ROWS].const for ref in args[0].refs if ROWS in ref.attrs]
    return kept[0] if kept else None


def _optimizer(m: Machine, args: Args, keywords: Keywords, node: ast.Call) -> Value:
    made = Obj("optimizer", node.lineno)
    made.entries = dict(enumerate([*args, *keywords.values()]))
    return Value(refs=frozenset({made}))


def _module(m: Machine, name: str, args: Args, node: ast.Call) -> Value:
    """A layer of its own; only a container shares the weights of what it is given."""
    made = Obj("module", node.lineno)
    made.home = tuple(m.loops)
    shared = args if name in ("Sequential", "ModuleList", "ModuleDict") else []
    inside = frozenset(ref for value in shared for ref in weights.reachable(value))
    return Value(refs=frozenset({made}) | inside)


def copied(m: Machine, value: Value, node: ast.AST) -> Value:
    """A copy keeps what its original had learnt, and learns nothing more with it."""
    if len(value.refs) != 1:
        return derive(value)
    (original,) = value.refs
    made = Obj(original.kind, getattr(node, "lineno", 0), original.cls)
    made.home = tuple(m.loops)
    made.labels = set(labels_of(value))
    made.attrs, made.entries = dict(original.attrs), dict(original.entries)
    return Value(labels=value.labels, refs=frozenset({made}))


def listed(element: Value) -> Value:
    """A list whose elements are all like this one."""
    made = Obj("list")
    made.entries[None] = element
    return Value(refs=frozenset({made}))


def _zip(args: Args) -> Value:
    return listed(Value(items=tuple(expressions.element_of(value) for value in args)))


def _getattr(m: Machine, args: Args) -> Value:
    name = args[1].const
    assert isinstance(name, str)
    has = any(name in ref.attrs or (ref.cls and ref.cls.find(name)) for ref in args[0].refs)
    library_name = any(isinstance(ref, Library) for ref in args[0].refs)
    if has or library_name or len(args) < 3:
        return expressions.attribute(m, args[0], name)
    return args[2] if args[0].refs else join((args[2], derive(args[0])))


def _where(m: Machine, args: Args, node: ast.Call, scope: Scope) -> Value:
    test = node.args[0]
    if isinstance(test, ast.Compare) and len(test.comparators) == 1:
        compared = {ast.dump(test.left), ast.dump(test.comparators[0])}
        if compared == {ast.dump(node.args[1]), ast.dump(node.args[2])}:
            return totals.minimum(m, args[1], args[2], node, scope)
    return selected(m, derive(*args), node)


def selected(m: Machine, value: Value, node: ast.AST) -> Value:
    """The value, remembered as restricted to the positions that the call selects."""
    mark = Label(REGION, m.trace.region(ast.unparse(node)))
    return Value(value.const, value.labels | {mark}, value.refs, value.items, value.switches)


def save(m: Machine, args: Args) -> Value:
    """What the weights have learnt goes to disk with them."""
    learnt = frozenset(label for value in args for label in weights.adaptations(value))
    for value in args:
        for ref in value.refs:
            ref.labels |= learnt
        if isinstance(value.const, str):
            m.files[value.const] = m.files.get(value.const, frozenset()) | learnt
            return BLANK
    m.files[None] = m.files.get(None, frozenset()) | learnt
    return BLANK


def opened(m: Machine, args: Args) -> Value:
    """A file, carrying what was written to that path, or to any path that is not known."""
    path = args[0].const if args[0].known else None
    held = [labels for key, labels in m.files.items() if key in (path, None) or path is None]
    made = Obj("file")
    made.attrs["path"] = args[0]
    made.labels = {label for labels in held for label in labels if label.kind == ADAPTED}
    made.labels |= labels_of(args[0])
    own = path in m.files or None in m.files  # the script may have written it itself
    if not own and not kinds(made.labels) & {STREAM, TRAIN}:
        made.labels.add(Label(FILE, 0))
    return Value(refs=frozenset({made}))


def _count(m: Machine, args: Args, node: ast.AST, scope: Scope) -> Value:
    """`np.add.at(table, key, 1)`."""
    stores.note_write(m, args[0].refs, args[1], node, scope)
    return BLANK
