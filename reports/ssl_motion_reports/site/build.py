"""Write the whole site: every page, and what they share, in place of the last one."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from ssl_motion.errors import UsageError
from ssl_motion.folders import replaced_folder
from ssl_motion.record import ResultRecord
from ssl_motion_reports.collector import earlier_objects_left_alone
from ssl_motion_reports.site.assets import copy_drawing, pack_records, write, write_assets
from ssl_motion_reports.site.boards import board_pages, home_page
from ssl_motion_reports.site.content import Content, Picture, gather
from ssl_motion_reports.site.describe import Description
from ssl_motion_reports.site.methods import Shown, method_pages
from ssl_motion_reports.site.render import Renderer
from ssl_motion_reports.site.runs import lists, pretraining_pages, run_pages

MARK = ".ssl-motion-site"


def write_site(
    records: Sequence[ResultRecord],
    out: Path,
    *,
    sources: Mapping[str, Path] | None = None,
    methods: Mapping[str, Description] | None = None,
    pictures: Sequence[Picture] = (),
    cache: Path | None = None,
) -> Path:
    """Write the site of exactly these records: home, leaderboards, methods, runs.

    It needs no server and loads nothing from elsewhere. Until all of it is written the old site stays in place. The
    same records and run folders give the same bytes.

    Args:
        records: reproduced and published ones alike; see `ssl_motion_reports.published.published_records`.
        out: folder of the site; made when missing, replaced where it holds a site.
        sources: identity -> record file; where it lies in a run's folder, the run's log is drawn, and the pretraining
            runs beside it are looked at for their logs and previews.
        methods: descriptions of the installed methods (`ssl_motion_reports.site.describe.describe_methods`).
        pictures: curves to show, on the pages of the methods that they name, else on the home page.

        cache: folder that keeps what is computed of per-image files, as in `build_board`.

    Returns:
        The home page.

    Raises:
        UsageError: `out` holds something else than a site.
        DataError: One of `pictures` is none.
        RunError: The folder cannot be written.
    """
    content = gather(records, sources or {}, methods or {}, pictures, cache)
    render = Renderer(content)
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UsageError(
            f"{out} holds something that was not written by this report. Name another folder, or empty it."
        )
    with earlier_objects_left_alone(), replaced_folder(out, lambda name: True) as folder:
        (folder / MARK).touch()
        write_assets(folder)
        packs = pack_records(
            [record for line in content.lines for record in line.entry.records], content.sources, folder
        )
        for address, text in _pages(content, render, packs, folder):
            write(folder / address, text)
    return out / "index.html"


def _pages(content: Content, render: Renderer, packs: Mapping[str, str], folder: Path) -> Iterator[tuple[str, str]]:
    shown: list[Shown] = []
    curves: dict[str, list[Shown]] = {}
    for number, picture in enumerate(content.pictures):
        address = f"pictures/curve-{number}{picture.file.suffix}"
        width, height = copy_drawing(picture.file, folder / address)
        each = {"address": address, "caption": picture.caption, "width": width, "height": height}
        for method in picture.methods:
            curves.setdefault(method, []).append(each)
        if not picture.methods:
            shown.append(each)
    yield home_page(content, render, shown)
    yield from chain(
        board_pages(content, render),
        method_pages(content, render, folder, curves),
        run_pages(content, render, packs),
        pretraining_pages(content, render),
        lists(content, render),
    )
