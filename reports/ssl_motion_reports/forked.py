"""A part of a report that is written by a copy of this process while it goes on."""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from ssl_motion.errors import RunError
from ssl_motion.parent import end_with


@contextmanager
def done_beside(work: Callable[[], object]) -> Iterator[None]:
    """Do a work in a process of its own while the body runs; where that ends, it is done.

    The process is a copy of this one: it has all that this one holds without being sent it, but none of its threads,
    whose locks nobody would open again. Where there are any, Python's or a library's, and elsewhere than on Linux, the
    work is done here, after the body.

    Args:
        work: it leaves files; what it returns is lost.

    Raises:
        RunError: The process ended without a word (killed for its memory, usually).
        Exception: What the work raised.
    """
    if not _can_fork():
        yield
        work()
        return
    context = multiprocessing.get_context("fork")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, sender, os.getpid()))
    process.start()
    sender.close()  # else nobody would see that the other end is closed
    try:
        yield
        try:
            failure = answer.recv()
        except EOFError:
            message = "a process that wrote a part of the report died, most likely for lack of memory"
            raise RunError(f"{message}. Nothing was replaced; the same command tries again.") from None
        if failure is not None:
            error, where = failure
            raise error from RuntimeError(where)
    finally:
        process.kill()  # what it is at, if anything, nobody waits for
        process.join()
        answer.close()


def _can_fork() -> bool:
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def _do(work: Callable[[], object], answer: Connection, parent: int) -> None:
    # Ctrl-C reaches the whole group; the parent decides what becomes of its copies, unless it is killed outright.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with(parent)
    try:
        work()
    except Exception as error:
        answer.send((error, f"in a process of its own:\n{traceback.format_exc()}"))
    else:
        answer.send(None)
