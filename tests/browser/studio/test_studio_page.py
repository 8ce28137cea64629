"""What people stumbled over on the studio's page: labels in the making, the menu, the time line, what is in sight."""

import pytest

pytestmark = pytest.mark.browser


def _has_mask(studio, name, clicks):
    (noted,) = studio.document(name)["objects"]
    return bool(noted["segmentation"]) and len(noted["positive"]) + len(noted["negative"]) == clicks


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
    assert studio.document("p00.png")["objects"][0]["label"] == "lynx"


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


def _animate(page, canvas):
    """A script with key frames 0, 12 and 24."""
    canvas.drag((40, 46), (52, 46))
    canvas.wait_for_text("#points", "asked for (12, 0)")
    canvas.canvas.focus()
    page.keyboard.press("3")
    assert page.locator("#key-frames button").all_inner_texts() == ["0", "12", "24"]


def _enter(field, value):
    field.fill(value)
    field.press("Enter")
    return field.input_value()


def test_the_time_line_says_why_a_value_is_not_taken(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p09.png")
    _animate(page, canvas)
    length, speed = page.get_by_label("Last frame"), page.get_by_label("Frames a second")
    for value in ("8", "-3", "99999999", "20.5", ""):
        assert _enter(length, value) == "24"
        said = page.locator("#length-fault").inner_text()
        assert "from 13 to 9999" in said
        assert "key frame at 12" in said
        assert value in said
    for value in ("0", "-3", "101"):
        assert _enter(speed, value) == "12"
        assert "1 to 100" in page.locator("#fps-fault").inner_text()
    assert _enter(length, "13") == "13"  # and what was said is gone
    assert _enter(speed, "23.976") == "23.976"
    assert page.locator(".fault").all_inner_texts() == ["", ""]
    assert page.locator("#key-frames button").all_inner_texts() == ["0", "12", "13"]


def _wait_until_in_sight(page, *selectors):
    """Wait until elements are seen without scrolling (those of a list that is drawn anew are away for a moment)."""
    page.wait_for_function(
        "selectors => selectors.every(selector => { const each = document.querySelector(selector);"
        " const box = each?.getBoundingClientRect();"
        " const top = box && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);"
        " return Boolean(top) && each.contains(top); })",
        arg=list(selectors),
        timeout=10_000,
    )


@pytest.mark.parametrize(("picture", "width", "height"), [("p10.png", 1280, 800), ("p11.png", 390, 780)])
def test_the_preview_is_seen_when_it_is_ready_and_can_be_closed(studio, open_studio, picture, width, height):
    page, canvas = open_studio(studio, f"folder/{picture}", viewport={"width": width, "height": height})
    canvas.canvas.scroll_into_view_if_needed()
    _animate(page, canvas)
    if width == 1280:
        _wait_until_in_sight(page, "#preview", "#export-clip", '#points [data-id="arrow 0"]')
    page.locator("#preview").click()
    page.wait_for_function("() => document.getElementById('clip').readyState >= 2")
    _wait_until_in_sight(page, "#clip", "#close-film", "#status")
    assert page.locator("#status").inner_text() == "The preview is ready."
    page.keyboard.press("Escape")
    assert not page.locator("#film").is_visible()
    assert page.locator("#status").inner_text() == ""
    canvas.canvas.focus()
    page.keyboard.press("p")
    page.locator("#film").wait_for()
    assert page.evaluate("document.activeElement.id") == "close-film"  # and not the picture that it covers
    page.keyboard.press("Enter")
    assert not page.locator("#film").is_visible()
    assert page.evaluate("document.activeElement.id") == "canvas"
    page.keyboard.press("p")
    page.locator("#film").wait_for()
    page.locator("#key-frames button").first.click()  # which shows the picture as it is there
    assert not page.locator("#film").is_visible()


def test_an_order_that_was_replaced_tells_nothing(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p12.png", quiet=False)
    _animate(page, canvas)
    ordered = []

    def answer(route):
        request = route.request
        if request.method == "POST":
            ordered.append(f"job{len(ordered)}")
            route.fulfill(json={"job": ordered[-1], "state": "running", "done": 0, "total": 25})
        elif request.method == "GET" and request.url.endswith("job0") and len(ordered) > 1:
            route.fulfill(status=404, json={"error": "no such clip"})
        else:
            route.fulfill(json={"job": ordered[-1], "state": "running", "done": len(ordered), "total": 25})

    page.route("**/api/clips/**", answer)
    page.locator("#export-clip").click()
    canvas.wait_for_text("#clip-text", "1 of 25 frames")
    page.locator("#export-clip").click()
    canvas.wait_for_text("#clip-text", "2 of 25 frames")
    page.wait_for_timeout(800)  # more than two questions after the first
    assert page.locator("#clip-row").is_visible()
    assert "being made" in page.locator("#status").inner_text()


def test_messages_go_with_what_they_are_about(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p13.png")
    status = page.locator("#status")
    canvas.canvas.focus()
    page.keyboard.press("2")
    canvas.click(40, 50)
    canvas.wait_for_text("#status", "Mask in")
    page.keyboard.press("3")
    assert status.inner_text() == ""
    page.keyboard.press("2")
    held = []
    page.route("**/api/annotate/**", lambda route: held.append(route))
    canvas.click(10, 60, button="right")
    while not held:
        page.wait_for_timeout(50)
    page.keyboard.press("3")
    held[0].continue_()
    while not _has_mask(studio, "p13.png", clicks=2):  # it came, and was kept
        page.wait_for_timeout(50)
    assert status.inner_text() == ""
    canvas.drag((40, 54), (52, 54))
    with page.expect_download():
        page.locator("#export-clip").click()
    canvas.wait_for_text("#status", "The clip is made.")
    said = page.evaluate(
        "() => { document.getElementById('export-clip').click();"
        " return document.getElementById('status').textContent; }"
    )
    assert said == "The clip is being made …"
    canvas.wait_for_text("#status", "The clip is made.")


def test_a_click_beside_the_picture_does_nothing(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p14.png")
    box = canvas.canvas.bounding_box()
    margin = (box["x"] + 3, box["y"] + 3)
    left, top = canvas.place(-0.5, -0.5)
    assert margin[0] < left
    assert margin[1] < top
    for button in ("left", "right"):
        page.mouse.click(*margin, button=button)
    page.mouse.move(*margin)
    page.mouse.down()
    page.mouse.move(*canvas.place(40, 40), steps=4)
    page.mouse.up()
    page.keyboard.press("2")
    page.mouse.click(*margin)
    assert page.locator("#undo").is_disabled()
    page.keyboard.press("1")
    canvas.drag((40, 10), (40, -3))  # the head of an arrow may lie beside the picture, and is taken hold of there
    canvas.wait_for_text("#points", "asked for (0, \N{MINUS SIGN}13)")
    canvas.drag((40, -3), (50, -3))
    canvas.wait_for_text("#points", "asked for (10, \N{MINUS SIGN}13)")
    canvas.click(50, -3, button="right")
    canvas.wait_for_text("#points", "None yet")
    canvas.click(0, 0)
    canvas.wait_for_text("#points", "Still point 1 at (0, 0)")


def test_the_list_of_pictures_is_one_stop_of_tab(studio, open_studio):
    page, _ = open_studio(studio, "folder/p15.png")
    focused = "document.activeElement.innerText ?? ''"
    stops = []
    while not stops or stops[-1] != "canvas":
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.innerText"))
        assert len(stops) < 12, stops
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused).startswith("p15.png")
    for key, name in (("ArrowDown", "p16"), ("ArrowUp", "p15"), ("Home", "p00"), ("ArrowUp", "p00"), ("End", "p23")):
        page.keyboard.press(key)
        assert page.evaluate(focused).startswith(name)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "canvas"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.endsWith('p22.png')")
