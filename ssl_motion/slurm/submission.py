"""Handing jobs to Slurm through submitit, several as one array."""

import shutil
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from ssl_motion.errors import RunError, UsageError
from ssl_motion.slurm.settings import SlurmSettings

MAX_ARRAY = 500
"""Elements of one array; clusters allow 1,000 and more unless they say otherwise."""
MAX_TIMEOUTS = 100
"""How often a job may run into its time limit, so that one that gets no further ends some day."""


def check_available() -> None:
    """Check that this machine can submit.

    Raises:
        UsageError: There is no Slurm here, or no submitit.
    """
    missing = [program for program in ("sbatch", "squeue", "srun", "scancel") if shutil.which(program) is None]
    if missing:
        raise UsageError(
            f"--executor slurm: {', '.join(missing)} not found. Start the command where jobs are submitted, such as a "
            "login node of the cluster."
        )
    if find_spec("submitit") is None:
        raise UsageError("--executor slurm needs submitit: pip install 'ssl-motion[slurm]'")


def submit(
    attempts: Sequence[Callable[[], None]],
    after: list[str],
    batch: str,
    *,
    name: str,
    folder: Path,
    settings: SlurmSettings,
) -> list[str]:
    """Submit callables that wait for the same jobs.

    Args:
        attempts: at most MAX_ARRAY, each `ssl_motion.slurm.attempt.Attempt`.
        after: numbers of the Slurm jobs that must have succeeded before.
        batch: comment that Slurm keeps with the jobs.
        name: of the Slurm job.
        folder: for submitit's files.
        settings: resources of each.

    Returns:
        Slurm's number of each.

    Raises:
        RunError: Slurm refuses them; its message is given.
        UsageError: An option of sbatch does not exist.
    """
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=MAX_TIMEOUTS)
    executor.update_parameters(job_name=name, **settings.parameters(after, batch))
    try:
        with executor.batch():
            jobs = [executor.submit(attempt) for attempt in attempts]
    except (FailedJobError, FailedSubmissionError) as error:
        lines = [line for line in str(error).splitlines() if "sbatch" in line] or [str(error)]
        raise RunError(f"Slurm does not take the jobs: {lines[-1].strip()}") from error
    return [job.job_id for job in jobs]
