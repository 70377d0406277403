"""A copy of a process has no workers and no threads: what it asks a pool for is done at once."""

import atexit
import concurrent.futures
import multiprocessing
import os
from types import SimpleNamespace

from harness.inside.hooks.requery.serial_pools import SerialPools

FACTOR = [0]


def times(a: int, b: int = 2) -> int:
    return FACTOR[0] * a * b


def begin(factor: int) -> None:
    FACTOR[0] = factor


def test_what_a_pool_is_asked_for_in_a_copy_is_done_at_once():
    """In every way of asking, with the worker's beginning, and unseen; the process that was copied
    keeps its pools.
    """
    context = multiprocessing.get_context("fork")
    with context.Pool(1, begin, (10,)) as pool:
        threads = concurrent.futures.ThreadPoolExecutor(1)
        assert threads.submit(times, 1).result() == 0
        child = os.fork()
        if not child:
            recorder = SimpleNamespace(active=True)
            SerialPools(recorder)
            said = [
                pool.map(times, [1, 2]),
                pool.starmap(times, [(1, 1), (2, 2)]),
                sorted(pool.imap_unordered(times, [1, 2])),
                pool.apply(times, (3,), {"b": 1}),
                pool.map_async(times, [4]).get(5),
                threads.submit(times, 1, b=3).result(),
            ]
            right = [[20, 40], [10, 40], [20, 40], 30, [80], 30]
            if said != right or not recorder.active:
                os._exit(1)
            atexit._run_exitfuncs()  # a copy that comes to the script's end leaves all others alone
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert pool.map(times, [1]) == [20] and FACTOR == [0]
        threads.shutdown()
