"""The papers' curves as tables: what is known of each printed point, with reproduced points in their places.

A reproduced point stands below the printed one nearest to it along x (of categories: below the same one), with the x
that was measured. Where nothing of a curve is known but words, reproduced points follow.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ssl_motion.record import ResultRecord
from ssl_motion_reports.curves import Declared, build_curve
from ssl_motion_reports.curves.places import value_text
from ssl_motion_reports.curves.shapes import Curve, Panel, Point
from ssl_motion_reports.formatting import figure, number
from ssl_motion_reports.paper.layout import Column, Layout
from ssl_motion_reports.paper.tables import Figure, Line, PaperTable
from ssl_motion_reports.published.curves import PublishedCurve, PublishedPoint, published_curves
from ssl_motion_reports.shapes import Value

_KINDS = {"best": "the best; its value is not known", "unread": "its value cannot be read off the figure"}
_VALUE = "value"


def curve_tables(
    curves: Mapping[str, Declared],
    records: Sequence[ResultRecord],
    sources: Mapping[str, Path],
    cache: Path | None = None,
) -> list[PaperTable]:
    """Lay out every published curve.

    Args:
        curves: that suites declare, by name; those that name a published curve count.
        records: reproduced ones.
        sources: identity -> record file; statistics image by image lie beside it.
        cache: folder that keeps what was computed of these; None keeps nothing.
    """
    tables = []
    for published in published_curves().values():
        declared = {name: each for name, each in curves.items() if each.spec.published == published.name}
        built = [build_curve(name, each.spec, records, each.listed, sources, cache) for name, each in declared.items()]
        tables.append(_table(published, built, next((each.spec.x_label for each in declared.values()), "")))
    return tables


def _table(published: PublishedCurve, curves: Sequence[Curve], x_label: str) -> PaperTable:
    heading = f"{published.metric} ({published.unit})"
    layout = Layout(
        name=published.name,
        publication=published.publication,
        table=published.figure,
        title=f"Curve over {x_label or published.name.replace('_', ' ')}",
        trunk="alexnet",
        columns=(Column(name=_VALUE, heading=heading, tasks=(published.task,), ours=published.metric),),
    )
    printed = [point for point in published.points if point.kind != "remark"]
    below: dict[int | None, list[Line]] = {}
    for point, panel, label, is_category in _own_points(curves):
        place = _place(point, printed, is_category=is_category)
        below.setdefault(place, []).append(_reproduced(point, panel, label))
    lines: list[Line] = []
    for row, known in enumerate(printed):
        lines += [_printed(known), *below.get(row, [])]
    remarks = tuple(each.statement for each in published.of_kind("remark"))
    return PaperTable(layout, tuple(lines), tuple(below.get(None, [])), remarks)


def _own_points(curves: Sequence[Curve]) -> Iterator[tuple[Point, Panel, str, bool]]:
    """Yield every reproduced point once (suites share runs), with its panel, its line's label, and the kind of axis."""
    seen: set[tuple[str, ...]] = set()
    for curve in curves:
        for panel in curve.panels:
            own = [(line.label, point) for line in panel.lines if not line.is_reference for point in line.points]
            for label, point in own:
                key = tuple(record.identity for record in point.records)
                if key not in seen:
                    seen.add(key)
                    yield point, panel, label, bool(curve.categories)


def _place(point: Point, printed: Sequence[PublishedPoint], *, is_category: bool) -> int | None:
    """The printed point that a reproduced one stands below; None where there is none."""
    if is_category:
        return next((place for place, each in enumerate(printed) if value_text(each.x) == point.text), None)
    known = [(abs(each.x - point.x), place) for place, each in enumerate(printed) if isinstance(each.x, int | float)]
    return min(known)[1] if known else None


def _printed(point: PublishedPoint) -> Line:
    known = {} if point.y is None else {_VALUE: Figure(number(point.y, measured=False), point.y)}
    remarks = tuple(text for text in (_KINDS.get(point.kind, ""), point.statement) if text)
    return Line("reported", value_text(point.x), "", known, "", remarks=remarks)


def _reproduced(point: Point, panel: Panel, label: str) -> Line:
    text = figure(point.mean, Value.of(point.values).std)
    return Line(
        origin="reproduced",
        label=", ".join(filter(None, (point.text, label))),
        supervision="",
        figures={_VALUE: Figure(text, point.mean, point.values, point.interval)},
        learned_from="",
        protocol=f"{panel.title}, {panel.metric.name}: {panel.detail}",
        fingerprint=point.records[0].protocol_fingerprint,
        scale=panel.scale,
        seeds=point.seeds,
        records=point.records,
    )
