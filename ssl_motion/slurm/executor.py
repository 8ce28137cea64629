"""Submits a suite to Slurm, waits for it, and finds its jobs again when the command is repeated.

Everything is submitted at once. Slurm itself keeps the order, by `afterok` dependencies on jobs and on single elements
of arrays: so the suite comes to its end also when this command, or the machine it ran on, does not. What waits for the
same jobs goes into one array.
"""

import sys
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from ssl_motion.errors import RunError, UsageError
from ssl_motion.executors import JobStatus, signals_as_interrupts
from ssl_motion.identity import digest
from ssl_motion.job_logs import last_line
from ssl_motion.slurm.journal import Entry, Journal
from ssl_motion.slurm.queue import Queued, cancel, read_queue
from ssl_motion.slurm.settings import SlurmSettings
from ssl_motion.slurm.submission import MAX_ARRAY, check_available, submit
from ssl_motion.slurm.tracked import Tracked
from ssl_motion.spec import PretrainSpec, PuppetsSpec
from ssl_motion.sweep import Job, job_spec_file

POLL_SECONDS = 1.0
QUEUE_SECONDS = 10.0
"""Between two questions to Slurm; most ends are seen earlier, in the jobs' own files."""
_USUAL_REASONS = frozenset(
    {"None", "Dependency", "Resources", "Priority", "BeginTime", "Cleaning", "JobArrayTaskLimit"}
)


