"""Documents, arrows, clicks and names that were made to harm whoever keeps, reads or exports them."""

import io
import json
import runpy
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra `studio`")
from fastapi.exceptions import RequestValidationError

from ssl_motion.annotation.export import encode_mask
from ssl_motion.errors import DataError
from ssl_motion.studio.documents import Document, DocumentStore
from ssl_motion.studio.exports import mask_archive
from ssl_motion.studio.library import FOLDER, Picture

parts = runpy.run_path(str(Path(__file__).parents[2] / "studio_session.py"))
ONE = "folder/one.png"


def notes(mask: np.ndarray, count: int = 1, label: str = "thing") -> dict:
    """A document with `count` objects of one mask."""
    each = {"label": label, "positive": [[1, 1]], "negative": [], "segmentation": encode_mask(mask)}
    return {"objects": count * [each]}


def test_masks_are_exported_one_after_the_other(folder):
    # A thousand objects on 25 megapixels are 100 kB of run lengths, and 25 GB of masks.
    document = Document.model_validate(notes(np.eye(1000, dtype=bool), 50))
    tracemalloc.start()
    archive = mask_archive(Picture(FOLDER, folder / "one.png"), document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(zipfile.ZipFile(io.BytesIO(archive)).namelist()) == 51
    assert peak < 15_000_000  # of 50 MB


def test_masks_larger_than_any_picture_are_damage(tmp_path):
    store = DocumentStore(tmp_path)
    store.write("a", Document())
    (path,) = tmp_path.iterdir()
    lie = {"label": "a", "segmentation": {"size": [10**6, 10**6], "counts": "PPPPPPPn0"}}
    path.write_text(json.dumps({"document": {"objects": [lie]}}))
    with pytest.raises(DataError, match="1000000 x 1000000"):
        store.read("a")


@pytest.mark.parametrize("length", [1e6, 1e19, 1e30, 1e308])
def test_arrows_beyond_all_measure_are_refused_with_a_reason(client, length):
    guidance = {"arrows": [[40, 30, length, -length]], "stills": []}
    keys = [{"frame": 0, "arrows": [[40, 30, 0, 0]]}, {"frame": 2, "arrows": [[40, 30, length, 0]]}]
    assert client.put(f"/api/documents/{ONE}", json={"guidance": guidance}).status_code == 200  # kept as it is
    for answer in (
        client.post(f"/api/predict/{ONE}", json=guidance),
        client.get(f"/api/export/flow/{ONE}"),
        client.post(f"/api/clips/{ONE}", json={"script": {"keys": keys}}),
    ):
        assert answer.status_code == 422
        assert "arrow at (40, 30)" in answer.json()["error"]


def test_long_arrows_are_still_answered_and_exported(client):
    guidance = {"arrows": [[40, 30, 100_000, -100_000]], "stills": []}
    assert client.post(f"/api/predict/{ONE}", json=guidance).status_code == 200
    client.put(f"/api/documents/{ONE}", json={"guidance": guidance})
    assert client.get(f"/api/export/flow/{ONE}").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/api/predict/{ONE}", {"arrows": [0] * 20_000}),
        (f"/api/predict/{ONE}", {"stills": [[1, 1]] * 20_000}),
        (f"/api/annotate/{ONE}", {"positive": [0] * 20_000}),
        (f"/api/clips/{ONE}", {"script": {"keys": [0] * 20_000}}),
    ],
)
def test_lists_without_end_are_refused_at_once(client, monkeypatch, path, body):
    found = []
    plain = RequestValidationError.errors
    monkeypatch.setattr(RequestValidationError, "errors", lambda error: found.append(plain(error)) or found[-1])
    assert client.post(path, json=body).status_code == 422
    assert [len(each) for each in found] == [1]  # 8 MiB of zeros would be four million faults, of a kilobyte each


def test_documents_nested_without_end_spoil_their_own_picture_alone(client, tmp_path):
    client.put(f"/api/documents/{ONE}", json={})
    (path,) = (tmp_path / "session" / "documents").iterdir()
    path.write_text("[" * 100_000)
    one, two = client.get("/api/studio").json()["pictures"]
    assert path.name in one["fault"]
    assert "fault" not in two


LONG = "\U00020bb7"  # four bytes of UTF-8 and a letter, as many rarer Chinese ones


def test_labels_and_names_of_any_script_fit_into_file_names(client, folder):
    # Names may have 255 bytes, and letters four.
    (folder / f"{60 * LONG}.png").write_bytes((folder / "one.png").read_bytes())
    assert client.get("/api/studio").status_code == 200
    mask = np.zeros((parts["HEIGHT"], parts["WIDTH"]), bool)
    document = notes(mask, label=100 * LONG)
    assert client.put(f"/api/documents/folder/{60 * LONG}.png", json=document).status_code == 200
    archive = client.get(f"/api/export/masks/folder/{60 * LONG}.png")
    assert archive.status_code == 200
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        assert files.namelist()[0].startswith(f"001_{40 * LONG}")
        assert json.loads(files.read("annotation.json"))["categories"][0]["name"] == 100 * LONG
    for expected in ("", " (2)"):
        added = client.post(f"/api/pictures?name={100 * LONG}.png", content=(folder / "one.png").read_bytes()).json()
        assert added["name"] == f"{50 * LONG}{expected}.png"
