"""What the reports' commands share: where records come from."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from ssl_motion.record import ResultRecord

FIRST = "Run something first:  ssl-bench run quickstart   (minutes on a laptop)"


def record_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where records lie: `runs_folder` and `record_folders`."""
    runs = click.option(
        "--runs", "runs_folder", metavar="DIR", help="Folder of all runs [$SSL_MOTION_RUNS, else runs]."
    )
    records = click.option(
        "--records",
        "record_folders",
        multiple=True,
        metavar="DIR",
        help="Further records: a folder of JSON files, or another runs folder; may be repeated.",
    )
    return runs(records(function))


def own_records(runs: "Path", folders: tuple[str, ...]) -> "tuple[list[ResultRecord], dict[str, Path]]":
    """Read the records of the runs folder, of the folders given, and those committed with a checkout."""
    from pathlib import Path

    from ssl_motion_reports.leaderboard import collect_records, committed_records, folder_records, run_records

    files = run_records(runs)
    for folder in folders:
        files += folder_records(Path(folder))
    return collect_records(files + committed_records())
