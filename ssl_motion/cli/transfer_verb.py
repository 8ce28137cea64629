"""`ssl-bench transfer`: fine-tune a backbone on a downstream task, and record the result."""

from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import device_option, json_option, runs_option, threads_option, workers_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ssl_motion.spec import TransferSpec
    from ssl_motion.transfer_plan import TransferPlan

DEFAULT_TASK = "voc_fcn"


@click.command("transfer", short_help="Fine-tune on a downstream task.")
@click.argument("spec_file", metavar="[SPEC]", required=False)
@click.option("--task", help=f"Downstream task [{DEFAULT_TASK}]; `ssl-bench list benchmarks` shows all.")
@click.option("--preset", help="Preset of the task [the task's own default: the built-in world].")
@click.option(
    "--init",
    metavar="START",
    help='Where the backbone starts: "random", "random:SCHEME" (xavier, cmp, torch, caffe), "imagenet", a pretraining '
    "run (folder or identity), or a weights file (.safetensors, .pth of torchvision, timm, OpenMMLab, MoCo, CMP) "
    '[random]. Tasks that judge whole models take a run, a whole model, or "baseline:NAME".',
)
@click.option("--data-root", metavar="DIR", help="Folder of the task's data [$SSL_MOTION_DATA, else data].")
@click.option("--freeze-to", metavar="STAGE", help="Keep the trunk up to this stage as it starts [train all of it].")
@click.option("--label-fraction", type=float, metavar="F", help="Train on this share of the labels (fixed lists) [1].")
@click.option("--shots", type=click.IntRange(1), metavar="K", help="Train on K labelled examples of every class.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the run [0].")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting of the task, such as iterations=1000 or backbone.arch=resnet18.",
)
@click.option(
    "--cfg-options",
    "recipe_assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the MMEngine recipe, such as optim_wrapper.optimizer.weight_decay=0; may be repeated.",
)
@runs_option
@device_option
@workers_option
@threads_option
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    type=click.Choice(["tensorboard", "wandb", "mlflow"]),
    help="Log there too; may be repeated.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would run, its identity and whether it is there, look for what it would stumble over, and stop.",
)
@click.option("--force", is_flag=True, help="Run again; an existing folder is moved aside.")
@json_option()
def command(
    spec_file: str | None,
    task: str | None,
    preset: str | None,
    init: str | None,
    data_root: str | None,
    freeze_to: str | None,
    label_fraction: float | None,
    shots: int | None,
    seed: int | None,
    assignments: tuple[str, ...],
    recipe_assignments: tuple[str, ...],
    runs_folder: str | None,
    device: str,
    workers: int,
    threads: int,
    trackers: tuple[str, ...],
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Fine-tune a backbone on a task and record how good it is.

    Without options: segmentation of the built-in world from a random start. SPEC is a YAML file that says the same as
    the options, which go before it. A finished run is reused, an interrupted one continues.
    """
    from pathlib import Path

    from ssl_motion.paths import runs_root
    from ssl_motion.spec import RuntimeSpec
    from ssl_motion.spec_text import parse_spec
    from ssl_motion.store import Store

    settings = {"preset": preset, "freeze_to": freeze_to, "label_fraction": label_fraction, "shots": shots}
    spec = build_spec(spec_file, assignments, recipe_assignments, settings, task=task, init=init, seed=seed)
    wanted = {"device": device, "workers": workers, "threads": threads, "trackers": list(trackers)}
    runtime = parse_spec(RuntimeSpec, wanted, "options")
    store = Store(runs_root(runs_folder))
    root = Path(data_root).expanduser() if data_root is not None else None

    from ssl_motion.engine.environment import launched_processes
    from ssl_motion.transfer import make_plan, transfer

    plan = make_plan(spec, store, root)
    speaks = launched_processes().is_main
    if dry_run:
        if speaks:
            _print_plan(plan, as_json)
        return
    cached = plan.folder.is_finished and not force
    transfer(spec, runtime, store, root, force=force)
    if speaks:
        _print_outcome(plan, cached, as_json)


def build_spec(
    spec_file: str | None,
    assignments: tuple[str, ...],
    recipe_assignments: tuple[str, ...],
    settings: "Mapping[str, Any]",
    *,
    task: str | None,
    init: str | None,
    seed: int | None,
) -> "TransferSpec":
    """Put a spec together from a file and the options that change it.

    Args:
        spec_file: YAML file, or None.
        assignments: KEY=VALUE of the task's settings.
        recipe_assignments: KEY=VALUE of the recipe.
        settings: the task's settings that have options of their own; None for those not given.
        task: name of the task.
        init: start of the backbone.
        seed: of the run.

    Raises:
        UsageError: The file does not exist, or there is a fault in the result.
    """
    from pathlib import Path

    from ssl_motion.errors import UsageError
    from ssl_motion.spec import TransferSpec
    from ssl_motion.spec_text import apply_overrides, load_yaml, parse_assignments, parse_spec

    content = load_yaml(Path(spec_file)) if spec_file is not None else {}
    content.setdefault("task", DEFAULT_TASK)
    overrides: dict[str, Any] = {
        key: value for key, value in {"task": task, "init": init, "seed": seed}.items() if value is not None
    }
    overrides |= {f"task_config.{key}": value for key, value in settings.items() if value is not None}
    overrides |= {f"task_config.{key}": value for key, value in parse_assignments(assignments).items()}
    content = apply_overrides(content, overrides)
    if recipe_assignments:
        # These keys hold dots themselves, so they are no path into the spec.
        given = content.get("recipe_overrides") or {}
        if not isinstance(given, dict):
            raise UsageError(f"{spec_file}: recipe_overrides: expected dotted keys with values, found {given!r}")
        content["recipe_overrides"] = {**given, **parse_assignments(recipe_assignments)}
    return parse_spec(TransferSpec, content, spec_file or "options")


def _print_plan(plan: "TransferPlan", as_json: bool) -> None:
    """Print what would run, and what was looked at to see that it can.

    Raises:
        SSLMotionError: Something is wrong that a run would stumble over.
    """
    from ssl_motion.dry_run import Findings, examine
    from ssl_motion.listing import error_of, prospect

    stands, outcome = prospect(plan.folder)
    error = error_of(plan.folder, stands)
    facts = {
        "task": plan.spec.task,
        "protocol": plan.protocol_name,
        "scale": plan.scale,
        "start": plan.start.method,
        "backbone": plan.judged,
        "data": str(plan.data_root) if plan.data_root else "the built-in world",
        "identity": plan.folder.identity,
        "path": str(plan.folder.path),
        "state": stands,
    }
    if not as_json:
        changes = [f"{name}={each}" for name, each in plan.changes.items() if name != "backbone"]  # it has its line
        for key, value in facts.items():
            click.echo(f"{key:<9} {value}")
            if key == "protocol" and changes:
                click.echo(f"{'changed':<9} {', '.join(changes)}")
        if error is not None:
            click.echo(f"failed    {error}")
        for remark in plan.remarks:
            click.echo(f"note      {remark}")
    found = Findings((), ()) if stands == "finished" else examine(plan)
    if as_json:
        import json

        content = {
            **facts,
            "error": error,
            "cached": plan.folder.is_finished,
            "facts": plan.protocol,
            "spec": plan.written_spec(),
            "remarks": list(plan.remarks),
            "checked": list(found.checked),
            "unchecked": list(found.unchecked),
        }
        click.echo(json.dumps(content, indent=2))
        return
    for name, lines in (("checked", found.checked), ("unchecked", found.unchecked)):
        for line in lines:
            click.echo(f"{name:<9} {line}")
    click.echo(outcome)


def _print_outcome(plan: "TransferPlan", cached: bool, as_json: bool) -> None:
    """Print the figures and where the record is."""
    summary = plan.folder.summary
    if as_json:
        import json

        click.echo(json.dumps({"path": str(plan.folder.path), "cached": cached, **summary}))
        return
    if cached:
        click.echo("This run is finished and was reused (--force runs it again).")
    click.echo(
        f"{summary['method']} ({summary['backbone']}) on {summary['task']}, {summary['protocol']}, "
        f"scale {summary['scale']}, seed {summary['seed']}:"
    )
    for name, value in summary["metrics"].items():
        click.echo(f"  {name:<6} {value:.2f}")
    click.echo(f"record and log: {plan.folder.path}")
    click.echo("next: ssl-bench report leaderboard")
