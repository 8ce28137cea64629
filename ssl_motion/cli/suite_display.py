"""The state of a suite's jobs while they run: a live table on a terminal, lines in a log."""

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ssl_motion.costs import Costs
    from ssl_motion.executors import JobStatus

PLAIN_LINE_SECONDS = 15.0
# More than so many jobs are counted rather than listed.
LISTED = 24


class SuiteDisplay:
    """Shows statuses on standard error; a context manager.

    Args:
        slots: jobs side by side, for the time that is left.
        costs: estimates of that time; they learn from the jobs that are done.
    """

    def __init__(self, slots: int, costs: "Costs") -> None:
        self.slots, self.costs = slots, costs
        self._learned: set[str] = set()
        self._live: Any = None
        self._shown: dict[str, str] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> "SuiteDisplay":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, statuses: "list[JobStatus]") -> None:
        """Show the statuses."""
        for status in statuses:
            if status.state == "done" and status.job.name not in self._learned:
                self._learned.add(status.job.name)
                self.costs.learn(status.job, status.seconds)
        if self._live is not None:
            self._live.update(self._table(statuses))
            return
        finished = sum(each.state in ("done", "reused") for each in statuses)
        for status in statuses:
            if self._shown.get(status.job.name, "waiting") != status.state:
                self._shown[status.job.name] = status.state
                if status.state == "reused" and len(statuses) > LISTED:
                    continue
                took = f" after {status.seconds:.0f} s" if status.state in ("done", "failed") else ""
                click.echo(f"[{finished}/{len(statuses)}] {status.job.name}: {status.state}{took}", err=True)
        if time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            for status in statuses:
                if status.state == "running" and ": " in status.last_line:
                    # The job names itself in front of its progress; here its name is there already.
                    click.echo(f"      {status.job.name}: {status.last_line.partition(': ')[2]}", err=True)
            if len(statuses) > LISTED:
                click.echo(f"      {summary(statuses, self.slots, self.costs)}", err=True)

    def _table(self, statuses: "list[JobStatus]") -> Any:
        from rich.console import Group
        from rich.table import Table

        table = Table("run", "state", "seconds", "latest message", box=None, pad_edge=False)
        for status in statuses:
            if len(statuses) > LISTED and status.state not in ("running", "failed"):
                continue
            seconds = f"{status.seconds:.0f}" if status.seconds else ""
            message = status.last_line if status.state == "running" else status.run
            message = (status.reason if status.state == "failed" else message)[:90]
            table.add_row(status.job.name, status.state, seconds, message)
        return Group(table, summary(statuses, self.slots, self.costs))


def summary(statuses: "list[JobStatus]", slots: int, costs: "Costs") -> str:
    """Count the jobs by state, and estimate the time that is left."""
    counts = Counter(status.state for status in statuses)
    words = [f"{counts[state]} {state}" for state in ("done", "reused", "running", "waiting", "failed", "skipped")]
    text = ", ".join(word for word in words if not word.startswith("0 "))
    seconds = seconds_left(statuses, slots, costs)
    return text if seconds is None else f"{text}; about {max(1, round(seconds / 60))} min left"


def seconds_left(statuses: "list[JobStatus]", slots: int, costs: "Costs") -> float | None:
    """Estimate the time to the end; None while nothing is known of a job that is to come, or where none is."""
    left = [status for status in statuses if status.state in ("waiting", "running")]
    total = 0.0
    for status in left:
        seconds = costs.seconds(status.job)
        if seconds is not None:
            total += max(seconds - (status.seconds if status.state == "running" else 0.0), 0.0)
        elif status.job.verb != "ensemble":  # they train nothing, and take seconds
            return None
    return total / slots if left else None
