"""`ssl-bench ensemble`: average what finished transfer runs predict, and record the result."""

import click

from ssl_motion.cli.common_options import device_option, json_option, runs_option, threads_option, workers_option


@click.command("ensemble", short_help="Average what finished transfer runs predict.")
@click.argument("run", nargs=-1, required=True)
@click.option("--data-root", metavar="DIR", help="Folder of the task's data [where the runs had it].")
@runs_option
@device_option
@workers_option
@threads_option
@click.option("--dry-run", is_flag=True, help="Print what would be averaged and whether it is there, and stop.")
@click.option("--force", is_flag=True, help="Test again; an existing folder is moved aside.")
@json_option()
def command(
    run: tuple[str, ...],
    data_root: str | None,
    runs_folder: str | None,
    device: str,
    workers: int,
    threads: int,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Average the class probabilities of two or more finished transfer RUNs, and score and record the result.

    RUN is a folder, its name, an identity, or the beginning of either. The runs must be of one task, trunk and
    protocol, and of a task that mmsegmentation runs: voc_fcn, voc_hypercolumn or lip (`ssl-bench list benchmarks` marks
    those that can be averaged). Nothing is trained. A finished ensemble is reused.
    """
    import json
    from pathlib import Path

    from ssl_motion.ensemble import ensemble, plan_ensemble
    from ssl_motion.paths import runs_root
    from ssl_motion.spec import RuntimeSpec
    from ssl_motion.spec_text import parse_spec
    from ssl_motion.store import Store

    runtime = parse_spec(RuntimeSpec, {"device": device, "workers": workers, "threads": threads}, "options")
    store = Store(runs_root(runs_folder))
    root = Path(data_root).expanduser() if data_root is not None else None
    made = plan_ensemble(run, store, root)
    cached = made.folder.is_finished and not force
    if dry_run:
        facts = {
            "method": made.method,
            "task": made.plan.spec.task,
            "protocol": made.protocol_name,
            "runs": [member.folder.path.name for member in made.members],
            "identity": made.folder.identity,
            "path": str(made.folder.path),
        }
        if as_json:
            click.echo(json.dumps({**facts, "cached": cached, "remarks": list(made.plan.remarks)}, indent=2))
            return
        for key, value in facts.items():
            click.echo(f"{key:<9} {', '.join(value) if isinstance(value, list) else value}")
        for remark in made.plan.remarks:
            click.echo(f"note      {remark}")
        click.echo("would be reused" if cached else "would be tested")
        return
    ensemble(run, runtime, store, root, force=force)
    summary = made.folder.summary
    if as_json:
        click.echo(json.dumps({"path": str(made.folder.path), "cached": cached, **summary}))
        return
    if cached:
        click.echo("This ensemble is finished and was reused (--force tests it again).")
    click.echo(f"{summary['method']} ({summary['backbone']}) on {summary['task']}, {summary['protocol']}:")
    alone = {
        name: [next(each.value for each in member.record.metrics if each.name == name) for member in made.members]
        for name in summary["metrics"]
    }
    for name, value in summary["metrics"].items():
        click.echo(f"  {name:<6} {value:.2f}  (alone: {', '.join(f'{each:.2f}' for each in alone[name])})")
    click.echo(f"record and log: {made.folder.path}")
    click.echo("next: ssl-bench report leaderboard")
