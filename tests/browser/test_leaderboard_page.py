"""The leaderboard page in a real browser: sorting, filters, theme, panels, keyboard, and no request to anywhere."""

from urllib.parse import urlsplit

import pytest

from ssl_motion.identity import digest
from ssl_motion.record import MetricValue, Pretraining, Provenance, Reported, Reproduced, ResultRecord
from ssl_motion_reports.leaderboard import write_leaderboard

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked=1"> </script><script>window.hacked=1</script>'


def _record(method, seed, value, **changes):
    content = {
        "identity": digest([method, seed, changes.get("task")]),
        "method": method,
        "backbone": "alexnet_mini",
        "pretraining": None if method == "random" else Pretraining(data="puppets-still", pairs=8000),
        "task": "voc_fcn",
        "protocol": {"head": "fcn"},
        "protocol_name": "puppets_fcn",
        "scale": "builtin",
        "metrics": [MetricValue(name="mIoU", value=value, primary=True), MetricValue(name="aAcc", value=90 - value)],
        "seed": seed,
        "spec": {"planted": "in the spec"},
        "origin": Reproduced(
            provenance=Provenance(
                commit="c0ffee", dirty=False, packages={"torch": "2"}, python="3.11", hardware="a cpu", device="cpu",
                wall_seconds=60.0, finished="2026-01-01T00:00:00+00:00",
            )
        ),
        **changes,
    }  # fmt: skip
    return ResultRecord(**content)


def _published(method, value):
    origin = Reported(publication="A paper", table="Table 1", row=method, source="typed in", confounds="more data")
    return _record(method, None, value, scale="full", protocol={"head": "unknown"}, spec={}, origin=origin, task="lip")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    records = [_record("cmp", seed, 36.0 + seed) for seed in (0, 1, 2)]
    records += [_record("random", seed, 18.0 + seed) for seed in (0, 1, 2)]
    records += [_record(HOSTILE, 0, 25.0), _published("cmp", 44.5), _published("walker", 40.4)]
    sources = {}
    for record in records[:3]:
        file = folder / "runs" / record.identity / "record.json"
        file.parent.mkdir(parents=True)
        file.write_text(record.model_dump_json())
        sources[record.identity] = file
    return next(path for path in write_leaderboard(records, folder / "out", sources=sources) if path.suffix == ".html")


@pytest.fixture
def open_page(watched_page, page_file):
    """Open the page, which asks for no file but itself."""

    def open_(scheme="light", width=1366, height=900, fragment=""):
        view = {"color_scheme": scheme, "viewport": {"width": width, "height": height}}
        page = watched_page(page_file.as_uri(), "data:", **view)
        page.goto(page_file.as_uri() + fragment)
        return page

    return open_


def _column(page, number):
    return page.locator("section.group").first.locator(
        f"tbody tr td:nth-child({number}), tbody tr th:nth-child({number})"
    )


def test_clicking_a_head_sorts_by_number_and_back(open_page):
    page = open_page()
    head = page.locator("section.group").first.locator("thead button")
    methods = _column(page, 2)
    assert methods.all_inner_texts() == ["cmp", HOSTILE, "random"]  # by rank
    head.filter(has_text="aAcc").click()
    assert methods.all_inner_texts() == ["random", HOSTILE, "cmp"]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("aAcc")
    head.filter(has_text="aAcc").click()
    assert methods.all_inner_texts() == ["cmp", HOSTILE, "random"]
    # A row without an amount stays last both ways.
    amounts = head.filter(has_text="learned from")
    for _ in range(2):
        amounts.click()
        assert methods.all_inner_texts()[-1] == "random"


