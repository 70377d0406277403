"""Pools of a script, in a copy of its process, which has neither their workers nor their threads.

A copy that waited for them would wait for ever. There, what a pool is asked for is done at once,
in the copy itself and unseen: results come as from another process.

Guarantees: of the process that was copied nothing changes. Does not cover: what workers remember
(the copy's answer for the token that stands there is then another one, and tells nothing);
processes and queues that a script handles itself.
"""

import atexit
import multiprocessing.pool
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import starmap
from typing import Any

from harness.inside.hooks.recording.recorder import Recorder

Pool: Any = multiprocessing.pool.Pool
POOLS: Any = (Pool, multiprocessing.pool.ThreadPool)
EXECUTORS: Any = (ProcessPoolExecutor, ThreadPoolExecutor)


class _Ready:
    """An asynchronous result that is there."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self, timeout: float | None = None) -> Any:
        """At once."""
        return self._value

    def wait(self, timeout: float | None = None) -> None:
        """Not at all."""

    def ready(self) -> bool:
        """It is."""
        return True

    successful = ready


class SerialPools:
    """For good: a copy ends with its score, or at the script's end at once: what the interpreter
    does there would end the workers of the process that was copied.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        atexit.register(os._exit, 0)
        self._begun: set[int] = set()  # pools whose initializer was called
        for pool in POOLS:
            for name, function in self._functions().items():
                setattr(pool, name, function)
        for executor in EXECUTORS:
            executor.submit = self._submit()

    def _functions(self) -> dict[str, Any]:
        serve: Callable[[Any, Callable[[], Any]], Any] = self._serve

        def mapped(pool: Any, function: Any, given: Iterable[Any], *_: Any, **__: Any) -> Any:
            return serve(pool, lambda: list(map(function, given)))

        def starmapped(pool: Any, function: Any, given: Iterable[Any], *_: Any, **__: Any) -> Any:
            return serve(pool, lambda: list(starmap(function, given)))

        def one_by_one(
            pool: Any, function: Any, given: Iterable[Any], *_: Any, **__: Any
        ) -> Iterator[Any]:
            return iter(mapped(pool, function, given))

        def applied(pool: Any, function: Any, given: Any = (), named: Any = None) -> Any:
            return serve(pool, lambda: function(*given, **(named or {})))

        def later(function: Callable[..., Any], callback_at: int) -> Callable[..., _Ready]:
            def made(pool: Any, *given: Any, callback: Any = None, **named: Any) -> _Ready:
                named.pop("error_callback", None)
                value = function(pool, *given[:callback_at], **named)
                if callback is not None:
                    callback(value)
                return _Ready(value)

            return made

        return {
            "map": mapped,
            "starmap": starmapped,
            "imap": one_by_one,
            "imap_unordered": one_by_one,
            "apply": applied,
            "map_async": later(mapped, 3),
            "starmap_async": later(starmapped, 3),
            "apply_async": later(applied, 3),
        }

    def _submit(self) -> Any:
        def submit(executor: Any, function: Any, /, *given: Any, **named: Any) -> Future[Any]:
            done: Future[Any] = Future()
            try:
                done.set_result(self._serve(executor, lambda: function(*given, **named)))
            except Exception as error:  # noqa: BLE001 - the script's own, raised where it is asked
                done.set_exception(error)
            return done

        return submit

    def _serve(self, pool: Any, work: Callable[[], Any]) -> Any:
        """What comes back is a copy, as from a process of its own."""
        was, self._recorder.active = self._recorder.active, False
        try:
            in_processes = type(pool) in (Pool, ProcessPoolExecutor)
            initializer = getattr(pool, "_initializer", None)
            if in_processes and initializer is not None and id(pool) not in self._begun:
                initializer(*pool._initargs)
            self._begun.add(id(pool))
            value = work()
            return pickle.loads(pickle.dumps(value)) if in_processes else value
        finally:
            self._recorder.active = was
