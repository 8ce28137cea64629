"""The points of a curve as CSV: reproduced, reference and published ones, figures in full precision."""

import csv
import io

from ssl_motion_reports.curves.places import value_text
from ssl_motion_reports.curves.shapes import Curve, Panel
from ssl_motion_reports.statistics.correlation import Correlation
from ssl_motion_reports.texts import csv_name

COLUMNS = [
    *("curve", "kind", "task", "protocol", "scale", "fingerprint", "line", "x", "x_text", "metric", "unit", "mean"),
    *("low", "high", "level", "interval_over", "n", "seeds", "values", "records", "source"),
]


def to_csv(curve: Curve) -> str:
    """Write every point; "kind" is "result", "reference", "correlation", or what is known of a published one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    name = csv_name
    for panel in curve.panels:
        for line in panel.lines:
            for point in line.points:
                row: dict[str, object] = {
                    "curve": name(curve.name),
                    "kind": "reference" if line.is_reference else "result",
                    "task": name(panel.task),
                    "protocol": name(panel.detail),
                    "scale": panel.scale,
                    "fingerprint": point.records[0].protocol_fingerprint,
                    "line": name(line.label),
                    "x": "" if line.is_reference or curve.categories else point.x,
                    "x_text": name(point.text),
                    "metric": name(panel.metric.name),
                    "unit": name(panel.metric.unit),
                    "mean": point.mean,
                    "n": len(point.values),
                    "seeds": " ".join(map(str, point.seeds)),
                    "values": " ".join(map(repr, point.values)),
                    "records": " ".join(record.identity for record in point.records),
                }
                if point.interval is not None:
                    row |= {"low": point.interval.low, "high": point.interval.high, "level": point.interval.level}
                    row["interval_over"] = " ".join(point.interval.sources)
                writer.writerow(row)
        writer.writerows(_correlation(curve, panel, known) for known in panel.correlations)
    published = curve.published
    for known in published.points if published is not None else ():
        assert published is not None
        writer.writerow(
            {
                "curve": name(curve.name),
                "kind": f"published {known.kind}",
                "task": published.task,
                "scale": "full",
                "line": name(f"{published.publication}, {published.figure}"),
                "x": known.x if isinstance(known.x, int | float) else "",
                "x_text": "" if known.x is None else name(value_text(known.x)),
                "metric": published.metric,
                "unit": published.unit,
                "mean": "" if known.y is None else known.y,
                "source": name("; ".join(part for part in (known.statement, known.source) if part)),
            }
        )
    return text.getvalue()


def _correlation(curve: Curve, panel: Panel, known: Correlation) -> dict[str, object]:
    row: dict[str, object] = {
        "curve": csv_name(curve.name),
        "kind": "correlation",
        "task": csv_name(panel.task),
        "protocol": csv_name(panel.detail),
        "scale": panel.scale,
        "fingerprint": panel.fingerprints[0],
        "line": "" if known.strata == 1 else "within groups",
        "x_text": csv_name(curve.spec.x),
        "metric": f"Spearman's rank correlation with {panel.metric.name}",
        "mean": known.estimate,
        "n": known.points,
    }
    if known.low is not None:
        row |= {"low": known.low, "high": known.high, "level": known.level, "interval_over": "settings"}
    return row
