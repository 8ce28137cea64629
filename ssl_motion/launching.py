"""Processes of a suite's jobs: each a command of its own, started from nothing or forked from a server.

A command takes seconds of processor time to import what it needs, more than a tenth of a short run. The server imports
it once; each job is forked from it. It touches no GPU and starts no threads, so that forks are safe.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

SERVER_IMPORTS = ("ssl_motion.cli.pretrain_verb", "ssl_motion.engine.pretrain", "ssl_motion.transfer")
"""What every command needs; modules that do not import are left to the commands, which then say so."""


class Running(Protocol):
    """A started command."""

    @property
    def pid(self) -> int | None:
        """Number of the process."""

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Stop it at once."""

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None where it has not come in `timeout` seconds."""


class Fresh:
    """A command in a new Python, in a session of its own."""

    def __init__(self, arguments: Sequence[str], out: Path, log: Path) -> None:
        command = [sys.executable, "-m", "ssl_motion", *arguments]
        with log.open("wb") as errors, out.open("wb") as answers:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=answers,
                stderr=errors,
                start_new_session=True,
                env=os.environ.copy(),
            )

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it at once."""
        self._process.kill()

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None where it has not come in `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None


class Forks:
    """Starts commands as forks of a server, which imports what they need once.

    Args:
        modules: what to import beside `SERVER_IMPORTS`, such as the modules of plugins.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._context: Any = get_context("forkserver")
        self._context.set_forkserver_preload([*SERVER_IMPORTS, *modules])

    @staticmethod
    def available() -> bool:
        """Whether processes can be forked safely here."""
        return sys.platform == "linux"

    def __call__(self, arguments: Sequence[str], out: Path, log: Path) -> "Forked":
        """Start `ssl-bench ARGUMENTS`."""
        process = self._context.Process(target=_command, args=(list(arguments), str(out), str(log)))
        process.start()
        return Forked(process)


class Forked:
    """A command in a fork of the server, in a session of its own."""

    def __init__(self, process: Any) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return int(self._process.pid)

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def kill(self) -> None:
        """Stop it at once."""
        self._process.kill()

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None where it has not come in `timeout` seconds."""
        self._process.join(timeout)
        return self.poll()


def _command(arguments: list[str], out: str, log: str) -> None:
    """Be `ssl-bench ARGUMENTS`: runs in the fork."""
    os.setsid()
    for path, descriptors in ((os.devnull, (0,)), (out, (1,)), (log, (2,))):
        flags = os.O_RDONLY if path == os.devnull else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(path, flags, 0o666)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    # The fork has the server's, which nobody wrote to yet, but of other files.
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - they live as long as the process
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.argv = ["ssl-bench", *arguments]
    from ssl_motion.cli import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
