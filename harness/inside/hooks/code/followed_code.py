"""Code that is compiled so that what it reads and keeps is seen (`rewriting`).

The functions of ours stand in `builtins` under short names. Each does first what the code would
have done; what it looks at afterwards never reaches the script.
Guarantees: files of the script alone are rewritten, and no bytecode of them is written. Code that
cannot be rewritten is compiled as it is. Does not cover: accelerators, where a compiler reads the
code.
"""

import ast
import builtins
import copy
import importlib.machinery
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.inside.hooks.code.rewriting import (
    EACH,
    KEEP,
    READ,
    REWRITTEN,
    SLICE,
    TREE,
    Rewriter,
)
from harness.inside.hooks.code.seen_rows import numbers_in, row_width
from harness.inside.hooks.numpy.picks import picked_by_key
from harness.inside.hooks.numpy.tracked_array import TrackedArray, map_of
from harness.inside.hooks.python.tracked_floats import TrackedFloat, TrackedNumpyFloat
from harness.inside.hooks.recording.kept_values import LineOfValues
from harness.inside.hooks.recording.recorder import INTEGERS as TENSOR_INTEGERS
from harness.inside.hooks.recording.recorder import Recorder
from harness.inside.hooks.recording.sites import Site
from harness.protocol.code_constants import PACKED

# What is looked at here needs no watch: a property costs 0.3 us for 1.5 us.
Unwatched: Any = torch._C.DisableTorchFunction
Loader: Any = importlib.machinery.SourceFileLoader
NUMBERS = {float, np.float64, np.float32, TrackedFloat, TrackedNumpyFloat, Decimal}
FLOATS = NUMBERS - {Decimal}
TEXTS = {str, bytes, ast.Module}
ARRAYS = {np.ndarray, TrackedArray, Tensor}
READ_LATELY = 8  # tokens: the target, and its context
INTEGERS = {np.int64, np.int32, np.int16, np.uint16, np.uint32, np.uint8}


