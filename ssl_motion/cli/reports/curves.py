"""`ssl-bench report curves`: the curves that suites declare, as pictures and CSV."""

import click

from ssl_motion.cli.common_options import json_option
from ssl_motion.cli.reports import curves_of, image_draws, own_records, record_options


@click.command("curves")
@click.argument("suite", nargs=-1)
@record_options
@click.option("--out", metavar="DIR", help="Folder to write into [RUNS/reports/curves].")
@json_option("what was written")
def command(
    suite: tuple[str, ...], runs_folder: str | None, record_folders: tuple[str, ...], out: str | None, as_json: bool
) -> None:
    """Draw the curves of SUITEs (files, or shipped names; all shipped ones by default): PNG, SVG, and CSV.

    Points are means over seeds with their intervals; lines join results of one protocol. What a paper's own curve is
    known to be stands beside them.
    """
    import json
    from pathlib import Path

    from ssl_motion.curves import belongs
    from ssl_motion.errors import UsageError
    from ssl_motion.paths import config_root, runs_root
    from ssl_motion.sweep import load_suite
    from ssl_motion_reports.curves import write_curves

    names = list(suite) or sorted(path.stem for path in (config_root() / "suites").glob("[!_]*.yaml"))
    curves = curves_of({name: load_suite(name) for name in names})
    if not curves:
        raise UsageError(
            f"no suite among these declares a curve: {', '.join(names)}. A suite's key `curves` does "
            "(ssl_motion/curves.py says how)."
        )
    runs = runs_root(runs_folder)
    records, sources = own_records(runs, record_folders)
    folder = Path(out) if out else runs / "reports" / "curves"
    shown = [
        record
        for record in records
        if any(record.method in each.spec.references or belongs(record, each.spec) for each in curves.values())
    ]
    written = write_curves(curves, records, folder, sources, image_draws(runs, shown, sources))
    if as_json:
        click.echo(json.dumps({name: [str(path) for path in files] for name, files in written.items()}, indent=2))
        return
    for name, files in written.items():
        if not files:
            click.echo(f"{name}: no results yet")
        for path in files:
            click.echo(str(path))
