"""The curves that suites declare (`ssl_motion.curves.CurveSpec`): their points from records, pictures and a CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_motion.curves import CurveSpec
from ssl_motion.fileio import write_text
from ssl_motion.record import ResultRecord
from ssl_motion_reports.collector import earlier_objects_left_alone
from ssl_motion_reports.curves.draw import draw_curve
from ssl_motion_reports.curves.points import build_curve
from ssl_motion_reports.curves.shapes import Curve
from ssl_motion_reports.curves.table import to_csv

__all__ = ["Curve", "Declared", "build_curve", "declared_curves", "draw_curve", "to_csv", "write_curves"]


@dataclass(frozen=True)
class Declared:
    """A curve as a suite declares it.

    Attributes:
        spec: the curve.
        listed: values of x in the order in which the suite lists them.
    """

    spec: CurveSpec
    listed: tuple[Any, ...] = ()


def declared_curves(curves: Mapping[str, CurveSpec], declared: Mapping[str, Any]) -> dict[str, Declared]:
    """Put the curves of a suite together with the order of what they vary.

    Args:
        curves: name -> curve.
        declared: the suite as plain data (`model_dump`).
    """
    from ssl_motion_reports.curves.places import listed_values

    return {name: Declared(spec, tuple(listed_values(declared, spec.x))) for name, spec in curves.items()}


@earlier_objects_left_alone()
def write_curves(
    curves: Mapping[str, Declared],
    records: Sequence[ResultRecord],
    out: Path,
    sources: Mapping[str, Path] | None = None,
    cache: Path | None = None,
) -> dict[str, list[Path]]:
    """Draw curves from records.

    Args:
        curves: name, which is the files' too -> curve.
        records: to find the points in.
        out: folder to write into, made when missing.
        sources: identity -> record file; statistics image by image lie beside it.
        cache: folder that keeps what was computed of these, so that it is computed once; None keeps nothing.

    Returns:
        Name -> PNG, SVG and CSV; none for a curve without results, and then files of an earlier report are removed.

    Raises:
        UsageError: A curve names a metric that no result has, or a published curve that does not exist.
        RunError: The folder cannot be written.
    """
    written = {}
    for name, each in curves.items():
        curve = build_curve(name, each.spec, records, each.listed, sources, cache)
        files = draw_curve(curve, out / name)
        table = out / f"{name}.csv"
        if files:
            write_text(table, to_csv(curve))
            files.append(table)
        else:
            table.unlink(missing_ok=True)
        written[name] = files
    return written