class SlurmExecutor:
    """Runs the jobs of a suite as jobs of Slurm.

    Args:
        folder: where job specs, logs and the journal go; all nodes must see it.
        store: folder of the runs; all nodes must see it.
        arguments: options handed to every command.
        settings: resources of every job.
        find_finished: looks for a job's finished run, given the runs of its parents; such jobs are not submitted.
        processes: how many processes a job runs in; more than one are started through torchrun.

    Raises:
        UsageError: There is no Slurm here, or no submitit.
    """

    def __init__(
        self,
        folder: Path,
        store: Path,
        arguments: Sequence[str],
        settings: SlurmSettings,
        find_finished: Callable[[Job, Sequence[str]], str | None],
        processes: Callable[[Job], int] = lambda job: 1,
    ) -> None:
        check_available()
        self.folder, self.store, self.arguments = folder.resolve(), store.resolve(), list(arguments)
        self.settings, self.find_finished, self.processes = settings, find_finished, processes
        self._journal = Journal(self.folder / "slurm" / "jobs.json")
        self._queue: dict[str, Queued] = {}
        self._tried = self._answered = float("-inf")
        self._told: set[tuple[str, str]] = set()

    def run(self, jobs: Iterable[Job], on_change: Callable[[list[JobStatus]], None]) -> list[JobStatus]:
        """Submit what is neither finished nor in the queue, and wait for all; a failure stops only what needs it.

        Args:
            jobs: parents before children.
            on_change: called with all statuses once a second.

        Returns:
            The final statuses.

        Raises:
            RunError: Slurm refuses a submission, the built-in data cannot be made, or the command was interrupted
                (its jobs stay in the queue).
            UsageError: A job of the same name, but of other content, is still in the queue.
        """
        try:
            with signals_as_interrupts():
                return self._run(list(jobs), on_change)
        except KeyboardInterrupt:
            raise RunError(
                "stopped waiting; what was submitted stays with Slurm and goes on. The same command waits for it "
                f"again; to end it: scancel --name={self._job_name}"
            ) from None

    @property
    def _job_name(self) -> str:
        """Name of all Slurm jobs of the suite; the same for no other folder of runs."""
        return f"ssl-{self.folder.name}-{digest(str(self.folder))[:6]}"

    def _run(self, jobs: list[Job], on_change: Callable[[list[JobStatus]], None]) -> list[JobStatus]:
        tracked = self._track(jobs)
        data, *others = tracked
        statuses = [JobStatus(job, each.log) for job, each in zip(jobs, others, strict=True)]
        self._tried = self._answered = time.monotonic()
        self._queue = read_queue()
        self._cancel_unnoted()
        for each in tracked:
            self._adopt(each)
        if not any(_puppets_of(job) is not None for job in jobs):
            data.stage = "done"
        while True:
            self._ask()
            for each in tracked:
                each.look(self._queue, self._answered)
            if data.stage == "failed":
                raise RunError(f"the built-in data could not be made: {last_line(data.log)}\n  log: {data.log}")
            for job, each in zip(jobs, others, strict=True):
                self._settle(job, each)
            if not any(each.is_open for each in others):
                break
            self._submit(data, others)
            self._show(statuses, others, on_change)
            time.sleep(POLL_SECONDS)
        self._show(statuses, others, on_change)
        return statuses

    def _track(self, jobs: list[Job]) -> list[Tracked]:
        """Make what is known of the jobs, the built-in data in front."""
        from ssl_motion.slurm.attempt import DATA, STATE_SUFFIX, CommandAttempt, DataAttempt, state_file

        self.folder.mkdir(parents=True, exist_ok=True)
        data = Tracked(
            DATA,
            digest([job.spec.model_dump(mode="json") for job in jobs]),
            self.folder / f"{DATA}{STATE_SUFFIX}",
            self.folder / f"{DATA}.log",
            lambda parents, token: DataAttempt(self.folder, jobs, self.store, token),
            proof="",
        )
        by_name: dict[str, Tracked] = {}
        for job in jobs:
            parents = [by_name[name] for name in job.parents]
            # What is run and from what; not where or how.
            key = digest([job.verb, job.spec.model_dump(mode="json"), list(job.parents)])
            make = partial(CommandAttempt, self.folder, job, self.arguments, self.processes(job))
            log = job_spec_file(self.folder, job).with_suffix(".log")
            by_name[job.name] = Tracked(
                job.name, key, state_file(self.folder, job), log, make, parents=parents, after=[data, *parents]
            )
        return [data, *by_name.values()]

    def _cancel_unnoted(self) -> None:
        """Cancel what a command submitted that was killed before it could note Slurm's numbers."""
        unnoted = {name: entry for name, entry in self._journal.entries.items() if entry.number is None}
        batches = {entry.batch for entry in unnoted.values()}
        cancel([number for number, queued in self._queue.items() if queued.is_live and queued.comment in batches])
        self._journal.drop(list(unnoted))

    def _adopt(self, tracked: Tracked) -> None:
        """Find the submission of an earlier command."""
        entry = self._journal.entries.get(tracked.name)
        if entry is None or entry.number is None:
            return
        queued = self._queue.get(entry.number)
        if entry.key == tracked.key:
            tracked.adopt(entry, queued)
        elif queued is not None and queued.is_live and tracked.proof:
            raise UsageError(
                f"the suite has changed, but its former {tracked.name!r} is still with Slurm. Wait for it, or end it "
                f"with scancel {entry.number}; then start the command again."
            )

    def _ask(self) -> None:
        """Ask Slurm, when it is time; while it does not answer, the former answer stands."""
        now = time.monotonic()
        if now - self._tried < QUEUE_SECONDS:
            return
        self._tried = now
        try:
            self._queue, self._answered = read_queue(), now
        except RunError as error:
            print(f"{error}; asking again", file=sys.stderr, flush=True)

    def _settle(self, job: Job, tracked: Tracked) -> None:
        """Skip what can never start, and find what is finished already."""
        if not tracked.is_open:
            return
        if any(parent.stage in ("failed", "skipped") for parent in tracked.parents):
            tracked.stage = "skipped"
            return
        if tracked.entry is not None or not all(parent.is_finished for parent in tracked.parents):
            return
        if (run := self.find_finished(job, [parent.run for parent in tracked.parents])) is not None:
            tracked.stage, tracked.run = "reused", run

    def _submit(self, data: Tracked, others: list[Tracked]) -> None:
        """Submit everything that is not, parents before children."""
        left = [each for each in others if each.is_open and each.entry is None]
        if left and data.is_open and data.entry is None:
            self._submit_array([data], [])
            print(f"Slurm job {data.number} makes the built-in data", file=sys.stderr, flush=True)
        while left:
            groups: dict[tuple[str, ...], list[Tracked]] = {}
            for each in left:
                pending = [parent for parent in each.after if not parent.is_finished]
                if all(parent.entry is not None for parent in pending):
                    groups.setdefault(tuple(parent.number for parent in pending), []).append(each)
            for after, group in groups.items():
                for first in range(0, len(group), MAX_ARRAY):
                    self._submit_array(group[first : first + MAX_ARRAY], list(after))
            left = [each for each in left if each.entry is None]

    def _submit_array(self, group: list[Tracked], after: list[str]) -> None:
        """Submit jobs that wait for the same, noting them before and after."""
        batch = f"ssl-motion {uuid.uuid4().hex[:12]}"
        entries = {each.name: Entry(each.key, uuid.uuid4().hex[:12], batch, None, after) for each in group}
        self._journal.note(entries)
        attempts = [
            each.make(
                [parent.run if parent.is_finished else parent.state_file for parent in each.parents],
                entries[each.name].token,
            )
            for each in group
        ]
        files = self.folder / "slurm" / "files"
        numbers = submit(attempts, after, batch, name=self._job_name, folder=files, settings=self.settings)
        for each, number in zip(group, numbers, strict=True):
            entry = entries[each.name]
            each.entry = Entry(entry.key, entry.token, batch, number, after)
            each.submitted = time.monotonic()
        self._journal.note({each.name: each.entry for each in group if each.entry is not None})

    def _show(
        self, statuses: list[JobStatus], tracked: list[Tracked], on_change: Callable[[list[JobStatus]], None]
    ) -> None:
        """Tell how all jobs stand, and once of each why Slurm does not start it, where that is unusual."""
        for status, each in zip(statuses, tracked, strict=True):
            status.state, status.run, status.seconds = each.stage, each.run, each.seconds
            queued = self._queue.get(each.number) if each.entry is not None else None
            if queued is None or queued.state != "PENDING" or queued.reason in _USUAL_REASONS:
                continue
            if (each.number, queued.reason) not in self._told:
                self._told.add((each.number, queued.reason))
                print(f"Slurm does not start {each.name} yet: {queued.reason}", file=sys.stderr, flush=True)
        on_change(statuses)


def _puppets_of(job: Job) -> PuppetsSpec | None:
    """The built-in data that a job reads."""
    return job.spec.data.puppets if isinstance(job.spec, PretrainSpec) else job.spec.puppets
