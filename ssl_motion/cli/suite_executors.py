"""What runs the jobs of a suite: how many at once, with how many threads, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssl_motion.executors import JobStatus
    from ssl_motion.store import Store
    from ssl_motion.sweep import Job


class Executor(Protocol):
    """Runs jobs to their ends."""

    def run(self, jobs: "Sequence[Job]", on_change: "Callable[[list[JobStatus]], None]", /) -> "list[JobStatus]":
        """Run them, parents first; tell all statuses whenever something changes; return the last ones."""


@dataclass(frozen=True)
class Budget:
    """What the jobs of a suite may use.

    Attributes:
        slots: runs side by side.
        threads: of torch, for each process of a run.
        workers: loader processes of each.
        device: "cpu" or "cuda", for estimates.
    """

    slots: int
    threads: int
    workers: int
    device: str


def local_budget(jobs: int | None, device: str, processes: int) -> Budget:
    """Share the cores of this machine: two one-thread processes beat one of two.

    Args:
        jobs: runs side by side, where asked for.
        device: "auto", "cpu" or "cuda".
        processes: of every run.
    """
    import shutil

    from ssl_motion.executors import usable_cores

    cores = usable_cores()
    on_gpu = device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)
    slots = jobs or (1 if on_gpu else max(1, cores // processes))
    return Budget(slots, max(1, cores // (slots * processes)), 0, "cuda" if on_gpu else "cpu")


def slurm_budget(slots: int, slurm: Mapping[str, Any], processes: int) -> Budget:
    """Share the cores that Slurm gives a job.

    Args:
        slots: runs side by side.
        slurm: the values of the options that begin with --slurm-.
        processes: of every run.
    """
    threads = max(1, slurm["slurm_cpus"] // processes)
    on_gpu = bool(slurm["slurm_gpus"])
    return Budget(slots, threads, threads - 1 if on_gpu else 0, "cuda" if on_gpu else "cpu")


def local_executor(
    folder: Path,
    store: "Store",
    arguments: list[str],
    budget: Budget,
    processes: int | None,
    planned: "list[Job]",
    finished: Mapping[str, str],
) -> Executor:
    """Render the data, and make what runs jobs on this machine."""
    from ssl_motion.executors import LocalExecutor
    from ssl_motion.launching import Forks, Fresh
    from ssl_motion.several_processes import processes_of
    from ssl_motion.suite_state import finished_run, modules_of, prepare_worlds

    prepare_worlds([job for job in planned if job.name not in finished], store, processes=budget.slots)
    return LocalExecutor(
        folder,
        arguments,
        budget.slots,
        lambda job, parents: finished_run(job, parents, store),
        Forks(modules_of(planned)) if Forks.available() else Fresh,
        lambda job: processes_of(job, processes),
    )


def slurm_executor(
    folder: Path,
    store: "Store",
    arguments: list[str],
    slurm: dict[str, Any],
    jobs: int | None,
    processes: int | None,
) -> Executor:
    """Make what runs jobs on a cluster."""
    from ssl_motion.cli.executor_options import slurm_settings
    from ssl_motion.several_processes import processes_of
    from ssl_motion.slurm.executor import SlurmExecutor
    from ssl_motion.suite_state import finished_run

    return SlurmExecutor(
        folder,
        store.root,
        arguments,
        slurm_settings(slurm, jobs),
        lambda job, parents: finished_run(job, parents, store),
        lambda job: processes_of(job, processes),
    )
