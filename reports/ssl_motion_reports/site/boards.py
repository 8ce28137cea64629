"""Pages of leaderboards, and the home page with the answer."""

from collections.abc import Iterator, Sequence
from typing import Any

from ssl_motion_reports.page import as_json, details
from ssl_motion_reports.shapes import Entry
from ssl_motion_reports.site.answer import all_evidence, answer
from ssl_motion_reports.site.assets import ARCHIVE
from ssl_motion_reports.site.content import BoardPage, Content
from ssl_motion_reports.site.methods import Shown
from ssl_motion_reports.site.render import Renderer

QUESTION = "Which way of learning from motion gives the best image features?"
_UP = "../"  # from a page of leaderboards to the root


def home_page(content: Content, render: Renderer, pictures: Sequence[Shown]) -> tuple[str, str]:
    """Return (address, text) of the home page.

    Args:
        content: of the site.
        render: renders pages.
        pictures: of curves that belong to no single method, copied already.
    """
    found = all_evidence(content.board)
    text = render(
        "home",
        "index.html",
        title=QUESTION,
        answer=answer(found),
        evidence=found,
        pages=[{"address": page.address, "title": page.title, "note": _note(page)} for page in content.pages],
        methods=content.methods,
        pictures=pictures,
        counts=_counts(content),
        archive=ARCHIVE if content.lines else "",
    )
    return "index.html", text


def board_pages(content: Content, render: Renderer) -> Iterator[tuple[str, str]]:
    """Yield (address, text) of every page of leaderboards."""

    def behind(entry: Entry) -> str:
        # A run has a page; what is published has a panel with its source.
        run = entry.origin == "reproduced"
        return _UP + content.addresses.runs[entry.records[0].identity] if run else f"#{entry.key}"

    def method_page(entry: Entry) -> str:
        address = content.addresses.method(entry.method)
        return _UP + address if address else ""

    for page in content.pages:
        yield (
            page.address,
            render(
                "board",
                page.address,
                title=page.title,
                notes=(),
                board=page.board,
                panels=as_json(_published(page), {}),
                behind=behind,
                method_page=method_page,
            ),
        )


def _published(page: BoardPage) -> Iterator[tuple[str, dict[str, Any]]]:
    """What panels say of published rows: what their table does not say already."""
    for key, panel in details(page.board, {}, lambda entry: entry.origin == "reported"):
        yield key, {**panel, "facts": []}


def _note(page: BoardPage) -> str:
    """What stands on a page, in a few words."""
    entries = [entry for group in page.board.groups for entry in group.entries]
    own = sum(entry.origin == "reproduced" for entry in entries)
    parts = [f"{own} measured here" if own else "", f"{len(entries) - own} published" if len(entries) > own else ""]
    return ", ".join(part for part in parts if part)


def _counts(content: Content) -> str:
    published = sum(entry.origin == "reported" for group in content.board.groups for entry in group.entries)
    return (
        f"{len(content.addresses.runs)} results measured here, from {len(content.addresses.pretrainings)} pretraining "
        f"runs, and {published} published rows, under {len(content.board.groups)} protocols."
    )
