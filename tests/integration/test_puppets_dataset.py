"""Puppets on disk: real readers read the layouts, and interruptions cost nothing."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock
from PIL import Image

from ssl_motion.cli.puppets_verb import LAYOUTS as VERB_LAYOUTS
from ssl_motion.cli.puppets_verb import WORLDS as VERB_WORLDS
from ssl_motion.cli.puppets_verb import command
from ssl_motion.data.codec import decode_image, encode_image
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.puppets import (
    CLASSES,
    LAYOUTS,
    PALETTE,
    WORLDS,
    dataset,
    dataset_folder,
    ensure_dataset,
    fingerprint,
    layouts,
    missing_layouts,
    render,
)
from ssl_motion.spec import PuppetsSpec

SPEC = PuppetsSpec(size=48, pairs=7, val_pairs=2, train_images=5, val_images=3, test_images=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return ensure_dataset(SPEC, tmp_path_factory.mktemp("data"), LAYOUTS)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


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


def test_finished_layouts_are_reused_and_others_added(tmp_path, monkeypatch):
    ensure_dataset(SPEC, tmp_path, ["voc"])
    calls = []
    monkeypatch.setattr(
        dataset, "write_chunk", lambda *args: calls.append(args[2].layout) or layouts.write_chunk(*args)
    )
    assert missing_layouts(SPEC, tmp_path, ["voc", "shards"]) == ["shards"]
    ensure_dataset(SPEC, tmp_path, ["voc"])
    assert calls == []
    ensure_dataset(SPEC, tmp_path, ["voc", "shards"])
    assert set(calls) == {"shards"}
    assert missing_layouts(SPEC, tmp_path, ["voc", "shards"]) == []


def test_an_interrupted_rendering_continues_and_ends_the_same(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(layouts, "SHARD_PAIRS", 3)
    monkeypatch.setattr(layouts, "CHUNK_IMAGES", 2)
    whole = _content(ensure_dataset(SPEC, tmp_path / "whole", LAYOUTS))
    done = []

    def failing(folder, spec, chunk):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(chunk.name)
        return layouts.write_chunk(folder, spec, chunk)

    monkeypatch.setattr(dataset, "write_chunk", failing)
    with pytest.raises(KeyboardInterrupt):
        ensure_dataset(SPEC, tmp_path / "broken", LAYOUTS)
    assert missing_layouts(SPEC, tmp_path / "broken", LAYOUTS) == list(LAYOUTS)
    again = []
    monkeypatch.setattr(dataset, "write_chunk", lambda *args: again.append(args[2].name) or layouts.write_chunk(*args))
    broken = ensure_dataset(SPEC, tmp_path / "broken", LAYOUTS)
    assert not set(again) & set(done)
    assert _content(broken) == whole
    # Pictures and labels do not depend on how the work was cut; neither do COCO's index files.
    reference = _content(folder)
    for name, content in whole.items():
        if not name.startswith((".receipts", "shards")):
            assert content == reference[name], name


SCRIPT = """
import sys
from pathlib import Path
from ssl_motion.puppets import LAYOUTS, ensure_dataset
from ssl_motion.spec import PuppetsSpec
if __name__ == "__main__":
    spec = PuppetsSpec.model_validate_json(sys.argv[2])
    print(ensure_dataset(spec, Path(sys.argv[1]), LAYOUTS, processes=int(sys.argv[3])))
