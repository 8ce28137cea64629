"""What the site shows, put together once: the board, the runs behind it, where each page lies, what lies on disk."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssl_motion.identity import digest
from ssl_motion.record import ResultRecord
from ssl_motion_reports.board import build_board
from ssl_motion_reports.collector import paused_collector
from ssl_motion_reports.grouping import unique
from ssl_motion_reports.shapes import Board, Entry, Group, TaskBoard
from ssl_motion_reports.site.addresses import Addresses, base_method, file_name
from ssl_motion_reports.site.describe import Description, describe_start

_ROWS_OF_A_PAGE = 400


@dataclass(frozen=True)
class Picture:
    """A picture that the site copies and shows.

    Attributes:
        file: the picture.
        caption: what it shows.
        methods: names of the methods on whose pages it stands; on the home page where there are none.
    """

    file: Path
    caption: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoardPage:
    """A page of leaderboards: the tables of one task, or some of them where there are many rows."""

    address: str
    title: str
    board: Board


@dataclass(frozen=True)
class Line:
    """A line of a leaderboard that was measured here: runs that differ in nothing but their seeds. It has a page."""

    address: str
    entry: Entry
    group: Group


@dataclass(frozen=True)
class PretrainingPage:
    """Pretraining runs that differ in nothing but their seeds.

    Attributes:
        address: of the page.
        label: name of the first line that starts from them.
        runs: identity of the pretraining run -> the results that start from it; ordered by seed.
    """

    address: str
    label: str
    runs: dict[str, list[ResultRecord]]

    @property
    def example(self) -> ResultRecord:
        """A result that starts from the first of them."""
        return next(iter(self.runs.values()))[0]


@dataclass(frozen=True)
class Content:
    """Everything that pages are made of.

    Attributes:
        board: all results.
        pages: pages of leaderboards, in order.
        lines: lines that were measured here, in the order of the board.
        pretrainings: the pretraining runs that these start from, in the same order.
        methods: name -> description, for the methods with a page.
        addresses: where pages lie.
        sources: identity -> record file on disk.
        folders: identity -> folder of a pretraining run on disk.
        pictures: to copy and show.
    """

    board: Board
    pages: tuple[BoardPage, ...]
    lines: tuple[Line, ...]
    pretrainings: tuple[PretrainingPage, ...]
    methods: dict[str, Description]
    addresses: Addresses
    sources: Mapping[str, Path]
    folders: Mapping[str, Path]
    pictures: Sequence[Picture]

    def entries(self, method: str, origin: str) -> Iterator[tuple[Group, Entry]]:
        """Entries of a method (its controls and variants too) that were measured here, or published."""
        for group in self.board.groups:
            for entry in group.entries:
                if entry.origin == origin and base_method(entry.method) == method:
                    yield group, entry


@paused_collector()
def gather(
    records: Sequence[ResultRecord],
    sources: Mapping[str, Path],
    descriptions: Mapping[str, Description],
    pictures: Sequence[Picture],
    cache: Path | None = None,
) -> Content:
    """Put the content of a site together.

    Args:
        records: reproduced and published ones alike.
        sources: identity -> record file.
        descriptions: of the installed methods, each of which gets a page.
        pictures: to copy and show.
        cache: as in `ssl_motion_reports.board.build_board`.
    """
    board = build_board(unique(records), sources, cache)
    lines = tuple(
        Line(f"runs/{file_name(entry.key)}.html", entry, group)
        for group in board.groups
        for entry in group.entries
        if entry.origin == "reproduced"
    )
    pretrainings = tuple(_pretrainings(lines))
    names = sorted({base_method(line.entry.method) for line in lines} | set(descriptions))
    pages = tuple(_board_pages(board))
    addresses = Addresses(
        boards={group.fingerprint: page.address for page in pages for group in page.board.groups},
        methods=set(names),
        runs={record.identity: line.address for line in lines for record in line.entry.records},
        pretrainings={identity: page.address for page in pretrainings for identity in page.runs},
    )
    return Content(
        board=board,
        pages=pages,
        lines=lines,
        pretrainings=pretrainings,
        methods={name: descriptions.get(name) or describe_start(name) for name in names},
        addresses=addresses,
        sources={identity: path for identity, path in sources.items() if path.is_file()},
        folders=_pretraining_folders(sources.values()),
        pictures=pictures,
    )


def _pretrainings(lines: Iterable[Line]) -> Iterator[PretrainingPage]:
    """Put pretraining runs together that differ in nothing but their seeds."""
    groups: dict[str, dict[str, list[ResultRecord]]] = {}
    labels: dict[str, str] = {}
    for label, record in [(line.entry.label, record) for line in lines for record in line.entry.records]:
        before = record.pretraining
        if before is not None and before.run is not None:
            spec = {name: value for name, value in before.spec.items() if name != "seed"}
            what = [record.method, record.backbone, before.data, before.data_fingerprint, before.recipe_version, spec]
            key = digest(what)
            labels.setdefault(key, label)
            groups.setdefault(key, {}).setdefault(before.run, []).append(record)
    for key, runs in groups.items():
        ordered = sorted(runs.items(), key=lambda each: (_seed(each[1][0]), each[0]))
        yield PretrainingPage(f"pretraining/{key}.html", labels[key], dict(ordered))


def _seed(record: ResultRecord) -> int:
    seed = record.pretraining.spec.get("seed") if record.pretraining else None
    return seed if isinstance(seed, int) else 0


def _board_pages(board: Board) -> Iterator[BoardPage]:
    """Cut the board into pages: one a task, and more where a task has many rows. A table is never cut."""
    for task in board.tasks:
        parts: list[list[Group]] = [[]]
        for group in task.groups:
            if parts[-1] and sum(len(each.entries) for each in parts[-1]) + len(group.entries) > _ROWS_OF_A_PAGE:
                parts.append([])
            parts[-1].append(group)
        for number, groups in enumerate(parts, start=1):
            name = file_name(task.name) + (f"~{number}" if number > 1 else "")
            title = task.title + (f", part {number} of {len(parts)}" if len(parts) > 1 else "")
            yield BoardPage(f"boards/{name}.html", title, Board((TaskBoard(task.name, task.title, tuple(groups)),)))


def _pretraining_folders(files: Iterable[Path]) -> dict[str, Path]:
    """Find the pretraining runs beside the transfer runs whose records these are: identity -> folder."""
    roots = sorted({file.parents[2] for file in files if file.name == "record.json" and len(file.parents) > 2})
    found: dict[str, Path] = {}
    for folder in (folder for root in roots for folder in sorted(root.glob("pretrain/*"))):
        match = re.fullmatch(r".*-([0-9a-f]{16})", folder.name)
        if match and (folder / "done.json").is_file():
            found.setdefault(match.group(1), folder)
    return found
