"""The site in a real browser: every page without a complaint, tables that can be shared, keyboard, phone, contrast."""

import json
import os
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from ssl_motion.identity import digest
from ssl_motion.record import MetricValue, Pretraining, Provenance, Reported, Reproduced, ResultRecord
from ssl_motion_reports.site import Picture, describe_methods, write_site

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CHROMIUM") or next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
HOSTILE = '<img src=x onerror="window.hacked=1"> </script><script>window.hacked=1</script>'
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def _record(method, seed, value, world="still", **changes):
    learned = None
    if method != "random":
        spec = {"method": method, "iterations": 10, "seed": seed}
        learned = Pretraining(
            data=f"puppets-{world}", pairs=8000, images_seen=8000, flow_supervision="exact flow", wall_seconds=90.0,
            run=digest([method, seed, world]), spec=spec, figures={"val/loss": 1.25},
        )  # fmt: skip
    content = {
        "identity": digest([method, seed, world, changes.get("task")]),
        "method": method,
        "backbone": "alexnet_mini",
        "pretraining": learned,
        "task": "voc_fcn",
        "protocol": {"head": "fcn", "world": world},
        "protocol_name": "puppets_fcn",
        "scale": "builtin",
        "metrics": [MetricValue(name="mIoU", value=value, primary=True), MetricValue(name="aAcc", value=90 - value)],
        "details": {"IoU": {"person": value, "a class with a long name": value / 2}},
        "seed": seed,
        "spec": {"task": "voc_fcn", "init": learned.run if learned else "random", "seed": seed},
        "origin": Reproduced(
            provenance=Provenance(
                commit="c0ffee" * 6 + "abcd", dirty=False, packages={"torch": "2", "numpy": "2"}, python="3.11",
                hardware="a cpu", device="cpu", wall_seconds=60.0, finished="2026-01-01T00:00:00+00:00",
            )
        ),
        **changes,
    }  # fmt: skip
    return ResultRecord(**content)


