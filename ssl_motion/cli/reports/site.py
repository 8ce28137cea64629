"""`ssl-bench report site`: all results as a static site."""

import click

from ssl_motion.cli.reports import FIRST, image_draws, own_records, pictures_of, record_options, shipped_curves


@click.command("site", short_help="A static site of all results: answer, leaderboards, methods, runs.")
@record_options
@click.option("--out", metavar="DIR", help="Folder of the site [RUNS/reports/site].")
@click.option("--no-published", is_flag=True, help="Leave published numbers out.")
def command(runs_folder: str | None, record_folders: tuple[str, ...], out: str | None, no_published: bool) -> None:
    """Write a static site: what the records answer, leaderboards, a page for each method, and one for each run.

    It opens as files, without a server, and loads nothing from elsewhere; copy the folder to publish it. What was there
    is replaced when all of it is written.
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
    from ssl_motion_reports.curves import write_curves
    from ssl_motion_reports.published import published_records
    from ssl_motion_reports.site import describe_methods, write_site

    everything = records + ([] if no_published else published_records())
    folder = Path(out) if out else runs / "reports" / "site"
    curves, cache = shipped_curves(), image_draws(runs, records, sources)
    drawn = write_curves(curves, records, runs / "reports" / "curves", sources, cache)
    home = write_site(
        everything,
        folder,
        sources=sources,
        methods=describe_methods(),
        pictures=pictures_of(curves, drawn),
        cache=cache,
    )
    click.echo(str(home))
