"""Options that verbs of every kind share."""

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

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


def json_option(what: str = "the outcome") -> Decorator:
    """Make the option that has a verb print `what` it has to say as JSON: `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def option_group(*options: Decorator) -> Decorator:
    """Make one decorator of several of `click.option`; help shows them in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add
