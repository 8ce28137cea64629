"""The papers' tables with reproduced rows in their places.

A reproduced row stands under the printed row of its method, in the columns of its task: fine-tuned where the paper
fine-tunes, and in the method's base settings alone, since variants of an ablation are no row of any paper. Its protocol
is named in every row, since a table may hold several: rows of one protocol alone are comparable. Only full protocols
are set against the printed number, and what is known to confound the comparison stands beside the difference.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from ssl_motion.record import Reported, ResultRecord
from ssl_motion_reports.base_settings import base_entries, protocols_by_settings
from ssl_motion_reports.board import build_board
from ssl_motion_reports.formatting import amount, figure, number
from ssl_motion_reports.paper.layout import Column, Layout, Row, layouts, printed_rows
from ssl_motion_reports.published import UNKNOWN
from ssl_motion_reports.shapes import Entry, Group, Value
from ssl_motion_reports.spread import interval_of
from ssl_motion_reports.statistics.bootstrap import Interval
from ssl_motion_reports.texts import learned_from


@dataclass(frozen=True)
class Figure:
    """A number of a line.

    Attributes:
        text: as it is shown.
        value: printed, or mean over seeds.
        values: of the seeds; empty for a printed number.
        interval: of the mean; None where nothing can be said.
    """

    text: str
    value: float
    values: tuple[float, ...] = ()
    interval: Interval | None = None


@dataclass(frozen=True)
class Line:
    """A printed row, or a reproduced one.

    Attributes:
        origin: "reported" or "reproduced".
        label: as printed, or the method with the settings that tell it from others.
        supervision: as printed; empty for a reproduced row.
        figures: name of the column -> number.
        learned_from: data and amount.
        protocol: of a reproduced row, in words, with its scale.
        fingerprint: of a reproduced row.
        scale: "full", "reduced" or "builtin".
        seeds: of a reproduced row.
        remarks: what a reader should know before comparing.
        records: behind a reproduced row.
    """

    origin: str
    label: str
    supervision: str
    figures: Mapping[str, Figure]
    learned_from: str
    protocol: str = ""
    fingerprint: str = ""
    scale: str = "full"
    seeds: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    records: tuple[ResultRecord, ...] = ()


@dataclass(frozen=True)
class PaperTable:
    """A paper's table.

    Attributes:
        layout: its heads.
        lines: printed rows in their order, reproduced ones under the row of their method.
        others: reproduced rows that the paper has none for.
        remarks: on the whole.
    """

    layout: Layout
    lines: tuple[Line, ...]
    others: tuple[Line, ...]
    remarks: tuple[str, ...]

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """Lines, and then the others."""
        return self.lines + self.others


def build_tables(
    records: Sequence[ResultRecord], sources: Mapping[str, Path] | None = None, cache: Path | None = None
) -> list[PaperTable]:
    """Lay out all tables.

    Args:
        records: reproduced ones; published ones are left out, since the tables bring their own.
        sources: identity -> record file; statistics image by image lie beside it.
        cache: folder that keeps what was computed of these, so that it is computed once; None keeps nothing.
    """
    board = build_board([record for record in records if record.origin.kind == "reproduced"])
    groups = [group for group in board.groups if group.reproduced]
    protocols = protocols_by_settings(groups)
    base = [{entry.key for entry in base_entries(group.entries, protocols)} for group in groups]
    return [_table(layout, groups, base, sources or {}, cache) for layout in layouts()]


def _table(
    layout: Layout, groups: Sequence[Group], base: Sequence[Set[str]], sources: Mapping[str, Path], cache: Path | None
) -> PaperTable:
    """Lay out one table; `base` has of each group the keys of the entries in base settings."""
    own: dict[str, list[Line]] = {}
    elsewhere: set[str] = set()
    variants = 0
    for group, base_keys in zip(groups, base, strict=True):
        for entry in group.entries:
            columns = [column for column in layout.columns if column.measures(entry.records[0])]
            if not columns:
                continue
            if not layout.has_trunk(group.backbone):
                elsewhere.add(group.backbone)
            elif entry.key in base_keys:
                own.setdefault(entry.method, []).append(_reproduced(entry, group, columns, sources, cache))
            else:
                variants += 1
    lines = []
    for row in printed_rows()[layout.publication, layout.table]:
        lines.append(_printed(row, layout))
        lines += [_beside(line, row) for line in own.pop(row.ours, [])]
    remarks = []
    if variants:
        rows = "1 row" if variants == 1 else f"{variants} rows"
        remarks.append(
            f"methods stand here in their base settings; {rows} of other settings of theirs: the leaderboard"
        )
    if elsewhere:
        trunks = ", ".join(sorted(elsewhere))
        remarks.append(f"results on the same tasks with other trunks ({trunks}) are in the leaderboard, not here")
    return PaperTable(layout, tuple(lines), tuple(line for part in own.values() for line in part), tuple(remarks))


def _printed(row: Row, layout: Layout) -> Line:
    cells = {column.name: row.cells[column.name] for column in layout.columns if column.name in row.cells}
    remarks: list[str] = []
    learned: list[str] = []
    for cell in cells.values():
        remarks += [cell.remark] if cell.remark else []
        if cell.record is None:
            continue
        origin = cell.record.origin
        assert isinstance(origin, Reported)
        if cell.record.protocol.get("setup") == UNKNOWN:
            remarks.append("collected from other papers, whose settings differ or are unknown")
        remarks += [f"run by {origin.reimplemented_by}"] if origin.reimplemented_by else []
        remarks += [origin.confounds] if origin.confounds else []
        before = cell.record.pretraining
        if before is not None and before.data != UNKNOWN:
            learned.append(before.data if before.pairs is None else f"{before.data}, {amount(before.pairs)}")
    return Line(
        origin="reported",
        label=row.label,
        supervision=row.supervision,
        figures={name: Figure(number(cell.value, measured=False), cell.value) for name, cell in cells.items()},
        learned_from="; ".join(dict.fromkeys(learned)),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _reproduced(
    entry: Entry, group: Group, columns: Sequence[Column], sources: Mapping[str, Path], cache: Path | None
) -> Line:
    figures = {}
    for column in columns:
        found = [column.value(record) for record in entry.records]
        values = tuple(value for value in found if value is not None)
        if not values or len(values) < len(found):
            continue  # a figure that some seeds lack has no mean over seeds
        known = Value.of(values)
        interval = interval_of(entry.records, values, sources, cache)
        figures[column.name] = Figure(figure(known.mean, known.std), known.mean, values, interval)
    world = "" if group.world in group.detail else group.world
    return Line(
        origin="reproduced",
        label=entry.label,
        supervision="",
        figures=figures,
        learned_from="" if entry.data == "none" else learned_from(entry),
        protocol=", ".join(part for part in (group.mark, world, group.name, group.backbone, group.detail) if part),
        fingerprint=group.fingerprint,
        scale=group.scale,
        seeds=entry.seeds,
        remarks=entry.remarks,
        records=entry.records,
    )


def _beside(line: Line, row: Row) -> Line:
    """Say how a reproduced row stands to the printed one above it."""
    if line.scale != "full":
        return line  # its protocol says that it is another task, or a part of it
    remarks = []
    for name, own in line.figures.items():
        printed = row.cells.get(name)
        if printed is None:
            continue
        confounds = printed.record.origin.confounds if printed.record is not None else ""  # type: ignore[union-attr]
        known = f"; the printed one: {confounds}" if confounds else ""
        remarks.append(
            f"{own.value - printed.value:+.1f} in {name} against the printed row, whose protocol is not wholly "
            f"known{known}"
        )
    return replace(line, remarks=(*remarks, *line.remarks))
