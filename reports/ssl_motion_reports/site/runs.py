"""Pages of runs and of pretraining runs, and the tables that list them.

A page holds the runs that differ in nothing but their seeds, which is a line of a leaderboard; each run has its anchor.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssl_motion.record import Pretraining, Reproduced, ResultRecord
from ssl_motion_reports.formatting import duration, number
from ssl_motion_reports.site.again import PRETRAIN, TRANSFER, as_yaml, commands, pretraining_command
from ssl_motion_reports.site.content import Content, Line, PretrainingPage
from ssl_motion_reports.site.facts import detail_tables, exact, merged, pretraining_facts, provenance, seed_name
from ssl_motion_reports.site.logs import draw_logs, read_log
from ssl_motion_reports.site.render import Renderer, primary
from ssl_motion_reports.texts import heading

_ROWS_OF_A_LIST = 1000

Row = tuple[str, list[Any]]
"""Address of a page, and the cells of the row that links to it."""


def run_pages(content: Content, render: Renderer, packs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (address, text) of the page of every line that was measured here.

    Args:
        content: of the site.
        render: renders pages.
        packs: identity -> address of the pack that its record is in.
    """
    for line in content.lines:
        records = line.entry.records
        folders = [content.sources[record.identity].parent for record in records if record.identity in content.sources]
        text = render(
            "run",
            line.address,
            title=line.entry.label,
            window=f"{line.entry.label}: {line.group.title}",
            line=line,
            method=content.addresses.method(line.entry.method),
            runs=[_run(record, line, content, packs) for record in records],
            details=list(detail_tables(records)),
            log=_logs(folders),
            starts=sorted({str(record.spec.get("init", "")) for record in records}),
            commands=commands(records),
            spec_name=TRANSFER,
            spec=as_yaml(records[0].spec),
            provenance=merged([(seed_name(record), provenance(record)) for record in records]),
        )
        yield line.address, text


def _run(record: ResultRecord, line: Line, content: Content, packs: Mapping[str, str]) -> dict[str, Any]:
    assert isinstance(record.origin, Reproduced)
    before = record.pretraining
    values = {metric.name: exact(metric.value) for metric in record.metrics}
    return {
        "identity": record.identity,
        "seed": "" if record.seed is None else record.seed,
        "figures": [values.get(metric.name, "") for metric in line.group.metrics],
        "took": duration(record.origin.provenance.wall_seconds),
        "finished": record.origin.provenance.finished.partition("+")[0].replace("T", " "),
        "pretraining": content.addresses.pretraining(before.run) if before else "",
        "pack": packs[record.identity],
    }


def pretraining_pages(content: Content, render: Renderer) -> Iterator[tuple[str, str]]:
    """Yield (address, text) of the pages of the pretraining runs that results started from."""
    for page in content.pretrainings:
        learned = {identity: _before(records[0]) for identity, records in page.runs.items()}
        seeds = [(_seed_of(before), pretraining_facts(before)) for before in learned.values()]
        text = render(
            "pretraining",
            page.address,
            title=pretraining_title(page),
            name=page.example.method,
            method=content.addresses.method(page.example.method),
            facts=merged(seeds),
            figures=list(_figure_rows(list(learned.values()))),
            names=[name for name, _ in seeds],
            log=_logs([content.folders[identity] for identity in page.runs if identity in content.folders]),
            runs=[
                (identity, _seed_of(learned[identity]), [_result(record, content) for record in records])
                for identity, records in page.runs.items()
            ],
            commands=[pretraining_command(before) for before in learned.values()],
            spec_name=PRETRAIN,
            spec=as_yaml(next(iter(learned.values())).spec),
        )
        yield page.address, text


def _before(record: ResultRecord) -> Pretraining:
    assert record.pretraining is not None
    return record.pretraining


def _seed_of(before: Pretraining) -> str:
    return f"seed {before.spec['seed']}" if "seed" in before.spec else "run"


def _figure_rows(learned: Sequence[Pretraining]) -> Iterator[tuple[str, list[str]]]:
    for name in dict.fromkeys(name for before in learned for name in before.figures):
        yield name, [exact(before.figures[name]) if name in before.figures else "" for before in learned]


def _result(record: ResultRecord, content: Content) -> tuple[str, str, str]:
    metric = record.primary
    title = f"{record.task}, {record.protocol_name}" + ("" if record.seed is None else f", seed {record.seed}")
    return title, f"{number(metric.value)} {heading(metric)}", content.addresses.run(record.identity)


def pretraining_title(page: PretrainingPage) -> str:
    """Name of pretraining runs."""
    return f"{page.label} on {_before(page.example).data}, {page.example.backbone}"


def _logs(folders: Sequence[Path]) -> dict[str, Any] | None:
    """Draw the logs that lie in some runs' folders."""
    logs = [log for folder in folders if (log := read_log(folder / "log.jsonl")) is not None]
    return {"drawing": draw_logs(logs), "validation": any(log.validation for log in logs)} if logs else None


def lists(content: Content, render: Renderer) -> Iterator[tuple[str, str]]:
    """Yield (address, text) of the tables of all runs and of all pretraining runs, in parts where they are long."""
    columns = [("method", ""), ("task", ""), ("protocol", ""), ("seed", "number"), ("metric", ""), ("value", "number")]
    rows = [
        (content.addresses.run(record.identity), _row(record, line))
        for line in content.lines
        for record in line.entry.records
    ]
    yield from _parts("runs", "Runs", [*columns, ("finished", "")], rows, render)
    columns = [("method", ""), ("data", ""), ("backbone", ""), ("seed", "number"), ("pairs", "number")]
    columns += [("images seen", "number"), ("seconds", "number"), ("results", "number")]
    rows = [
        (content.addresses.pretraining(identity), _pretraining_row(records))
        for page in content.pretrainings
        for identity, records in page.runs.items()
    ]
    yield from _parts("pretraining", "Pretraining runs", columns, rows, render)


def _parts(
    folder: str, title: str, columns: list[tuple[str, str]], rows: list[Row], render: Renderer
) -> Iterator[tuple[str, str]]:
    count = max(1, math.ceil(len(rows) / _ROWS_OF_A_LIST))
    addresses = [f"{folder}/index{f'~{part + 1}' if part else ''}.html" for part in range(count)]
    for part, here in enumerate(addresses):
        some = rows[part * _ROWS_OF_A_LIST : (part + 1) * _ROWS_OF_A_LIST]
        yield here, render("runs", here, title=title, columns=columns, rows=some, parts=addresses)


def _row(record: ResultRecord, line: Line) -> list[Any]:
    metric = primary(line.group)
    value = next((number(each.value) for each in record.metrics if each.name == metric.name), "")
    finished = record.origin.provenance.finished[:10] if isinstance(record.origin, Reproduced) else ""
    seed = "" if record.seed is None else record.seed
    return [line.entry.label, record.task, line.group.title, seed, heading(metric), value, finished]


def _pretraining_row(records: list[ResultRecord]) -> list[Any]:
    before = _before(records[0])
    seconds = None if before.wall_seconds is None else round(before.wall_seconds)
    known = [
        "" if each is None else each for each in (before.spec.get("seed"), before.pairs, before.images_seen, seconds)
    ]
    return [records[0].method, before.data, records[0].backbone, *known, len(records)]
