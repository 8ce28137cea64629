"""`ssl-bench list`: what is installed, shipped and has been run."""

import shutil
import textwrap
from typing import Any

import click

from ssl_motion.cli.common_options import json_option, runs_option

WIDEST = 120
KINDS = ("methods", "benchmarks", "backbones", "configs", "estimators", "runs")


@click.command("list", short_help="List what is there.")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@runs_option
@json_option("the list")
def command(kind: str | None, runs_folder: str | None, as_json: bool) -> None:
    """List methods, benchmarks, backbones, configs, flow estimators or runs; without KIND all of them.

    A plugin that cannot be used is listed with the reason.
    """
    kinds = [kind] if kind else list(KINDS)
    rows = {each: _rows(each, runs_folder) for each in kinds}
    if as_json:
        import json

        click.echo(json.dumps(rows[kind] if kind else rows, indent=2, ensure_ascii=False))
        return
    for each in kinds:
        if not kind:
            click.secho(each, bold=True)
        _print(each, rows[each], indent="" if kind else "  ")


def _rows(kind: str, runs_folder: str | None) -> list[dict[str, Any]]:
    from ssl_motion import listing

    if kind == "runs":
        from ssl_motion.paths import runs_root

        return listing.list_runs(runs_root(runs_folder))
    rows: list[dict[str, Any]] = getattr(listing, f"list_{kind}")()
    return rows


def _print(kind: str, rows: list[dict[str, Any]], indent: str) -> None:
    """Print rows: the name, beside it (below it, where names are long) what there is to say, wrapped to the screen."""
    if not rows:
        click.echo(indent + ("none yet; `ssl-bench run quickstart` makes some" if kind == "runs" else "none"))
        return
    columns = min(shutil.get_terminal_size().columns, WIDEST)
    longest = max(len(row["name"]) for row in rows)
    beside = longest <= columns // 3
    margin = indent + " " * (longest + 2 if beside else 4)
    for row in rows:
        lines = [line for text in _describe(kind, row) for line in _wrapped(text, columns - len(margin))]
        if beside:
            click.echo(f"{indent}{row['name']:{longest}}  {lines.pop(0) if lines else ''}".rstrip())
        else:
            click.echo(indent + row["name"])
        for line in lines:
            click.echo(margin + line)
        if row.get("error"):
            text = _first_line(row["error"]) if kind == "runs" else f"{_blame(row)}: {row['error']}"
            for line in _wrapped(text, columns - len(margin)):
                click.secho(margin + line, fg="red")


def _blame(row: dict[str, Any]) -> str:
    """A plugin that has a namesake is in order itself."""
    from ssl_motion.plugins import ANNOUNCED_TWICE

    return "not to be used" if row["problem"] == ANNOUNCED_TWICE else "broken"


def _first_line(text: str) -> str:
    """The beginning of a message; `ssl-bench show` prints all of it."""
    first, *more = text.splitlines() or [""]
    return f"{first} ..." if more else first


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines; paths and names are never broken, so that they can be copied."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")


def _describe(kind: str, row: dict[str, Any]) -> list[str]:
    """What there is to say of one row, a text each line."""
    if kind == "runs":
        figures = ", ".join(f"{name} {value:.4g}" for name, value in list(row["figures"].items())[:4])
        return [f"{row['kind']}, {row['state']}" + (f": {figures}" if figures else "")]
    if kind == "configs":
        return [f"{row['kind']}: {row['description']}"]
    if kind == "backbones":
        return [str(row["description"])]
    source = f"[{row['distribution']}]"
    if not row["imports"]:
        return [f"{source}  {row['problem']}"]
    if kind == "methods":
        return [f"{source}  imports; trunks: {row['trunks']}", row["paper"]]
    if kind == "benchmarks":
        averaged = ["can be averaged (`ssl-bench ensemble`)"] if row["ensembles"] else []
        presets = [f"{name}: {line}" for name, line in row["presets"].items()]
        baselines = [f"--init {name}: {line}" for name, line in row["baselines"].items()]
        return [f"{', '.join(row['metrics'])}  {source}", *averaged, *presets, *baselines]
    return [f"learned from: {row['supervision']}  {source}"]
