"""Jobs of a suite in several processes of one node (torchrun): which can, and what becomes of their batch."""

from collections.abc import Sequence
from dataclasses import replace

from ssl_motion.errors import UsageError
from ssl_motion.spec import PretrainSpec, TransferSpec
from ssl_motion.sweep import Job


def share_batches(jobs: Sequence[Job], processes: int) -> list[Job]:
    """Let every pretraining share its batch among so many processes; images per optimiser step stay as many.

    Batch norm and augmentation then see other batches: it is another run, with an identity of its own.

    Args:
        jobs: of a suite.
        processes: as wanted.

    Raises:
        UsageError: A batch cannot be shared.
    """
    shared = []
    for job in jobs:
        spec = job.spec
        if isinstance(spec, PretrainSpec) and spec.processes != processes:
            images = spec.batch_size * spec.processes
            if images % processes:
                raise UsageError(
                    f"{job.name}: a batch of {images} images cannot be shared among {processes} processes; choose "
                    "another number of processes, or set batch_size in the suite"
                )
            changes = {"processes": processes, "batch_size": images // processes}
            job = replace(job, spec=spec.model_copy(update=changes))
        shared.append(job)
    return shared


def processes_of(job: Job, wanted: int | None) -> int:
    """How many processes a job runs in: a pretraining in as many as its spec says, a transfer in as many as are wanted.

    What cannot share its work (a frozen read-out, an ensemble) takes one.

    Args:
        job: of a suite.
        wanted: None for no wish.

    Raises:
        UsageError: The task does not exist.
    """
    if isinstance(job.spec, PretrainSpec):
        return job.spec.processes
    if wanted is None or not isinstance(job.spec, TransferSpec):
        return 1
    from ssl_motion import plugins

    kind = plugins.load(plugins.BENCHMARKS, job.spec.task)
    return wanted if kind(kind.Config.model_validate(job.spec.task_config)).shares_work else 1
