"""Puppets on disk: real readers read the layouts."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ssl_motion.data.codec import decode_image, encode_image
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.puppets import CLASSES, LAYOUTS, PALETTE, dataset_folder, ensure_dataset, fingerprint, render
from ssl_motion.spec import PuppetsSpec

SPEC = PuppetsSpec(size=48, pairs=7, val_pairs=2, train_images=5, val_images=3, test_images=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return ensure_dataset(SPEC, tmp_path_factory.mktemp("data"), LAYOUTS)


def test_folder_is_named_after_its_content(folder):
    assert folder.name == f"puppets-still-48-{fingerprint(SPEC)}"
    assert folder == dataset_folder(SPEC, folder.parent)
    manifest = json.loads((folder / "dataset.json").read_text())
    assert manifest["layouts"] == list(LAYOUTS)
    assert PuppetsSpec(**manifest["spec"]) == SPEC


def test_shards_hold_the_scenes(folder):
    info = ShardSet(folder / "shards")
    assert (info.count("train"), info.count("val")) == (7, 2)
    assert info.info["flow_supervision"] == "exact flow"
    assert list(info.verify()) == []
    for split, stream in (("train", "pairs"), ("val", "val_pairs")):
        for index, stored in enumerate(ShardPairs([folder / "shards"], split)):
            drawn = render(SPEC, stream, index).sample
            np.testing.assert_allclose(stored.flow, drawn.flow, atol=1 / 128)
            np.testing.assert_array_equal(stored.valid, drawn.valid)
            np.testing.assert_array_equal(stored.image, decode_image(encode_image(drawn.image)))
            assert stored.clip == drawn.clip


def test_voc_devkit_reads_as_such(folder):
    root = folder / "VOCdevkit" / "VOC2012"
    sets = {path.stem: path.read_text().split() for path in (root / "ImageSets" / "Segmentation").glob("*.txt")}
    assert {name: len(names) for name, names in sets.items()} == {"train": 5, "val": 3, "test": 4, "trainval": 8}
    assert not set(sets["train"]) & set(sets["val"]) | set(sets["trainval"]) & set(sets["test"])
    for stream in ("train", "val", "test"):
        for index, name in enumerate(sets[stream]):
            scene = render(SPEC, stream, index)
            with Image.open(root / "SegmentationClass" / f"{name}.png") as picture:
                assert picture.mode == "P"
                np.testing.assert_array_equal(np.array(picture.getpalette()[:27]).reshape(-1, 3), PALETTE)
                np.testing.assert_array_equal(np.array(picture), scene.semantic)
            with Image.open(root / "SegmentationObject" / f"{name}.png") as picture:
                np.testing.assert_array_equal(np.array(picture), scene.instances)
            with Image.open(root / "JPEGImages" / f"{name}.jpg") as picture:
                # JPEG halves the resolution of colour, so single pixels at edges may be far off.
                assert np.median(np.abs(np.array(picture).astype(int) - scene.sample.image)) <= 4
            objects = ElementTree.parse(root / "Annotations" / f"{name}.xml").findall("object")
            assert len(objects) == len(set(np.unique(scene.instances)) - {0})
            for thing in objects:
                left, top, right, bottom = (
                    int(thing.findtext(f"bndbox/{key}")) - 1 for key in ("xmin", "ymin", "xmax", "ymax")
                )
                label = CLASSES.index(thing.findtext("name"))
                inside = scene.semantic[top : bottom + 1, left : right + 1] == label
                # A tight box has the class on each of its four borders.
                assert all(border.any() for border in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def test_coco_reads_with_pycocotools(folder, capsys):
    from pycocotools.coco import COCO

    for split, count in (("train", 5), ("val", 3), ("test", 4)):
        coco = COCO(folder / "coco" / "annotations" / f"instances_{split}.json")
        assert [entry["name"] for entry in coco.loadCats(coco.getCatIds())] == list(CLASSES[1:])
        assert len(coco.getImgIds()) == count
        for index, image in enumerate(coco.loadImgs(coco.getImgIds())):
            assert (folder / "coco" / split / image["file_name"]).is_file()
            scene = render(SPEC, split, index)
            drawn = np.zeros((48, 48), np.uint8)
            for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
                mask = coco.annToMask(annotation).astype(bool)
                assert not drawn[mask].any()
                drawn[mask] = annotation["category_id"]
                rows, columns = np.nonzero(mask)
                x, y, width, height = annotation["bbox"]
                assert (x, y) == (columns.min(), rows.min())
                assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
                assert annotation["area"] == mask.sum()
            np.testing.assert_array_equal(drawn, scene.semantic)
    capsys.readouterr()


@pytest.mark.slow
def test_openmmlab_datasets_load_the_layouts(folder):
    from ssl_motion.openmmlab.libraries import use_mmdet, use_mmseg

    use_mmseg()
    use_mmdet()
    from mmdet.datasets import CocoDataset
    from mmengine.registry import DefaultScope
    from mmseg.datasets import BaseSegDataset

    metainfo = {"classes": CLASSES, "palette": PALETTE.tolist()}
    with DefaultScope.overwrite_default_scope("mmseg"):
        root = str(folder / "VOCdevkit" / "VOC2012")
        segmentation = BaseSegDataset(
            data_root=root,
            ann_file="ImageSets/Segmentation/train.txt",
            data_prefix={"img_path": "JPEGImages", "seg_map_path": "SegmentationClass"},
            img_suffix=".jpg",
            seg_map_suffix=".png",
            metainfo=metainfo,
            pipeline=[{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
        )
        assert len(segmentation) == 5
        np.testing.assert_array_equal(segmentation[2]["gt_seg_map"], render(SPEC, "train", 2).semantic)
    with DefaultScope.overwrite_default_scope("mmdet"):
        detection = CocoDataset(
            data_root=str(folder / "coco"),
            ann_file="annotations/instances_test.json",
            data_prefix={"img": "test/"},
            metainfo={"classes": CLASSES[1:]},
            test_mode=True,
            pipeline=[{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True}],
        )
        assert len(detection) == 4
        for index in range(4):
            item = detection[index]
            scene = render(SPEC, "test", index)
            masks = item["gt_masks"].masks
            assert masks.sum() == (scene.semantic > 0).sum()
            for mask, label in zip(masks, item["gt_bboxes_labels"], strict=True):
                assert (scene.semantic[mask > 0] == label + 1).all()


def test_splits_may_be_empty(tmp_path):
    spec = SPEC.model_copy(update={"val_images": 0})
    folder = ensure_dataset(spec, tmp_path, ["voc", "coco"])
    assert (folder / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "val.txt").read_text() == ""
    content = json.loads((folder / "coco" / "annotations" / "instances_val.json").read_text())
    assert content["images"] == content["annotations"] == []


def test_wrong_requests_and_places_are_answered(tmp_path):
    with pytest.raises(UsageError, match="got ade; there are shards, voc, coco, voc07"):
        ensure_dataset(SPEC, tmp_path, ["ade"])  # type: ignore[list-item] - the wrong name is the point
    with pytest.raises(UsageError, match="got none"):
        ensure_dataset(SPEC, tmp_path, [])
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(RunError, match="cannot write"):
        ensure_dataset(SPEC, blocked, ["voc"])
    folder = ensure_dataset(SPEC, tmp_path, ["voc"])
    (folder / "dataset.json").write_text("{")
    with pytest.raises(DataError, match=r"dataset\.json is damaged.*Remove it and repeat"):
        ensure_dataset(SPEC, tmp_path, ["voc"])


def test_spaces_and_odd_letters_in_the_path(tmp_path):
    folder = ensure_dataset(SPEC, tmp_path / "a folder ü", ["shards"])
    assert len(ShardPairs([folder / "shards"], "val")) == 2
