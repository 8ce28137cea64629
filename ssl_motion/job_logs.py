"""What the log of a job says: its latest message while it runs, and why it failed."""

import signal
from pathlib import Path

_TAIL_BYTES = 65536
_MESSAGE = "ssl-bench: "
_TRACEBACK = "Traceback (most recent call last):"
_CONTINUED = 4  # lines of a message at most: it names faults one by one


def last_line(log: Path) -> str:
    """The latest message; empty where there is none."""
    return next((line.strip() for line in reversed(_tail(log)) if line.strip()), "")


def failure(log: Path, code: int | None) -> str:
    """Say why a command failed: its own message, the error of a traceback, or the signal that ended it.

    Args:
        log: what the command printed to standard error.
        code: its exit code, negative for a signal; None where it is not known.
    """
    if code is not None and code < 0:
        hint = " (by the system, where memory ran out)" if -code == signal.SIGKILL else ""
        return f"killed by {_signal_name(-code)}{hint}; its last message: {last_line(log) or 'none'}"
    lines = _tail(log)
    for number in range(len(lines) - 1, -1, -1):
        if lines[number].startswith(_MESSAGE):
            more = _indented(lines[number + 1 : number + _CONTINUED])
            return " ".join([lines[number].removeprefix(_MESSAGE).strip(), *more])
        if lines[number].startswith(_TRACEBACK):
            # Calls are indented; the first line that is not is the error.
            raised = [line.strip() for line in lines[number + 1 :] if line.strip() and not line[0].isspace()]
            return raised[0] if raised else "it ended within a traceback"
    return last_line(log) or "it printed nothing"


def _indented(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        if not line[:1].isspace():
            break
        found.append(line.strip())
    return found


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
