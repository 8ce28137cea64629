"""`ssl-bench puppets`: the built-in synthetic world."""

from pathlib import Path
from typing import Any

import click

from ssl_motion.cli.common_options import json_option, option_group

WORLDS = ("still", "weak_pan", "full_camera")
LAYOUTS = ("shards", "voc", "coco", "voc07", "imagefolder", "lip", "cihp")


def _spec(**values: Any) -> Any:
    from ssl_motion.spec import PuppetsSpec
    from ssl_motion.spec_text import parse_spec

    return parse_spec(PuppetsSpec, {key: value for key, value in values.items() if value is not None}, "puppets")


@click.group("puppets", short_help="Render or preview the built-in synthetic world.")
def command() -> None:
    """Articulated actors with exact flow and labels, for tests, for a first run, and as a benchmark.

    Worlds, from easy to hard: still, weak_pan, full_camera.
    """


_world_options = option_group(
    click.option("--world", type=click.Choice(WORLDS), help="Grade of difficulty [still]."),
    click.option("--size", type=int, help="Side of the images in pixels [96]."),
    click.option("--seed", type=int, help="Seed of the whole data set [0]."),
)


@command.command("render", short_help="Write a data set to disk.")
@_world_options
@click.option("--pairs", type=int, help="Image-flow pairs for pretraining [8000].")
@click.option("--val-pairs", type=int, help="Held-out pairs [320].")
@click.option("--train", "train_images", type=int, help="Labelled images to train on [400].")
@click.option("--val", "val_images", type=int, help="Labelled images to choose on [300].")
@click.option("--test", "test_images", type=int, help="Labelled images to judge on [500].")
@click.option("--layout", default="shards,voc,coco", show_default=True, help="Which layouts, separated by commas.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of data sets [runs/data].")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Rendering processes.")
@click.option("--dry-run", is_flag=True, help="Say what would be rendered, and what is there already.")
@json_option()
def render_command(layout: str, out: Path | None, processes: int, dry_run: bool, as_json: bool, **values: Any) -> None:
    """Write a data set to disk; what is there already is kept, and an interrupted one is continued.

    Layouts: shards (image-flow pairs, as of `ssl-bench prepare`), voc (the VOC 2012 devkit), coco, voc07 (the VOC 2007
    devkit), imagefolder (one actor a picture, by class), lip and cihp (parts of one person or several).
    """
    from ssl_motion.paths import runs_root
    from ssl_motion.puppets import dataset_folder, ensure_dataset, fingerprint, missing_layouts

    spec = _spec(**values)
    root = out or runs_root(None) / "data"
    layouts: Any = [each.strip() for each in layout.split(",") if each.strip()]
    missing = missing_layouts(spec, root, layouts)
    folder = dataset_folder(spec, root) if dry_run else ensure_dataset(spec, root, layouts, processes)
    if as_json:
        import json

        outcome = {
            "path": str(folder),
            "identity": fingerprint(spec),
            "cached": not missing,
            "missing": missing if dry_run else [],
            "spec": spec.model_dump(mode="json"),
        }
        click.echo(json.dumps(outcome, indent=2))
    elif dry_run:
        click.echo(f"{folder}\nto render: {', '.join(missing) or 'nothing, all is there'}")
        for key, value in spec.model_dump(mode="json").items():
            click.echo(f"  {key:14}{value}")
    else:
        click.echo(f"{folder} ({'rendered ' + ', '.join(missing) if missing else 'all was there'})")


@command.command("preview", short_help="Draw a contact sheet.")
@_world_options
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("puppets.png"), show_default=True, help="PNG file."
)
@click.option("--count", type=click.IntRange(1, 200), default=12, show_default=True, help="Scenes on the sheet.")
@click.option("--dry-run", is_flag=True, help="Say what would be drawn.")
@json_option()
def preview_command(out: Path, count: int, dry_run: bool, as_json: bool, **values: Any) -> None:
    """Draw a contact sheet: image, flow (Middlebury colours), classes, instances and parts."""
    spec = _spec(**values)
    if not dry_run:
        from ssl_motion.propagation.outputs import write_png
        from ssl_motion.puppets.preview import contact_sheet

        write_png(out, contact_sheet(spec, count=count))
    if as_json:
        import json

        click.echo(json.dumps({"path": str(out), "scenes": count, "written": not dry_run, "spec": spec.model_dump()}))
    else:
        click.echo(f"{'would write' if dry_run else 'wrote'} {out}: {count} scenes of world {spec.world}")
