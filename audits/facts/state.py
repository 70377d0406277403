"""The state of one reading: where it is, what is known, what was seen so far.

Guarantees: no code of the submission runs; a branch that the configuration decides is followed one
way (`explore=False`) or both ways with the switch remembered (`explore=True`); work is bounded by
a step count, so the result does not depend on the machine.
Does not cover: exceptions as control flow, threads' interleaving, code built at run time.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from audits.facts.call import Call
from audits.facts.documented.configuration import Configuration
from audits.facts.events import Moment, Site
from audits.facts.labels import Label
from audits.facts.objects import Function
from audits.facts.scope import Scope
from audits.facts.texts.native import Natives
from audits.facts.trace import Trace
from audits.facts.values import Library, Value

STEP_LIMIT = 600_000  # expressions; the largest real script needs about a third
DEPTH_LIMIT = 30


# The syntax tree of a file of the folder, read on demand; None where there is none to read.
TreeOf = Callable[[str], ast.Module | None]


class OutOfSteps(Exception):
    """The reading was cut short; what was seen so far stands."""


@dataclass(slots=True)
class Frame:
    """One function activation."""

    name: str
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    # The names at each break, by loop.
    exits: list[list[dict[str, Value]]] = field(default_factory=list)
    inactive_mark: int = 0
    decided_by: set[str] = field(default_factory=set)  # switches that chose a branch here


@dataclass(frozen=True, slots=True)
class Gradient:
    """A backward pass whose result no optimiser has used yet."""

    site: Site
    labels: frozenset[Label]
    moment: Moment
    shared: bool = False  # among the ranks


class Interpreter:
    """State of one reading: where we are, what is known, what was seen."""

    def __init__(
        self,
        tree_of: TreeOf,
        config: Configuration,
        *,
        explore: bool,
        natives: Natives | None = None,
    ) -> None:
        self.tree_of = tree_of
        self.config = config
        self.natives = natives or Natives()
        self.trees: dict[str, ast.Module] = {}  # the files read so far
        self.explore = explore
        self.trace = Trace()
        self.frames: list[Frame] = [Frame("<module>")]
        self.active: list[ast.AST] = []  # functions being read, against recursion
        self.loops: list[int] = []
        self.no_grad_blocks: list[int] = []  # blocks without gradients that are being read
        self.steps_of: dict[int, str] = {}  # by how much a loop's variable grows, as written
        self.rounds: dict[int, int] = {}  # how often a loop runs, where that is known
        self.last_only: list[int] = []  # loops whose last round alone runs the code being read
        self.inactive: list[str] = []
        self.ambiguous: list[str] = []
        self.pending: list[Gradient] = []
        self.pending_used = False
        self.gradients: list[Gradient] = []  # that the script took hold of itself
        self.folders: list[str] = []  # that the script put on the path of imports
        self.mixed_in: Site | None = None  # where a validation shard became a training one
        self.on_disk: dict[object, frozenset[Label]] = {}  # weights on disk, by path where known
        self.loaded: dict[str, Scope] = {}
        self.builtins: dict[str, Value] = {}
        self.messages: Counter[str] = Counter()  # messages of the files read so far
        self.choosing: list[frozenset[Label]] = []  # marks of the open tests of results
        self.open_tests: list[frozenset[Label]] = []  # of the undecided branches being read
        self.sifts: list[int] = []  # Sifts on one side of which the code being read is
        self.models: dict[str, ast.ClassDef] = {}  # classes of models that were defined so far
        self.replaced: dict[str, Value] = {}  # functions of libraries that the script replaces
        self.flags: dict[str, Value] = {}  # of the command line, by their attribute, as they are
        self.listeners = 0  # forward hooks registered and not yet removed
        self.last_site = Site("", 0, "<module>")  # the statement being read
        self.position = 0
        self.steps = 0
        self.last_id = 0

    def fresh_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def tick(self) -> None:
        self.steps += 1
        if self.steps > STEP_LIMIT:
            raise OutOfSteps

    def site(self, node: ast.AST, scope: Scope) -> Site:
        return Site(scope.file, getattr(node, "lineno", 0), self.frames[-1].name)

    def site_of(self, call: Call) -> Site:
        return self.site(call.node, call.scope)

    def here(self) -> Site:
        return self.last_site

    def moment(self) -> Moment:
        self.position += 1
        return Moment(
            self.position,
            tuple(self.loops),
            tuple(self.inactive),
            tuple(self.ambiguous),
            tuple(self.last_only),
            tuple(self.no_grad_blocks),
        )

    @contextmanager
    def loop(self) -> Iterator[int]:
        self.loops.append(self.fresh_id())
        self.frames[-1].exits.append([])
        mark = len(self.sifts)
        try:
            yield self.loops[-1]
        finally:
            del self.sifts[mark:]
            self.loops.pop()
            self.frames[-1].exits.pop()

    @contextmanager
    def without_gradients(self, how_many: int) -> Iterator[None]:
        self.no_grad_blocks += [self.fresh_id() for _ in range(how_many)]
        try:
            yield
        finally:
            del self.no_grad_blocks[len(self.no_grad_blocks) - how_many :]

    @contextmanager
    def under(self, test: Value) -> Iterator[None]:
        self.open_tests.append(test.labels)
        try:
            yield
        finally:
            self.open_tests.pop()

    @contextmanager
    def choosing_by(self, marks: list[frozenset[Label]]) -> Iterator[None]:
        self.choosing += marks
        try:
            yield
        finally:
            del self.choosing[len(self.choosing) - len(marks) :]

    @contextmanager
    def sifted(self, sift: int | None) -> Iterator[list[int]]:
        """One side of a branch; gives, in the end, which accumulations are on it."""
        span, mark = [len(self.trace.accumulations)], len(self.sifts)
        self.sifts += [] if sift is None else [sift]
        try:
            yield span
        finally:
            span.append(len(self.trace.accumulations))
            del self.sifts[mark:]

    @contextmanager
    def in_last_round(self, loops: list[int]) -> Iterator[None]:
        self.last_only += loops
        try:
            yield
        finally:
            del self.last_only[len(self.last_only) - len(loops) :]

    @contextmanager
    def guarded(self, switches: frozenset[str], *, inactive: bool) -> Iterator[None]:
        """Code under a condition: `inactive` when the run's configuration keeps it from running."""
        doubt = self.config.uncertain(switches)
        mark, doubt_mark = len(self.inactive), len(self.ambiguous)
        if inactive:
            self.deactivate(switches)
        self.ambiguous += doubt
        try:
            yield
        finally:
            del self.inactive[mark:]
            del self.ambiguous[doubt_mark:]

    def deactivate(self, switches: frozenset[str]) -> None:
        """From here to the end of the enclosing guard or function, the run would not come."""
        self.inactive += [self.config.describe(name) for name in sorted(switches)]

    def builtin(self, name: str) -> Value:
        if name not in self.builtins:
            self.builtins[name] = Value(refs=frozenset({Library(name)}))
        return self.builtins[name]

    def enter(self, function: Function, name: str) -> bool:
        """False where following the call would not end."""
        if len(self.active) >= DEPTH_LIMIT or function.node in self.active:
            return False
        self.active.append(function.node)
        self.frames.append(Frame(name, inactive_mark=len(self.inactive)))
        return True

    def leave(self) -> Frame:
        self.active.pop()
        frame = self.frames.pop()
        del self.inactive[frame.inactive_mark :]
        return frame
