"""The same work on many items, by one process or several."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for_connection
from typing import Any, TypeVar

import cv2

from ssl_motion.errors import RunError
from ssl_motion.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
Tick = Callable[[], None]

_POLL_SECONDS = 0.5
_counter: Any = None  # in a worker: steps done by all workers, shared with the parent


def run_parallel(
    work: Callable[[Item, Tick], Result], items: Iterable[Item], processes: int, progress: Progress
) -> Iterator[Result]:
    """Yield `work(item, tick)` for each item, as they finish.

    Items are taken from the iterable only as workers get free. `tick` counts one step of the progress. Workers are
    fresh interpreters, use one OpenCV thread each, and end when this process does, however that ends.

    Args:
        work: a picklable function; an exception that it raises ends everything and is raised here.
        items: picklable.
        processes: 1 does the work in this process.
        progress: shown while waiting.

    Raises:
        RunError: A worker died (killed for its memory, usually).
    """
    if processes <= 1:
        threads = cv2.getNumThreads()
        # Some estimators' results depend on the number of threads, so it is always one.
        cv2.setNumThreads(1)
        try:
            for item in items:
                yield work(item, progress.advance)
        finally:
            cv2.setNumThreads(threads)
        return
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start_worker, initargs=(counter,))
    queue = iter(items)
    pending: set[Future[Result]] = set()
    shown = 0
    try:
        while True:
            pending.update(pool.submit(_call, work, item) for item in islice(queue, 2 * processes - len(pending)))
            if not pending:
                return
            done, pending = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            if (now := counter.value) > shown:
                progress.advance(now - shown)
                shown = now
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise RunError(
            "a worker process died, most likely for lack of memory. The same command continues; use fewer --processes."
        ) from error
    except BaseException:
        # What the workers are at would be thrown away anyway: nobody is to wait for it.
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if (now := counter.value) > shown:
            progress.advance(now - shown)


def _start_worker(counter: Any) -> None:
    global _counter
    _counter = counter
    cv2.setNumThreads(1)
    # Ctrl-C reaches the whole group; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_connection([parent.sentinel])
        os._exit(1)


def _tick() -> None:
    with _counter.get_lock():
        _counter.value += 1


def _call(work: Callable[[Item, Tick], Result], item: Item) -> Result:
    return work(item, _tick)
