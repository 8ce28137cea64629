"""`check_data` says exactly what of a data set in COCO's layout is missing or wrong, and what to do."""

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ssl_motion.protocols import DataReport
from ssl_motion_benchmarks.coco_mask_rcnn import CocoMaskRCNN
from ssl_motion_benchmarks.coco_mask_rcnn.annotations import CLASSES

make_coco = runpy.run_path(str(Path(__file__).parents[1] / "coco_folder.py"))["make_coco"]
VAL = "annotations/instances_val2017.json"


def check(root: Path, preset: str = "coco_small") -> DataReport:
    return CocoMaskRCNN(CocoMaskRCNN.Config.model_validate({"preset": preset})).check_data(root)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return Path(make_coco(tmp_path / "with a space" / "coco", CLASSES, train=4, val=3))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_complete_data_are_found_from_either_folder(coco: Path) -> None:
    reports = [check(coco), check(coco.parent)]
    assert [report.missing for report in reports] == [[], []]
    assert reports[0].fingerprint == reports[1].fingerprint != ""
    assert "train2017: 4 images, 3 of them with 7 annotations" in reports[0].found[0]
    assert "val2017: 3 images, 2 of them with 5 annotations" in reports[0].found[1]


def test_fingerprint_follows_annotations_and_images(coco: Path) -> None:
    seen = {check(coco).fingerprint}
    image = coco / "train2017" / "000000000001.jpg"
    image.write_bytes(image.read_bytes() + b" ")
    seen.add(check(coco).fingerprint)
    edit(coco / VAL, lambda content: content["annotations"][0].update(area=600))
    seen.add(check(coco).fingerprint)
    assert len(seen) == 3
    (coco / "train2017" / "unlisted.jpg").write_bytes(b"")
    assert check(coco).fingerprint in seen


def test_nothing_there(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert [Path(line).name for line in report.missing] == ["instances_train2017.json", "instances_val2017.json"]
    assert "annotations_trainval2017.zip" in report.how_to_get
    assert not report.fingerprint


def test_other_names_of_splits_are_shown(coco: Path) -> None:
    (coco / VAL).rename(coco / "annotations/instances_val.json")
    report = check(coco)
    assert report.missing == [
        f"{coco / VAL} (there: instances_train2017.json, instances_val.json)",
    ]


def test_missing_images_are_counted_and_named(coco: Path) -> None:
    (coco / "train2017/000000000002.jpg").unlink()
    shutil.rmtree(coco / "val2017")
    report = check(coco)
    assert report.missing[0].startswith(f"1 images in {coco / 'train2017'}: 000000000002.jpg")
    assert report.missing[1].startswith(f"3 images in {coco / 'val2017'}")


def add(key: str, **entry: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content[key].append({**content[key][0], **entry})


def set_first(key: str, **entry: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content[key][0].update(entry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add("annotations", id=90, image_id=77), "1 annotations of images that are not listed: annotation 90 of 77"),
        (add("annotations", id=90, category_id=2), "1 annotations of unknown categories: annotation 90 of 2"),
        (set_first("annotations", id=0), "1 annotations numbered 0, or twice alike: annotation 0"),
        (set_first("annotations", id=2), "1 annotations numbered 0, or twice alike: annotation 2"),
        (set_first("annotations", segmentation=[]), "1 annotations without a mask: annotation 1"),
        (
            set_first("annotations", segmentation={"size": [80, 64], "counts": "PP"}),
            "1 masks of another size than their image: annotation 1",
        ),
        (set_first("annotations", bbox=[1, 2]), "1 annotations without box, area or iscrowd"),
        (add("images"), "1 numbers of images that occur twice"),
        (lambda content: content.update(annotations=[]), "lists no annotation of a single object"),
        (
            lambda content: content.update(annotations=content["annotations"][-1:]),
            "lists no annotation of a single object",
        ),
        (lambda content: content.update(images=[], annotations=[]), "lists no images"),
        (lambda content: content["categories"].pop(), "79 categories in place of the 80 expected; missing: toothbrush"),
        (set_first("categories", name="human"), "missing: person; unknown: human"),
        (lambda content: content["categories"].reverse(), "listed in another order"),
        (lambda content: content.pop("images"), "not in COCO's form: KeyError: 'images'"),
        (set_first("images", width=79), "1 fitting images .* 000000000001.jpg (80 x 64, listed as 79 x 64)"),
        (set_first("annotations", image_id=None), "not listed: annotation 1 of None"),
    ],
)
def test_faults_in_the_lists_are_named(coco: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    edit(coco / VAL, change)
    report = check(coco)
    assert not report.fingerprint
    head, _, tail = message.partition(" .* ")
    assert any(head in line and tail in line for line in report.missing), report.missing


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"images": 3}', '{"images": [3], "annotations": [], "categories": []}']
)
def test_files_that_are_no_annotations(coco: Path, content: str) -> None:
    (coco / VAL).write_text(content, encoding="utf-8")
    assert "not in COCO's form" in check(coco).missing[0]


def test_an_image_that_is_none(coco: Path) -> None:
    (coco / "val2017/000000000003.jpg").write_bytes(b"GIF? no")
    assert "000000000003.jpg (not an image)" in check(coco).missing[0]


def test_a_folder_of_grey_or_alpha_images_is_fine(coco: Path) -> None:
    Image.new("L", (80, 64)).save(coco / "val2017/000000000003.jpg")
    assert not check(coco).missing


def test_sample_data(sample_data: Path) -> None:
    """Real annotations: crowds, run lengths and classes without objects included."""
    report = check(sample_data)
    assert report.missing == []
    assert "train2017: 40 images" in report.found[0]
    assert "val2017: 20 images" in report.found[1]
