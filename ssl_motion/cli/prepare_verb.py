"""`ssl-bench prepare`: videos, or flow that is already there, into a data set of image-flow pairs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import json_option

if TYPE_CHECKING:
    from ssl_motion.prepare import PrepareResult


@click.command("prepare", short_help="Turn videos or existing flow into image-flow shards.")
@click.argument("videos", nargs=-1, type=click.Path())
@click.option("--out", metavar="DIR", help="Folder of the data set.")
@click.option("--gap", type=click.IntRange(1), help="Frames from one frame of a pair to the other [3].")
@click.option("--gap-seconds", type=float, metavar="S", help="The same in seconds, by the frames' time stamps.")
@click.option("--frame-rate", type=float, metavar="FPS", help="Frames per second of folders of frames.")
@click.option("--stride", type=click.IntRange(1), help="Frames from one pair to the next [as far as a pair reaches].")
@click.option("--max-pairs", type=click.IntRange(1), help="At most so many pairs of a clip, spread evenly [all].")
@click.option("--short-side", type=click.IntRange(0), help="Shrink to so many pixels; 0 keeps the size [416].")
@click.option("--flow", metavar="NAME", help="Flow estimator (`ssl-bench list estimators`) [dis].")
@click.option("--flow-option", "flow_options", multiple=True, metavar="KEY=VALUE", help="An option of the estimator.")
@click.option("--val-fraction", type=float, metavar="F", help="Share of the clips that is held out [0.05].")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any other setting: cut and still rules, ..."
)
@click.option("--import-list", "lists", multiple=True, type=click.Path(), help="Import an original CMP list.")
@click.option("--import-val-list", "val_lists", multiple=True, type=click.Path(), help="The same, for the val split.")
@click.option("--import-root", type=click.Path(), default=".", help="Folder that a list's paths start from [.].")
@click.option(
    "--import-flow",
    "flow_pairs",
    multiple=True,
    nargs=2,
    type=click.Path(),
    metavar="IMAGES FLOWS",
    help="Import .flo, .pfm or KITTI .png: two folders, or an image and its flow.",
)
@click.option("--import-clip", type=click.Choice(["folder", "file"]), help="What is split by [folder].")
@click.option("--flow-name", metavar="TEXT", help="What measured imported flow, for the records [imported].")
@click.option("--flow-supervision", metavar="TEXT", help="What that was learned from [unknown].")
@click.option("--masks", "masks_folder", type=click.Path(), metavar="DIR", help="Make motion masks for a data set.")
@click.option("--background", metavar="MODEL", help="With --masks: quadratic, homography, affine, translate, ...")
@click.option("--name", help="The data set's name in records and reports [the folder's].")
@click.option("--processes", type=click.IntRange(1), help="Worker processes [one per CPU core].")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@json_option()
@click.option("--stats", "stats_folder", type=click.Path(), metavar="DIR", help="Measure and draw a finished data set.")
@click.option("--method", help="With --stats: ask this method too (cmp: guidance points) [cmp].")
@click.option("--method-set", "method_config", multiple=True, metavar="KEY=VALUE", help="With --stats: its settings.")
@click.option("--samples", type=click.IntRange(1), default=500, show_default=True, help="With --stats: pairs to read.")
def command(**options: Any) -> None:
    """Turn VIDEOS into image-flow shards in --out.

    VIDEOS are video files, folders, globs (quoted) or folders of frames (DAVIS style). Clips that cannot be
    used are named in DIR/rejected.jsonl and do not stop the rest. The same command continues
    what was interrupted. Flow is in pixels of the stored image, from a frame to the one --gap later.

    \b
    ssl-bench prepare clips/ "more/*.mp4" --out data/mine --gap 3
    ssl-bench prepare --import-list train.txt --import-val-list val.txt --out data/yfcc
    ssl-bench prepare --import-flow sintel/clean sintel/flow --out data/sintel
    ssl-bench prepare --masks data/mine                  # what moves against the background, for methods that ask
    ssl-bench prepare --stats data/mine
    """
    if options["masks_folder"]:
        _masks(options)
        return
    if options["background"] is not None:
        raise click.UsageError("--background belongs to --masks DIR")
    if options["stats_folder"]:
        _statistics(options)
        return
    if not options["out"]:
        raise click.UsageError("say where the data set goes: --out DIR")
    importing = bool(options["lists"] or options["val_lists"] or options["flow_pairs"])
    if importing and options["videos"]:
        raise click.UsageError("videos and imports make two data sets: their flow is of different origin")
    result = _import(options) if importing else _prepare(options)
    if result is not None:
        _print_result(result, options["as_json"])


def _given(options: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Options that were given, under the keys of the spec."""
    return {key: options[name] for name, key in names.items() if options[name] is not None}


