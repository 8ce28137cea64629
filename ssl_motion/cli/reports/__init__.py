"""What the reports' commands share: where records come from."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import runs_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ssl_motion.record import ResultRecord
    from ssl_motion.sweep import SuiteSpec
    from ssl_motion_reports.curves import Declared
    from ssl_motion_reports.site import Picture

FIRST = "Run something first:  ssl-bench run quickstart   (minutes on a laptop)"


def record_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where records lie: `runs_folder` and `record_folders`."""
    records = click.option(
        "--records",
        "record_folders",
        multiple=True,
        metavar="DIR",
        help="Further records: a folder of JSON files, or another runs folder; may be repeated.",
    )
    return runs_option(records(function))


def own_records(runs: "Path", folders: tuple[str, ...]) -> "tuple[list[ResultRecord], dict[str, Path]]":
    """Read the records of the runs folder, of the folders given, and those committed with a checkout."""
    from pathlib import Path

    from ssl_motion_reports.leaderboard import collect_records, committed_records, folder_records, run_records

    files = run_records(runs)
    for folder in folders:
        files += folder_records(Path(folder))
    return collect_records(files + committed_records())


def image_draws(runs: "Path", records: "Iterable[ResultRecord]", sources: "Mapping[str, Path]") -> "Path":
    """Compute what reports need of the records' test images, showing progress, and return the folder that keeps it."""
    from ssl_motion_reports.leaderboard import IMAGE_DRAWS, compute_draws

    compute_draws(records, sources, runs / IMAGE_DRAWS)
    return runs / IMAGE_DRAWS


def curves_of(suites: "Mapping[str, SuiteSpec]") -> "dict[str, Declared]":
    """Name the curves that suites and those they include declare, as "SUITE-CURVE"; one that several share comes once.

    Args:
        suites: name -> suite.
    """
    from pathlib import Path

    from ssl_motion.sweep import with_included
    from ssl_motion_reports.curves import declared_curves

    found: dict[str, Declared] = {}
    for name, suite in suites.items():
        for stem, part in with_included(suite).items():
            own = declared_curves(part.curves, part.model_dump(mode="json"))
            found.update({f"{stem or Path(name).stem}-{curve}": each for curve, each in own.items()})
    return found


def shipped_curves() -> "dict[str, Declared]":
    """Name the curves of all shipped suites."""
    from ssl_motion.paths import config_root
    from ssl_motion.sweep import load_suite

    suites = sorted((config_root() / "suites").glob("[!_]*.yaml"))
    return curves_of({path.stem: load_suite(str(path)) for path in suites})


def pictures_of(curves: "Mapping[str, Declared]", written: "Mapping[str, Sequence[Path]]") -> "list[Picture]":
    """Choose the pictures of curves that a site shows.

    Args:
        curves: as `curves_of` returns them.
        written: name -> files of a curve that has points.
    """
    from ssl_motion_reports.site import Picture

    drawn = {name: next((each for each in files if each.suffix == ".svg"), None) for name, files in written.items()}
    return [Picture(file, curves[name].spec.title) for name, file in drawn.items() if file is not None]
