"""Where the jobs of a suite run: as processes of their own, several side by side, on this machine.

A process a job: a crash costs one job, its log is a file, and an interrupted
suite is continued by starting it again, since every command continues or
reuses its own run.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from ssl_motion.fileio import write_text
from ssl_motion.job_logs import failure, last_line
from ssl_motion.launching import Fresh, Running
from ssl_motion.sweep import Job, job_spec_file

State = Literal["waiting", "running", "done", "reused", "failed", "skipped"]
POLL_SECONDS = 0.2
STOP_SECONDS = 30.0


def usable_cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@dataclass
class JobStatus:
    """What is known of a job while a suite runs.

    Attributes:
        job: the job.
        state: where it stands; "skipped" when a parent failed.
        run: folder of its run, once done.
        began: monotonic time of its start.
        seconds: time it took.
        log: file with its messages.
        code: exit code of its process, negative for a signal; None before the end.
    """

    job: Job
    log: Path
    state: State = "waiting"
    run: str = ""
    began: float = 0.0
    seconds: float = 0.0
    code: int | None = None
    process: Running | None = field(default=None, repr=False)

    @property
    def last_line(self) -> str:
        """The job's latest message."""
        return last_line(self.log)

    @property
    def reason(self) -> str:
        """Why a failed job failed."""
        return failure(self.log, self.code)


class LocalExecutor:
    """Runs jobs side by side on this machine.

    Args:
        folder: where job specs and logs go.
        arguments: options handed to every command, such as ["--runs", "runs"].
        slots: how many jobs run at once.
        start: starts a command: `ssl_motion.launching.Fresh`, or a `Forks`.
        processes: how many processes a job runs in; more than one are started through torchrun.
        find_finished: looks for a job's finished run, given the runs of its parents; such jobs are not started.
    """

    def __init__(
        self,
        folder: Path,
        arguments: list[str],
        slots: int,
        find_finished: Callable[[Job, Sequence[str]], str | None] = lambda job, parents: None,
        start: Callable[[Sequence[str], Path, Path], Running] = Fresh,
        processes: Callable[[Job], int] = lambda job: 1,
    ) -> None:
        self.folder, self.arguments, self.slots = folder, arguments, slots
        self.find_finished, self.start, self.processes = find_finished, start, processes

    def run(self, jobs: Iterable[Job], on_change: Callable[[list[JobStatus]], None]) -> list[JobStatus]:
        """Run all jobs; a failure skips what depends on it and stops nothing else.

        Args:
            jobs: parents before children.
            on_change: called with all statuses a few times a second.

        Returns:
            The final statuses. On Ctrl-C, SIGTERM, a closed terminal or an error, running jobs are asked to stop
            (they write a checkpoint); all but an error end as KeyboardInterrupt.
        """
        with signals_as_interrupts():
            return self._run(jobs, on_change)

    def _run(self, jobs: Iterable[Job], on_change: Callable[[list[JobStatus]], None]) -> list[JobStatus]:
        statuses = [JobStatus(job, job_spec_file(self.folder, job).with_suffix(".log")) for job in jobs]
        by_name = {status.job.name: status for status in statuses}
        try:
            while any(status.state in ("waiting", "running") for status in statuses):
                for status in statuses:
                    if status.state == "running":
                        self._collect(status)
                free = self.slots - sum(status.state == "running" for status in statuses)
                for status in statuses:
                    if status.state != "waiting":
                        continue
                    parents = [by_name[name] for name in status.job.parents]
                    if any(parent.state in ("failed", "skipped") for parent in parents):
                        status.state = "skipped"
                    elif free > 0 and all(parent.state in ("done", "reused") for parent in parents):
                        free -= self._reuse_or_start(status, [parent.run for parent in parents])
                on_change(statuses)
                time.sleep(POLL_SECONDS)
        except BaseException:
            # Jobs have sessions of their own and would go on unseen.
            self._stop(statuses)
            raise
        on_change(statuses)
        return statuses

    def _reuse_or_start(self, status: JobStatus, parent_runs: list[str]) -> bool:
        """Return whether a process was started."""
        run = self.find_finished(status.job, parent_runs)
        if run is None:
            self._start(status, parent_runs)
        else:
            status.state, status.run = "reused", run
        return run is None

    def _start(self, status: JobStatus, parent_runs: list[str]) -> None:
        spec_file = job_spec_file(self.folder, status.job)
        write_text(spec_file, yaml.safe_dump(status.job.run_spec(parent_runs), sort_keys=False, allow_unicode=True))
        # A session of its own: Ctrl-C reaches the jobs through `_stop` alone, once.
        command = [*status.job.command(spec_file, parent_runs), *self.arguments]
        processes = self.processes(status.job)
        start = self.start if processes == 1 else partial(Fresh, processes=processes)
        status.process = start(command, spec_file.with_suffix(".out"), status.log)
        status.state, status.began = "running", time.monotonic()

    def _collect(self, status: JobStatus) -> None:
        assert status.process is not None
        code = status.code = status.process.poll()
        status.seconds = time.monotonic() - status.began
        if code is None:
            return
        answer = read_answer(job_spec_file(self.folder, status.job).with_suffix(".out"))
        if code == 0 and "path" in answer:
            status.run = answer["path"]
            status.state = "reused" if answer.get("cached") else "done"
        else:
            status.state = "failed"

    def _stop(self, statuses: list[JobStatus]) -> None:
        running = [
            status.process for status in statuses if status.process is not None and status.process.poll() is None
        ]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            if process.wait(max(0.0, deadline - time.monotonic())) is None:
                process.kill()


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end in KeyboardInterrupt, as Ctrl-C does; what is ignored (nohup) stays ignored."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def read_answer(path: Path) -> dict[str, Any]:
    """Read the JSON object that a command printed; empty when it printed none."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8").strip() or "{}")
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}
