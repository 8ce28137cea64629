"""What a drawn curve is made of: points, lines, panels of one protocol, and the whole."""

from dataclasses import dataclass

from ssl_motion.curves import CurveSpec
from ssl_motion.record import MetricValue, ResultRecord
from ssl_motion_reports.published.curves import PublishedCurve
from ssl_motion_reports.statistics.bootstrap import Interval
from ssl_motion_reports.statistics.correlation import Correlation

# Places in a record whose values have no order, not even that in which a suite lists them.
_NAMES = ("method", "recipe_overrides")


@dataclass(frozen=True)
class Point:
    """Replicates at one place: runs that differ in nothing but their seeds.

    Attributes:
        x: place on the axis: the value (where it was measured, its mean over seeds), or the number of the category.
        text: the value as it is printed.
        values: of the metric, by seed.
        seeds: of the runs.
        interval: of the mean; None where neither seeds nor images say anything of it.
        records: behind it.
    """

    x: float
    text: str
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    interval: Interval | None
    records: tuple[ResultRecord, ...]

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return sum(self.values) / len(self.values)


@dataclass(frozen=True)
class Line:
    """Points that one line connects, by x; a reference has one point, which holds at every x.

    Attributes:
        label: what its points share and other lines do not; empty for the only line.
        points: from left to right.
        is_reference: whether it is drawn as a level line.
    """

    label: str
    points: tuple[Point, ...]
    is_reference: bool = False


@dataclass(frozen=True)
class Panel:
    """The lines of one protocol. No two panels may be compared with each other in height.

    Attributes:
        task: name of the task.
        title: the task for people.
        detail: protocol, trunk, data, in words.
        fingerprints: of the protocol; several where facts of it go with x.
        along_x: those facts.
        scale: "full", "reduced" or "builtin".
        metric: that is drawn; its value means nothing.
        lines: the curve's, then references.
        correlations: of x with the metric in a scatter: over all runs, and within its groups (lines) where there are
            several.
    """

    task: str
    title: str
    detail: str
    fingerprints: tuple[str, ...]
    along_x: tuple[str, ...]
    scale: str
    metric: MetricValue
    lines: tuple[Line, ...]
    correlations: tuple[Correlation, ...] = ()

    @property
    def points(self) -> list[Point]:
        """Of the curve's lines, without references."""
        return [point for line in self.lines if not line.is_reference for point in line.points]


@dataclass(frozen=True)
class Curve:
    """A curve with everything that is drawn.

    Attributes:
        name: as the suite says it.
        spec: as the suite declares it.
        categories: texts of the x axis, left to right; empty for a scale of numbers.
        panels: one for each protocol.
        published: what is known of the paper's curve.
        remarks: what a reader should know, such as results that were left out.
    """

    name: str
    spec: CurveSpec
    categories: tuple[str, ...]
    panels: tuple[Panel, ...]
    published: PublishedCurve | None
    remarks: tuple[str, ...]

    @property
    def is_joined(self) -> bool:
        """Whether lines join their points: not in a scatter, nor where x is a name, which has no order."""
        return self.spec.kind == "line" and self.spec.x.rpartition(".")[2] not in _NAMES