"""


def _start(tmp_path, root, processes):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(root), SPEC.model_dump_json(), str(processes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_several_processes_write_the_same_bytes(tmp_path, folder):
    process = _start(tmp_path, tmp_path / "data", 2)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert _content(Path(output.strip())) == _content(folder)


def test_a_second_process_waits_and_finds_all_done(tmp_path, folder):
    root = tmp_path / "data"
    target = dataset_folder(SPEC, root)
    target.mkdir(parents=True)
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    lock.acquire()
    process = _start(tmp_path, root, 1)
    try:
        assert process.stderr is not None
        assert "being rendered by another process; waiting" in process.stderr.readline()
        time.sleep(0.2)
        assert process.poll() is None
        for name, content in _content(folder).items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        times = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    finally:
        lock.release()
    output, _ = process.communicate(timeout=60)
    assert output.strip() == str(target)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == times


def test_a_killed_rendering_continues_and_ends_the_same(tmp_path, folder):
    root = tmp_path / "data"
    target = dataset_folder(SPEC, root)
    process = _start(tmp_path, root, 1)
    while not (target / ".receipts").is_dir():
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    # What such a process may leave behind, wherever it was hit.
    (target / "shards" / ".train-000000.tar.1.part").write_bytes(b"half")
    ensure_dataset(SPEC, root, LAYOUTS)
    assert _content(target) == _content(folder)


def test_two_threads_render_once(tmp_path):
    results: list[Path] = []
    threads = [
        threading.Thread(target=lambda: results.append(ensure_dataset(SPEC, tmp_path, ["voc"]))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]
    assert missing_layouts(SPEC, tmp_path, ["voc"]) == []


def test_a_shard_that_was_deleted_is_rendered_again(tmp_path):
    again = ensure_dataset(SPEC, tmp_path, ("shards",))
    whole = _content(again)
    (again / "shards" / "train-000000.tar").unlink()
    (again / "shards" / "train-000000.index.json").unlink()
    assert missing_layouts(SPEC, tmp_path, ("shards",)) == ["shards"]
    assert _content(ensure_dataset(SPEC, tmp_path, ("shards",))) == whole


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


OPTIONS = ["--size", "48", "--pairs", "7", "--val-pairs", "2", "--train", "5", "--val", "3", "--test", "4"]


def test_the_verb_renders_and_says_what_is_there(tmp_path):
    run = CliRunner()
    arguments = ["render", *OPTIONS, "--layout", "voc", "--out", str(tmp_path), "--json"]
    planned = run.invoke(command, [*arguments, "--dry-run"], catch_exceptions=False)
    plan = json.loads(planned.stdout)
    assert (plan["cached"], plan["missing"], plan["identity"]) == (False, ["voc"], fingerprint(SPEC))
    assert list(tmp_path.iterdir()) == []
    first = json.loads(run.invoke(command, arguments, catch_exceptions=False).stdout)
    second = json.loads(run.invoke(command, arguments, catch_exceptions=False).stdout)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["path"] == plan["path"] == str(dataset_folder(SPEC, tmp_path))
    assert Path(first["path"]).is_dir()
    assert "all was there" in run.invoke(command, arguments[:-1], catch_exceptions=False).stdout


def test_the_verb_draws_a_sheet(tmp_path):
    out = tmp_path / "sheets" / "sheet.png"
    arguments = ["preview", "--world", "full_camera", "--size", "48", "--count", "3", "--out", str(out)]
    assert "would write" in CliRunner().invoke(command, [*arguments, "--dry-run"], catch_exceptions=False).stdout
    assert not out.exists()
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    with Image.open(out) as picture:
        sheet = np.array(picture)
    # The first scene's image stands on the sheet, enlarged.
    zoom = 4
    scene = render(PuppetsSpec(world="full_camera", size=48), "pairs", 0)
    cell = np.repeat(np.repeat(scene.sample.image, zoom, axis=0), zoom, axis=1)
    spots = [
        (y, x)
        for y in range(0, 160)
        for x in range(0, 60)
        if np.array_equal(sheet[y, x : x + 48 * zoom], cell[0])
        and np.array_equal(sheet[y : y + 48 * zoom, x], cell[:, 0])
    ]
    assert len(spots) == 1


def test_the_verb_refuses_wrong_values(tmp_path):
    assert CliRunner().invoke(command, ["render", "--world", "moon"]).exit_code == 2
    result = CliRunner().invoke(command, ["render", "--size", "5", "--out", str(tmp_path)])
    assert isinstance(result.exception, UsageError)
    assert "size" in str(result.exception)
    # The verb lists names itself, so that its help needs no heavy import.
    assert tuple(WORLDS) == VERB_WORLDS
    assert VERB_LAYOUTS == LAYOUTS
