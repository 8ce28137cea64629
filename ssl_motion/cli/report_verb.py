"""`ssl-bench report`: from records to tables, a page and a picture."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from ssl_motion.record import ResultRecord

FIRST = "Run something first:  ssl-bench run quickstart   (minutes on a laptop)"
REPORTS = ("leaderboard",)


@click.command("report", short_help="Write the leaderboard from the records.")
@click.argument("what", type=click.Choice(REPORTS), required=False)
@click.option("--runs", "runs_folder", metavar="DIR", help="Folder of all runs [$SSL_MOTION_RUNS, else runs].")
@click.option(
    "--records",
    "record_folders",
    multiple=True,
    metavar="DIR",
    help="Further records: a folder of JSON files, or another runs folder; may be repeated.",
)
@click.option("--out", metavar="DIR", help="Folder to write into [RUNS/reports/leaderboard].")
@click.option("--task", help="Only this task.")
@click.option("--no-published", is_flag=True, help="Leave published numbers out.")
@click.option("--json", "as_json", is_flag=True, help="Print the leaderboard as JSON.")
def command(
    what: str | None,
    runs_folder: str | None,
    record_folders: tuple[str, ...],
    out: str | None,
    task: str | None,
    no_published: bool,
    as_json: bool,
) -> None:
    """Write the leaderboard: terminal table, Markdown, CSV, LaTeX, one HTML page and a picture.

    Joins the results of finished runs, committed records and published numbers. Only results with the same
    protocol fingerprint are ranked against each other. Without WHAT, says what there is to report.
    """
    from pathlib import Path

    from ssl_motion.errors import UsageError
    from ssl_motion.paths import runs_root

    runs = runs_root(runs_folder)
    records, sources = _own_records(runs, record_folders)
    if what is None:
        if not records:
            click.echo(f"no finished transfer runs below {runs}. {FIRST}")
        else:
            click.echo(f"{len(records)} results. Reports: {', '.join(REPORTS)}")
        click.echo("`ssl-bench report leaderboard` writes the leaderboard, with published numbers beside your own.")
        return
    if not records:
        message = f"no finished transfer runs below {runs}, and no records. {FIRST}"
        if no_published:
            raise UsageError(message)
        click.echo(f"{message}\nOnly published numbers are shown.", err=True)
    from ssl_motion_reports.board import build_board
    from ssl_motion_reports.leaderboard import IMAGE_DRAWS, as_data, dump, select_task, write_board
    from ssl_motion_reports.published import published_records

    everything = records + ([] if no_published else published_records())
    if task is not None:
        everything = select_task(everything, task)
    board = build_board(everything, sources, runs / IMAGE_DRAWS)
    written = write_board(board, Path(out) if out else runs / "reports" / "leaderboard", sources=sources)
    if as_json:
        click.echo(dump({"files": [str(path) for path in written], **as_data(board)}))
        return
    if records:
        from ssl_motion_reports.terminal import print_board

        print_board(board)
    for path in written:
        click.echo(str(path))


def _own_records(runs: "Path", folders: tuple[str, ...]) -> "tuple[list[ResultRecord], dict[str, Path]]":
    """Read the records of the runs folder, of the folders given, and those committed with a checkout."""
    from pathlib import Path

    from ssl_motion_reports.leaderboard import collect_records, committed_records, folder_records, run_records

    files = run_records(runs)
    for folder in folders:
        files += folder_records(Path(folder))
    return collect_records(files + committed_records())
