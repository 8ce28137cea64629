"""Pages of methods: what each is, how it did here, what it predicts and has inside, its curves, what is published."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssl_motion.errors import DataError
from ssl_motion_reports.published import task_title
from ssl_motion_reports.site.addresses import base_method, file_name
from ssl_motion_reports.site.assets import copy_panel, read_description
from ssl_motion_reports.site.content import Content, PretrainingPage
from ssl_motion_reports.site.render import Renderer
from ssl_motion_reports.site.runs import pretraining_title

_MOST_PANELS = 6
_MOST_SHEETS = 8
_MOST_LINKS = 60

Shown = dict[str, Any]
"""A picture in the site: "address", "caption", "width" and "height" in pixels (None where unknown)."""


def method_pages(
    content: Content, render: Renderer, folder: Path, curves: Mapping[str, Sequence[Shown]]
) -> Iterator[tuple[str, str]]:
    """Yield (address, text) of the page of every method, and of their list.

    Args:
        content: of the site.
        render: renders pages.
        folder: the site's root; pictures are copied below it.
        curves: method -> pictures of its curves, copied already.
    """
    cards = []
    for name, description in content.methods.items():
        own = list(content.entries(name, "reproduced"))
        published = list(content.entries(name, "reported"))
        pages = [page for page in content.pretrainings if base_method(page.example.method) == name]
        here = content.addresses.method(name)
        text = render(
            "method",
            here,
            title=name,
            description=description,
            own=own,
            published=published,
            titles={group.task: task_title(group.task) for group, _ in published},
            panels=list(_panels(name, pages, content, folder)),
            sheets=list(_sheets(name, pages, content, folder)),
            curves=curves.get(name, ()),
            pretrainings=[(pretraining_title(page), page.address) for page in pages[:_MOST_LINKS]],
            more=max(0, len(pages) - _MOST_LINKS),
        )
        yield here, text
        cards.append((name, description.title, here, len(own)))
    yield "methods/index.html", render("methods", "methods/index.html", title="Methods", cards=cards)


def _plain_first(name: str, pages: Sequence[PretrainingPage]) -> list[PretrainingPage]:
    return sorted(pages, key=lambda page: (page.example.method != name, pretraining_title(page), page.address))


def _panels(name: str, pages: Sequence[PretrainingPage], content: Content, folder: Path) -> Iterator[Shown]:
    """Copy the last preview of one run for each data set and control, the plain method first."""
    seen: set[tuple[str, str]] = set()
    for page in _plain_first(name, pages):
        title = pretraining_title(page)
        previews = (
            sorted((content.folders[each] / "previews").glob("*.png")) for each in page.runs if each in content.folders
        )
        picture = next((pictures[-1] for pictures in previews if pictures), None)
        what = (page.example.method, _data(page))
        if picture is None or what in seen or len(seen) == _MOST_PANELS:
            continue
        address = f"pictures/{Path(page.address).stem}.webp"
        try:
            width, height = copy_panel(picture, folder / address)
        except DataError:
            continue  # a damaged picture must not cost the site
        seen.add(what)
        yield {"address": address, "caption": title, "width": width, "height": height}


def _sheets(name: str, pages: Sequence[PretrainingPage], content: Content, folder: Path) -> Iterator[Shown]:
    """Copy the contact sheets of `ssl-bench visualise` that lie in the folders of runs, the plain method's first."""
    runs = [(page, run) for page in _plain_first(name, pages) for run in page.runs if run in content.folders]
    shown = 0
    for page, run in runs:
        for picture in sorted((content.folders[run] / "visualised").glob("*.png")):
            address = f"pictures/{file_name(f'{run}-{picture.stem}')}.webp"
            try:
                description = read_description(picture)
                width, height = copy_panel(picture, folder / address)
            except DataError:
                continue  # a damaged picture must not cost the site
            caption = f"{pretraining_title(page)}. {description}".strip()
            yield {"address": address, "caption": caption, "width": width, "height": height}
            shown += 1
            if shown == _MOST_SHEETS:
                return


def _data(page: PretrainingPage) -> str:
    return page.example.pretraining.data if page.example.pretraining else ""
