"""Library functions: the ones whose meaning matters to a rule.

Guarantees: everything not named here is a pure function of its arguments' labels.
Does not cover: third-party optimisers and models beyond what their path says.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from audits.facts import folding, literals
from audits.facts.attributes import attribute
from audits.facts.call import Call
from audits.facts.effects import (
    arithmetic,
    by_hand,
    choices,
    contract,
    coverage,
    cuts,
    deadlines,
    disk,
    downloads,
    foreign,
    losses,
    makers,
    messages,
    pieces,
    predictions,
    ranks,
    regions,
    shards,
    sifts,
    statistics,
    tables,
    totals,
    worths,
)
from audits.facts.interpreter import calls, statements
from audits.facts.labels import AIMED, ALPHABET, CHANCE, TALLY, TOKENS, Label, ids
from audits.facts.objects import Function, Partial
from audits.facts.siblings import Siblings
from audits.facts.state import Interpreter
from audits.facts.values import (
    BLANK,
    UNKNOWN,
    Library,
    Value,
    derive,
    element_of,
    join,
    kinds_of,
    labels_of,
)

_ENVIRONMENT: Final = frozenset(
    {"os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ.setdefault"}
)
_FACTORIES: Final = frozenset(
    {"zeros", "ones", "empty", "full", "rand", "randn", "tensor", "as_tensor", "array", "asarray"}
    | {"zeros_like", "ones_like", "empty_like", "full_like", "Parameter", "randint", "Buffer"}
)
_CONTAINERS: Final = frozenset(
    {"list", "set", "dict", "collections.defaultdict", "collections.deque", "collections.Counter"}
    | {"queue.Queue", "queue.SimpleQueue", "queue.LifoQueue", "multiprocessing.Queue"}
    | {"collections.OrderedDict", "sorted", "reversed", "tuple", "iter"}
)
_TRANSPARENT: Final = frozenset(
    {
        "vmap",
        "compile",
        "DistributedDataParallel",
        "DDP",
        "DataParallel",
        "FullyShardedDataParallel",
    }
    | {"jit", "script", "njit", "wraps", "cache", "lru_cache", "no_grad", "inference_mode", "cast"}
)
_MEASURES: Final = frozenset(
    {"len", "print", "isinstance", "issubclass", "hasattr", "id", "type", "callable", "range"}
    | {"is_tensor", "manual_seed", "is_available", "synchronize", "perf_counter", "time"}
)
_ADDS_UP: Final = frozenset({"sum", "math.fsum", "numpy.sum", "numpy.mean", "statistics.fmean"})
_COUNTS_UP: Final = frozenset({"torch.arange", "numpy.arange"})
_STARTERS: Final = frozenset(
    {"subprocess.run", "subprocess.Popen", "subprocess.check_call", "os.system"}
)


def call_library(interp: Interpreter, path: str, call: Call) -> Value:
    """What it gives, and what that is worth of a score."""
    if (own := _replaced(interp, path)) is not None:
        return calls.call_value(interp, own, call)
    made = _called(interp, path, call)
    last = path.rsplit(".", 1)[-1]
    if last in choices.MINIMA and len(call.args) > 1:
        made = coverage.least(made)
    if path in _ADDS_UP and call.args:
        made = totals.summed(interp, call.args[0], made, interp.site_of(call))
    if last in sifts.SORTS | sifts.PICKS and call.args:
        made = sifts.ordered(interp, last, call.args[0], made, interp.site_of(call))
    if made.worth is None and not made.refs:
        worth = worths.of_call(interp, last, call.args, call)
        return made if worth is None else replace(made, worth=worth)
    return made


def _replaced(interp: Interpreter, path: str) -> Value | None:
    """What the script put in place of a library's function, but inside of that itself."""
    own = interp.replaced.get(path)
    functions = [ref for ref in own.refs if isinstance(ref, Function)] if own else []
    reading = any(one.node in interp.active for one in functions)
    return own if functions and not reading else None


