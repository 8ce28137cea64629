"""A board as one self-contained HTML page: sortable, filterable, opened as a file, nothing fetched from anywhere."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ssl_motion.record import Reproduced, ResultRecord
from ssl_motion_reports.formatting import amount, duration, fact, number
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.texts import (
    HOW_TO_READ,
    cost,
    heading,
    how_to_read_letters,
    interval,
    learned_from,
    letter_cells,
    letter_columns,
    letters,
    origin,
    ranks,
    shown,
    spanned,
)

_TEMPLATES = Path(__file__).parent / "templates"
# The style sheet says width and height too, once for all strips.
_STRIP_WIDTH, _STRIP_HEIGHT, _STRIP_MARGIN = 116.0, 18.0, 6.0
MOST_WHOLE = 2000
"""Of more records than this a page leaves settings and details to the records' files: it would be tens of megabytes."""


def to_html(board: Board, addresses: Mapping[str, str], title: str = "Leaderboard", notes: Sequence[str] = ()) -> str:
    """Render the page.

    Args:
        board: what to show.
        addresses: identity -> address of the record's file, for records that lie on disk.
        title: heading of the page.
        notes: printed under it.
    """
    css, js = template_file("leaderboard.css"), template_file("leaderboard.js")
    return (
        environment()
        .get_template("leaderboard.html.j2")
        .render(
            title=title,
            notes=notes,
            board=board,
            # Files of this package, not names from records: these two alone are not escaped.
            css=Markup(css),  # noqa: S704
            js=Markup(js),  # noqa: S704
            policy=_policy(css, js),
            panels=as_json(details(board, addresses), {group.fingerprint: group.facts for group in board.groups}),
            behind=lambda entry: f"#{entry.key}",
            method_page=lambda entry: "",
            **words(),
        )
    )


def environment() -> Environment:
    """The templates of this package; all that they are given is escaped, and a name that they lack is an error."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template_file(name: str) -> str:
    """Text of a style sheet or script beside the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def words() -> dict[str, Any]:
    """What the template of a board calls to put figures and facts into words."""
    return {
        "how_to_read": HOW_TO_READ,
        "amount": amount,
        "cost": cost,
        "fact": fact,
        "heading": heading,
        "how_to_read_letters": how_to_read_letters,
        "letter_cells": letter_cells,
        "letter_columns": letter_columns,
        "number": number,
        "origin": origin,
        "seconds": _seconds,
        "sort_key": _sort_key,
        "spanned": spanned,
        "strip": _strip,
    }


