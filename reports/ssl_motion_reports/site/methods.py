"""Pages of methods: what each is, how it did here, what it predicts, its curves, what is published of it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssl_motion.errors import DataError
from ssl_motion_reports.published import task_title
from ssl_motion_reports.site.addresses import base_method
from ssl_motion_reports.site.assets import copy_panel
from ssl_motion_reports.site.content import Content, PretrainingPage
from ssl_motion_reports.site.render import Renderer
from ssl_motion_reports.site.runs import pretraining_title

_MOST_PANELS = 6
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
            curves=curves.get(name, ()),
            pretrainings=[(pretraining_title(page), page.address) for page in pages[:_MOST_LINKS]],
            more=max(0, len(pages) - _MOST_LINKS),
        )
        yield here, text
        cards.append((name, description.title, here, len(own)))
    yield "methods/index.html", render("methods", "methods/index.html", title="Methods", cards=cards)


def _panels(name: str, pages: Sequence[PretrainingPage], content: Content, folder: Path) -> Iterator[Shown]:
    """Copy the last preview of one run for each data set and control, the plain method first."""
    seen: set[tuple[str, str]] = set()
    for page in sorted(pages, key=lambda page: (page.example.method != name, pretraining_title(page), page.address)):
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


def _data(page: PretrainingPage) -> str:
    return page.example.pretraining.data if page.example.pretraining else ""
