"""`ssl-bench pretrain`: learn a backbone from image-flow pairs."""

from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import device_option, json_option, runs_option, threads_option, workers_option

if TYPE_CHECKING:
    from pathlib import Path

    from ssl_motion.engine.plan import PretrainPlan
    from ssl_motion.spec import PretrainSpec
    from ssl_motion.store import RunFolder, Store


@click.command("pretrain", short_help="Pretrain a backbone on image-flow pairs.")
@click.argument("config", required=False)
@click.option("--method", help="Pretraining method; without CONFIG its METHOD_puppets, or METHOD_videos with --data.")
@click.option("--data", "data", multiple=True, metavar="DIR", help="Shards of `ssl-bench prepare`; may be repeated.")
@click.option("--backbone", metavar="ARCH", help="Trunk, in place of the config's.")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a key, such as optimizer.lr=0.01."
)
@click.option("--seed", type=click.IntRange(0), help="Seed, in place of the config's.")
@click.option("--iterations", type=click.IntRange(1), help="Optimiser steps, in place of the config's.")
@runs_option
@device_option
@workers_option
@threads_option
@click.option("--channels-last", is_flag=True, help="Keep images and weights in the channels-last memory format.")
@click.option("--compile", "compile_", is_flag=True, help="Use torch.compile.")
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    type=click.Choice(["tensorboard", "wandb", "mlflow"]),
    help="Log there too; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print what would run, its identity and whether it is there, and stop.")
