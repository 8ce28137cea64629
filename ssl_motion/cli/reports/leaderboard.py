"""`ssl-bench report leaderboard`: tables of all results, one page and a picture."""

import click

from ssl_motion.cli.common_options import json_option
from ssl_motion.cli.reports import FIRST, image_draws, own_records, record_options
from ssl_motion_reports.collector import paused_collector


@click.command("leaderboard")
@record_options
@click.option("--out", metavar="DIR", help="Folder to write into [RUNS/reports/leaderboard].")
@click.option("--task", help="Only this task.")
@click.option("--no-published", is_flag=True, help="Leave published numbers out.")
@json_option("the leaderboard")
@paused_collector()  # to the end: between two steps it would look through all records
def command(
    runs_folder: str | None,
    record_folders: tuple[str, ...],
    out: str | None,
    task: str | None,
    no_published: bool,
    as_json: bool,
) -> None:
    """Write the leaderboard: terminal table, Markdown, CSV, LaTeX, one HTML page and a picture.

    Joins the results of finished runs, committed records and published numbers. Only results with the same
    protocol fingerprint are ranked against each other.
    """
    from pathlib import Path

    from ssl_motion.errors import UsageError
    from ssl_motion.paths import runs_root

    runs = runs_root(runs_folder)
    records, sources = own_records(runs, record_folders)
    if not records:
        message = f"no finished transfer runs below {runs}, and no records. {FIRST}"
        if no_published:
            raise UsageError(message)
        click.echo(f"{message}\nOnly published numbers are shown.", err=True)
    from ssl_motion_reports.board import build_board
    from ssl_motion_reports.leaderboard import as_data, dump, select_task, write_board
    from ssl_motion_reports.published import published_records

    everything = records + ([] if no_published else published_records())
    if task is not None:
        everything = select_task(everything, task)
    board = build_board(everything, sources, image_draws(runs, everything, sources))
    written = write_board(board, Path(out) if out else runs / "reports" / "leaderboard", sources=sources)
    if as_json:
        click.echo(dump({"files": [str(path) for path in written], **as_data(board)}))
        return
    if records:
        from ssl_motion_reports.terminal import print_board

        print_board(board)
    for path in written:
        click.echo(str(path))
