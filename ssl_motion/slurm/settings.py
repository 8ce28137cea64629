"""What a suite's jobs ask of the cluster."""

from dataclasses import dataclass, field
from typing import Any

STOP_SECONDS = 90
"""How long before its time limit a job is told to stop: time to write a checkpoint in."""


@dataclass(frozen=True)
class SlurmSettings:
    """Resources of every job of a suite.

    Attributes:
        minutes: time limit; a job that reaches it writes a checkpoint and is queued again.
        cpus: CPU cores.
        gpus: GPUs.
        memory: in GB; None for the cluster's default.
        partition: None for the cluster's default.
        account: None for the user's default.
        parallel: jobs of one array that run at once; None for no bound.
        others: any other options of sbatch, by their long names.
    """

    minutes: int = 240
    cpus: int = 1
    gpus: int = 0
    memory: float | None = None
    partition: str | None = None
    account: str | None = None
    parallel: int | None = None
    others: dict[str, str] = field(default_factory=dict)

    def parameters(self, after: list[str], comment: str) -> dict[str, Any]:
        """The parameters of submitit's executor for one submission.

        Args:
            after: numbers of the Slurm jobs that must have succeeded before.
            comment: kept by Slurm with the job.
        """
        # Slurm queues jobs again whose node was lost or that were preempted, and cancels those whose parent failed.
        others = {"requeue": True, "kill_on_invalid_dep": "yes", **self.others}
        return {
            "time": self.minutes,
            "signal_delay_s": STOP_SECONDS,
            "cpus_per_task": self.cpus,
            "comment": comment,
            "additional_parameters": others,
            **({"gpus_per_node": self.gpus} if self.gpus else {}),
            **({"mem_gb": self.memory} if self.memory is not None else {}),
            **({"partition": self.partition} if self.partition is not None else {}),
            **({"account": self.account} if self.account is not None else {}),
            **({"array_parallelism": self.parallel} if self.parallel is not None else {}),
            **({"dependency": "afterok:" + ":".join(after)} if after else {}),
        }
