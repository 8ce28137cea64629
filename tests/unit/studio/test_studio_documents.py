"""What was done to a picture is kept: exactly, atomically, and never over what somebody else did."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from ssl_motion.annotation.export import encode_mask
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.studio.documents import Conflict, Document, DocumentStore, ObjectNotes, Segmentation

TESTS = Path(__file__).parents[2]
CONTENT = {
    "revision": 0,
    "guidance": {"arrows": [[1.5, 2, 3, -4]], "stills": [[5, 6]]},
    "objects": [
        {"label": "dog", "positive": [[1, 2]], "negative": [], "segmentation": {"size": [2, 3], "counts": "6"}}
    ],
    "script": {"fps": 12, "keys": [{"frame": 0, "arrows": [[1, 2, 0, 0]], "stills": []}]},
}


def test_what_is_written_is_read(tmp_path):
    store = DocumentStore(tmp_path / "documents")
    assert store.read("folder/a.png") == Document()
    kept = store.write("folder/a.png", Document.model_validate(CONTENT))
    assert kept.revision == 1
    again = DocumentStore(tmp_path / "documents").read("folder/a.png")
    assert again.model_dump(mode="json") == {**CONTENT, "revision": 1}
    assert store.read("added/a.png") == Document()  # another picture of that name


@given(keys=st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_no_two_pictures_share_a_file_and_none_leads_elsewhere(keys):
    store = DocumentStore.__new__(DocumentStore)
    store.folder = Path("documents")
    one, other = (store._path(key) for key in keys)
    assert one != other
    assert one.parent == other.parent == Path("documents")


def test_two_tabs_do_not_overwrite_each_other(tmp_path):
    store = DocumentStore(tmp_path)
    first = store.write("a", Document.model_validate(CONTENT))
    with pytest.raises(Conflict, match="another tab"):
        store.write("a", Document())
    assert store.read("a") == first


def test_a_change_that_is_sent_again_is_kept_once(tmp_path):
    store = DocumentStore(tmp_path)
    document = Document.model_validate(CONTENT)
    assert store.write("a", document) == store.write("a", document)
    assert store.read("a").revision == 1


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, monkeypatch):
    store = DocumentStore(tmp_path)
    kept = store.write("a", Document.model_validate(CONTENT))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ssl_motion.fileio.os.fsync", full)
    with pytest.raises(RunError, match="No space left"):
        store.write("a", Document(revision=1))
    monkeypatch.undo()
    assert store.read("a") == kept
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"document": {"objects": 3}}', '{"document": {"more": 1}}'])
def test_a_damaged_document_is_named_and_not_overwritten(tmp_path, text):
    store = DocumentStore(tmp_path)
    store.write("a", Document.model_validate(CONTENT))
    (path,) = tmp_path.iterdir()
    path.write_text(text)
    with pytest.raises(DataError, match=path.name):
        store.read("a")
    with pytest.raises(DataError, match=path.name):
        store.write("a", Document(revision=1))
    assert path.read_text() == text


@given(mask=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)))
def test_run_lengths_are_those_of_pycocotools(mask):
    segmentation = Segmentation.model_validate(encode_mask(mask))
    assert (segmentation.mask() == mask).all()
    assert (segmentation.mask() == coco_mask.decode(encode_mask(mask)).astype(bool)).all()


@given(counts=st.text(alphabet=[chr(code) for code in range(48, 112)], max_size=30))
def test_run_lengths_that_lie_are_refused(counts):
    segmentation = Segmentation(size=(5, 7), counts=counts)
    try:
        runs = segmentation.runs()
    except UsageError:
        return
    assert sum(runs) == 35
    assert min(runs) >= 0


@pytest.mark.parametrize(
    ("size", "counts", "said"),
    [((2, 2), "9999", "run lengths"), ((2, 2), "4", "a mask of 2 x 2"), ((3, 2), "6", "3 x 2")],
)
def test_masks_that_cannot_be_the_pictures_are_refused(size, counts, said):
    document = Document(objects=[ObjectNotes(label="a", segmentation=Segmentation(size=size, counts=counts))])
    with pytest.raises(UsageError, match=said):
        document.check_masks((2, 2) if counts == "9999" else (2, 3))
    Document.model_validate(CONTENT).check_masks((2, 3))


def test_documents_are_plain_json(tmp_path):
    DocumentStore(tmp_path).write("folder/ä b.png", Document.model_validate(CONTENT))
    (path,) = tmp_path.iterdir()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["picture"] == "folder/ä b.png"
    assert runpy.run_path(str(TESTS / "studio_session.py"))["TOKEN"] not in path.read_text()
