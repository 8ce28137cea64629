"""The labelled layouts of Puppets beside VOC's and COCO's segmentation: real readers read them, labels are exact."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ssl_motion.puppets import CLASSES, LIP_PARTS, ensure_dataset, render
from ssl_motion.puppets.labels import PERSON
from ssl_motion.puppets.layouts_common import CROP_AREA, CROP_SHARE, boxes, crops
from ssl_motion.spec import PuppetsSpec

SPEC = PuppetsSpec(size=64, train_images=12, val_images=5, test_images=6)
COUNTS = {"train": 12, "val": 5, "test": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_dataset(SPEC, tmp_path_factory.mktemp("data"), ("voc07", "imagefolder", "lip", "cihp"))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def test_voc07_lists_agree_with_its_boxes_and_with_the_scenes(folder: Path) -> None:
    root = folder / "VOCdevkit" / "VOC2007"
    sets = root / "ImageSets" / "Main"
    assert {path.name for path in sets.iterdir()} == {
        f"{kind}{split}.txt" for kind in ("", *(f"{name}_" for name in CLASSES[1:])) for split in (*COUNTS, "trainval")
    }
    assert _lines(sets / "trainval.txt") == _lines(sets / "train.txt") + _lines(sets / "val.txt")
    seen: Counter[int] = Counter()
    for split, count in COUNTS.items():
        names = _lines(sets / f"{split}.txt")
        assert len(names) == count
        flags = {name: dict(line.split() for line in _lines(sets / f"{name}_{split}.txt")) for name in CLASSES[1:]}
        for index, name in enumerate(names):
            scene = render(SPEC, split, index)  # type: ignore[arg-type]  # split is a stream's name
            things = ElementTree.parse(root / "Annotations" / f"{name}.xml").findall("object")
            assert len(things) == len(boxes(scene))
            for label, kind in enumerate(CLASSES[1:], start=1):
                own = [thing.findtext("difficult") for thing in things if thing.findtext("name") == kind]
                expected = -1 if not own else int("0" in own)
                assert int(flags[kind][name]) == expected
                assert (expected >= 0) == bool((scene.semantic == label).any())
                seen[expected] += 1
            assert (root / "JPEGImages" / f"{name}.jpg").is_file()
    assert seen[1] > 10
    assert seen[-1] > 10


def test_an_actor_of_which_hardly_anything_is_seen_is_difficult_and_neither_present_nor_absent(
    folder: Path, tmp_path: Path
) -> None:
    from ssl_motion.puppets import layouts_voc

    scene = render(SPEC, "train", 0)
    label = int(scene.semantic.max())
    instance = int(scene.instances[scene.semantic == label][0])
    rows, columns = np.nonzero(scene.instances == instance)
    scene.semantic[...], scene.instances[...] = 0, 0
    spot = (rows[:15], columns[:15])
    scene.semantic[spot], scene.instances[spot] = label, instance
    receipt = layouts_voc.write_detection(tmp_path, "train", 0, scene)
    layouts_voc.finish_detection(tmp_path, {"train": [receipt]})
    sets = tmp_path / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main"
    assert _lines(sets / f"{CLASSES[label]}_train.txt") == ["train_000000  0"]
    other = next(name for name in CLASSES[1:] if name != CLASSES[label])
    assert _lines(sets / f"{other}_train.txt") == ["train_000000 -1"]


def test_a_folder_of_images_has_every_class_and_one_actor_a_picture(folder: Path) -> None:
    root = folder / "imagefolder"
    classes = _lines(root / "classes.txt")
    assert classes == sorted(CLASSES[1:])
    for split, count in COUNTS.items():
        assert sorted(path.name for path in (root / split).iterdir()) == classes
        expected = {}
        for index in range(count):
            scene = render(SPEC, split, index)  # type: ignore[arg-type]
            for box, (rows, columns) in crops(scene):
                path = f"{CLASSES[box.label]}/{split}_{index:06d}_{box.instance}.jpg"
                expected[path] = scene.sample.image[rows, columns]
        assert {str(path.relative_to(root / split)) for path in (root / split).rglob("*.jpg")} == set(expected)
        for path, image in expected.items():
            stored = _pixels(root / split / path)
            assert stored.shape == image.shape
            assert np.median(np.abs(stored.astype(int) - image)) <= 4


def test_crops_hold_the_whole_actor_and_leave_out_those_that_others_hide() -> None:
    left_out: list[bool] = []
    for index in range(12):
        scene = render(SPEC, "train", index)
        kept = {box.instance: place for box, place in crops(scene)}
        for box in boxes(scene):
            if box.instance in kept:
                shown = scene.instances[kept[box.instance]]
                assert (shown == box.instance).sum() == box.area
                assert box.area >= max(CROP_AREA * 64 * 64, CROP_SHARE * (shown > 0).sum())
            left_out.append(box.instance not in kept)
    assert 0.1 < np.mean(left_out) < 0.5


def test_people_scenes_hold_persons_alone_and_the_other_scenes_stay_as_they_were() -> None:
    found = [render(SPEC, "people_train", index) for index in range(12)]
    assert all(set(np.unique(scene.semantic)) <= {0, PERSON} for scene in found)
    assert sum(bool((scene.semantic == PERSON).any()) for scene in found) == 12
    assert max(int(scene.instances.max()) for scene in found) >= 2
    assert not np.array_equal(found[0].sample.image, render(SPEC, "people_val", 0).sample.image)


def test_lip_shows_one_person_and_its_own_parts(folder: Path) -> None:
    root, several = folder / "LIP", 0
    for split, count in COUNTS.items():
        names = _lines(root / f"{split}_id.txt")
        scenes = [render(SPEC, f"people_{split}", index) for index in range(count)]  # type: ignore[arg-type]
        expected = {
            f"{split}_{index:06d}_{box.instance}": (scene, box.instance, place)
            for index, scene in enumerate(scenes)
            for box, place in crops(scene)
        }
        assert names == list(expected)
        assert {path.stem for path in (root / f"{split}_images").iterdir()} == set(names)
        for name, (scene, instance, place) in expected.items():
            label = _pixels(root / f"{split}_segmentations" / f"{name}.png")
            own = scene.instances[place] == instance
            np.testing.assert_array_equal(label[own], scene.parts[place][own])
            assert not label[~own].any()
            assert label.max() < len(LIP_PARTS)
            assert _pixels(root / f"{split}_images" / f"{name}.jpg").shape == (*label.shape, 3)
            several += bool((scene.instances[place][~own] > 0).any())
    assert several > 0, "no picture shows a second person: the test of its background could not fail"


def test_cihp_shows_all_persons_with_parts_and_numbers(folder: Path) -> None:
    root = folder / "CIHP"
    for split, count in COUNTS.items():
        names = _lines(root / "list" / f"{split}_id.txt")
        assert len(names) == count
        assert _lines(root / "list" / f"{split}.txt") == [f"/images/{name}.jpg /labels/{name}.png" for name in names]
        for index, name in enumerate(names):
            scene = render(SPEC, f"people_{split}", index)  # type: ignore[arg-type]
            np.testing.assert_array_equal(_pixels(root / "labels" / f"{name}.png"), scene.parts)
            np.testing.assert_array_equal(_pixels(root / "human_ids" / f"{name}.png"), scene.instances)
            assert _pixels(root / "images" / f"{name}.jpg").shape == (64, 64, 3)
