"""The papers' tables as they are printed: which rows in which order, and where each cell's number stands.

`published/tables.json` holds titles and columns, `published/tables.csv` one line for each cell: the row as printed, the
method of this project that belongs there (`ours`), and the line of `published/results.csv` that has the number. Numbers
themselves are not repeated; two cells that `results.csv` leaves out (nobody says who measured them) stand in the table.
"""

import csv
import json
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ssl_motion.errors import DataError
from ssl_motion.record import Reported, ResultRecord
from ssl_motion_reports import published
from ssl_motion_reports.published import published_records

_FOLDER = Path(published.__file__).parent


class Column(BaseModel):
    """A column of figures.

    Attributes:
        name: short, unique in its table.
        heading: for people.
        tasks: transfer tasks of this project that measure the same kind of thing.
        ours: their metric, or "GROUP/NAME" for a figure of `ResultRecord.details`.
        datasets: values of the protocol's fact "dataset" that belong here; all where empty.
        frozen: whether its trunks are kept as they were pretrained; results of frozen trunks belong nowhere else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    heading: str
    tasks: tuple[str, ...]
    ours: str
    datasets: tuple[str, ...] = ()
    frozen: bool = False

    def measures(self, record: ResultRecord) -> bool:
        """Whether a reproduced result belongs in this column."""
        is_of_data = not self.datasets or record.protocol.get("dataset") in self.datasets
        is_tuned = record.protocol.get("frozen_stages") != "all"
        return record.task in self.tasks and is_of_data and (self.frozen or is_tuned)

    def value(self, record: ResultRecord) -> float | None:
        """The column's figure of a reproduced result; None where it has none."""
        if "/" in self.ours:
            group, _, name = self.ours.partition("/")
            return record.details.get(group, {}).get(name)
        return next((metric.value for metric in record.metrics if metric.name == self.ours), None)


class Layout(BaseModel):
    """A printed table.

    Attributes:
        name: of the table here.
        publication: where it is printed.
        table: as it is called there.
        title: what it shows.
        trunk: architecture of all its rows.
        columns: of figures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    publication: str
    table: str
    title: str
    trunk: str
    columns: tuple[Column, ...]

    def has_trunk(self, backbone: str) -> bool:
        """Whether a result's trunk is of the table's architecture, the small version of the built-in world included."""
        return published.architecture(backbone) == self.trunk


class Cell(BaseModel):
    """A printed number.

    Attributes:
        value: as printed.
        record: where `results.csv` has it; None for the two that it leaves out.
        remark: on it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    record: ResultRecord | None = None
    remark: str = ""


class Row(BaseModel):
    """A printed row.

    Attributes:
        label: as printed.
        supervision: as printed.
        ours: method of this project that belongs there; empty where there is none.
        cells: name of the column -> number; columns without one are missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    supervision: str
    ours: str
    cells: dict[str, Cell]


@cache
def layouts() -> tuple[Layout, ...]:
    """The tables, in the order in which they are shown."""
    content = json.loads((_FOLDER / "tables.json").read_text(encoding="utf-8"))
    return tuple(Layout.model_validate(each) for each in content["tables"])


@cache
def printed_rows() -> dict[tuple[str, str], tuple[Row, ...]]:
    """Rows of every table by (publication, table), in the printed order.

    Raises:
        DataError: A cell's number is not in `results.csv`.
    """
    known: dict[tuple[str, ...], ResultRecord] = {}
    for record in published_records():
        assert isinstance(record.origin, Reported)
        for metric in record.metrics:
            origin = record.origin
            known[origin.publication, origin.table, origin.row, record.method, record.task, metric.name] = record
    rows: dict[tuple[str, str], dict[int, Row]] = {}
    with (_FOLDER / "tables.csv").open(encoding="utf-8", newline="") as file:
        for number, line in enumerate(csv.DictReader(file), start=2):
            cell = _cell(line, known, number)
            table = rows.setdefault((line["publication"], line["table"]), {})
            place = int(line["place"])
            row = table.get(place) or Row(
                label=line["row"], supervision=line["supervision"], ours=line["ours"], cells={}
            )
            table[place] = row.model_copy(update={"cells": {**row.cells, line["column"]: cell}})
    return {key: tuple(table[place] for place in sorted(table)) for key, table in rows.items()}


def _cell(line: dict[str, str], known: dict[tuple[str, ...], ResultRecord], number: int) -> Cell:
    if line["value"]:
        return Cell(value=float(line["value"]), remark=line["remark"])
    wanted = (line["from_publication"], line["from_table"], line["from_row"], line["from_method"], line["task"])
    record = known.get((*wanted, line["metric"]))
    if record is None:
        raise DataError(f"tables.csv line {number}: results.csv has no {line['metric']} of {' / '.join(wanted)}")
    value = next(metric.value for metric in record.metrics if metric.name == line["metric"])
    return Cell(value=value, record=record, remark=line["remark"])