def _called(interp: Interpreter, path: str, call: Call) -> Value:
    """By the whole path first, then by its last name alone."""
    if path in coverage.SAMPLES and call.args:
        return coverage.part(interp, call.args[0], "drawn at random", interp.site_of(call))
    if path in _COUNTS_UP:
        return Value(labels=derive(*call.args).labels | {Label(ALPHABET, 0)})
    if path in sifts.DRAWS:
        return Value(labels=frozenset({Label(CHANCE, 0)}))
    if path in _ENVIRONMENT:
        return _environment(interp, call)
    if (const := _folded(path, call)) is not UNKNOWN:
        made = derive(*call.args)
        return Value(const, made.labels | literals.named(const), switches=made.switches)
    if path in _CONTAINERS:
        made = makers.converted(interp, path, call)
        return statistics.taken(interp, made, path.rsplit(".", 1)[-1], 0, call)
    if path in deadlines.CLOCKS:
        return deadlines.now()
    if path == contract.PROGRAM:
        return contract.program()
    if path == contract.MODEL:
        return contract.model(call.node)
    if path == "len" and call.args:
        return coverage.size(interp, call.args[0], pieces.length(call.args[0]))
    if path == "print":
        messages.printed(interp, call)
    downloads.note(interp, path, call)
    cuts.package(interp, path, call)
    last = path.rsplit(".", 1)[-1]
    if path == "range" and call.args:
        return coverage.ranged(interp, call.args)
    if last in _MEASURES and "." not in path.removeprefix("builtins."):
        return Value(switches=derive(*call.args).switches)
    if (made_new := _maker(interp, path, last, call)) is not None:
        return made_new
    made = _effect(interp, path, last, call)
    made = shards.read(made) if last in shards.READS else made
    return statistics.taken(interp, made, last, len(call.args) - 1, call) if call.args else made


def _environment(interp: Interpreter, call: Call) -> Value:
    args = call.args
    default = args[1] if len(args) > 1 else call.keywords.get("default", Value(None))
    name = args[0].const if args else None
    if not isinstance(name, str):
        return BLANK
    interp.trace.defaults.setdefault(name, default.const)
    return interp.config.read(name, default)


def _folded(path: str, call: Call) -> object:
    """The result of a pure function, where all it is given is known."""
    if not call.args or call.keywords or not all(value.known for value in call.args):
        return UNKNOWN
    return folding.call(path, [value.const for value in call.args])


def _maker(interp: Interpreter, path: str, last: str, call: Call) -> Value | None:
    """What makes a new object, or hands its argument through."""
    if path == "socket.socket":
        return downloads.a_socket(call)
    if last in foreign.LOADERS:
        return foreign.library(interp, call)
    if last in ("bytes", "bytearray"):
        return makers.byte_string(last, call)
    if last in _FACTORIES:
        return makers.tensor(interp, last, call)
    if path.startswith("torch.optim.") and last[0].isupper() and "lr_scheduler" not in path:
        return makers.optimizer(call)
    if path.startswith("torch.nn.") and last[0].isupper() and not last.endswith("Parallel"):
        return makers.layer(interp, last, call)
    if last in _TRANSPARENT:
        return call.args[0] if call.args else Value(refs=frozenset({Library("functools.wraps")}))
    return None


def _effect(interp: Interpreter, path: str, last: str, call: Call) -> Value:
    for table in (_structure, _called_back, _scored, _outside):
        if (found := table(interp, path, last, call)) is not None:
            return found
    if path.startswith("scipy.optimize.") and call.args:
        return _optimised(interp, call)
    if target := call.keywords.get("target"):  # a thread, or a process
        given = call.keywords.get("args", BLANK)
        calls.call_value(interp, target, call.given(list(given.items or ())))
    return call.result()


def _optimised(interp: Interpreter, call: Call) -> Value:
    """What a search over a function ends with."""
    result = calls.call_value(interp, call.args[0], call.given([BLANK]))
    return statistics.best(interp, call.result(), result, interp.site_of(call))


