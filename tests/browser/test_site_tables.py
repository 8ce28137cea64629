"""Tables of the site in a real browser: views that can be shared by address, search, and downloads of records."""

import re
import runpy
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

_pages = runpy.run_path(str(Path(__file__).parents[1] / "site_pages.py"))
BOARD, HOSTILE, methods, until, view = (_pages[name] for name in ("BOARD", "HOSTILE", "methods", "until", "view"))


def test_a_view_is_in_the_address_and_comes_back_from_it(open_page):
    page = open_page(BOARD)
    assert methods(page) == ["cmp", "walker", HOSTILE, "random"]
    first = page.locator("section.group").first
    first.locator("thead button", has_text="mIoU").click()
    first.locator("thead button", has_text="mIoU").click()
    assert methods(page) == ["random", HOSTILE, "walker", "cmp"]
    page.fill("#search", "puppets")
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("aAcc (%)").uncheck()
    page.uncheck("#reported")
    until(page, lambda: view(page).get("without"), ["reported"])
    shown = view(page)
    assert shown["q"] == ["puppets"]
    assert shown["hide"] == ["aAcc (%)"]
    (table,) = shown["sort"]
    assert table.endswith(" ascending mIoU (%)")
    # Somebody else opens the address.
    other = open_page(BOARD + "#" + urlsplit(page.url).fragment)
    assert methods(other) == ["random", HOSTILE, "walker", "cmp"]
    assert methods(other, 1) == ["cmp", "walker", HOSTILE, "random"]  # the other table stays as it was
    assert other.locator("#search").input_value() == "puppets"
    assert not other.locator("thead th", has_text="aAcc").first.is_visible()
    assert not other.locator("tbody tr[data-origin=reported]").first.is_visible()
    rows = other.locator("section.group").first.locator("tbody tr").first
    assert rows.locator("td:visible, th:visible").count() == first.locator("thead th").count() - 1
    other.locator("button[type=reset]").click()
    until(other, lambda: urlsplit(other.url).fragment, "")
    assert methods(other) == ["cmp", "walker", HOSTILE, "random"]
    assert other.locator("thead th", has_text="aAcc").first.is_visible()


def test_a_damaged_address_shows_the_table_as_it_is(open_page):
    page = open_page(BOARD + "#sort=nothing+sideways+x&hide=&without=everything&task=none&entry=constructor&q=%E0%A4%A")
    page.locator("button[type=reset]").click()
    assert methods(page) == ["cmp", "walker", HOSTILE, "random"]


def test_going_back_brings_the_view_back(open_page):
    page = open_page(BOARD)
    page.fill("#search", "walker")
    until(page, lambda: view(page).get("q"), ["walker"])
    page.locator("section.group").nth(2).locator("tbody tr:visible td a").first.click()
    assert page.locator("#panel").is_visible()
    until(page, lambda: sorted(view(page)), ["entry", "q"])
    assert "typed in" in page.locator("#panel").inner_text()
    page.go_back()
    until(page, lambda: page.locator("#panel").is_visible(), False)
    assert page.locator("#search").input_value() == "walker"
    # From a run and back: the browser opens the page anew, and the address holds the view.
    page.locator("section.group").first.locator("tbody tr:visible td a").first.click()
    until(page, lambda: "/runs/" in page.url, True)
    page.wait_for_load_state()  # going back before would break off what is still being read
    page.go_back()
    until(page, lambda: page.locator("#search").input_value(), "walker")


def test_a_record_is_downloaded_as_it_was_written(open_page, site):
    out, records, sources = site
    packs = {path: set(re.findall(r'data-pack="([^"]+)"', path.read_text())) for path in (out / "runs").glob("*.html")}
    two = next(path for path, addresses in packs.items() if len(addresses) == 2)
    page = open_page(f"runs/{two.name}")
    rows = page.locator("tr:has([data-pack])")
    assert rows.count() == 3
    for number in (2, 0, 1, 0):
        row = rows.nth(number)
        button = row.get_by_role("button", name=f"Download the record of seed {number}")
        with page.expect_download() as waiting:
            button.click()
        assert waiting.value.suggested_filename == "record.json"
        assert Path(waiting.value.path()).read_text() == sources[row.get_attribute("id")].read_text()
    page.locator("details.file summary").click()
    with page.expect_download() as waiting:
        page.locator("details.file button").click()
    assert waiting.value.suggested_filename == "transfer.yaml"
    first = next(record for record in records if record.identity == rows.first.get_attribute("id"))
    assert f"init: {first.spec['init']}" in Path(waiting.value.path()).read_text()


def test_a_record_that_could_not_be_fetched_is_asked_for_again(browser, site):
    (out, *_), errors = site, []
    pack, away = out / "records" / "0.js", out / "records" / "0.away"
    path = next(path for path in (out / "runs").glob("*.html") if "records/0.js" in path.read_text())
    page = browser.new_page()
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(path.as_uri())
    button = page.locator("[data-pack$='records/0.js']").first
    pack.rename(away)
    try:
        button.click()
        until(page, lambda: len(errors), 1)
    finally:
        away.rename(pack)
    with page.expect_download() as waiting:
        button.click()
    assert waiting.value.suggested_filename == "record.json"
    page.close()


def test_the_runs_are_found_by_search_and_sorted(open_page):
    page = open_page("runs/index.html")
    assert page.locator("#count").inner_text() == "24 rows"
    page.fill("#search", "walker")
    assert page.locator("tbody tr:visible").count() == 6
    values = page.locator("thead button", has_text="value")
    values.click()
    shown = [float(text) for text in page.locator("tbody tr:visible td:nth-child(6)").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
