"""`ssl-bench report paper`: the papers' tables and curves with reproduced rows in their places."""

import click

from ssl_motion.cli.reports import FIRST, image_draws, own_records, record_options, shipped_curves


@click.command("paper")
@record_options
@click.option("--out", metavar="DIR", help="Folder to write into [RUNS/reports/paper].")
def command(runs_folder: str | None, record_folders: tuple[str, ...], out: str | None) -> None:
    """Write the tables and curves of the CMP and the Mahendran paper: Markdown, CSV, LaTeX and a fragment of HTML.

    Printed rows are as published; results of finished runs and committed records stand below the row of their method,
    with their protocol and its scale. Of curves stands there what is known of them: no picture was read off.
    """
    from pathlib import Path

    from ssl_motion.paths import runs_root
    from ssl_motion_reports.paper import write_paper

    runs = runs_root(runs_folder)
    records, sources = own_records(runs, record_folders)
    if not records:
        click.echo(f"no finished transfer runs below {runs}, and no records: printed rows alone. {FIRST}", err=True)
    folder = Path(out) if out else runs / "reports" / "paper"
    for path in write_paper(records, folder, sources, image_draws(runs, records, sources), shipped_curves()):
        click.echo(str(path))
