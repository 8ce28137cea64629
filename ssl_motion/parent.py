"""Jobs that end with the suite that started them, however it ends.

Jobs have sessions of their own, so that Ctrl-C reaches them through the suite alone. One that is killed outright
(`kill -9`, out of memory) can tell them nothing: they would go on unseen, and stand in the way of the same suite
started again.
"""

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

VARIABLE = "SSL_MOTION_PARENT"
"""Environment variable with the number of the process that a command ends with."""

_POLL_SECONDS = 1.0


def end_with(pid: int) -> None:
    """Send this process SIGTERM (training then writes a checkpoint and stops) once another process is gone.

    Args:
        pid: of the other.
    """
    import psutil  # here, since it takes time that no command typed by hand needs to spend

    try:
        parent = psutil.Process(pid)
    except psutil.NoSuchProcess:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: "psutil.Process") -> None:
    while _lives(parent):
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _lives(process: "psutil.Process") -> bool:
    import psutil

    try:
        # is_running() compares the time of its start too, since numbers of processes are used again.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_with_parent() -> None:
    """Do so for the process that the environment names; nothing where it names none."""
    if (named := os.environ.get(VARIABLE, "")).isdigit():
        end_with(int(named))
