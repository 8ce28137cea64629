"""What the studio answers, against a model whose answers are known."""

import base64
import io
import json
import runpy
import time
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

pytest.importorskip("fastapi", reason="needs the extra `studio`")
from fastapi.testclient import TestClient

from ssl_motion.flow.formats import read_flow
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.studio.app import create_app

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))
RED_BOX, BLUE_BOX, HEIGHT, WIDTH = (parts[name] for name in ("RED_BOX", "BLUE_BOX", "HEIGHT", "WIDTH"))
ONE = "folder/one.png"


@pytest.fixture
def studio(tmp_path):
    return parts["make_studio"](parts["make_folder"](tmp_path / "pictures"), tmp_path / "session")


@pytest.fixture
def client(studio):
    app = create_app(studio, parts["TOKEN"], frozenset({parts["HOST"]}))
    with TestClient(app, base_url=f"http://{parts['HOST']}", headers=parts["BEARER"]) as client:
        yield client


def _box(box):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[box] = True
    return mask


def _alpha(answer):
    return np.array(Image.open(io.BytesIO(base64.b64decode(answer["picture"]))))[..., 3]


def test_an_arrow_moves_what_it_stands_on(client):
    answer = client.post(f"/api/predict/{ONE}", json={"arrows": [[40, 30, 8, -6]], "stills": [[70, 50]]}).json()
    assert answer["radius"] == pytest.approx(10)
    assert answer["warnings"] == []
    arrow, still = answer["points"]
    assert arrow == {"foot": [40, 30], "asked": [8, -6], "predicted": [8, -6], "share": pytest.approx(1)}
    assert still["predicted"] == [0, 0]
    alpha = _alpha(answer)
    assert ((alpha > 0) == _box(RED_BOX)).all()
    assert (alpha[RED_BOX] == round(0.65 * 255)).all()


def test_the_network_looks_at_a_picture_once(client, studio):
    for dx in range(3):
        client.post(f"/api/predict/{ONE}", json={"arrows": [[40, 30, dx, 0]], "stills": []})
    assert studio.desk.predictor.method.looks == 1


def test_a_picture_that_changed_is_looked_at_again(client, tmp_path):
    asked = {"arrows": [[40, 30, 8, 0]], "stills": []}
    before = _alpha(client.post(f"/api/predict/{ONE}", json=asked).json())
    Image.fromarray(parts["flat_picture"]()[:, ::-1]).save(tmp_path / "pictures" / "one.png")
    after = _alpha(client.post(f"/api/predict/{ONE}", json=asked).json())
    assert ((after > 0) == (before > 0)[:, ::-1]).all()


def test_flow_of_large_pictures_comes_on_a_coarser_grid_in_pixels_of_the_picture(client, tmp_path):
    large = parts["flat_picture"]().repeat(12, axis=0).repeat(12, axis=1)
    Image.fromarray(large).save(tmp_path / "pictures" / "large.png")
    asked = {"arrows": [[12 * 40, 12 * 30, 96, 0]], "stills": []}
    answer = client.post("/api/predict/folder/large.png", json=asked).json()
    assert _alpha(answer).shape == (341, 512)
    assert answer["points"][0]["predicted"] == pytest.approx([96, 0])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"arrows": [[500, 1, 0, 0]], "stills": []}, "outside the image"),
        ({"arrows": [[1, 2, 3]], "stills": []}, "arrows"),
        ({"arows": []}, "arows"),
        ({"arrows": "many"}, "arrows"),
    ],
)
def test_wrong_guidance_is_refused_with_a_reason(client, body, said):
    answer = client.post(f"/api/predict/{ONE}", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]


