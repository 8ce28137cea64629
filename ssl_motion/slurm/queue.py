"""Asking Slurm where its jobs are, by `squeue` alone: clusters without accounting have no sacct."""

import os
import subprocess
from dataclasses import dataclass

from ssl_motion.errors import RunError

_LIVE = frozenset(
    {
        *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"),
        *("RESIZING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"),
    }
)
LOST_BY_CLUSTER = frozenset({"PREEMPTED", "NODE_FAIL", "BOOT_FAIL"})
"""Ends that are not the job's fault."""
_SECONDS = 60.0


@dataclass(frozen=True)
class Queued:
    """What Slurm says of a job.

    Attributes:
        state: such as PENDING or NODE_FAIL.
        reason: why it is in that state.
        comment: that it was submitted with.
    """

    state: str
    reason: str
    comment: str

    @property
    def is_live(self) -> bool:
        """Whether it may still run."""
        return self.state in _LIVE


def read_queue() -> dict[str, Queued]:
    """Read the user's jobs: number, such as "12" or "12_3" in an array -> what is known.

    Slurm forgets a job some minutes after its end.

    Raises:
        RunError: squeue does not answer.
    """
    command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%r|%k"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise RunError(f"squeue does not answer: {error}") from error
    if done.returncode != 0:
        raise RunError(f"squeue does not answer: {done.stderr.strip()}")
    found = {}
    for line in done.stdout.splitlines():
        number, state, reason, comment = line.split("|", 3)
        found[number] = Queued(state, reason, comment)
    return found


def cancel(numbers: list[str]) -> None:
    """Cancel jobs; those that are gone do not matter."""
    if numbers:
        subprocess.run(["scancel", *numbers], capture_output=True, timeout=_SECONDS, check=False)
