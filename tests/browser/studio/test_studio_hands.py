"""The studio by keyboard alone, on a phone, light and dark; pictures that people add, hostile ones too."""

import json
import runpy
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.browser

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
HOSTILE = '<img src=x onerror="window.hacked=1">'


def _tab_to(page, selector, most=60):
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_everything_is_done_by_keyboard(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p13.png")
    _tab_to(page, "#canvas")
    # The cursor begins in the middle, at (48, 32); Shift goes by single pixels.
    page.keyboard.press("Enter")
    canvas.wait_for_text("#status", "An arrow starts here")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    canvas.wait_for_text("#place", "x 53, y 29")
    page.keyboard.press("Enter")
    canvas.wait_for_text("#points", "asked for (5, \N{MINUS SIGN}3)")
    canvas.wait_for_text("#points", "Arrow 1 at (48, 32)")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    canvas.wait_for_text("#points", "Still point 1")
    page.keyboard.press("Delete")  # the nearest: the still point
    page.wait_for_function("() => !document.getElementById('points').textContent.includes('Still')")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")  # gives the second arrow up
    page.keyboard.press("Control+z")
    canvas.wait_for_text("#points", "Still point 1")

    page.keyboard.press("2")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Enter")
    canvas.wait_for_text("#objects", "1 on it, 0 beside it")
    page.keyboard.press("Space")
    canvas.wait_for_text("#objects", "1 on it, 1 beside it")
    page.keyboard.press("n")
    canvas.wait_for_text("#objects", "0 on it, 0 beside it")

    page.keyboard.press("3")
    canvas.wait_for_text("#frame-number", "12 (key)")  # where the arrow is as it was drawn
    page.keyboard.press(".")
    canvas.wait_for_text("#frame-number", "13")
    page.keyboard.press("k")
    canvas.wait_for_text("#frame-number", "13 (key)")
    page.keyboard.press("PageDown")
    page.wait_for_function("() => location.hash.endsWith('p14.png')")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_every_control_is_reached_by_tab_and_shows_it(studio, open_studio):
    page, _ = open_studio(studio, "folder/p14.png")
    page.locator('input[name="mode"][value="animate"]').check()
    wanted = set(page.evaluate(
        "[...document.querySelectorAll('header button:enabled, #tools button, #panel button:enabled')]"
        ".filter(each => each.checkVisibility()).map(each => each.id)"
    ))  # fmt: skip
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
        outline = page.evaluate(
            "(() => { const at = document.activeElement.closest('.button') ?? document.activeElement;"
            " const shown = at.matches('[name=mode]') ? at.nextElementSibling : at;"
            " return at === document.body ? 'solid' : getComputedStyle(shown).outlineStyle; })()"
        )
        assert outline == "solid" or page.evaluate("document.activeElement.tagName") == "VIDEO"
    assert {name for name in wanted if name} <= reached


def _wait_for_other(page, name, before):
    """Wait until the canvas shows the picture at another scale or place."""
    page.wait_for_function(
        "([name, before]) => document.getElementById('canvas').dataset[name] !== before", arg=[name, before]
    )


def test_zoom_keeps_what_is_under_the_pointer_and_fit_brings_it_back(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p15.png")
    before = canvas.place(40, 50)
    scale = canvas.canvas.get_attribute("data-scale")
    page.mouse.move(*before)
    page.mouse.wheel(0, -600)
    _wait_for_other(page, "scale", scale)
    assert canvas.place(40, 50) == pytest.approx(
        before, abs=2
    )  # browsers round the pointer's place, which is zoomed too
    assert canvas.place(80, 50)[0] - before[0] > 2 * 40
    scale = canvas.canvas.get_attribute("data-scale")
    page.locator("#fit").click()
    _wait_for_other(page, "scale", scale)
    assert canvas.place(40, 50) == pytest.approx(before, abs=0.6)
    left = canvas.canvas.get_attribute("data-left")
    page.mouse.move(*before)
    page.mouse.down(button="middle")
    page.mouse.move(before[0] + 30, before[1] - 20)
    page.mouse.up(button="middle")
    _wait_for_other(page, "left", left)
    assert canvas.place(40, 50) == pytest.approx((before[0] + 30, before[1] - 20), abs=0.6)


def test_a_finger_draws_on_a_phone(studio, open_studio, browser):
    context = browser.new_context(viewport={"width": 390, "height": 780}, has_touch=True, device_scale_factor=2)
    try:
        page, canvas = open_studio(studio, "folder/p16.png", context=context)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        session = context.new_cdp_session(page)
        page.locator("#canvas").scroll_into_view_if_needed()
        for kind, place in (("touchStart", (40, 50)), ("touchMove", (45, 50)), ("touchMove", (52, 50))):
            x, y = canvas.place(*place)
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        canvas.wait_for_text("#points", "asked for (12, 0)")
        for mode in ("annotate", "animate"):
            page.locator(f'input[name="mode"][value="{mode}"]').check()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_contrast_and_labels_hold(browser, studio, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    # The page's policy keeps foreign scripts out, axe's too: it is checked without it.
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 860}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{studio.url}#folder/p17.png")
    page.wait_for_selector("body[data-ready]")
    page.locator("#canvas").focus()
    for key in ("Enter", "ArrowRight", "Enter", "ArrowDown", "Space", "2", "Enter"):
        page.keyboard.press(key)
    page.locator("#objects li").first.wait_for()
    found = {}
    for key in ("1", "2", "3", "?"):
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        if key == "1":
            page.locator("#export summary").click()
        broken = axe.run(page, options=RULES).response["violations"]
        if key == "1":
            page.locator("#export summary").click()
        page.locator("#canvas").focus()
        if broken:
            found[key] = [(each["id"], [node["html"][:120] for node in each["nodes"]][:3]) for each in broken]
    context.close()
    assert found == {}


def test_pictures_are_added_and_hostile_ones_refused(studio, open_studio, tmp_path):
    page, canvas = open_studio(studio, "folder/p18.png", quiet=False)  # the browser's console names refusals
    Image.fromarray(parts["flat_picture"]()).save(tmp_path / "mine.png")
    page.locator("#add").set_input_files(tmp_path / "mine.png")
    page.wait_for_function("() => location.hash.startsWith('#added/mine')")
    canvas.wait_for_text("#pictures", "mine.png")
    (tmp_path / "evil.png").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1"/>')
    page.locator("#add").set_input_files(tmp_path / "evil.png")
    canvas.wait_for_text("#status", "evil.png: not a picture, or damaged")
    assert page.locator("#pictures", has_text="evil").count() == 0


def test_names_and_labels_are_text_wherever_they_stand(studio, open_studio):
    Image.fromarray(parts["flat_picture"]()).save(studio.folder / f"{HOSTILE.replace('/', '')}.png")
    (studio.folder / "broken.png").write_bytes(b"no picture")
    try:
        page, canvas = open_studio(studio, "folder/p19.png", quiet=False)
        page.locator("#canvas").focus()
        page.locator("#canvas").focus()
        page.keyboard.press("2")
        canvas.click(40, 60)
        page.get_by_label("Label of object 1").fill(HOSTILE)
        page.get_by_label("Label of object 1").press("Enter")
        page.wait_for_timeout(300)
        page.wait_for_function("() => document.getElementById('saved').textContent === 'Saved'")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        canvas.wait_for_text("#pictures", "<img src=x")
        page.locator("#pictures button", has_text="broken.png").click()
        canvas.wait_for_text("#status", "broken.png: not a picture")
        assert page.evaluate("window.hacked") is None
        documents = (studio.session / "documents").glob("p19.png-*.json")
        assert json.loads(next(documents).read_text())["document"]["objects"][0]["label"] == HOSTILE
    finally:
        for path in studio.folder.glob("<img*"):
            path.unlink()
        (studio.folder / "broken.png").unlink()
