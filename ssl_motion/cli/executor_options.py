"""Options of `ssl-bench run` that say where its jobs run."""

from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import option_group

if TYPE_CHECKING:
    from ssl_motion.slurm.settings import SlurmSettings

executor_options = option_group(
    click.option(
        "--executor",
        type=click.Choice(["local", "slurm"]),
        default="local",
        show_default=True,
        help="Run jobs as processes of this machine, or as jobs of a Slurm cluster (docs/slurm.md).",
    ),
    click.option(
        "--processes",
        type=click.IntRange(1),
        metavar="N",
        help="Processes of every run, on one node, through torchrun; a pretraining shares its batch among them, which "
        "makes another run of it [as the configs say].",
    ),
    click.option("--slurm-partition", metavar="NAME", help="Partition [the cluster's default]."),
    click.option("--slurm-account", metavar="NAME", help="Account to charge [the user's default]."),
    click.option(
        "--slurm-time",
        type=click.IntRange(5),
        metavar="MINUTES",
        default=240,
        show_default=True,
        help="Time limit of a job; one that reaches it is queued again and continues.",
    ),
    click.option("--slurm-cpus", type=click.IntRange(1), metavar="N", default=1, show_default=True, help="CPU cores."),
    click.option("--slurm-gpus", type=click.IntRange(0), metavar="N", default=0, show_default=True, help="GPUs."),
    click.option("--slurm-memory", type=float, metavar="GB", help="Memory [the cluster's default]."),
    click.option(
        "--slurm-set",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other option of sbatch, such as qos=low or constraint=a100; may be repeated.",
    ),
)
"""Options of a command, which gets `executor`, `processes` and several `slurm_...`."""


def slurm_settings(given: dict[str, Any], jobs: int | None) -> "SlurmSettings":
    """Put the values of the `slurm_...` options together.

    Args:
        given: by their names.
        jobs: runs side by side, where bounded.

    Raises:
        UsageError: Something in --slurm-set is no KEY=VALUE.
    """
    from ssl_motion.errors import UsageError
    from ssl_motion.slurm.settings import SlurmSettings

    others = {}
    for assignment in given["slurm_set"]:
        key, sign, value = assignment.partition("=")
        if not sign or not key:
            raise UsageError(f"--slurm-set {assignment}: expected KEY=VALUE, such as qos=low")
        others[key.lstrip("-")] = value
    return SlurmSettings(
        minutes=given["slurm_time"],
        cpus=given["slurm_cpus"],
        gpus=given["slurm_gpus"],
        memory=given["slurm_memory"],
        partition=given["slurm_partition"],
        account=given["slurm_account"],
        parallel=jobs,
        others=others,
    )
