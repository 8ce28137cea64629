"""What runs on a node: a job of a suite as a process of its own, watched, stopped in time and queued again.

Slurm sends its signals to every process of a job. SIGTERM (preemption, a lost node, `scancel`) reaches the command
itself, which writes a checkpoint; whether the job is queued again is then Slurm's decision. SIGUSR2 comes before the
time limit; submitit calls `checkpoint` here, which stops the command, and queues the job again.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import submitit
import yaml
from submitit.helpers import DelayedSubmission

from ssl_motion.errors import RunError
from ssl_motion.executors import read_answer
from ssl_motion.fileio import write_text
from ssl_motion.launching import command_line
from ssl_motion.locking import held
from ssl_motion.slurm.journal import State, read_state
from ssl_motion.slurm.settings import STOP_SECONDS
from ssl_motion.store import Store
from ssl_motion.sweep import Job, job_spec_file

DATA = "built-in-data"
STATE_SUFFIX = ".state.json"
_POLL_SECONDS = 0.2
_REQUEUE_SECONDS = 15.0  # what of STOP_SECONDS is left for putting the job back into the queue
_SIGNAL_SECONDS = 2.0  # within which a signal reaches all processes of a job
_LAG_SECONDS = 60.0  # until a file that one node wrote is seen by another


def state_file(folder: Path, job: Job) -> Path:
    """Where a job says how it stands."""
    return job_spec_file(folder, job).with_suffix(STATE_SUFFIX)


class Attempt:
    """Base of what is submitted: the state file, the lock against an earlier start, and queueing again.

    Args:
        state: file that says how it stands.
        log: file for messages.
        token: of this submission.
    """

    def __init__(self, state: Path, log: Path, token: str) -> None:
        self.state, self.log, self.token = state, log, token
        self.continues = False

    def __call__(self) -> None:
        """Do the work; called by submitit on the node."""
        began = time.time()
        earlier = read_state(self.state)
        self.continues = earlier is not None and earlier.token == self.token
        name = self.state.name.removesuffix(STATE_SUFFIX)
        # Where a node's daemon alone was lost, the earlier start of this job may still be at work.
        with held(self.state.parent / "slurm" / "locks" / name, "attempt.lock", wait=True):
            self._work(began)

    def _work(self, began: float) -> None:
        State(self.token, "running", began).write(self.state)
        try:
            outcome = self.work()
        except Exception as error:
            with self.log.open("a", encoding="utf-8") as log:
                log.write(f"{type(error).__name__}: {error}\n")
            outcome = None
        if outcome is None:
            State(self.token, "failed", began, time.time() - began).write(self.state)
            sys.exit(1)  # by which Slurm knows that nothing that needs it can start
        State(self.token, "done", began, time.time() - began, *outcome).write(self.state)

    def work(self) -> tuple[str, bool] | None:
        """Do the work.

        Returns:
            Folder of the run, and whether it was there already; None where the work failed and the log says why.
        """
        raise NotImplementedError

    def checkpoint(self) -> DelayedSubmission:
        """Stop in time and say how to go on; called by submitit in its signal handler."""
        return DelayedSubmission(self)


class CommandAttempt(Attempt):
    """A job of a suite: one `ssl-bench` command.

    Args:
        folder: of the suite's files.
        job: which.
        arguments: options handed to every command.
        processes: of torchrun; 1 does without it.
        parents: of the job, in its order: the folder of a finished run, or the state file of a job still to end.
        token: of this submission.
    """

    def __init__(
        self,
        folder: Path,
        job: Job,
        arguments: Sequence[str],
        processes: int,
        parents: Sequence[str | Path],
        token: str,
    ) -> None:
        super().__init__(state_file(folder, job), job_spec_file(folder, job).with_suffix(".log"), token)
        self.folder, self.job, self.parents = folder, job, list(parents)
        self.arguments, self.processes = list(arguments), processes
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_to_stop = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_child": None, "_asked_to_stop": False}

    def work(self) -> tuple[str, bool] | None:
        """Run the command to its end."""
        signal.signal(signal.SIGTERM, self._note_request)
        spec_file = job_spec_file(self.folder, self.job)
        parent_runs = [_run_of(parent) for parent in self.parents]
        write_text(spec_file, yaml.safe_dump(self.job.run_spec(parent_runs), sort_keys=False, allow_unicode=True))
        arguments = [*self.job.command(spec_file, parent_runs), *self.arguments]
        out = spec_file.with_suffix(".out")
        with out.open("wb") as answers, self.log.open("ab" if self.continues else "wb") as errors:
            self._child = subprocess.Popen(
                command_line(arguments, self.processes),
                stdin=subprocess.DEVNULL,
                stdout=answers,
                stderr=errors,
                preexec_fn=_ignore_user_signal,
            )
        while not _has_ended(self._child):
            time.sleep(_POLL_SECONDS)
        code = self._child.wait()
        answer = read_answer(out)
        if code == 0 and "path" in answer:
            return str(answer["path"]), bool(answer.get("cached"))
        time.sleep(_SIGNAL_SECONDS)
        if self._asked_to_stop:
            sys.exit(128 + signal.SIGTERM)  # no failure: Slurm queues it again, or somebody cancelled it
        if code < 0:
            with self.log.open("a", encoding="utf-8") as messages:
                messages.write(f"killed by {signal.Signals(-code).name}; SIGKILL is often for too much memory\n")
        return None

    def checkpoint(self) -> DelayedSubmission:
        """Let the command write its checkpoint and end."""
        if self._child is not None:
            self._child.terminate()
            deadline = time.monotonic() + STOP_SECONDS - _REQUEUE_SECONDS
            while not _has_ended(self._child) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        return super().checkpoint()

    def _note_request(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked_to_stop = True


class DataAttempt(Attempt):
    """The built-in data that the jobs of a suite share.

    Args:
        folder: of the suite's files.
        jobs: all of the suite.
        store: of the runs.
        token: of this submission.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job], store: Path, token: str) -> None:
        super().__init__(folder / f"{DATA}{STATE_SUFFIX}", folder / f"{DATA}.log", token)
        self.jobs, self.store = list(jobs), store

    def work(self) -> tuple[str, bool]:
        """Render what is missing, with all cores of the job."""
        from ssl_motion.executors import usable_cores
        from ssl_motion.suite_state import prepare_worlds

        prepare_worlds(self.jobs, Store(self.store), processes=usable_cores())
        return str(self.store / "data"), False


def _run_of(parent: str | Path) -> str:
    """Folder of a parent's run.

    Raises:
        RunError: The parent has not come to its end, though Slurm started what waits for it.
    """
    if isinstance(parent, str):
        return parent
    deadline = time.monotonic() + _LAG_SECONDS
    while (state := read_state(parent)) is None or state.state != "done":
        if time.monotonic() > deadline:
            raise RunError(f"{parent} does not say that the job is done that this one waits for")
        time.sleep(1.0)
    return state.run


def _has_ended(child: "subprocess.Popen[bytes]") -> bool:
    """Whether a process has ended; Popen's own question takes a lock, which a signal handler might find held."""
    if child.returncode is not None:
        return True
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _ignore_user_signal() -> None:
    """Leave the signal before the time limit, which would end the command, to the process that watches it."""
    signal.signal(getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}"), signal.SIG_IGN)