def _structure(interp: Interpreter, path: str, last: str, call: Call) -> Value | None:
    """Copies, pairs, attributes by name."""
    args = call.args
    match last:
        case _ if last in shards.COPIES and path.startswith(("os.", "shutil.")) and len(args) > 1:
            shards.copied(interp, args[0], args[1], interp.site_of(call))
            return BLANK
        case "deepcopy" | "copy" if args:
            return makers.copied(interp, args[0], call.node)
        case "partial" if args:
            return Value(refs=frozenset({Partial(args[0], args[1:], dict(call.keywords))}))
        case "bincount" if args:
            return Value(labels=labels_of(args[0]) | {Label(TALLY, 0)})
        case "zip":
            return makers.listed(Value(items=tuple(element_of(value) for value in args)))
        case "enumerate" if args:
            return makers.listed(Value(items=(BLANK, element_of(args[0]))))
        case "next" if args:
            return tables.in_this_round(interp, join((element_of(args[0]), *args[1:])))
        case "getattr" if len(args) > 1 and isinstance(args[1].const, str):
            return _getattr(args[1].const, args)
        case "setattr" if len(args) > 2 and isinstance(args[1].const, str):
            for ref in args[0].refs:
                ref.attrs[args[1].const] = args[2]
            return BLANK
    return None


def _getattr(name: str, args: list[Value]) -> Value:
    has = any(name in ref.attrs or (ref.cls and ref.cls.find(name)) for ref in args[0].refs)
    library_name = any(isinstance(ref, Library) for ref in args[0].refs)
    if has or library_name or len(args) < 3:
        return attribute(args[0], name)
    return args[2] if args[0].refs else join((args[2], derive(args[0])))


def _called_back(interp: Interpreter, path: str, last: str, call: Call) -> Value | None:
    """Functions that call what they are given."""
    match last:
        case _ if path.startswith(by_hand.CALLED):
            loss = calls.call_value(interp, call.args[0], call.given(call.args[1:], call.keywords))
            slope = by_hand.of_loss(interp, loss, interp.site_of(call))
            return by_hand.returned(last, loss, slope)
        case _ if last in ranks.COLLECTIVES and call.args:
            return ranks.exchanged(interp, call)
        case "functional_call" if len(call.args) > 1:
            return predictions.call_model(interp, call.values)
        case _ if last in by_hand.DIFFERENTIATES and call.args:
            made = [by_hand.of_function(one, last) for one in call.values]
            if found := [one for one in made if one is not None]:
                return found[0]
            return by_hand.of_loss(interp, call.args[0], interp.site_of(call))
        case _ if last.startswith("_foreach_") and last.endswith("_") and call.args:
            by_hand.step_of_all(interp, call)
            return BLANK
        case "min" | "max" | "sorted" | "nsmallest" | "nlargest" if call.args:
            return _best(interp, last, call)
        case "field":
            if factory := call.keywords.get("default_factory"):
                return calls.call_value(interp, factory, call.given([]))
            return call.keywords.get("default", BLANK)
        case "map" if len(call.args) > 1:
            elements = [element_of(value) for value in call.args[1:]]
            return makers.listed(calls.call_value(interp, call.args[0], call.given(elements)))
    return None


def _best(interp: Interpreter, last: str, call: Call) -> Value | None:
    """The best of several candidates, by a key or by what they are."""
    candidates = call.args[1] if last.startswith("n") and len(call.args) > 1 else call.args[0]
    element = element_of(candidates)
    key = call.keywords.get("key")
    if key is None and (len(call.args) > 1 or not element.items):
        return None
    result = element if key is None else calls.call_value(interp, key, call.given([element]))
    found = statistics.best(interp, element, result, interp.site_of(call))
    aims = {label for label in labels_of(result) if label.kind == AIMED}
    found = replace(found, labels=found.labels | aims)
    return found if last in ("min", "max") else makers.listed(found)