def _published(method, value):
    origin = Reported(publication="A paper", table="Table 1", row=method, source="typed in", confounds="more data")
    return _record(
        method, None, value, scale="full", protocol={"head": "unknown"}, spec={}, origin=origin, details={},
        pretraining=Pretraining(data="YFCC"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    records, sources = [], {}
    for world, shift in (("still", 0.0), ("weak_pan", -5.0)):
        for method, mean in (("cmp", 36.0), ("walker", 30.0), ("random", 20.0), (HOSTILE, 25.0)):
            records += [_record(method, seed, mean + shift + seed, world) for seed in (0, 1, 2)]
    for record in records:
        run = folder / "runs" / "transfer" / f"run-{record.identity}"
        run.mkdir(parents=True)
        (run / "record.json").write_text(json.dumps(json.loads(record.model_dump_json()), indent=3))
        (run / "log.jsonl").write_text("".join(f'{{"iteration": {n}, "train/loss": {9 / n}}}\n' for n in range(1, 40)))
        sources[record.identity] = run / "record.json"
        if record.pretraining:
            before = folder / "runs" / "pretrain" / f"x-{record.pretraining.run}"
            (before / "previews").mkdir(parents=True)
            (before / "done.json").write_text("{}")
            (before / "log.jsonl").write_text('{"iteration": 1, "train/loss": 3}\n{"iteration": 9, "val/loss": 2}\n')
            Image.new("RGB", (584, 800), "teal").save(before / "previews" / "iter_1.png")
    Image.new("RGB", (1200, 600), "white").save(folder / "curve.png")
    records += [_published("cmp", 44.5), _published("walker", 40.4)]
    pictures = [
        Picture(folder / "curve.png", "Guidance against transfer", ("cmp",)),
        Picture(folder / "curve.png", "All"),
    ]
    home = write_site(records, folder / "out", sources=sources, methods=describe_methods(), pictures=pictures)
    return home.parent, records, sources


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt install chromium), or its path in CHROMIUM")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser, site):
    """Open pages; at the end: no console message, no error, no request but for the site's own files."""
    contexts, complaints = [], []
    root = site[0].as_uri() + "/"

    def open_(name="index.html", scheme="light", width=1366, height=900, **options):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.on(
            "request",
            lambda request: request.url.startswith((root, "data:", "blob:")) or complaints.append(request.url),
        )
        page.goto(root + name)
        return page

    yield open_
    for context in contexts:
        for page in context.pages:
            assert page.evaluate("window.hacked") is None
        context.close()
    assert complaints == []


def _all_pages(site):
    return sorted(path.relative_to(site[0]).as_posix() for path in site[0].rglob("*.html"))


def _until(page, ask, wanted, seconds=10.0):
    """Ask again until it is so: the page's policy forbids a condition that is evaluated inside it."""
    deadline = time.monotonic() + seconds
    while (found := ask()) != wanted and time.monotonic() < deadline:
        page.wait_for_timeout(50)  # which lets the browser's news in, too
    assert found == wanted


def _view(page):
    return parse_qs(urlsplit(page.url).fragment)


BOARD = "boards/voc_fcn.html"


def _methods(page, group=0):
    return page.locator("section.group").nth(group).locator("tbody th").all_inner_texts()


def test_every_page_opens_without_a_complaint_and_fits_a_phone(open_page, site):
    page = open_page(width=390, height=800)
    root = site[0].as_uri() + "/"
    names = _all_pages(site)
    assert len(names) > 20
    for name in names:
        page.goto(root + name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.locator("h1").count() == 1, name
        for picture in page.locator("img").all():
            picture.scroll_into_view_if_needed()
            _until(
                page,
                lambda picture=picture: picture.evaluate("image => image.complete && image.naturalWidth > 0"),
                True,
            )


def test_every_link_can_be_followed(open_page, site):
    page = open_page()
    root, names = site[0].as_uri() + "/", _all_pages(site)
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


def test_a_view_is_in_the_address_and_comes_back_from_it(open_page):
    page = open_page(BOARD)
    assert _methods(page) == ["cmp", "walker", HOSTILE, "random"]
    first = page.locator("section.group").first
    first.locator("thead button", has_text="mIoU").click()
    first.locator("thead button", has_text="mIoU").click()
    assert _methods(page) == ["random", HOSTILE, "walker", "cmp"]
    page.fill("#search", "puppets")
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("aAcc (%)").uncheck()
    page.uncheck("#reported")
    _until(page, lambda: _view(page).get("without"), ["reported"])
    view = _view(page)
    assert view["q"] == ["puppets"]
    assert view["hide"] == ["aAcc (%)"]
    (table,) = view["sort"]
    assert table.endswith(" ascending mIoU (%)")
    # Somebody else opens the address.
    other = open_page(BOARD + "#" + urlsplit(page.url).fragment)
    assert _methods(other) == ["random", HOSTILE, "walker", "cmp"]
    assert _methods(other, 1) == ["cmp", "walker", HOSTILE, "random"]  # the other table stays as it was
    assert other.locator("#search").input_value() == "puppets"
    assert not other.locator("thead th", has_text="aAcc").first.is_visible()
    assert not other.locator("tbody tr[data-origin=reported]").first.is_visible()
    rows = other.locator("section.group").first.locator("tbody tr").first
    assert rows.locator("td:visible, th:visible").count() == first.locator("thead th").count() - 1
    other.locator("button[type=reset]").click()
    _until(other, lambda: urlsplit(other.url).fragment, "")
    assert _methods(other) == ["cmp", "walker", HOSTILE, "random"]
    assert other.locator("thead th", has_text="aAcc").first.is_visible()


def test_a_damaged_address_shows_the_table_as_it_is(open_page):
    page = open_page(BOARD + "#sort=nothing+sideways+x&hide=&without=everything&task=none&entry=constructor&q=%E0%A4%A")
    page.locator("button[type=reset]").click()
    assert _methods(page) == ["cmp", "walker", HOSTILE, "random"]


def test_going_back_brings_the_view_back(open_page):
    page = open_page(BOARD)
    page.fill("#search", "walker")
    _until(page, lambda: _view(page).get("q"), ["walker"])
    page.locator("section.group").nth(2).locator("tbody tr:visible td a").first.click()
    assert page.locator("#panel").is_visible()
    _until(page, lambda: sorted(_view(page)), ["entry", "q"])
    assert "typed in" in page.locator("#panel").inner_text()
    page.go_back()
    _until(page, lambda: page.locator("#panel").is_visible(), False)
    assert page.locator("#search").input_value() == "walker"
    # From a run and back: the browser opens the page anew, and the address holds the view.
    page.locator("section.group").first.locator("tbody tr:visible td a").first.click()
    _until(page, lambda: "/runs/" in page.url, True)
    page.wait_for_load_state()  # going back before would break off what is still being read
    page.go_back()
    _until(page, lambda: page.locator("#search").input_value(), "walker")


def test_a_record_is_downloaded_as_it_was_written(open_page, site):
    _, records, sources = site
    page = open_page("index.html")
    page.locator("section td.number a").first.click()
    button = page.locator("[data-record]").nth(1)
    with page.expect_download() as waiting:
        button.click()
    assert waiting.value.suggested_filename == "record.json"
    identity = button.get_attribute("data-record")
    assert Path(waiting.value.path()).read_text() == sources[identity].read_text()
    page.locator("details.file summary").click()
    with page.expect_download() as waiting:
        page.locator("details.file button").click()
    assert waiting.value.suggested_filename == "transfer.yaml"
    first = next(
        record
        for record in records
        if record.identity == page.locator("[data-record]").first.get_attribute("data-record")
    )
    assert f"init: {first.spec['init']}" in Path(waiting.value.path()).read_text()


def test_the_runs_are_found_by_search_and_sorted(open_page):
    page = open_page("runs/index.html")
    assert page.locator("#count").inner_text() == "24 rows"
    page.fill("#search", "walker")
    assert page.locator("tbody tr:visible").count() == 6
    values = page.locator("thead button", has_text="value")
    values.click()
    shown = [float(text) for text in page.locator("tbody tr:visible td:nth-child(6)").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)


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
    _until(page, lambda: "/boards/" in page.url, True)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        if page.evaluate("document.activeElement.matches('thead button')"):
            break
    assert {"theme", "search", "reproduced", "Columns", "Reset"} <= reached
    before = _methods(page)
    page.keyboard.press("Enter")  # "#", by which it is sorted
    assert _methods(page) == before[::-1]
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
    names = _all_pages(site)
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
