"""`ssl-bench show`: one run, with everything needed to judge and repeat it."""

from typing import Any

import click

from ssl_motion.cli.common_options import json_option, runs_option


@click.command("show", short_help="Show one run.")
@click.argument("run")
@runs_option
@json_option("everything")
def command(run: str, runs_folder: str | None, as_json: bool) -> None:
    """Show RUN: its state, figures, spec, files and provenance, and the command that repeats it.

    RUN is a folder, its name, an identity, or the beginning of either.
    """
    from ssl_motion.listing import show_run
    from ssl_motion.paths import runs_root

    content = show_run(runs_root(runs_folder), run)
    if as_json:
        import json

        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    click.secho(content["name"], bold=True)
    click.echo(f"{content['kind']}, {content['state']}\n{content['path']}")
    if content["error"]:
        click.secho(content["error"], fg="red")
    for remark in (content["record"] or {}).get("remarks", []):
        click.echo(f"note: {remark}")
    _section("Figures", {name: f"{value:.6g}" for name, value in content["figures"].items()})
    _details(content["record"])
    import yaml

    click.secho("\nSpec", bold=True)
    click.echo(_indented(yaml.safe_dump(content["spec"], sort_keys=False, allow_unicode=True)))
    _section("Files", {name: _size(size) for name, size in content["files"].items()})
    _provenance(content)
    import shlex

    click.secho("\nAgain", bold=True)
    click.echo("  " + shlex.join(content["again"]))


def _section(title: str, lines: dict[str, str]) -> None:
    if not lines:
        return
    click.secho(f"\n{title}", bold=True)
    width = max(map(len, lines))
    for name, text in lines.items():
        click.echo(f"  {name:{width}}  {text}")


def _details(record: dict[str, Any] | None) -> None:
    for name, values in (record or {}).get("details", {}).items():
        _section(name, {key: f"{value:.6g}" for key, value in values.items()})


def _provenance(content: dict[str, Any]) -> None:
    record = content["record"]
    origin = record["origin"]["provenance"] if record else content["summary"].get("provenance")
    if origin is None:
        return
    changed = {True: " with uncommitted changes", False: "", None: ""}[origin["dirty"]]
    lines = {
        "code": origin["commit"] + changed,
        "finished": origin["finished"],
        "took": f"{origin['wall_seconds']:.0f} s on {origin['device']}",
        "hardware": origin["hardware"],
        "Python": origin["python"],
        "packages": ", ".join(f"{name} {version}" for name, version in origin["packages"].items()),
        "after runs": ", ".join(origin["parents"]) or "none",
    }
    _section("Provenance", lines)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1e6:,.2f} MB"