def test_filters_leave_what_was_asked_for(open_page):
    page = open_page()
    rows = page.locator("tbody tr:visible")
    assert (rows.count(), page.locator("#count").inner_text()) == (5, "5 rows")
    page.fill("#search", "WALKER paper")
    assert rows.count() == 1
    assert page.locator("#count").inner_text() == "1 of 5 rows"
    assert page.locator("section.task:visible").count() == 1
    page.fill("#search", "no such thing")
    assert page.locator("#nothing").is_visible()
    page.fill("#search", "")
    page.uncheck("#reported")
    assert rows.count() == 3
    page.check("#reported")
    page.uncheck("#small")
    assert rows.count() == 2
    page.check("#small")
    page.select_option("#task", label="Human parsing, LIP single-person")
    assert rows.count() == 2


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_theme_follows_the_system_until_it_is_chosen(open_page, scheme, dark):
    page = open_page(scheme)

    def lightness(property_):
        text = page.evaluate(f"getComputedStyle(document.body).{property_}")
        return sum(int(part) for part in text[4:-1].split(",")) / 3

    def is_dark():
        return lightness("backgroundColor") < 60 and lightness("color") > 180

    def is_light():
        return lightness("backgroundColor") > 200 and lightness("color") < 80

    assert is_dark() if dark else is_light()
    button = page.locator("#theme")
    button.click()
    assert button.inner_text() == "Theme: light"
    assert is_light()
    button.click()
    assert button.inner_text() == "Theme: dark"
    assert is_dark()
    for _ in range(50):  # the browser keeps what a page stores a moment later, when it is busy
        page.reload()
        if button.inner_text() != "Theme: auto":
            break
        page.wait_for_timeout(100)
    assert button.inner_text() == "Theme: dark"
    button.click()
    assert is_dark() if dark else is_light()


def test_a_figure_opens_its_records(open_page, page_file):
    page = open_page()
    page.locator("tbody td a").first.click()
    panel = page.locator("#panel")
    assert panel.is_visible()
    assert page.locator("#panel-title").inner_text() == "cmp"
    assert panel.locator("h3").all_inner_texts() == ["seed 0", "seed 1", "seed 2"]
    assert "c0ffee" in panel.inner_text()
    panel.locator("summary", has_text="spec").first.click()
    assert "in the spec" in panel.locator("details[open] pre").inner_text()
    panel.locator("summary", has_text="protocol").click()  # once for all seeds
    assert '"head": "fcn"' in panel.locator("details[open] pre").first.inner_text()
    address = panel.locator("a").first.get_attribute("href")
    assert (page_file.parent / address).resolve().is_file()
    fragment = page.evaluate("location.hash")
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    # The dialog says that it closed a moment later; the page's policy forbids a condition evaluated inside it.
    page.wait_for_url(lambda url: not urlsplit(url).fragment)
    # The address of a panel can be sent to somebody.
    assert open_page(fragment=fragment).locator("#panel-title").inner_text() == "cmp"
    # An address that is none of the page's opens nothing.
    assert not open_page(fragment="#constructor").locator("#panel").is_visible()


def test_everything_can_be_done_from_the_keyboard(open_page):
    page = open_page()
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.id || document.activeElement.tagName")
        reached.add(name)
        if name == "A":
            break
    assert {"theme", "search", "task", "reproduced", "reported", "small", "SUMMARY", "BUTTON", "A"} <= reached
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "A"  # back where one was


@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("heading", ["Leaderboard", "A long heading, which takes all the room that there is " * 3])
def test_buttons_hold_their_words(open_page, width, heading):
    page = open_page(width=width, height=800)
    page.evaluate("text => { document.querySelector('h1').textContent = text }", heading)
    for theme in ("auto", "light", "dark"):
        assert page.locator("#theme").inner_text() == f"Theme: {theme}"
        assert page.evaluate("(b => b.scrollWidth <= b.clientWidth)(document.getElementById('theme'))")
        page.locator("#theme").click()


@pytest.mark.parametrize("width", [1366, 390])
def test_the_page_fits_its_window(open_page, width):
    page = open_page(width=width, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("tbody td a").first.click()
    assert page.locator("#panel").bounding_box()["width"] <= width
    assert page.evaluate("document.querySelector('#panel').scrollWidth <= document.querySelector('#panel').clientWidth")
