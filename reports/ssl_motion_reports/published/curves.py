"""Published curves: what of a paper's figure is known (`curves.csv`), for drawing beside reproduced ones.

Only what a text or an axis says is there. A value that could be seen in a figure alone is "unread": its place on the x
axis is known, its height is not.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from ssl_motion.errors import DataError, UsageError
from ssl_motion.plugins import did_you_mean

Kind = Literal["point", "best", "unread", "remark"]
"""A value is known; the best place is known and its value is not; a place without its value; words on the whole."""


@dataclass(frozen=True)
class PublishedPoint:
    """A line of `curves.csv`.

    Attributes:
        kind: what is known.
        x: place on the x axis, a number or a list of numbers; None for a remark.
        y: value; None where it is not known.
        statement: what the publication says of it.
        source: how it came here.
    """

    kind: Kind
    x: Any
    y: float | None
    statement: str
    source: str


@dataclass(frozen=True)
class PublishedCurve:
    """What is known of a published curve.

    Attributes:
        name: as `CurveSpec.published` says it.
        task: name of the transfer task.
        metric: that it measures.
        unit: of the metric.
        publication: where it is printed.
        figure: in which figure.
        points: what is known, in the order of the file.
    """

    name: str
    task: str
    metric: str
    unit: str
    publication: str
    figure: str
    points: tuple[PublishedPoint, ...]

    def of_kind(self, kind: Kind) -> list[PublishedPoint]:
        """The lines of one kind."""
        return [point for point in self.points if point.kind == kind]


def published_curve(name: str) -> PublishedCurve:
    """Return a published curve by name.

    Raises:
        UsageError: There is none of that name; the nearest is named.
    """
    known = published_curves()
    if name not in known:
        hint = did_you_mean(name, list(known))
        raise UsageError(f"no published curve {name!r}.{hint} There are: {', '.join(known)}")
    return known[name]


@cache
def published_curves() -> dict[str, PublishedCurve]:
    """Read the published curves that come with the package, by name."""
    file = Path(__file__).parent / "curves.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return read_curves(csv.DictReader(lines), file.name)


def read_curves(lines: Iterable[Mapping[str, str]], where: str) -> dict[str, PublishedCurve]:
    """Turn lines of `curves.csv` into curves.

    Args:
        lines: one mapping of column to text for each.
        where: name of the file, for messages.

    Raises:
        DataError: A line lacks a column, is of an unknown kind, or has a value where its kind has none.
    """
    rows: dict[str, list[Mapping[str, str]]] = {}
    points: dict[str, list[PublishedPoint]] = {}
    for number, line in enumerate(lines, start=2):
        try:
            if line["kind"] not in get_args(Kind):
                raise ValueError(f"kind {line['kind']!r}, expected one of {', '.join(get_args(Kind))}")
            if bool(line["y"]) != (line["kind"] == "point") or bool(line["x"]) == (line["kind"] == "remark"):
                raise ValueError("a point has x and y, a remark neither, all others x alone")
            point = PublishedPoint(
                kind=line["kind"],  # type: ignore[arg-type]  # looked at above
                x=json.loads(line["x"]) if line["x"] else None,
                y=float(line["y"]) if line["y"] else None,
                statement=line["statement"],
                source=line["source"],
            )
            points.setdefault(line["curve"], []).append(point)
            rows.setdefault(line["curve"], []).append(line)
        except KeyError as error:
            raise DataError(f"{where} line {number}: the column {error} is missing") from error
        except ValueError as error:
            raise DataError(f"{where} line {number}: {error}") from error
    about = ("task", "metric", "unit", "publication", "figure")
    for name, each in rows.items():
        if len({tuple(line[column] for column in about) for line in each}) > 1:
            raise DataError(f"{where}: lines of the curve {name} differ in one of {', '.join(about)}")
    return {
        name: PublishedCurve(name=name, points=tuple(points[name]), **{column: each[0][column] for column in about})
        for name, each in rows.items()
    }
