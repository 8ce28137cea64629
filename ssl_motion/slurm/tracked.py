"""A job of a suite while the command waits for it: what is known of it, from its own file and from Slurm's queue."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ssl_motion.executors import State as Stage
from ssl_motion.slurm.journal import Entry, read_state
from ssl_motion.slurm.queue import LOST_BY_CLUSTER, Queued

Make = Callable[[list[str | Path], str], Callable[[], None]]
"""(A job's parents, each the folder of a run or the state file of a job; the token) -> what is submitted."""
MISSES = 2
"""So often in a row Slurm must not know a job that has left no answer: file systems of clusters show files late."""
_RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"})


@dataclass(eq=False)
class Tracked:
    """A job and where it stands.

    Attributes:
        name: in the suite.
        key: digest of what it does.
        state_file: where the job says how it stands.
        log: its messages.
        make: makes what is submitted.
        proof: file below its run that shows that the run is still there.
        parents: jobs whose runs go in.
        after: everything that it waits for.
        stage: where it stands.
        run: folder of its run, once done.
        seconds: time it took, or has taken.
        entry: its submission; None while there is none.
        submitted: monotonic time of the submission.
    """

    name: str
    key: str
    state_file: Path
    log: Path
    make: Make
    proof: str = "done.json"
    parents: "list[Tracked]" = field(default_factory=list)
    after: "list[Tracked]" = field(default_factory=list)
    stage: Stage = "waiting"
    run: str = ""
    seconds: float = 0.0
    entry: Entry | None = None
    submitted: float = float("-inf")
    misses: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether its run is there."""
        return self.stage in ("done", "reused")

    @property
    def is_open(self) -> bool:
        """Whether it may still become finished."""
        return self.stage in ("waiting", "running")

    @property
    def number(self) -> str:
        """Slurm's number."""
        assert self.entry is not None
        assert self.entry.number is not None
        return self.entry.number

    def adopt(self, entry: Entry, queued: Queued | None) -> None:
        """Take up a submission of an earlier command, where it is in the queue or has succeeded; what failed is not."""
        state = read_state(self.state_file)
        succeeded = (
            state is not None
            and (state.token, state.state) == (entry.token, "done")
            and (Path(state.run) / self.proof).exists()
        )
        if succeeded or (queued is not None and queued.is_live):
            self.entry = entry

    def look(self, queue: dict[str, Queued], asked: float) -> None:
        """See how it stands.

        Args:
            queue: what Slurm said last.
            asked: monotonic time of that.
        """
        if self.entry is None or not self.is_open:
            return
        state = read_state(self.state_file)
        if state is not None and state.token != self.entry.token:
            state = None  # of an earlier submission
        if state is not None and state.state != "running":
            self.seconds, self.run = state.seconds, state.run
            self.stage = "failed" if state.state == "failed" else "reused" if state.reused else "done"
            return
        queued = queue.get(self.number)
        if queued is not None and queued.is_live:
            self.misses = 0
            self.stage = "running" if queued.state in _RUNNING else "waiting"
            self.seconds = time.time() - state.began if state is not None and self.stage == "running" else 0.0
        elif asked > self.submitted:
            self.misses, self.submitted = self.misses + 1, asked
            if self.misses >= MISSES:
                self._lost(queued, started=state is not None)

    def _lost(self, queued: Queued | None, started: bool) -> None:
        """Slurm has ended the job, and the job has not said how: it is submitted again where that was not its fault."""
        assert self.entry is not None
        waits_for = {each.entry.number for each in self.after if each.entry is not None}
        parent_was_lost = not started and not set(self.entry.after) <= waits_for
        word = queued.state if queued is not None else "UNKNOWN"
        if parent_was_lost or word in LOST_BY_CLUSTER:
            self.entry, self.stage, self.misses = None, "waiting", 0
            return
        self.stage = "failed"
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"Slurm ended job {self.number} in the state {word}\n")
