"""Options that verbs of every kind share."""

from collections.abc import Callable
from typing import Any

import click

runs_option = click.option(
    "--runs", "runs_folder", metavar="DIR", help="Folder of all runs [$SSL_MOTION_RUNS, else runs]."
)
device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
workers_option = click.option(
    "--workers", type=click.IntRange(0), default=0, show_default=True, help="Loader processes."
)
threads_option = click.option(
    "--threads", type=click.IntRange(0), default=0, help="CPU threads of torch [torch's choice]."
)


def json_option(what: str = "the outcome") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the option that has a verb print `what` it has to say as JSON: `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")
