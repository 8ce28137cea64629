"""The leaderboard: from records to a board to files."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ssl_motion.contribution.checks import identity_fault
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_text
from ssl_motion.folders import replaced_folder
from ssl_motion.plugins import did_you_mean
from ssl_motion.record import ResultRecord, read_record
from ssl_motion_reports.board import build_board
from ssl_motion_reports.collector import paused_collector
from ssl_motion_reports.forked import done_beside
from ssl_motion_reports.grouping import finished, unique
from ssl_motion_reports.shapes import Board
from ssl_motion_reports.statistics.images import compute_draws

__all__ = [
    "IMAGE_DRAWS",
    "as_data",
    "collect_records",
    "committed_records",
    "compute_draws",
    "dump",
    "folder_records",
    "run_records",
    "select_task",
    "write_board",
    "write_leaderboard",
]
STEM = "leaderboard"
COSTS = "cost"
_NAMES = (*(f"{STEM}.{suffix}" for suffix in ("html", "md", "csv", "tex", "png")), f"{COSTS}.png", f"{COSTS}.svg")
IMAGE_DRAWS = "image_draws"
"""Usual name of the folder, beside the runs, that keeps what was computed of per-image files."""


def write_leaderboard(
    records: Sequence[ResultRecord],
    out: Path,
    *,
    sources: Mapping[str, Path] | None = None,
    title: str = "Leaderboard",
    notes: Sequence[str] = (),
    cache: Path | None = None,
) -> list[Path]:
    """Write the leaderboard of exactly these records, in every format.

    Args:
        records: reproduced and published ones alike; see `ssl_motion_reports.published.published_records`.
        out: folder to write into, made when missing.
        sources: identity -> record file, to link to; missing files are no error.
        title: heading of the page.
        notes: what a reader should know, printed under the heading.
        cache: folder that keeps what was computed of per-image files (`build_board`).

    Returns:
        The files: Markdown, CSV, LaTeX, HTML and, where there are own results, a picture of them and one of cost
        against accuracy. The same records give the same bytes.

    Raises:
        RunError: The folder cannot be written.
    """
    return write_board(build_board(records, sources, cache), out, sources=sources, title=title, notes=notes)


@paused_collector()
def write_board(
    board: Board,
    out: Path,
    *,
    sources: Mapping[str, Path] | None = None,
    title: str = "Leaderboard",
    notes: Sequence[str] = (),
) -> list[Path]:
    """Write a board that was built already; see `write_leaderboard`."""
    from ssl_motion_reports.cost_picture import draw_costs
    from ssl_motion_reports.latex_tables import to_latex
    from ssl_motion_reports.page import to_html
    from ssl_motion_reports.picture import draw
    from ssl_motion_reports.texts import links, to_csv, to_markdown

    # All or none: files of an earlier report would not belong to these.
    with replaced_folder(out, _is_ours) as folder:
        with done_beside(lambda: (draw(board, folder / f"{STEM}.png"), draw_costs(board, folder / COSTS))):
            addresses = links({identity: path for identity, path in (sources or {}).items() if path.is_file()}, out)
            write_text(folder / f"{STEM}.html", to_html(board, addresses, title, notes))
            write_text(folder / f"{STEM}.md", to_markdown(board, addresses, title, notes))
            write_text(folder / f"{STEM}.csv", to_csv(board))
            write_text(folder / f"{STEM}.tex", to_latex(board))
        written = [name for name in _NAMES if (folder / name).is_file()]
    return [out / name for name in written]


def _is_ours(name: str) -> bool:
    """Whether a file of the folder is one that a leaderboard writes, or half of one that a kill left."""
    return name in _NAMES or (name.endswith(".part") and name.startswith(tuple(f".{each}." for each in _NAMES)))


def as_data(board: Board) -> dict[str, Any]:
    """Turn a board into JSON-like data for other programs."""
    return {
        "groups": [
            {
                **{
                    name: getattr(group, name) for name in ("task", "fingerprint", "name", "backbone", "scale", "facts")
                },
                **{name: getattr(group, name) for name in ("primary", "ranked", "reproduced", "remarks")},
                "resolution": group.resolution,
                "entries": [
                    {
                        **{
                            name: getattr(entry, name)
                            for name in ("rank", "label", "method", "origin", "seeds", "data")
                        },
                        **{name: getattr(entry, name) for name in ("pairs", "flow_supervision", "source", "remarks")},
                        **{name: getattr(entry, name) for name in ("pretraining_seconds", "transfer_seconds")},
                        **{name: getattr(entry, name) for name in ("images_seen", "images_per_second")},
                        **{name: getattr(entry, name) for name in ("peak_memory_mib", "device")},
                        **{name: getattr(entry, name) for name in ("letters", "versus_random", "rank_interval")},
                        "reported": [asdict(each) for each in entry.reported],
                        "interval": None if entry.interval is None else asdict(entry.interval),
                        "metrics": {
                            name: {"mean": value.mean, "std": value.std, "values": value.values}
                            for name, value in entry.values.items()
                        },
                        "records": [record.identity for record in entry.records],
                    }
                    for entry in group.entries
                ],
            }
            for group in board.groups
        ]
    }


@paused_collector()
def collect_records(files: Sequence[Path]) -> tuple[list[ResultRecord], dict[str, Path]]:
    """Read record files.

    A file that is no record is named on standard error and left out: one damaged file must not hide the others. So is
    one whose identity is not that of its content: it would stand for another run than its own.

    Records of one identity whose figures differ are named too, whether the run was done again or a file edited by hand.

    Returns:
        The records, one for each identity (of several the latest), and identity -> file.
    """
    read = []
    for file in files:
        try:
            record = read_record(file)
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        if (wrong := identity_fault(record)) is not None:
            print(f"left out: {file}: its identity is not that of its content: {wrong}", file=sys.stderr)
            continue
        read.append((record, file))
    records = unique(record for record, _ in read)
    latest = {record.identity: record for record in records}
    sources: dict[str, Path] = {}
    for record, file in read:
        kept = latest[record.identity]
        # Of equal copies the first file is linked to.
        if record.identity not in sources and (record is kept or record == kept):
            sources[record.identity] = file
    for record, file in read:
        kept = latest[record.identity]
        if record is not kept and (difference := _difference(record, kept)):
            taken = sources[record.identity]
            why = "was finished later" if finished(kept) > finished(record) else "comes first"
            print(
                f"two records of the run {record.identity} differ in {difference}: {file} and {taken}. "
                f"Taken is {taken}, which {why}; `ssl-bench validate FILE` looks for edits by hand.",
                file=sys.stderr,
            )
    return records, sources


def _difference(one: ResultRecord, other: ResultRecord) -> str:
    """Name the first figure in which two records differ to the last digit, and how many more; empty where none does."""
    ours, theirs = _figures(one), _figures(other)
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]} ({ours.get(names[0], 'none')} and {theirs.get(names[0], 'none')}){more}"


def _figures(record: ResultRecord) -> dict[str, float]:
    """All figures of a record, by names for people."""
    classes = {f"{name} {each}": value for name, values in record.details.items() for each, value in values.items()}
    return {**{metric.name: metric.value for metric in record.metrics}, **classes}


def run_records(runs: Path) -> list[Path]:
    """Record files of the finished transfer runs below a runs folder; folders moved aside are left out."""
    found = (path for path in runs.glob("transfer/*/record.json") if ".old-" not in path.parent.name)
    return sorted(found, key=lambda path: path.parent.name)


def folder_records(folder: Path) -> list[Path]:
    """Record files of a folder: of its runs where it is a runs folder, else every `*.json` in it.

    Raises:
        UsageError: There is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"no such folder of records: {folder}. Give a runs folder, or one with a JSON file a result.")
    return run_records(folder) if (folder / "transfer").is_dir() else _json_files(folder)


def committed_records() -> list[Path]:
    """Record files that are committed with a checkout (`reports/records`); none in an installed wheel."""
    reports = Path(__file__).resolve().parents[1]
    return _json_files(reports / "records") if reports.name == "reports" else []


def _json_files(folder: Path) -> list[Path]:
    # By name: comparing paths part by part takes seconds for thousands of them.
    return sorted(folder.glob("*.json"), key=lambda path: path.name)


def select_task(records: Sequence[ResultRecord], task: str) -> list[ResultRecord]:
    """Keep the records of one task.

    Raises:
        UsageError: There are none; the tasks that have some are named.
    """
    chosen = [record for record in records if record.task == task]
    if not chosen:
        known = sorted({record.task for record in records})
        raise UsageError(
            f"no results for task {task!r}.{did_you_mean(task, known)} There are: {', '.join(known) or 'none'}"
        )
    return chosen


def dump(data: Mapping[str, Any]) -> str:
    """Serialise for `--json`."""
    return json.dumps(data, indent=2, ensure_ascii=False)
