"""`ssl-bench list`: what is installed, shipped and has been run."""

from typing import Any

import click

KINDS = ("methods", "benchmarks", "backbones", "configs", "estimators", "runs")


@click.command("list", short_help="List what is there.")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.option("--runs", "runs_folder", metavar="DIR", help="Folder of all runs [$SSL_MOTION_RUNS, else runs].")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(kind: str | None, runs_folder: str | None, as_json: bool) -> None:
    """List methods, benchmarks, backbones, configs, flow estimators or runs; without KIND all of them.

    A plugin that does not import is listed with its error.
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
    if not rows:
        click.echo(indent + ("none yet; `ssl-bench run quickstart` makes some" if kind == "runs" else "none"))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        click.echo(f"{indent}{row['name']:{width}}  {_describe(kind, row)}".rstrip())
        if row.get("error"):
            click.secho(f"{indent}{'':{width}}  broken: {row['error']}", fg="red")
        for name, line in (row.get("presets") or {}).items():
            click.echo(f"{indent}{'':{width}}    {name}: {line}")


def _describe(kind: str, row: dict[str, Any]) -> str:
    if kind == "runs":
        figures = ", ".join(f"{name} {value:.4g}" for name, value in list(row["figures"].items())[:4])
        return f"{row['kind']:8}  {row['state']:11}  {figures}"
    if kind == "configs":
        return f"{row['kind']:8}  {row['description']}"
    if kind == "backbones":
        return str(row["description"])
    parts = [row.get("paper") or ", ".join(row.get("metrics", [])) or _supervision(row), f"[{row['distribution']}]"]
    return "  ".join(part for part in parts if part)


def _supervision(row: dict[str, Any]) -> str:
    return f"learned from: {row['supervision']}" if "supervision" in row else ""
