"""The site in a real browser: every page without a complaint, links, keyboard, phone, contrast, no need of scripts."""

import runpy
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

_pages = runpy.run_path(str(Path(__file__).parents[1] / "site_pages.py"))
BOARD, all_pages, methods, until = (_pages[name] for name in ("BOARD", "all_pages", "methods", "until"))
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def test_every_page_opens_without_a_complaint_and_fits_a_phone(open_page, site):
    page = open_page(width=390, height=800)
    root = site[0].as_uri() + "/"
    names = all_pages(site)
    assert len(names) > 20
    for name in names:
        page.goto(root + name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.locator("h1").count() == 1, name
        for picture in page.locator("img").all():
            picture.scroll_into_view_if_needed()
            until(
                page,
                lambda picture=picture: picture.evaluate("image => image.complete && image.naturalWidth > 0"),
                True,
            )


def test_every_link_can_be_followed(open_page, site):
    page = open_page()
    root, names = site[0].as_uri() + "/", all_pages(site)
    links = set()
    for name in names:
        page.goto(root + name)
        links |= set(page.locator("a").evaluate_all("links => links.map(link => link.href)"))
    assert len(links) > len(names)
    for link in links:
        assert link.startswith(root), link
        place = urlsplit(link)
        file = Path(place.path)
        assert file.is_file(), link
        if place.fragment and not place.fragment.startswith("entry"):
            page.goto(link)
            panel = page.locator("#panel")
            anchor = page.locator(f"[id='{place.fragment}']")
            assert anchor.count() == 1 or (panel.count() == 1 and panel.is_visible()), link


def test_the_site_is_walked_with_the_keyboard_alone(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#leaderboards') !== null"):
            break
    page.keyboard.press("Enter")
    until(page, lambda: "/boards/" in page.url, True)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        if page.evaluate("document.activeElement.matches('thead button')"):
            break
    assert {"theme", "search", "reproduced", "Columns", "Reset"} <= reached
    before = methods(page)
    page.keyboard.press("Enter")  # "#", by which it is sorted
    assert methods(page) == before[::-1]
    # The outline shows where one is.
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_contrast_and_labels_hold(browser, site, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    # The page's policy keeps foreign scripts out, axe's too: it is checked without it.
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    names = all_pages(site)
    kinds = {}
    for name in names:  # one page of every kind, and all pages of leaderboards and methods
        kinds.setdefault(name if name.startswith(("boards", "methods")) else (Path(name).parent, "index" in name), name)
    found = {}
    for name in [*kinds.values(), f"{BOARD}#open"]:
        page.goto(f"{site[0].as_uri()}/{name}")
        if name.endswith("#open"):
            page.locator("#columns summary").click()
            page.locator("section.group details summary").first.click()
        broken = axe.run(page, options=RULES).response["violations"]
        if broken:
            found[name] = [
                (each["id"], each["help"], [node["html"][:150] for node in each["nodes"]][:3]) for each in broken
            ]
    context.close()
    assert found == {}


def test_everything_can_be_read_without_scripts(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site[0] / BOARD).as_uri())
    assert page.locator("tbody tr").first.is_visible()
    page.locator("tbody td a").first.click()
    assert "mean ± std" in page.locator("table").first.inner_text()
    context.close()