_COMMON = {"val_fraction": "val_fraction"}
_VIDEO = {
    "gap": "pairs.gap",
    "gap_seconds": "pairs.gap_seconds",
    "frame_rate": "pairs.frame_rate",
    "stride": "pairs.stride",
    "max_pairs": "pairs.max_pairs",
    "flow": "flow",
}
_IMPORT = {"import_clip": "clip", "flow_name": "flow_name", "flow_supervision": "flow_supervision"}


def _content(options: dict[str, Any], names: dict[str, str], others: dict[str, str]) -> dict[str, Any]:
    """Turn options into a spec's content; refuse those of the other kind of input."""
    from ssl_motion.errors import UsageError
    from ssl_motion.spec_text import apply_overrides, parse_assignments

    if misplaced := [f"--{name.replace('_', '-')}" for name in others if options[name] is not None]:
        raise UsageError(f"{', '.join(misplaced)} does not apply to this kind of input")
    values = _given(options, {**_COMMON, **names})
    if options["short_side"] is not None:
        values["short_side"] = options["short_side"] or None
    return apply_overrides(apply_overrides({}, values), parse_assignments(options["overrides"]))


def _prepare(options: dict[str, Any]) -> "PrepareResult | None":
    from ssl_motion.errors import UsageError
    from ssl_motion.prepare import PrepareSpec, describe, prepare
    from ssl_motion.spec_text import parse_assignments, parse_spec

    if options["gap"] is not None and options["gap_seconds"] is not None:
        raise UsageError("give --gap or --gap-seconds, not both")
    content = _content(options, _VIDEO, _IMPORT)
    if options["flow_options"]:
        content["flow_options"] = parse_assignments(options["flow_options"])
    spec = parse_spec(PrepareSpec, content, "prepare")
    out = Path(options["out"])
    if options["dry_run"]:
        _print_plan(describe(options["videos"], spec, out), options["as_json"])
        return None
    return prepare(options["videos"], spec, out, processes=_processes(options), name=options["name"])


def _import(options: dict[str, Any]) -> "PrepareResult | None":
    from ssl_motion.errors import UsageError
    from ssl_motion.prepare import ImportSource, ImportSpec, import_flow
    from ssl_motion.spec_text import parse_spec

    if options["flow_options"]:
        raise UsageError("--flow-option does not apply to this kind of input")
    spec = parse_spec(ImportSpec, _content(options, _IMPORT, _VIDEO), "prepare")
    source = ImportSource(
        lists=[Path(path) for path in options["lists"]],
        val_lists=[Path(path) for path in options["val_lists"]],
        root=Path(options["import_root"]),
        flow_pairs=[(Path(images), Path(flows)) for images, flows in options["flow_pairs"]],
    )
    if options["dry_run"]:
        from ssl_motion.prepare.imports import describe_import

        _print_plan(describe_import(source, spec, Path(options["out"])), options["as_json"])
        return None
    return import_flow(source, spec, Path(options["out"]), processes=_processes(options), name=options["name"])