def test_numbers_that_are_none_are_refused(client):
    content = b'{"arrows": [[1, 2, NaN, 3]], "stills": []}'
    answer = client.post(f"/api/predict/{ONE}", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_clicks_give_the_object(client):
    answer = client.post(f"/api/annotate/{ONE}", json={"positive": [[40, 30]], "negative": [[70, 50]]}).json()
    assert (coco_mask.decode(answer["segmentation"]).astype(bool) == _box(RED_BOX)).all()
    assert answer["share"] == pytest.approx(_box(RED_BOX).mean())
    nothing = client.post(f"/api/annotate/{ONE}", json={"positive": [], "negative": [[1, 1]]})
    assert (nothing.status_code, "positive" in nothing.json()["error"]) == (422, True)


def _annotated(client, picture, *objects):
    notes = []
    for label, point in objects:
        answer = client.post(f"/api/annotate/{picture}", json={"positive": [point], "negative": []}).json()
        notes.append({"label": label, "positive": [point], "negative": [], "segmentation": answer["segmentation"]})
    document = client.get(f"/api/documents/{picture}").json()["document"]
    assert client.put(f"/api/documents/{picture}", json={**document, "objects": notes}).status_code == 200


def test_masks_are_exported_as_pngs_and_coco(client):
    _annotated(client, ONE, ("red thing", [40, 30]), ("blue/../thing", [70, 50]))
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/export/masks/{ONE}").content))
    assert archive.namelist() == ["001_red_thing.png", "002_blue____thing.png", "annotation.json"]
    for name, box in zip(archive.namelist()[:2], (RED_BOX, BLUE_BOX), strict=True):
        assert (np.array(Image.open(archive.open(name))) == 255 * _box(box)).all()
    document = json.loads(archive.read("annotation.json"))
    assert [each["name"] for each in document["categories"]] == ["red thing", "blue/../thing"]


def test_all_objects_of_a_session_become_one_coco_file(client):
    assert client.get("/api/export/coco").status_code == 422
    _annotated(client, ONE, ("red", [40, 30]))
    _annotated(client, "folder/two.png", ("blue", [70, 52]), ("red", [40, 32]))
    document = client.get("/api/export/coco").json()
    assert [each["file_name"] for each in document["images"]] == ["one.png", "two.png"]
    assert [(each["image_id"], each["category_id"]) for each in document["annotations"]] == [(1, 1), (2, 2), (2, 1)]
    decoded = [coco_mask.decode(each["segmentation"]).astype(bool) for each in document["annotations"]]
    assert (decoded[0] == _box(RED_BOX)).all()
    assert (decoded[2] == np.roll(_box(RED_BOX), 2, axis=0)).all()


def test_flow_is_exported_as_propagate_writes_it(client, tmp_path, studio):
    assert "nothing was drawn" in client.get(f"/api/export/flow/{ONE}").json()["error"]
    guidance = {"arrows": [[40, 30, 8, -6]], "stills": []}
    client.put(f"/api/documents/{ONE}", json={"guidance": guidance})
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/export/flow/{ONE}").content))
    assert archive.namelist() == ["flow.flo", "flow.png", "flow_kitti.png", "guidance.json", "overlay.png"]
    (tmp_path / "flow.flo").write_bytes(archive.read("flow.flo"))
    flow = read_flow(tmp_path / "flow.flo")[0]
    assert (flow[RED_BOX] == [8, -6]).all()
    assert not flow[~_box(RED_BOX)].any()
    assert Guidance.model_validate(json.loads(archive.read("guidance.json"))) == Guidance(arrows=[(40, 30, 8, -6)])


SCRIPT = {
    "fps": 10,
    "keys": [
        {"frame": 0, "arrows": [[40, 30, 0, 0]], "stills": []},
        {"frame": 4, "arrows": [[40, 30, 8, 0]], "stills": []},
    ],
}


def _wait(client, facts, until=("done", "failed", "stopped")):
    deadline = time.monotonic() + 120
    while facts["state"] not in until and time.monotonic() < deadline:
        time.sleep(0.02)
        facts = client.get(f"/api/clips/{facts['job']}").json()
    return facts


def _frames(path):
    with av.open(str(path)) as clip:
        return [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]


def test_a_clip_is_made_frame_by_frame(client):
    order = {"script": SCRIPT, "format": "png", "fill": "lookup"}
    facts = _wait(client, client.post(f"/api/clips/{ONE}", json=order).json())
    assert (facts["state"], facts["done"], facts["total"]) == ("done", 5, 5)
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/clips/{facts['job']}/file").content))
    frames = [np.array(Image.open(archive.open(name))) for name in archive.namelist()]
    assert (frames[0] == parts["flat_picture"]()).all()
    for number, frame in enumerate(frames):
        red = (frame == parts["RED"]).all(axis=2)
        assert (red == np.roll(_box(RED_BOX), 2 * number, axis=1)).all()


def test_clips_play(client, tmp_path):
    facts = _wait(client, client.post(f"/api/clips/{ONE}", json={"script": SCRIPT, "preview": True}).json())
    answer = client.get(f"/api/clips/{facts['job']}/file")
    assert answer.headers["content-type"] == "video/mp4"
    (tmp_path / "clip.mp4").write_bytes(answer.content)
    assert len(_frames(tmp_path / "clip.mp4")) == 5
    part = client.get(f"/api/clips/{facts['job']}/file", headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)  # browsers ask so
    facts = _wait(client, client.post(f"/api/clips/{ONE}", json={"script": SCRIPT, "format": "gif"}).json())
    gif = Image.open(io.BytesIO(client.get(f"/api/clips/{facts['job']}/file").content))
    assert gif.n_frames == 5


def test_previews_of_large_pictures_are_small(client, tmp_path):
    large = parts["flat_picture"]().repeat(16, axis=0).repeat(16, axis=1)
    Image.fromarray(large).save(tmp_path / "pictures" / "large.png")
    keys = [{**key, "arrows": [[16 * value for value in key["arrows"][0]]]} for key in SCRIPT["keys"]]
    order = {"script": {"fps": 10, "keys": keys}, "preview": True, "fill": "lookup"}
    facts = _wait(client, client.post("/api/clips/folder/large.png", json=order).json())
    (tmp_path / "clip.mp4").write_bytes(client.get(f"/api/clips/{facts['job']}/file").content)
    last = _frames(tmp_path / "clip.mp4")[-1]
    assert max(last.shape) == 512
    # The red box went 8 of 96 columns to the right, and so did its reduced picture.
    middle = last[round(28 * 512 / 96), :, 0].astype(int) - last[round(28 * 512 / 96), :, 1]
    found = np.flatnonzero(middle > 100) * 96 / 512
    assert (found.min(), found.max()) == (pytest.approx(32, abs=2), pytest.approx(63, abs=2))


def test_a_clip_can_be_stopped(client):
    long = {"fps": 10, "keys": [SCRIPT["keys"][0], {**SCRIPT["keys"][1], "frame": 9000}]}
    facts = client.post(f"/api/clips/{ONE}", json={"script": long, "format": "png"}).json()
    assert client.get(f"/api/clips/{facts['job']}/file").status_code == 404
    client.delete(f"/api/clips/{facts['job']}")
    assert _wait(client, facts)["state"] == "stopped"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keys": SCRIPT["keys"][:1]}, "one frame"),
        ({"keys": [SCRIPT["keys"][0], {**SCRIPT["keys"][1], "arrows": []}]}, "arrows"),
        ({"keys": [SCRIPT["keys"][0], {**SCRIPT["keys"][1], "arrows": [[400, 30, 0, 0]]}]}, "outside"),
        ({"keys": [SCRIPT["keys"][0], {**SCRIPT["keys"][1], "frame": 10**9}]}, "frame"),
    ],
)
def test_wrong_scripts_are_refused_with_a_reason(client, change, said):
    answer = client.post(f"/api/clips/{ONE}", json={"script": {**SCRIPT, **change}})
    assert answer.status_code == 422
    assert said in answer.json()["error"]


