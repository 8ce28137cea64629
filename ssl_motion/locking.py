"""One process a folder: the second one is told who the first is."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ssl_motion.errors import RunError
from ssl_motion.fileio import write_json

OWNER = "owner.json"


@contextmanager
def held(folder: Path, lock_name: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder, which is made when missing, for this process.

    The lock is the operating system's, so that one of a process that died holds nobody up.

    Args:
        folder: what to hold.
        lock_name: name of the lock file in it.
        wait: wait, and say so, while another process holds it.

    Raises:
        RunError: Another process holds the folder (its pid and host are named) and `wait` is not set, or it cannot be
            written.
    """
    owner = folder / OWNER
    lock = FileLock(folder / lock_name, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            if not wait:
                raise
            print(f"{folder} is in use by {_describe(owner)}; waiting for it", file=sys.stderr, flush=True)
            lock.acquire(timeout=-1)
    except Timeout:
        raise RunError(f"{folder} is in use by {_describe(owner)}. Wait for it, or stop it first.") from None
    except OSError as error:
        raise RunError(f"cannot write the folder {folder}: {error.strerror or error}") from error
    try:
        write_json(owner, {"pid": os.getpid(), "host": socket.gethostname()})
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def is_held(folder: Path, lock_name: str) -> bool:
    """Whether a process holds a folder. Of one on another host its note alone tells.

    Args:
        folder: that may be held.
        lock_name: name of the lock file in it.
    """
    try:
        content = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        if content["host"] != socket.gethostname():
            return True
        os.kill(int(content["pid"]), 0)
    except PermissionError:
        pass  # somebody else's process
    except (OSError, ValueError, KeyError, TypeError):
        return False
    try:
        # A process lives under that number; since the owner may have been killed, it may be any other.
        with FileLock(folder / lock_name, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _describe(owner: Path) -> str:
    try:
        content = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {content['pid']} on {content['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
