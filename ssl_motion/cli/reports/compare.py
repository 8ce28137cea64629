"""`ssl-bench report compare`: two runs or two methods of one protocol."""

from typing import TYPE_CHECKING

import click

from ssl_motion.cli.reports import image_draws, own_records, record_options

if TYPE_CHECKING:
    from pathlib import Path

    from ssl_motion.store import Store
    from ssl_motion_reports.compare import Comparison


@click.command("compare")
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@record_options
@click.option("--task", help="Task of the methods, where they share several.")
@click.option("--protocol", help="Its fingerprint (or the beginning of one) or name, where they share several.")
@click.option("--images", type=click.IntRange(0), default=6, show_default=True, help="Pictures of predictions.")
@click.option("--data-root", metavar="DIR", help="Folder of the task's data [where the runs had it].")
@click.option("--out", metavar="DIR", help="Folder to write into [RUNS/reports/compare/A-vs-B].")
def command(
    one: str,
    other: str,
    runs_folder: str | None,
    record_folders: tuple[str, ...],
    task: str | None,
    protocol: str | None,
    images: int,
    data_root: str | None,
    out: str | None,
) -> None:
    """Compare A with B: two runs (folder, record file, identity) or two methods (name, or label in the leaderboard).

    Differences with their intervals by metric, class and image, as Markdown, CSV and bars; and, where both runs'
    folders hold their networks and the data are there, pictures of the images on which they differ most, with both
    predictions. Two different protocols are not compared.
    """
    from dataclasses import replace
    from pathlib import Path

    from ssl_motion.errors import SSLMotionError
    from ssl_motion.paths import runs_root
    from ssl_motion.store import Store
    from ssl_motion_reports.compare import compare, find_sides, folder_name, verdict, write_comparison

    runs = runs_root(runs_folder)
    records, known = own_records(runs, record_folders)
    first, second, sources = find_sides(one, other, records, known, task=task, protocol=protocol)
    fingerprint = first.records[0].protocol_fingerprint
    # The table compares methods over their seeds; of single runs it says nothing.
    of_methods = min(len(first.records), len(second.records)) > 1
    table = [record for record in records if of_methods and record.protocol_fingerprint == fingerprint]
    comparison = compare(first, second, sources, image_draws(runs, table, sources), table)
    click.echo(verdict(comparison))
    folder = Path(out) if out else runs / "reports" / "compare" / folder_name(comparison)
    pictures: list[Path] = []
    if images and comparison.images:
        try:
            root = Path(data_root).expanduser() if data_root is not None else None
            pictures = _predictions(comparison, sources, Store(runs), images, root, folder)
        except SSLMotionError as error:
            # Printed below, and in the files, where a reader looks for them.
            comparison = replace(comparison, remarks=(*comparison.remarks, f"no pictures of predictions: {error}"))
    for remark in comparison.remarks:
        click.echo(remark, err=True)
    for path in write_comparison(comparison, folder, pictures):
        click.echo(str(path))


def _predictions(
    comparison: "Comparison",
    sources: "dict[str, Path]",
    store: "Store",
    count: int,
    data_root: "Path | None",
    folder: "Path",
) -> "list[Path]":
    """Let a run of each side predict the images on which the sides differ most, and draw that."""
    from ssl_motion.errors import UsageError
    from ssl_motion_reports.compare import Detected, Predicted, draw_detections, draw_predictions

    # Of the seeds, the first one that both sides have, so that the two runs are as alike as can be.
    seeds = [{record.seed: record for record in reversed(side.records)} for side in (comparison.one, comparison.other)]
    shared = [seed for seed in seeds[0] if seed in seeds[1]]
    seed = min(shared, key=lambda each: -1 if each is None else each) if shared else None
    chosen = [by_seed[seed] if shared else next(iter(by_seed.values())) for by_seed in seeds]
    runs = [sources[record.identity].parent for record in chosen]
    for run in runs:
        if not (run / "checkpoints").is_dir():
            raise UsageError(f"{run} holds no network")
    from ssl_motion.predictions import predict
    from ssl_motion.protocols import ImagePrediction, ObjectPrediction
    from ssl_motion.spec import RuntimeSpec

    names = [row.name for row in comparison.images[:count]]
    pairs = list(zip(*predict(runs, names, RuntimeSpec(), store, data_root), strict=True))
    note = "Predicted by " + " and ".join(f"{record.identity} (seed {record.seed})" for record in chosen)
    note += "; figures below the predictions are means over all seeds."
    file, classes = folder / "predictions.png", pairs[0][0].classes
    detected = [
        Detected(one.name, one.image, one.truth, one.prediction, other.prediction)
        for one, other in pairs
        if isinstance(one, ObjectPrediction) and isinstance(other, ObjectPrediction)
    ]
    if detected:
        return draw_detections(comparison, detected, classes, file, note)
    segmented = [
        (Predicted(one.name, one.image, one.label, one.prediction, other.prediction), one.palette)
        for one, other in pairs
        if isinstance(one, ImagePrediction) and isinstance(other, ImagePrediction)
    ]
    return draw_predictions(comparison, [each for each, _ in segmented], classes, segmented[0][1], file, note)