def _masks(options: dict[str, Any]) -> None:
    from ssl_motion.cli import prepare_masks

    own = {"masks_folder", "background", "overrides", "processes", "dry_run", "as_json", "samples", "import_root"}
    given = {name for name, value in options.items() if value is not None and value is not False and value != ()}
    if misplaced := [name.replace("_", "-") for name in sorted(given - own)]:
        raise click.UsageError(f"--masks works on a finished data set; it does not go with: {', '.join(misplaced)}")
    prepare_masks.run(options, _processes(options))


def _processes(options: dict[str, Any]) -> int:
    from ssl_motion.executors import usable_cores

    return int(options["processes"] or usable_cores())


def _print_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(plan, indent=2))
        return
    for clip in plan.get("clips", []):
        if "problem" in clip:
            click.echo(f"  {clip['clip']}: cannot be used: {clip['problem']}")
        else:
            frames = clip["claimed_frames"] or "an unknown number of"
            click.echo(f"  {clip['clip']}: {clip['kind']}, said to hold {frames} frames")
    for rejection in plan["rejected"]:
        click.echo(f"  {rejection['clip'] or rejection['path']}: left out: {rejection['reason']}")
    if "pairs" in plan:
        click.echo(f"  {plan['pairs']} pairs to import")
    state = "finished already" if plan["cached"] else "begun; would continue" if plan["started"] else "new"
    click.echo(f"{plan['out']}: {state}. Settings and clips: {plan['identity']}")


def _print_result(result: "PrepareResult", as_json: bool) -> None:
    import json

    if as_json:
        click.echo(json.dumps(result.as_json()))
        return
    state = "was there already" if result.cached else f"{result.made} shards made, {result.reused} there already"
    click.echo(
        f"{result.folder}: {result.pairs['train']} train and {result.pairs['val']} val pairs ({state}). "
        f"Fingerprint {result.fingerprint}"
    )
    click.echo(
        f"Of {result.tried} pairs tried, {result.still} show no motion; {result.across_cuts} more reach over a cut. "
        f"Rejected: {result.rejected}" + (f", see {result.folder / 'rejected.jsonl'}" if result.rejected else "")
    )
    for note in result.notes:
        click.echo(f"Note: {note}.")
    click.echo(f"Look at it: ssl-bench prepare --stats {result.folder}")


_COUNTS = ("pairs", "kept", "dropped")


def _statistics(options: dict[str, Any]) -> None:
    import json

    from ssl_motion.plugins import METHODS, available
    from ssl_motion.prepare import statistics
    from ssl_motion.spec_text import parse_assignments

    folder = Path(options["stats_folder"])
    method = options["method"] or ("cmp" if any(plugin.name == "cmp" for plugin in available(METHODS)) else None)
    out = Path(options["out"]) if options["out"] else None
    summary = statistics(
        folder,
        max_samples=options["samples"],
        method=method,
        method_config=parse_assignments(options["method_config"]),
        out=out,
    )
    if options["as_json"]:
        click.echo(json.dumps(summary))
        return
    levels = ", ".join(f"{name} {value:.2f}" for name, value in summary["magnitude_px"].items())
    click.echo(f"{summary['name']}: {summary['pairs']['train']} train and {summary['pairs']['val']} val pairs")
    if levels:
        click.echo(f"  flow magnitude, px: {levels}")
        click.echo(f"  standing still: {100 * summary['still_share']['mean']:.1f} % of the pixels")
    else:
        click.echo("  the flow of no pixel is known: nothing can be learned from the motion in this data set")
    click.echo(
        f"  beyond 50 px: {100 * summary['share_beyond_50_px']:.2f} %; unknown: {100 * summary['share_unknown']:.2f} %"
    )
    for name, figure in summary["method"]["figures"].items():
        click.echo(
            f"  {summary['method']['name']}: {name}: mean {figure['mean']:.4g}, {figure['min']:g} to {figure['max']:g}"
        )
    from ssl_motion.cli.prepare_masks import counts

    for name, layer in summary["layers"].items():
        for line in [layer["problem"]] if "problem" in layer else counts(*(layer[key] for key in _COUNTS)):
            click.echo(f"  layer {name}: {line}")
    click.echo(f"Drawn to {(out or folder) / 'statistics.png'}")
