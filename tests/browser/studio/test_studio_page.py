"""What people stumbled over on the studio's page: labels that are being typed, the menu, the time line, what is in sight."""

import json

import pytest

pytestmark = pytest.mark.browser


def _document(studio, name):
    (path,) = (path for path in (studio.session / "documents").iterdir() if path.name.startswith(f"{name}-"))
    return json.loads(path.read_text())["document"]


def _annotate(page, canvas):
    canvas.canvas.focus()
    page.keyboard.press("2")
    page.locator("#new-object").click()
    return page.get_by_label("Label of object 1")


def test_each_letter_of_a_label_is_kept(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p00.png", quiet=False)
    label = _annotate(page, canvas)
    label.fill("")
    page.keyboard.type("lynx")  # and the field keeps the focus
    page.reload()
    page.wait_for_selector("body[data-ready]")
    canvas.canvas.focus()
    page.keyboard.press("2")
    assert page.get_by_label("Label of object 1").input_value() == "lynx"
    assert not page.locator("#conflict").is_visible()  # whatever of it had arrived
    page.wait_for_function("() => document.getElementById('saved').textContent === 'Saved'")
    assert _document(studio, "p00.png")["objects"][0]["label"] == "lynx"


def test_a_label_is_one_step_of_the_history_and_never_empty(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p01.png")
    label = _annotate(page, canvas)
    label.fill("")
    page.keyboard.type("red lynx")
    page.locator("#undo").click()
    assert label.input_value() == "object"
    page.locator("#redo").click()
    assert label.input_value() == "red lynx"
    label.fill("  ")
    label.press("Enter")
    assert label.input_value() == "red lynx"


def test_the_menu_of_exports_goes_when_something_else_is_done(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p02.png")
    menu, summary = page.locator("#export .menu"), page.locator("#export summary")
    summary.click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert not menu.is_visible()
    assert page.evaluate("document.activeElement.matches('#export summary')")
    summary.click()
    canvas.click(10, 50)
    assert not menu.is_visible()
    summary.click()
    page.locator('input[name="mode"][value="move"]').focus()
    assert menu.is_visible()
    page.keyboard.press("ArrowRight")  # annotate
    assert not menu.is_visible()
