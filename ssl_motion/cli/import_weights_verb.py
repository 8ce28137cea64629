"""`ssl-bench import-weights`: published weights become a backbone folder."""

from pathlib import Path

import click

from ssl_motion.cli.common_options import json_option


@click.command("import-weights", short_help="Import published weights.")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--arch", help="Trunk (`ssl-bench list backbones`) [read off the file].")
@click.option("--width", type=click.IntRange(4), help="Channels of its first layer, where not the usual.")
@click.option("--output-stride", type=click.Choice(["4", "8", "16", "32"]), help="Of a ResNet [CMP's: 8, others: 32].")
@click.option("--method", help="How the weights were learned, such as imagenet [cmp for original CMP weights].")
@click.option("--data", default="unknown", show_default=True, help="What they were learned from.")
@click.option("--pairs", type=click.IntRange(1), help="Number of image-flow pairs or images in it.")
@click.option("--flow-supervision", default="unknown", show_default=True, help="What its flow was learned from.")
@click.option("--full", is_flag=True, help="Keep the whole model too, to predict flow with (original CMP weights).")
@click.option("--dry-run", is_flag=True, help="Read and check the file, write nothing.")
@json_option()
def command(
    source: Path,
    folder: Path,
    arch: str | None,
    width: int | None,
    output_stride: str | None,
    method: str | None,
    data: str,
    pairs: int | None,
    flow_supervision: str,
    full: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Turn the weights in SOURCE into the backbone folder FOLDER, for `ssl-bench transfer --init FOLDER`.

    SOURCE is a checkpoint of the original CMP code (.pth.tar, no archive), or a ResNet
    under the names of torchvision, timm or OpenMMLab (.pth, .safetensors). Every tensor
    of the trunk has to be in it. Files that would run code on loading are refused.
    """
    import json

    from ssl_motion.errors import UsageError
    from ssl_motion.importing import import_weights
    from ssl_motion.record import Pretraining
    from ssl_motion.spec import BackboneSpec
    from ssl_motion.spec_text import parse_spec

    if (output_stride or width) and not arch:
        raise UsageError("--output-stride and --width need --arch; without it all three are read off the file")
    spec = None
    if arch:
        stride = int(output_stride) if output_stride else None
        spec = parse_spec(BackboneSpec, {"arch": arch, "width": width, "output_stride": stride}, "--arch")
    found = import_weights(
        source,
        folder,
        spec=spec,
        method=method,
        pretraining=Pretraining(data=data, pairs=pairs, flow_supervision=flow_supervision),
        full=full,
        dry_run=dry_run,
    )
    if as_json:
        outcome = {"path": str(folder), "backbone": found.model_dump(mode="json"), "full": full, "written": not dry_run}
        click.echo(json.dumps(outcome))
        return
    stride_text = f" at stride {found.output_stride}" if found.output_stride else ""
    done = "would become" if dry_run else "is now"
    click.echo(f"{source} {done} {folder}: {found.arch}{stride_text}{', whole model included' if full else ''}")