def test_a_change_of_another_tab_is_a_conflict(client):
    document = client.get(f"/api/documents/{ONE}").json()["document"]
    changed = {**document, "guidance": {"arrows": [[1, 2, 3, 4]], "stills": []}}
    assert client.put(f"/api/documents/{ONE}", json=changed).json() == {"revision": 1}
    assert client.put(f"/api/documents/{ONE}", json=document).status_code == 409
    shown = client.get("/api/studio").json()["pictures"]
    assert [each["arrows"] for each in shown] == [1, 0]


def test_masks_of_another_size_are_not_kept(client):
    lie = {"label": "a", "positive": [[1, 1]], "negative": [], "segmentation": {"size": [9999, 9999], "counts": "1"}}
    answer = client.put(f"/api/documents/{ONE}", json={"objects": [lie]})
    assert (answer.status_code, "9999" in answer.json()["error"]) == (422, True)
    assert client.get(f"/api/documents/{ONE}").json()["document"]["objects"] == []


def test_a_damaged_document_spoils_its_own_picture_alone(client, tmp_path):
    client.put(f"/api/documents/{ONE}", json={})
    (path,) = (tmp_path / "session" / "documents").iterdir()
    path.write_text("{")
    one, two = client.get("/api/studio").json()["pictures"]
    assert path.name in one["fault"]
    assert "fault" not in two
