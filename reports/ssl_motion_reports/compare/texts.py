"""A comparison as Markdown and CSV."""

import csv
import io
from collections.abc import Sequence

from ssl_motion_reports.compare.differences import Comparison, Difference
from ssl_motion_reports.formatting import markdown, number
from ssl_motion_reports.statistics.bootstrap import Interval
from ssl_motion_reports.texts import csv_name, heading

SHOWN_IMAGES = 20
"""Rows of the table of images in Markdown; the CSV has them all."""


_CHOSEN = (
    "That interval is for one pair that was chosen before its results were seen; for a pair picked from many it is too "
    "narrow."
)


def in_words(interval: Interval | None) -> str:
    """An interval in words; empty where nothing is known."""
    if interval is None:
        return ""
    over = " and ".join(interval.sources)
    return f"{number(interval.low)} to {number(interval.high)} ({interval.level:.0%}, over {over})"


def verdict(comparison: Comparison) -> str:
    """The outcome: of this pair alone, and what the table of all says of it."""
    parts = (_of_the_pair(comparison), _CHOSEN if comparison.differences[0].interval else "", comparison.table)
    return " ".join(part for part in parts if part)


def _of_the_pair(comparison: Comparison) -> str:
    metric, found = comparison.metrics[0], comparison.differences[0]
    one, other = comparison.one.label, comparison.other.label
    values = f"{number(found.one)} against {number(found.other)} {metric.name}"
    known = found.interval
    if known is None:
        return f"{one} against {other}: {values}; whether that is more than chance cannot be said."
    if known.low <= 0 <= known.high:
        return f"{one} and {other} are not told apart: {values}, a difference of {found.value:+.2f}, {in_words(known)}."
    word = "better" if (found.value > 0) == metric.higher_is_better else "worse"
    return f"{one} is {word} than {other}: {values}, a difference of {found.value:+.2f}, {in_words(known)}."


def to_markdown(comparison: Comparison, pictures: Sequence[str]) -> str:
    """Write a comparison as Markdown.

    Args:
        comparison: what to write.
        pictures: names of pictures beside the file.
    """
    one, other = comparison.one, comparison.other
    lines = [f"# {markdown(f'{one.label} against {other.label}')}", "", markdown(verdict(comparison)), ""]
    lines += [f"- {markdown(f'{comparison.title}: {one.protocol}')}, protocol `{comparison.fingerprint}`"]
    for side in (one, other):
        runs = ", ".join(f"`{record.identity}`" for record in side.records)
        lines.append(
            f"- {markdown(side.label)}: {len(side.records)} seed{'s' if len(side.records) > 1 else ''}, {runs}"
        )
    lines += [f"- {markdown(remark)}" for remark in comparison.remarks]
    lines += [
        "- Differences are first minus second. Images are paired, seeds are not. An interval over seeds holds for "
        "other seeds, one over images for other images of the kind; without one of them it does not.",
        "",
    ]
    names = {metric.name: heading(metric) for metric in comparison.metrics}
    lines += _table("metric", comparison, [(names[row.name], row) for row in comparison.differences])
    for group, rows in comparison.classes.items():
        lines += [f"## {markdown(group)}", ""]
        lines += _table("class", comparison, [(row.name, row) for row in sorted(rows, key=lambda row: -row.value)])
    if comparison.images:
        metric = comparison.metrics[0]
        lines += [f"## Images on which they differ most ({markdown(metric.name)} of that image alone)", ""]
        lines += _table("image", comparison, [(row.name, row) for row in comparison.images[:SHOWN_IMAGES]])
    lines += [f"![{markdown(name)}]({name})" for name in pictures]
    return "\n".join(lines).rstrip() + "\n"


def _table(kind: str, comparison: Comparison, rows: Sequence[tuple[str, Difference]]) -> list[str]:
    has_intervals = any(row.interval is not None or row.note for _, row in rows)
    heads = [kind, markdown(comparison.one.label), markdown(comparison.other.label), "difference"]
    heads += ["interval"] if has_intervals else []
    lines = ["| " + " | ".join(heads) + " |", "|---|---:|---:|---:|" + ("---|" if has_intervals else "")]
    for name, row in rows:
        cells = [markdown(name), number(row.one), number(row.other), f"{row.value:+.2f}"]
        lines.append("| " + " | ".join(cells + ([in_words(row.interval) or row.note] if has_intervals else [])) + " |")
    return [*lines, ""]


def to_csv(comparison: Comparison) -> str:
    """Write a comparison as CSV: one line for each metric, class and image, in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "group", "name", "one", "other", "difference", "low", "high", "level", "interval_over"])
    parts = [("metric", "", row) for row in comparison.differences]
    parts += [("class", group, row) for group, rows in comparison.classes.items() for row in rows]
    parts += [("image", comparison.metrics[0].name, row) for row in comparison.images]
    for kind, group, row in parts:
        known = row.interval
        ends: list[object] = [known.low, known.high, known.level, " ".join(known.sources)] if known else [""] * 4
        writer.writerow([kind, csv_name(group), csv_name(row.name), row.one, row.other, row.value, *ends])
    return text.getvalue()
