"""A part of a report that is written by a copy of this process while it goes on."""

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from ssl_motion.errors import RunError

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

_SIGNAL_OF_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of Linux's prctl


@contextmanager
def done_beside(work: Callable[[], object]) -> Iterator[None]:
    """Do a work in a process of its own while the body runs; where that ends, it is done.

    The process is a copy of this one: it has all that this one holds without being sent it, but none of its threads,
    whose locks nobody would open again. Where there are any, Python's or a library's, elsewhere than on Linux, and
    where there is no room for one more process, the work is done here, after the body.

    Args:
        work: it leaves files; what it returns is lost.

    Raises:
        RunError: The process ended without a word (killed for its memory, usually).
        Exception: What the work raised.
    """
    copy = _start(work) if _can_fork() else None
    if copy is None:
        yield
        work()
        return
    process, answer = copy
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


def _start(work: Callable[[], object]) -> "tuple[ForkProcess, Connection] | None":
    """Let a copy of this process do a work; None where there is no room for one more."""
    context = multiprocessing.get_context("fork")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, sender, os.getpid()))
    try:
        process.start()
    except OSError:
        answer.close()
        return None
    finally:
        sender.close()  # else nobody would see that the other end is closed
    return process, answer


def _do(work: Callable[[], object], answer: Connection, parent: int) -> None:
    # Ctrl-C reaches the whole group; the parent decides what becomes of its copies.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Where it is killed outright they end at once: files that they wrote on would come after those who clear up.
    ctypes.CDLL(None).prctl(_SIGNAL_OF_PARENTS_DEATH, signal.SIGKILL)
    if os.getppid() != parent:
        return
    try:
        work()
    except Exception as error:
        answer.send((error, f"in a process of its own:\n{traceback.format_exc()}"))
    else:
        answer.send(None)
