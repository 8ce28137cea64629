"""`ssl-bench submit`: a finished run's record, put beside the committed ones."""

import click

from ssl_motion.cli.common_options import json_option, runs_option


@click.command("submit", short_help="Put a finished run's record among those that are shared.")
@click.argument("run")
@click.option("--out", metavar="DIR", default="reports/records", show_default=True, help="Folder of records.")
@runs_option
@json_option("what was written")
def command(run: str, out: str, runs_folder: str | None, as_json: bool) -> None:
    """Write the record of RUN, a finished transfer run or ensemble, into a folder of records.

    RUN is a folder, its name, or an identity (or its first four digits and more). The record gets its run's name, and
    its per-image statistics (at most 5 MB) go beside it into per_image/. Refused are runs that are not finished, were
    measured with uncommitted changes in the code, are there already, or fail a check of `ssl-bench validate`.
    """
    import json
    from pathlib import Path

    from ssl_motion.contribution.submit import submit
    from ssl_motion.paths import runs_root
    from ssl_motion.store import Store

    written = submit(Store(runs_root(runs_folder)).find(run, "transfer"), Path(out))
    files = [written.record, *([written.images] if written.images else [])]
    if as_json:
        click.echo(json.dumps({"files": [str(file) for file in files], "remarks": written.remarks}, indent=2))
        return
    for file in files:
        click.echo(str(file))
    for remark in written.remarks:
        click.echo(f"Note: {remark}")
    click.echo(f"next: ssl-bench validate {out}, then commit the files above and open a pull request")