def _policy(css: str, js: str) -> str:
    """Content security policy: this style sheet and this script run, and nothing is fetched."""

    def source(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return f"default-src 'none'; img-src data:; style-src {source(css)}; script-src {source(js)}"


def _seconds(entry: Entry) -> str:
    total = (entry.pretraining_seconds or 0.0) + (entry.transfer_seconds or 0.0)
    return _sort_key(total) if total else ""


def _sort_key(value: float) -> str:
    """A figure with more digits than are shown, so that a table is sorted by what looks alike too."""
    return f"{value:.7g}"


def _strip(entry: Entry, group: Group) -> Markup:
    """Draw the seeds' values of the ranking metric, their mean and its interval, on an axis common to the group."""
    if group.primary not in entry.values:
        return Markup("")
    low, high = group.span
    span = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{_STRIP_MARGIN + (value - low) / span * (_STRIP_WIDTH - 2 * _STRIP_MARGIN):.1f}"

    value, middle = entry.values[group.primary], f"{_STRIP_HEIGHT / 2:g}"
    dots = [f'<circle cx="{x(each)}" cy="{middle}" r="3.5"/>' for each in value.values]
    if len(value.values) > 1:
        dots.append(f'<path d="M{x(value.mean)} 1V{_STRIP_HEIGHT - 1:g}"/>')
    words = ", ".join(number(each) for each in value.values)
    if entry.interval is not None:
        dots.insert(0, f'<path class="interval" d="M{x(entry.interval.low)} {middle}H{x(entry.interval.high)}"/>')
    # Numbers and fixed text only: nothing in here needs escaping.
    return Markup(  # noqa: S704
        f'<svg class="strip {entry.origin}" role="img" aria-label="values: {words}">'
        f'<path class="axis" d="M0 {middle}H{_STRIP_WIDTH:g}"/>{"".join(dots)}</svg>'
    )


def details(
    board: Board, addresses: Mapping[str, str], wanted: Callable[[Entry], bool] = lambda entry: True
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what the panels show: entry key, and its title, protocol, facts and records; of the entries wanted."""
    chosen = [(group, entry) for group in board.groups for entry in group.entries if wanted(entry)]
    whole = sum(len(entry.records) for _, entry in chosen) <= MOST_WHOLE
    for group, entry in chosen:
        panel = {
            "title": entry.label,
            "protocol": group.fingerprint,
            "facts": _pairs(
                {
                    "protocol": f"{group.title}, {group.fingerprint}",
                    **{heading(metric): shown(entry, metric) for metric in group.metrics},
                    "learned from": learned_from(entry),
                    "flow supervision": entry.flow_supervision,
                    "ranks": ranks(entry),
                    "95 % interval": interval(entry, group),
                    "letters": letters(entry),
                    "versus random": entry.versus_random,
                    "cost": cost(entry),
                    "images seen": amount(entry.images_seen) if entry.images_seen else "",
                    "images per second": number(entry.images_per_second) if entry.images_per_second else "",
                    "peak memory": f"{entry.peak_memory_mib:,.0f} MiB" if entry.peak_memory_mib else "",
                    "pretrained on": entry.device,
                    "remarks": "; ".join((*entry.remarks, *group.remarks)),
                }
            ),
            "records": [_record(record, addresses.get(record.identity, ""), whole) for record in entry.records],
        }
        yield entry.key, panel


def as_json(panels: Iterable[tuple[str, dict[str, Any]]], protocols: Mapping[str, Any]) -> Markup:
    """Write panels as the JSON that the page's script reads, safe inside of an HTML element.

    Args:
        panels: as `details` yields them.
        protocols: fingerprint -> facts, once for the many records that share one; others are not shown.
    """
    # One panel after the other: those of thousands of records at once take hundreds of megabytes.
    parts = [f"{_json(key)}:{_json(panel)}" for key, panel in panels]
    text = f'{{"protocols":{_json(protocols)},"entries":{{{",".join(parts)}}}}}'
    return Markup(text)  # noqa: S704  # made of parts that are escaped


def _json(value: Any) -> str:
    return htmlsafe_json_dumps(value, sort_keys=True)


def _pairs(known: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in known.items() if value not in ("", None)]


def _record(record: ResultRecord, file: str, whole: bool) -> dict[str, Any]:
    """What a panel shows of a record; settings and details too if it is to be `whole`, or is in no file of its own."""
    known: dict[str, Any] = {metric.name: f"{metric.value} {metric.unit}".strip() for metric in record.metrics}
    if isinstance(record.origin, Reproduced):
        from_where = record.origin.provenance
        title = f"seed {record.seed}"
        changes = {True: ", with uncommitted changes", False: "", None: ""}[from_where.dirty]
        known |= {"identity": record.identity, "code": from_where.commit + changes, "finished": from_where.finished}
        known |= {"hardware": f"{from_where.hardware} ({from_where.device})", "took": duration(from_where.wall_seconds)}
        known |= {"Python": from_where.python, "after runs": ", ".join(from_where.parents)}
        known |= {} if whole else {"settings and details": "in the record's file, for the size of this page"}
        folds = _folds(record, from_where.packages) if whole else []
    else:
        published = record.origin
        title = published.row
        known |= {"publication": published.publication, "table": published.table, "row": published.row}
        known |= {"run by": published.reimplemented_by, "source": published.source, "confounds": published.confounds}
        folds = _folds(record, {})
    return {"title": title, "facts": _pairs(known), "folds": folds, "file": file}


def _folds(record: ResultRecord, packages: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Settings and details, which a panel shows folded; the empty ones are left out."""
    before = record.pretraining
    learned = {} if before is None else before.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    spec = record.spec if isinstance(record.origin, Reproduced) else {}
    known = [("packages", packages), ("spec", spec), ("pretraining", learned), *record.details.items()]
    return [each for each in known if each[1]]