class FollowedCode:
    """Rewrites what is compiled while installed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lines: list[LineOfValues] = []
        self._minus: set[int] = set()  # of the lines, those that take off what others of it add
        self._to_code, self._cache = Loader.source_to_code, Loader._cache_bytecode
        Loader.source_to_code = self._source_to_code()
        Loader._cache_bytecode = self._cache_bytecode()
        for name, function in self._functions().items():
            setattr(builtins, name, function)

    def close(self) -> None:
        """Files are compiled as they are; code that was rewritten still finds its functions."""
        Loader.source_to_code, Loader._cache_bytecode = self._to_code, self._cache

    def compiled(self, source: Any, file: str) -> CodeType:
        """A text, or a tree, of the script."""
        tree = self._tree(source, file)
        return compile(source if tree is None else tree, file, "exec", dont_inherit=True)

    def _tree(self, source: Any, file: str) -> ast.Module | None:
        """The same, rewritten; None where it cannot be."""
        try:
            given = isinstance(source, ast.Module)
            tree: ast.Module = copy.deepcopy(source) if given else ast.parse(source, file)
        except (SyntaxError, ValueError):
            return None
        try:
            rewriter = Rewriter(len(self._lines))
            rewriter.visit(tree)
            compile(tree, file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, TypeError, RecursionError, AttributeError) as error:
            self._recorder.missed("rewriting", error)
            return None
        name = self._recorder.sites.name_of(file) or Path(file).name
        clock = self._recorder.clock
        accounts: dict[str, tuple[LineOfValues, bool]] = {}
        for place in rewriter.places:
            site = Site(f"{name}:{place.line}", place.function)
            line, minus = LineOfValues(site, str(place.number), clock), place.minus
            if place.account:
                line, minus = accounts.setdefault(place.account, (line, minus))
            if minus is not place.minus:
                self._minus.add(len(self._lines))
            self._lines.append(line)
        return tree

    def _source_to_code(self) -> Any:
        theirs, to_code = self._recorder.sites.name_of, self._to_code

        def source_to_code(loader: Any, data: Any, path: str, **options: Any) -> CodeType:
            if isinstance(data, bytes | str | ast.Module) and theirs(path) is not None:
                return self.compiled(data, path)
            return to_code(loader, data, path, **options)  # type: ignore[no-any-return]

        return source_to_code

    def _cache_bytecode(self) -> Any:
        theirs, cache = self._recorder.sites.name_of, self._cache

        def cache_bytecode(loader: Any, source: str, bytecode: str, data: bytes) -> Any:
            return None if theirs(source) is not None else cache(loader, source, bytecode, data)

        return cache_bytecode

    def _functions(self) -> dict[str, Any]:
        seen = _Seen(self._recorder, self._lines, self._minus)

        def rewritten(text: Any) -> Any:
            return self.compiled(text, PACKED) if type(text) in TEXTS else text

        def tree(text: Any) -> Any:
            found = self._tree(text, PACKED) if type(text) in TEXTS else None
            return text if found is None else found

        return {
            READ: seen.reader(),
            KEEP: seen.keeper(),
            EACH: seen.goer(),
            REWRITTEN: rewritten,
            TREE: tree,
            SLICE: slice,
        }


class _Seen:
    """Makes the functions that rewritten code calls."""

    def __init__(self, recorder: Recorder, lines: list[LineOfValues], minus: set[int]) -> None:
        self._recorder, self._clock = recorder, recorder.clock
        self._lines, self._minus = lines, minus
        self._last = int(recorder.stream.max(initial=0))

    def reader(self) -> Any:
        """`a[i]`."""
        looks: Any = {list: self._from_list, tuple: self._from_row, dict: self._from_row}
        arrays: Any = dict.fromkeys((np.ndarray, np.memmap, TrackedArray), self._from_array)
        recorder = self._recorder
        found = {**looks, **arrays, Tensor: self._from_tensor}

        def read(container: Any, key: Any, number: int) -> Any:
            value = container[key]
            look = found.get(type(container))
            if look is not None and recorder.active:
                try:
                    seen = look(container, key, value, number)
                    return value if seen is None else seen
                except Exception as error:  # noqa: BLE001 - ours must never reach the script
                    recorder.missed("read", error)
                    found.clear()
            return value

        return read

    def keeper(self) -> Any:
        """`x`, where it is kept."""
        lines, minus, recorder = self._lines, self._minus, self._recorder
        read, blocks, totals = self._clock.read, self._clock.blocks, recorder.totals.by_value
        arrays = recorder.totals.sizes

        def seen_block(line: LineOfValues, value: Any) -> None:
            if recorder.usable("block"):
                try:
                    recorder.kept_totals(line, recorder.totals.of_array(value))
                    recorder.kept_block(line, value)
                except Exception as error:  # noqa: BLE001 - ours must never reach the script
                    recorder.missed("block", error)

        def keep(number: int, value: Any) -> Any:
            kind = type(value)
            if kind in NUMBERS:
                if value in totals and recorder.active:
                    recorder.kept_totals(lines[number], [totals[value]])
                if read and recorder.active and not (line := lines[number]).is_dead:
                    recorder.kept(line, value, minus=number in minus)
            elif kind in ARRAYS and (blocks or arrays) and self._is_block(value):
                seen_block(lines[number], value)
            return value

        return keep

    def _is_block(self, value: Any) -> bool:
        """An array with a score a token, whose places nobody knows, or of totals."""
        if type(value) is Tensor:
            with Unwatched():
                kept = self._fits(value.numel()) and value.is_floating_point()
                kept = kept and value.device.type == "cpu"
                return kept and not value.requires_grad and self._recorder.maps.find(value) is None
        fits = self._fits(value.size) and value.dtype.kind == "f"
        return fits and map_of(value) is None

    def _fits(self, size: int) -> bool:
        return size in self._recorder.totals.sizes or self._clock.fits(size)

    def goer(self) -> Any:
        """`a`, where it is gone through."""

        recorder = self._recorder

        def each(values: Any) -> Any:
            kind = type(values)
            if kind is list or (kind in ARRAYS and values.ndim == 1):
                try:
                    places = places_of(values, kind) if recorder.active else None
                except Exception as error:  # noqa: BLE001 - ours must never reach the script
                    recorder.missed("each", error)
                    places = None
                return values if places is None else self._touching(values, places)
            return values

        def places_of(values: Any, kind: type) -> list[int] | None:
            if kind is list:
                return self._places_of(values)
            if kind is Tensor and values.dtype in TENSOR_INTEGERS:
                with Unwatched():
                    known = self._recorder.positions(values)
                return None if known is None else known.tolist()
            if kind is not Tensor and values.dtype.kind in "iu":
                known = self._clock.places(values)
                return known.tolist() if known.size == values.size else None
            return self._places_of_scores(values)

        return each

    def _places_of(self, values: list[Any]) -> list[int] | None:
        """Of ids by their content; of numbers that were kept just now, theirs. Of as many numbers
        as ids were read together last, which other processes may have made of them: the places of
        those; not of a row of the alphabet.
        """
        places = self._clock.places_in(values)
        if places is not None:
            self._clock.block_read(np.array(places, np.int32))
        elif values and type(values[0]) in FLOATS and len(values) != self._last + 1:
            places = self._clock.places_of(values)
            if places is None and (block := self._clock.latest_block(len(values))) is not None:
                places = block.reshape(-1).tolist()
            if places is not None:
                self._clock.begun_at = len(self._clock.read)
        return places

    def _places_of_scores(self, values: Any) -> list[int] | None:
        """Of an array or a tensor with a score a token, whose numbers lines may go on with."""
        if type(values) is Tensor:
            with Unwatched():
                mapped = self._recorder.maps.find(values) if values.is_floating_point() else None
        else:
            mapped = map_of(values) if values.dtype.kind == "f" else None
        places = None if mapped is None or mapped.loss < 0 else mapped.positions
        if places is None and type(values) is np.ndarray and values.dtype.kind == "f":
            places = self._clock.latest_block(values.size)
        if places is None or places.size != len(values):
            return None
        self._clock.begun_at = len(self._clock.read)
        return places.reshape(-1).tolist()

    def _touching(self, values: Any, places: list[int]) -> Iterator[Any]:
        touch, n = self._clock.touch, len(places)
        for index, value in enumerate(values):
            if index < n:
                touch(places[index])
            yield value

    def _from_list(self, container: Any, key: Any, value: Any, number: int) -> None:
        kind = type(value)
        if kind is int:
            if len(container) >= 16:
                places = self._clock.places_in(container)
                if places is not None:
                    self._clock.touch(places[key])
        elif kind in FLOATS:
            self._from_row(container, key, value, number)
        elif kind is list and type(key) is slice:
            places = self._clock.places_in(container)
            if places is not None:
                self._clock.list_of(value, places[key])

    def _from_array(self, container: Any, key: Any, value: Any, number: int) -> Any:
        kind = type(value)
        if kind in INTEGERS:
            places = self._clock.places(container)
            if places.size:
                self._clock.touch(int(places[key]))
        elif kind in FLOATS:
            self._from_row(container, key, value, number)
        elif value.dtype.kind in "iu":
            self._clock.sliced(container, key, value)
        elif type(key) is tuple:
            return picked_by_key(self._recorder, container, key, value)
        return None

    def _from_tensor(self, container: Any, key: Any, value: Any, number: int) -> None:
        with Unwatched():
            if value.ndim:
                return
        if not value.is_floating_point():
            self._clock.touch(self._place_of(container, key, value))
        elif not value.requires_grad and self._is_of_target(key):
            self._from_row(container, key, float(value.detach()), number)

    def _place_of(self, container: Any, key: Any, value: Any) -> int:
        """Of an id that was read: by what is known of it, else by the whole that it stood in."""
        mapped = self._recorder.maps.related(value)
        if mapped is not None:
            return int(mapped.positions.reshape(-1)[0]) if mapped.loss < 0 else -1
        if container.ndim != 1 or type(key) in (tuple, slice):
            return -1
        places = self._recorder.positions(container)
        return -1 if places is None else int(places[int(key)])

    def _from_row(self, container: Any, key: Any, value: Any, number: int) -> None:
        """An entry of a row was read: of one that weighs one?"""
        if type(value) not in FLOATS or not self._is_of_target(key):
            return
        in_table = type(key) is tuple and type(container) is not dict
        row = container[key[:-1]] if in_table else container
        if self._recorder.listener is not None:
            self._recorder.listener.row_read(lambda: numbers_in(row))
        width = row_width(row, value)
        line = self._lines[number]
        if width and not line.is_dead:
            self._recorder.kept(line, float(value), width)

    def _is_of_target(self, key: Any) -> bool:
        """The key is the token that was read last."""
        read = self._clock.read
        if not read:
            return False
        index = key[-1] if type(key) is tuple and key else key
        try:
            token = int(index)
            return any(self._recorder.stream[place] == token for place in read[-READ_LATELY:])
        except (TypeError, ValueError):
            return False
