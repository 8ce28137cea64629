"""What tests of the site ask of a page."""

import time
from urllib.parse import parse_qs, urlsplit

BOARD = "boards/voc_fcn.html"
HOSTILE = '<img src=x onerror="window.hacked=1"> </script><script>window.hacked=1</script>'


def all_pages(site):
    """Addresses of all pages, relative to the root."""
    return sorted(path.relative_to(site[0]).as_posix() for path in site[0].rglob("*.html"))


def until(page, ask, wanted, seconds=10.0):
    """Ask again until it is so: the page's policy forbids a condition that is evaluated inside it."""
    deadline = time.monotonic() + seconds
    while (found := ask()) != wanted and time.monotonic() < deadline:
        page.wait_for_timeout(50)  # which lets the browser's news in, too
    assert found == wanted


def view(page):
    """What the address says of the table's view."""
    return parse_qs(urlsplit(page.url).fragment)


def methods(page, group=0):
    """Names in a table, from top to bottom."""
    return page.locator("section.group").nth(group).locator("tbody th").all_inner_texts()
