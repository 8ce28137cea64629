"""Published numbers: `results.csv` (one cell of a published table a line) and `protocols.json`, read into records.

Cells of one row of one table become one `ResultRecord` with several metrics.
What a publication does not say is the value "unknown" in the record's protocol, so that its fingerprint
differs from that of a protocol that is known. README.md in this folder describes the columns and what was left out.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ssl_motion.errors import DataError
from ssl_motion.identity import digest
from ssl_motion.plugins import did_you_mean
from ssl_motion.record import MetricValue, Pretraining, Reported, ResultRecord

_FOLDER = Path(__file__).parent
UNKNOWN = "unknown"


class Protocol(BaseModel):
    """How a group of published numbers was measured.

    Attributes:
        task: name of the transfer task, the same as a benchmark's where this project has one.
        name: title for people.
        primary: the metric that the group is ranked by.
        facts: what is known to be common to all its numbers; "setup" names the laboratory's set-up that they
            share, or is "unknown" where they come from many.
        presets: of this project's tasks that repeat it, as far as it is known.
        metrics: what its metrics are called there, where that is another name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    name: str
    primary: str
    facts: dict[str, Any]
    presets: tuple[str, ...] = ()
    metrics: dict[str, str] = {}


@cache
def _descriptions() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_FOLDER / "protocols.json").read_text(encoding="utf-8"))
    return content


def task_title(task: str) -> str:
    """Title of a task for people; its name where none is known."""
    return str(_descriptions()["tasks"].get(task, task))


@cache
def _protocols() -> dict[str, Protocol]:
    return {name: Protocol.model_validate(each) for name, each in _descriptions()["protocols"].items()}


def repeated_by(record: ResultRecord) -> tuple[tuple[str, ...], dict[str, str]]:
    """Say which presets repeat the protocol of a published row: their names, and what its metrics are called there."""
    for protocol in _protocols().values():
        is_same = (record.task, record.protocol_name) == (protocol.task, protocol.name)
        if is_same and protocol.facts.items() <= record.protocol.items():
            return protocol.presets, protocol.metrics
    return (), {}


def architecture(backbone: str) -> str:
    """Name a trunk as publications do, without its variant: "alexnet" ("alexnet_32x"), "resnet50" ("resnet50-os8")."""
    match = re.match(r"[a-z]+\d*", backbone)
    return match.group() if match else backbone


def published_records() -> list[ResultRecord]:
    """Read the published numbers that come with the package, in the order of the file."""
    file = _FOLDER / "results.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return read_cells(csv.DictReader(lines), _protocols(), file.name)


def read_cells(cells: Iterable[Mapping[str, str]], protocols: Mapping[str, Protocol], where: str) -> list[ResultRecord]:
    """Turn lines of `results.csv` into records.

    Args:
        cells: one mapping of column to text for each published cell.
        protocols: what the column "protocol" refers to.
        where: name of the file, for messages.

    Raises:
        DataError: A line has no such column, names an unknown protocol, its value is no finite number, or two
            lines are about the same cell.
    """
    rows: dict[str, list[Mapping[str, str]]] = {}
    for number, cell in enumerate(cells, start=2):
        try:
            if cell["protocol"] not in protocols:
                hint = did_you_mean(cell["protocol"], list(protocols))
                raise DataError(f"{where} line {number}: unknown protocol {cell['protocol']!r}.{hint}")
            rows.setdefault(_identity(cell), []).append(cell)
            _record(_identity(cell), [cell], protocols[cell["protocol"]], where)
        except KeyError as error:
            raise DataError(f"{where} line {number}: the column {error} is missing") from error
        except ValueError as error:  # pydantic's ValidationError is one
            raise DataError(f"{where} line {number}: {error}") from error
    return [_record(name, row, protocols[row[0]["protocol"]], where) for name, row in rows.items()]


_KEY = ("publication", "table", "row", "protocol", "backbone", "method", "head", "val_split")


def _identity(cell: Mapping[str, str]) -> str:
    return digest({column: cell[column] for column in _KEY})


def _metric(cell: Mapping[str, str], protocol: Protocol) -> MetricValue:
    value = float(cell["value"])
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"value: expected a finite number, found {cell['value']!r}")
    return MetricValue(name=cell["metric"], value=value, unit=cell["unit"], primary=cell["metric"] == protocol.primary)


def _record(identity: str, row: list[Mapping[str, str]], protocol: Protocol, where: str) -> ResultRecord:
    first = row[0]
    metrics = [_metric(cell, protocol) for cell in row]
    if len({metric.name for metric in metrics}) != len(metrics):
        raise DataError(
            f"{where}: the cell {first['publication']} / {first['row']} / {first['metric']} stands there twice"
        )
    pretraining = None
    if first["method"] != "random":
        pretraining = Pretraining(
            data=first["pretraining_data"] or UNKNOWN,
            pairs=int(first["pairs"]) if first["pairs"] else None,
            flow_supervision=first["flow_supervision"] or UNKNOWN,
        )
    remarks = [first["provenance"], f"learned from: {first['supervision']}"]
    remarks += [f"also in: {first['also_in']}"] if first["also_in"] else []
    return ResultRecord(
        identity=identity,
        method=first["method"],
        backbone=first["backbone"],
        pretraining=pretraining,
        task=protocol.task,
        protocol={**protocol.facts, "head": first["head"], "val_split": first["val_split"]},
        protocol_name=protocol.name,
        scale="full",
        metrics=metrics,
        seed=None,
        origin=Reported(
            publication=first["publication"],
            table=first["table"],
            row=first["row"],
            source="; ".join(remarks),
            reimplemented_by=first["reimplemented_by"] or None,
            confounds=first["confounds"],
        ),
    )