def _scored(interp: Interpreter, path: str, last: str, call: Call) -> Value | None:
    """What turns logits, losses and counts into scores."""
    args, site = call.args, interp.site_of(call)
    match last:
        case _ if last in arithmetic.OPERATORS and len(args) == 2:
            return arithmetic.called(interp, last, args, call)
        case _ if last in choices.MINIMA and len(args) == 2:
            return choices.minimum(interp, args[0], args[1], site)
        case "where" if len(args) == 3:
            return _where(interp, call)
        case "masked_select" | "masked_fill" | "extract" | "compress":
            return regions.selected(interp, call.result(), call.node)
        case "cross_entropy" | "nll_loss" if args:
            aims = [
                *args[1:2],
                *(call.keywords[name] for name in ("target",) if name in call.keywords),
            ]
            aim = derive(*aims)
            losses.note_target(interp, args[0], aim, site, call.written(interp.frames[-1].name, 1))
            made = call.given([predictions.normalised(args[0]), *args[1:]], call.keywords).result()
            made = predictions.realised(predictions.predicted(interp, made))
            return losses.of_target(interp, args[0], aim, made, site)
        case "softmax" | "log_softmax" if args:
            return predictions.predicted(interp, derive(predictions.normalised(args[0])))
        case "gather" | "take_along_axis" | "take_along_dim" if len(args) > 1:
            picked = call.result()
            interp.trace.targets |= ids(labels_of(args[-1]), TOKENS)
            if TOKENS not in kinds_of(args[-1]):
                return picked
            picked = predictions.realised(picked)
            return losses.of_target(interp, args[0], args[-1], picked, site)
        case "one_hot" if args:
            return losses.one_hot(args[0], call.result())
        case "einsum" if len(args) > 2:
            return losses.picked(interp, args[1], args[2], call.result(), site)
        case "exp" | "logaddexp" if args and (marks := losses.mixed_by_byte(derive(*args))):
            made = call.result()
            return replace(made, labels=made.labels | marks)
        case "log2" if args:
            made = call.result()
            return replace(made, labels=made.labels | totals.note_bits(interp, args[0], site))
        case "log" | "log1p" | "logaddexp" | "logsumexp" if args:
            made = losses.log_of_sum(last, call.result(), call.node)
            return replace(made, labels=made.labels | totals.logged(args[0]))
        case "at" if path.endswith("add.at") and len(args) > 1:  # np.add.at(table, key, 1)
            tables.note_write(interp, args[0].refs, args[1], site)
            return BLANK
    return None


def _where(interp: Interpreter, call: Call) -> Value:
    """`where(a < b, a, b)` is a minimum; any other chooses positions."""
    args, written = call.args, call.node.args
    worth = worths.chosen(*args)
    test = written[0]
    if ast.dump(written[1]) == ast.dump(written[2]):  # whatever the test says
        return args[1]
    if isinstance(test, ast.Name):
        test = call.scope.definitions.get(test.id, test)
    if isinstance(test, ast.Compare) and len(test.comparators) == 1:
        compared = {ast.dump(test.left), ast.dump(test.comparators[0])}
        plain = args[1].known or args[2].known  # a bound
        if compared == {ast.dump(written[1]), ast.dump(written[2])} and not plain:
            return choices.minimum(interp, args[1], args[2], interp.site_of(call))
    made = regions.selected(interp, derive(*args), call.node)
    gated = losses.chosen(interp, args[0], args[1], args[2], interp.site_of(call))
    return replace(made, labels=made.labels | gated, worth=worth)


def _outside(interp: Interpreter, path: str, last: str, call: Call) -> Value | None:
    """Files on disk, and other files of the folder."""
    siblings = Siblings(interp, statements.run_block)
    match last:
        case _ if last in shards.LISTS and call.args:
            return shards.listed(interp, call.result())
        case "save" | "savez" | "savez_compressed" | "dump" | "save_file" if len(call.values) > 1:
            disk.save(interp, call.values)
            return BLANK
        case "load" | "load_file" | "open" if call.args:
            return disk.opened(interp, call.args[0])
        case "run_path" | "exec":
            cuts.built_code(interp, path, call, ran=siblings.execute(call.args))
            return BLANK
    if path in ("sys.path.insert", "sys.path.append"):
        siblings.add_folder(call.node)
        return BLANK
    if path in _STARTERS:
        siblings.start(call.args)
        return BLANK
    return None
