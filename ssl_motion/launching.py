"""Processes of a suite's jobs: each a command of its own, started from nothing or forked from a server.

A command takes seconds of processor time to import what it needs, more than a tenth of a short run. The server imports
it once; each job is forked from it. It touches no GPU and starts no threads, so that forks are safe.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import psutil

from ssl_motion import parent, provenance

SERVER_IMPORTS = (
    "ssl_motion.launching",
    "ssl_motion.cli.pretrain_verb",
    "ssl_motion.cli.transfer_verb",
    "ssl_motion.cli.ensemble_verb",
    "ssl_motion.engine.pretrain",
    "ssl_motion.ensemble",
)
"""What every command needs, with the beginning of each: the checkout may move on under a suite, and a fork would mix
its new files with those that the suite began with. Modules that do not import are left to the commands, which then say
so."""

_LOST = 255  # what multiprocessing gives for the exit code where the server is gone that would know it
_POLL_SECONDS = 0.05


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


def command_line(arguments: Sequence[str], processes: int = 1) -> list[str]:
    """What to type for `ssl-bench ARGUMENTS`, through torchrun where it is to run in several processes of one node."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *(launcher if processes > 1 else []), "-m", "ssl_motion", *arguments]


class Fresh:
    """A command in a new Python, in a session of its own.

    Args:
        arguments: of `ssl-bench`.
        out: file for its output.
        log: file for its messages.
        processes: more than one start it through torchrun.
    """

    def __init__(self, arguments: Sequence[str], out: Path, log: Path, processes: int = 1) -> None:
        command = command_line(arguments, processes)
        with log.open("wb") as errors, out.open("wb") as answers:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=answers,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, parent.VARIABLE: str(os.getpid())},
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
        """Stop it at once, and the workers of torchrun, which would outlive it."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.kill()

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None where it has not come in `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None


class Forks:
    """Starts commands as forks of a server, which imports what they need once.

    Where the server does not come up, since a module fails when it is imported, commands are started from nothing:
    those that need the module then say what is wrong.

    Args:
        modules: what to import beside `SERVER_IMPORTS`, such as the modules of plugins.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._context: Any = get_context("forkserver")
        self._context.set_forkserver_preload([*SERVER_IMPORTS, *modules])
        self._code: tuple[str, bool | None] | None = None
        self._works = True

    @staticmethod
    def available() -> bool:
        """Whether processes can be forked safely here."""
        return sys.platform == "linux"

    def __call__(self, arguments: Sequence[str], out: Path, log: Path) -> Running:
        """Start `ssl-bench ARGUMENTS`."""
        if not self._works:
            return Fresh(arguments, out, log)
        # The server imports the code now; the checkout may move on before its last fork.
        self._code = self._code or provenance.code_state()
        for path in (out, log):
            path.write_bytes(b"")  # a fork that dies at once leaves nothing of an earlier attempt
        what = (self._code, os.getpid(), list(arguments), str(out), str(log))
        process = self._context.Process(target=_fork, args=what)
        try:
            process.start()
        except (OSError, EOFError):
            self._works = False
            print("commands cannot be forked from a server (see above); they are started from nothing", file=sys.stderr)
            return Fresh(arguments, out, log)
        return Forked(process)


class Forked:
    """A command in a fork of the server, in a session of its own.

    It outlives the server, which a closed terminal ends for instance; then its exit code is lost.
    """

    def __init__(self, process: Any) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return int(self._process.pid)

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        code: int | None = self._process.exitcode
        return None if code == _LOST and self._lives() else code

    def terminate(self) -> None:
        """Ask it to stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it at once."""
        self._send(signal.SIGKILL)

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None where it has not come in `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return code

    def _send(self, number: signal.Signals) -> None:
        # Not multiprocessing's own way, which leaves a process alone whose server is gone.
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _lives(self) -> bool:
        try:
            return bool(psutil.Process(self._process.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


def _fork(code: tuple[str, bool | None], suite: int, arguments: list[str], out: str, log: str) -> None:
    """Be `ssl-bench ARGUMENTS`, of code in the state that the server imported: runs in the fork."""
    parent.end_with(suite)
    provenance.hold_code_state(code)
    _command(arguments, out, log)


def _command(arguments: list[str], out: str, log: str) -> None:
    """Be `ssl-bench ARGUMENTS`, with input and output in files and in a session of its own."""
    os.setsid()
    for path, descriptors in ((os.devnull, (0,)), (out, (1,)), (log, (2,))):
        flags = os.O_RDONLY if path == os.devnull else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(path, flags, 0o666)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    # The fork has the server's, which nobody wrote to yet, but of other files. Messages come out line by line, whatever
    # characters are in them, as those of every Python do.
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, buffering, "utf-8", errors, closefd=False)  # noqa: SIM115 - they live as long as the process
        for number, mode, buffering, errors in (
            (0, "r", -1, "strict"),
            (1, "w", -1, "surrogateescape"),
            (2, "w", 1, "backslashreplace"),
        )
    )
    sys.argv = ["ssl-bench", *arguments]
    from ssl_motion.cli import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
