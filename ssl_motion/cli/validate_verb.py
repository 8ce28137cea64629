"""`ssl-bench validate`: checks of records, as for results that somebody contributes."""

from typing import TYPE_CHECKING

import click

from ssl_motion.cli.common_options import json_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command("validate", short_help="Check records: format, identity, figures, repetitions.")
@click.argument("paths", nargs=-1, metavar="[FOLDER|FILE]...")
@json_option("the faults")
def command(paths: tuple[str, ...], as_json: bool) -> None:
    """Check records of FOLDERs (of records, or of runs) and FILEs [those committed with this checkout].

    Each fault is printed with its file and key; with any, the exit code is 1. Checked are the format, the identity
    (worked out again from spec, protocol and parents), the agreement of spec and protocol, ranges of figures and
    amounts, per-image statistics (hash, and the figures that they give), file names, and repetitions.
    """
    import json
    import sys
    from pathlib import Path

    from ssl_motion.contribution.collection import check_files

    verdict = check_files(_files([Path(path) for path in paths]))
    if as_json:
        faults = [{"file": str(each.file), "key": each.key, "message": each.message} for each in verdict.faults]
        content = {"records": len(verdict.records), "with_per_image_statistics": verdict.images, "faults": faults}
        click.echo(json.dumps(content, indent=2))
    else:
        for fault in verdict.faults:
            click.echo(str(fault))
        broken = len({fault.file for fault in verdict.faults})
        click.echo(f"records: {len(verdict.records)}, with per-image statistics: {verdict.images}")
        click.echo(f"faults: {len(verdict.faults)}" + (f", files with any: {broken}" if broken else ""))
    if verdict.faults:
        sys.exit(1)


def _files(paths: "list[Path]") -> "list[Path]":
    """Record files that are meant."""
    from ssl_motion.errors import UsageError
    from ssl_motion_reports.leaderboard import committed_records, folder_records

    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
        elif (path / "record.json").is_file():
            found.append(path / "record.json")
        else:
            found += folder_records(path)
    found = list(dict.fromkeys(found)) if paths else committed_records()
    if not found:
        raise UsageError("no records to check. Give a folder with a JSON file a record, a runs folder, or files.")
    return found
