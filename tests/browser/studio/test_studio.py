"""The studio in a real browser: arrows and flow, undo, objects, clips, what is kept when something dies."""

import io
import json
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from pycocotools import mask as coco_mask

pytestmark = pytest.mark.browser

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))
RED, GROUND = list(parts["RED"]), list(parts["GROUND"])


def _truth(number, box):
    """An object of picture `number`: each picture is the first one, moved down by two rows a number."""
    mask = np.zeros((parts["HEIGHT"], parts["WIDTH"]), bool)
    mask[parts[box]] = True
    return np.roll(mask, 2 * number, axis=0)


def _download(page, press):
    with page.expect_download() as waiting:
        press()
    return Path(waiting.value.path()).read_bytes(), waiting.value.suggested_filename


def _wait_for_masks(page, studio, name, objects):
    """Wait until the kept document has so many objects, each with the mask of its last click."""
    masks = []
    while len(masks) != objects or not all(masks):
        page.wait_for_timeout(50)
        masks = [each["segmentation"] for each in studio.document(name)["objects"]]


def _saved(page):
    page.wait_for_function("() => document.getElementById('saved').textContent === 'Saved'")


def test_a_drag_draws_an_arrow_and_the_picture_changes_while_it_is_drawn(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p00.png")
    assert canvas.colour(28, 36) == RED
    canvas.drag((40, 28), (52, 28), release=False)
    canvas.wait_for_flow(0)  # before the button is released
    page.mouse.up()
    canvas.wait_for_text("#points", "predicted (12, 0), 100 % along it")
    moved = canvas.colour(28, 36)
    assert moved != RED
    assert moved[1] == pytest.approx(
        RED[1] * 0.35, abs=4
    )  # the flow's hue (red: to the right), over 65 % of the colour
    assert canvas.colour(80, 50) == list(parts["BLUE"])
    assert canvas.colour(10, 8) == GROUND
    page.locator("#show-flow").uncheck()
    assert canvas.colour(28, 36) == RED
    _saved(page)
    ((x, y, dx, dy),) = studio.document("p00.png")["guidance"]["arrows"]
    assert (x, y, dx, dy) == pytest.approx((40, 28, 12, 0), abs=0.2)


def test_undo_and_redo_take_back_and_give_again(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p01.png")
    canvas.drag((40, 30), (52, 30))
    canvas.wait_for_flow(0)
    canvas.click(75, 54)
    canvas.wait_for_text("#points", "Still point 1")
    page.locator("#undo").click()
    assert page.locator("#points", has_text="Still point").count() == 0
    page.keyboard.press("Control+z")
    canvas.wait_for_text("#points", "None yet")
    assert canvas.colour(28, 36) == RED  # neither arrow nor flow
    assert page.locator("#undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    canvas.wait_for_text("#points", "Still point 1")
    assert page.locator("#redo").is_disabled()
    _saved(page)
    kept = studio.document("p01.png")["guidance"]
    assert (len(kept["arrows"]), len(kept["stills"])) == (1, 1)


def test_arrows_are_changed_by_their_ends_and_removed(studio, open_studio):
    _, canvas = open_studio(studio, "folder/p02.png")
    canvas.drag((40, 30), (60, 30))
    canvas.wait_for_text("#points", "asked for (20, 0)")
    canvas.drag((60, 30), (60, 40))  # its head
    canvas.wait_for_text("#points", "asked for (20, 10)")
    canvas.drag((40, 30), (30, 26))  # its foot: the whole arrow
    canvas.wait_for_text("#points", "Arrow 1 at (30, 26)")
    canvas.wait_for_text("#points", "asked for (20, 10)")
    canvas.click(30, 26, button="right")
    canvas.wait_for_text("#points", "None yet")


def test_a_reload_finds_everything(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p03.png")
    canvas.drag((40, 34), (50, 34))
    page.keyboard.press("2")
    canvas.click(40, 34)
    canvas.wait_for_text("#status", "Mask in")
    page.keyboard.press("3")
    page.locator("#length").fill("30")
    page.locator("#length").press("Enter")
    _saved(page)
    before = studio.document("p03.png")
    assert before["script"]["keys"][-1]["frame"] == 30
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.url.endswith("#folder/p03.png")
    canvas.wait_for_text("#points", "asked for (10, 0)")
    page.locator("#canvas").focus()
    page.keyboard.press("2")
    canvas.wait_for_text("#objects", "1 on it, 0 beside it")
    assert canvas.colour(28, 30) != RED  # under the mask
    assert canvas.colour(10, 8) == GROUND
    assert studio.document("p03.png") == before


def test_clicks_cut_objects_out_and_they_are_exported(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p04.png")
    page.locator("#canvas").focus()
    page.keyboard.press("2")
    canvas.click(40, 36)
    canvas.wait_for_text("#objects", "1 on it")
    canvas.click(10, 60, button="right")
    canvas.wait_for_text("#objects", "1 on it, 1 beside it")
    page.get_by_label("Label of object 1").fill("red thing")
    page.get_by_label("Label of object 1").press("Enter")
    page.locator("#new-object").click()
    page.locator("#canvas").focus()
    canvas.click(75, 60)
    page.get_by_label("Label of object 2").fill("blue thing")
    page.get_by_label("Label of object 2").press("Enter")
    _wait_for_masks(page, studio, "p04.png", 2)
    page.locator("#export summary").click()
    content, name = _download(page, lambda: page.locator('[data-export="masks"]').click())
    assert name == "p04-masks.zip"
    archive = zipfile.ZipFile(io.BytesIO(content))
    masks = [np.array(Image.open(archive.open(file))) == 255 for file in archive.namelist()[:2]]
    assert archive.namelist()[:2] == ["001_red_thing.png", "002_blue_thing.png"]
    assert (masks[0] == _truth(4, "RED_BOX")).all()
    assert (masks[1] == _truth(4, "BLUE_BOX")).all()
    page.locator("#canvas").focus()
    page.keyboard.press("PageDown")  # the next picture
    page.wait_for_function("() => location.hash.endsWith('p05.png')")
    canvas.click(40, 38)
    canvas.wait_for_text("#status", "Mask in")
    page.locator("#export summary").click()
    content, _ = _download(page, lambda: page.locator('[data-export="coco"]').click())
    document = json.loads(content)
    numbers = {each["file_name"]: each["id"] for each in document["images"]}
    labels = {each["id"]: each["name"] for each in document["categories"]}
    found = {(each["image_id"], labels[each["category_id"]]): each for each in document["annotations"]}
    mask = coco_mask.decode(found[numbers["p04.png"], "blue thing"]["segmentation"]).astype(bool)
    assert (mask == _truth(4, "BLUE_BOX")).all()
    mask = coco_mask.decode(found[numbers["p05.png"], "object"]["segmentation"]).astype(bool)
    assert (mask == _truth(5, "RED_BOX")).all()


def test_masks_are_part_of_the_step_that_is_undone(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p06.png")
    page.locator("#canvas").focus()
    page.keyboard.press("2")
    canvas.click(40, 40)
    canvas.wait_for_text("#status", "Mask in")
    assert canvas.colour(28, 32) != RED
    page.keyboard.press("Control+z")
    page.wait_for_function("() => document.querySelectorAll('#objects li').length === 0")
    assert canvas.colour(28, 32) == RED
    page.keyboard.press("Control+y")
    canvas.wait_for_text("#objects", "1 on it")
    assert canvas.colour(28, 32) != RED


def test_flow_is_exported(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p07.png")
    canvas.drag((40, 42), (48, 36))
    canvas.wait_for_flow(0)
    page.locator("#export summary").click()
    content, _ = _download(page, lambda: page.locator('[data-export="flow"]').click())
    archive = zipfile.ZipFile(io.BytesIO(content))
    numbers = np.frombuffer(archive.read("flow.flo"), np.float32)[3:].reshape(parts["HEIGHT"], parts["WIDTH"], 2)
    assert numbers[_truth(7, "RED_BOX")] == pytest.approx(np.broadcast_to([8, -6], (24 * 32, 2)), abs=0.2)
    assert not numbers[~_truth(7, "RED_BOX")].any()


def test_a_time_line_becomes_a_clip(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p08.png")
    canvas.drag((40, 44), (52, 44))
    canvas.wait_for_flow(0)
    page.get_by_text("Animate", exact=True).click()
    assert page.locator("#key-frames button").all_inner_texts() == ["0", "12", "24"]  # rest, the arrow, rest
    page.get_by_label("Last frame").fill("16")
    page.get_by_label("Last frame").press("Enter")
    page.get_by_label("Key frame 0").click()
    canvas.wait_for_text("#points", "asked for (0, 0)")
    page.locator("#frame").fill("6")
    canvas.wait_for_text("#points", "asked for (6, 0)")  # half way
    page.locator("#add-key").click()
    assert page.locator("#key-frames button").all_inner_texts() == ["0", "6", "12", "16"]
    page.locator("#preview").click()
    page.wait_for_function("() => document.getElementById('clip').readyState >= 2")
    assert page.evaluate("document.getElementById('clip').duration") == pytest.approx(17 / 12, abs=0.1)
    page.locator("#fill").select_option("lookup")  # which is exact on a plain ground
    page.locator("#format").select_option("gif")
    content, name = _download(page, lambda: page.locator("#export-clip").click())
    assert name == "p08.gif"
    frames = [
        np.array(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))
    ]
    red = [(frame[..., 0] - frame[..., 1] > 120) for frame in frames]
    assert (red[0] == _truth(8, "RED_BOX")).all()
    assert (red[6] == np.roll(_truth(8, "RED_BOX"), 6, axis=1)).all()
    page.locator("#format").select_option("png")
    content, _ = _download(page, lambda: page.locator("#export-clip").click())
    assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) == 17


def test_nothing_is_lost_when_the_server_dies(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p09.png", quiet=False)
    canvas.drag((40, 46), (50, 46))
    canvas.wait_for_flow(0)
    _saved(page)
    studio.kill()
    canvas.drag((75, 62), (75, 56))  # while there is no server
    canvas.wait_for_text("#saved", "Not saved yet")
    assert len(studio.document("p09.png")["guidance"]["arrows"]) == 1
    studio.start()  # the page tries again by itself
    _saved(page)
    assert len(studio.document("p09.png")["guidance"]["arrows"]) == 2


def test_nothing_is_lost_when_server_and_browser_die(studio, open_studio):
    page, canvas = open_studio(studio, "folder/p10.png", quiet=False)
    studio.kill()
    canvas.drag((40, 48), (50, 48))
    canvas.wait_for_text("#saved", "Not saved yet")
    context = page.context
    page.close(run_before_unload=False)
    studio.start()
    page, canvas = open_studio(studio, "folder/p10.png", quiet=False, context=context)
    canvas.wait_for_text("#points", "asked for (10, 0)")
    _saved(page)
    page.wait_for_timeout(200)
    assert len(studio.document("p10.png")["guidance"]["arrows"]) == 1


@pytest.mark.parametrize("choice", ["theirs", "mine"])
def test_two_tabs_are_asked_whose_changes_count(studio, open_studio, choice):
    name, row = {"theirs": ("p11.png", 50), "mine": ("p12.png", 52)}[choice]
    first, canvas = open_studio(studio, f"folder/{name}", quiet=False)
    second, other = open_studio(studio, f"folder/{name}", quiet=False, context=first.context)
    canvas.drag((40, row), (50, row))
    canvas.wait_for_text("#points", "Arrow 1")
    first.wait_for_timeout(300)
    _saved(first)
    other.click(10, 10)
    second.locator("#conflict").get_by_role("button", name="Take" if choice == "theirs" else "Keep").click()
    second.wait_for_timeout(300)
    _saved(second)
    kept = studio.document(name)["guidance"]
    assert (len(kept["arrows"]), len(kept["stills"])) == ((1, 0) if choice == "theirs" else (0, 1))
    second.reload()  # nothing of it is asked again
    second.wait_for_selector("body[data-ready]")
    assert not second.locator("#conflict").is_visible()