@click.option("--force", is_flag=True, help="Run again; an existing folder is moved aside.")
@json_option()
def command(
    config: str | None,
    method: str | None,
    data: tuple[str, ...],
    backbone: str | None,
    assignments: tuple[str, ...],
    seed: int | None,
    iterations: int | None,
    runs_folder: str | None,
    device: str,
    workers: int,
    threads: int,
    channels_last: bool,
    compile_: bool,
    trackers: tuple[str, ...],
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Pretrain as CONFIG says: a YAML file, or the name of a shipped config (see the verb `list`).

    `pretrain --method cmp` alone trains on the built-in world; with --data it takes the method's config for
    videos. A method that ships no config gets a generic one. A finished run is reused, an interrupted one continues.

    On several GPUs: torchrun --standalone --nproc_per_node N -m ssl_motion pretrain ...
    """
    from ssl_motion.engine.pretrain import pretrain
    from ssl_motion.paths import runs_root
    from ssl_motion.spec import RuntimeSpec
    from ssl_motion.spec_text import parse_spec
    from ssl_motion.store import Store

    spec = build_spec(config, method, data, backbone, assignments, seed=seed, iterations=iterations)
    wanted = {"device": device, "workers": workers, "threads": threads, "trackers": list(trackers)}
    runtime = parse_spec(RuntimeSpec, {**wanted, "channels_last": channels_last, "compile": compile_}, "options")
    store = Store(runs_root(runs_folder))

    from ssl_motion.engine.environment import launched_processes
    from ssl_motion.engine.plan import check_runnable, make_plan

    plan = make_plan(spec, store)
    speaks = launched_processes().is_main
    if speaks and config is None and method is not None:
        _say_if_generic(method, data)
    if dry_run:
        if speaks:
            _print_plan(plan, as_json)
        return
    cached = plan.folder.is_finished and not force
    if not cached:
        check_runnable(spec, runtime)
        if speaks:
            _render_world(plan, store, threads)
    folder = pretrain(spec, runtime, store, force=force)
    if speaks:
        _print_outcome(folder, cached, as_json)


def _render_world(plan: "PretrainPlan", store: "Store", threads: int) -> None:
    """Render the built-in world, and make its layers, with as many processes as the run may have threads.

    Here and not in the library, where several rendering processes would ask callers for a `__main__` guard.
    """
    from ssl_motion.executors import usable_cores
    from ssl_motion.prepare.layers import ensure_puppets

    world = plan.spec.data.puppets
    if world is not None:
        ensure_puppets(world, store.root / "data", plan.layers, processes=threads or usable_cores())


def build_spec(
    config: str | None,
    method: str | None,
    data: tuple[str, ...],
    backbone: str | None,
    assignments: tuple[str, ...],
    *,
    seed: int | None,
    iterations: int | None,
) -> "PretrainSpec":
    """Put a spec together from a config and the options that change it.

    Raises:
        UsageError: No config and no method, a method that is not the config's, or a fault in the result.
    """
    from ssl_motion.errors import UsageError
    from ssl_motion.paths import find_config
    from ssl_motion.spec import PretrainSpec
    from ssl_motion.spec_text import apply_overrides, load_yaml, parse_assignments, parse_spec

    if config is None and method is None:
        raise UsageError(
            "say what to train: a config (`ssl-bench list configs`), or --method NAME (`ssl-bench list methods`)"
        )
    if config is None:
        assert method is not None
        path = _default_config(method, "videos" if data else "puppets")
    else:
        path = find_config("pretrain", config)
    content = load_yaml(path)
    if method is not None and content.setdefault("method", method) != method:
        raise UsageError(f"--method {method} contradicts {path}, which is for {content.get('method')!r}")
    overrides: dict[str, Any] = {}
    if data:
        section = {key: value for key, value in (content.get("data") or {}).items() if key != "puppets"}
        overrides["data"] = {**section, "shards": list(data)}
    if backbone is not None:
        overrides["backbone"] = _other_trunk(content.get("backbone"), backbone)
    if seed is not None:
        overrides["seed"] = seed
    if iterations is not None:
        overrides["iterations"] = iterations
    content = apply_overrides(apply_overrides(content, overrides), parse_assignments(assignments))
    return parse_spec(PretrainSpec, content, str(path))


def _other_trunk(section: Any, arch: str) -> dict[str, Any]:
    """Describe the trunk `arch` in place of a config's; between ResNets the stride stays."""
    old = section if isinstance(section, dict) else {}
    same_family = str(old.get("arch")).startswith("resnet") and arch.startswith("resnet")
    return {"arch": arch, **({"output_stride": old.get("output_stride")} if same_family else {})}


def _default_config(method: str, kind: str) -> "Path":
    """Find the shipped config of a method for a kind of data ("puppets" or "videos"), else the generic one.

    Raises:
        UsageError: The method is unknown.
    """
    from ssl_motion import plugins
    from ssl_motion.paths import config_root

    path = config_root() / "pretrain" / f"{method}_{kind}.yaml"
    if path.is_file():
        return path
    plugins.load(plugins.METHODS, method)
    return path.with_name(f"_default_{kind}.yaml")


def _say_if_generic(method: str, data: tuple[str, ...]) -> None:
    """Say on standard error that a method has no config of its own, and what was taken instead."""
    path = _default_config(method, "videos" if data else "puppets")
    if path.name.startswith("_"):
        wanted = path.name.replace("_default", method)
        click.echo(
            f"{method} ships no {wanted}: its own default settings are used with {path}. --dry-run prints the whole; "
            "--set KEY=VALUE changes it.",
            err=True,
        )


def _print_plan(plan: "PretrainPlan", as_json: bool) -> None:
    """Print what would run."""
    from ssl_motion.listing import error_of, prospect

    stands, outcome = prospect(plan.folder)
    error = error_of(plan.folder, stands)
    if as_json:
        import json

        content = {
            "path": str(plan.folder.path),
            "identity": plan.folder.identity,
            "cached": plan.folder.is_finished,
            "state": stands,
            "error": error,
            "data": {"name": plan.data.name, "pairs": plan.data.pairs, "fingerprint": plan.data.fingerprint},
            "images_seen": plan.images_seen,
            "spec": plan.written_spec(),
        }
        click.echo(json.dumps(content, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump(plan.written_spec(), sort_keys=False, allow_unicode=True).rstrip())
    click.echo(f"\ndata      {plan.data.name}, {plan.data.pairs} pairs, fingerprint {plan.data.fingerprint}")
    click.echo(f"images    {plan.images_seen} in {plan.spec.iterations} steps")
    click.echo(f"identity  {plan.folder.identity}")
    click.echo(f"folder    {plan.folder.path}")
    if error is not None:
        click.echo(f"failed    {error}")
    click.echo(f"state     {stands}: {outcome}")


def _print_outcome(folder: "RunFolder", cached: bool, as_json: bool) -> None:
    """Print where the result is, and its figures."""
    summary = folder.summary
    if as_json:
        import json

        click.echo(json.dumps({"path": str(folder.path), "cached": cached, **summary}))
        return
    figures = summary["figures"]
    if cached:
        click.echo("This run is finished and was reused (--force runs it again).")
    seconds, name = summary["wall_seconds"], summary["data"]["name"]
    click.echo(f"{summary['method']} on {name}: {summary['images_seen']} images in {seconds:.0f} s")
    for name, value in figures.items():
        click.echo(f"  {name:<16} " + (f"{value:.4f}" if value is not None else "not finite"))
    if summary["uses_image"] is False:
        click.echo(
            "  Exchanging the images costs nothing beyond noise: this run uses no image (or was too short to learn to)."
        )
    click.echo(f"backbone and log: {folder.path}")
    click.echo(f"next: ssl-bench transfer --init {folder.path}")
