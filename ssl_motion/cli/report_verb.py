"""`ssl-bench report`: from records to tables, pages and pictures. Each report is a file of `ssl_motion.cli.reports`."""

import click

from ssl_motion.cli.lazy import LazyGroup
from ssl_motion.cli.reports import FIRST, own_records, record_options

REPORTS = {
    "compare": "Two runs or two methods: differences by metric, class and image, with pictures.",
    "curves": "Curves that suites declare, with the papers' own points beside them.",
    "leaderboard": "Tables of all results beside published ones, one page and a picture.",
    "paper": "Tables and curves of the CMP and Mahendran papers as printed, with reproduced rows in their places.",
    "site": "A static site of all results: the answer, leaderboards, methods, runs.",
}


@click.group(
    "report",
    cls=LazyGroup,
    lines=REPORTS,
    module="ssl_motion.cli.reports.{}",
    section="Reports",
    invoke_without_command=True,
    short_help="Write the leaderboard and other reports from the records.",
)
@record_options
@click.pass_context
def command(context: click.Context, runs_folder: str | None, record_folders: tuple[str, ...]) -> None:
    """Write reports. Joins the results of finished runs, committed records and, where it fits, published numbers.

    Only results with the same protocol fingerprint are ranked against each other. Without a report's name, says what
    there is to report.
    """
    import os

    from ssl_motion.paths import runs_root

    # Reports multiply thousands of small matrices: threads that wait for the next one take time and give none. Read
    # when numpy and scipy load their BLAS, which nothing before has done.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if context.invoked_subcommand is not None:
        # Options may stand before the report's name too.
        given = {"runs_folder": runs_folder, "record_folders": record_folders or None}
        context.default_map = {
            context.invoked_subcommand: {name: value for name, value in given.items() if value is not None}
        }
        return
    runs = runs_root(runs_folder)
    records, _ = own_records(runs, record_folders)
    if not records:
        click.echo(f"no finished transfer runs below {runs}. {FIRST}")
    else:
        click.echo(f"{len(records)} results. Reports: {', '.join(REPORTS)}")
    click.echo("`ssl-bench report leaderboard` writes the leaderboard, with published numbers beside your own.")
