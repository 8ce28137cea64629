"""Where labels are shuffled between the training images, every figure falls to what can be had without looking.

The same data with their own labels are learned, in the same number of iterations: else the test would show nothing.
"""

import runpy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ssl_motion.plugins import BENCHMARKS, load
from ssl_motion.protocols import RunContext
from ssl_motion.puppets import ensure_dataset
from ssl_motion.spec import PuppetsSpec
from ssl_motion_benchmarks.voc07 import devkit

pytestmark = pytest.mark.timeout(3600)
TESTS = Path(__file__).parents[1]
make_devkit = runpy.run_path(str(TESTS / "voc_devkit.py"))["make_devkit"]
make_coco = runpy.run_path(str(TESTS / "coco_folder.py"))["make_coco"]
helpers = runpy.run_path(str(TESTS / "exchanged_images.py"))
exchange_images = helpers["exchange_images"]
blind_segmentation, blind_detection = helpers["blind_segmentation"], helpers["blind_detection"]

TRUNK = {"arch": "alexnet_mini", "width": 6}
WORLD = PuppetsSpec(train_images=300, val_images=100, test_images=200)


def figures(task: str, settings: dict[str, Any], root: Path, folder: Path) -> dict[str, float]:
    """Run a task on a folder from a random start, as the harness would."""
    chosen = load(BENCHMARKS, task)
    configured = chosen(chosen.Config.model_validate(settings))
    assert not configured.check_data(root).missing
    run_dir = folder / "runs" / "transfer" / root.name
    run_dir.mkdir(parents=True)
    context = RunContext(run_dir=run_dir, weights=None, data_root=root, seed=0, device="cpu")
    found: dict[str, float] = configured.run(context).metrics
    return found


def with_and_without(
    task: str, settings: dict[str, Any], root: Path, images: Sequence[Path], folder: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures with every image's own labels, and with those of another one. `root` is changed."""
    own = figures(task, settings, root, folder)
    copy = folder / "shuffled"
    shutil.copytree(root, copy)
    exchange_images([copy / path.relative_to(root) for path in images])
    return own, figures(task, settings, copy, folder)


@pytest.mark.parametrize(
    ("task", "settings", "margin"),
    [
        ("voc_fcn", {"preset": "voc12_fcn_small", "iterations": 60, "batch_size": 8, "lr": 0.003, "crop": 96}, 20),
        # A linear map on random features sees the squares less well.
        ("dense_linear", {"preset": "voc12_dense_small", "iterations": 300, "short_side": 64}, 4),
    ],
)
def test_segmentation_of_coloured_squares(task: str, settings: dict[str, Any], margin: float, tmp_path: Path) -> None:
    root = Path(make_devkit(tmp_path / "data", train=32, val=10))
    voc = root / "VOCdevkit" / "VOC2012"
    listed = {each: (voc / f"ImageSets/Segmentation/{each}.txt").read_text().split() for each in ("train", "val")}
    labels = {each: [voc / f"SegmentationClass/{name}.png" for name in names] for each, names in listed.items()}
    images = [voc / f"JPEGImages/{name}.jpg" for name in listed["train"]]
    own, shuffled = with_and_without(task, {**settings, "backbone": TRUNK}, root, images, tmp_path)
    chance = blind_segmentation(labels["train"], labels["val"], 21)
    print(f"\n{task}: own {own}, shuffled {shuffled}, chance {chance}")
    assert shuffled["mIoU"] < chance["mIoU"] + 3
    assert shuffled["aAcc"] < chance["aAcc"] + 1
    assert shuffled["mAcc"] < chance["mAcc"] + 8
    assert own["mIoU"] > chance["mIoU"] + margin
    assert own["mAcc"] > chance["mAcc"] + margin


@pytest.mark.long
def test_detection_of_coloured_squares(tmp_path: Path) -> None:
    from ssl_motion_benchmarks.coco_mask_rcnn.annotations import CLASSES

    root = Path(make_coco(tmp_path / "coco", CLASSES, train=60, val=20, size=(96, 128)))
    settings = {"preset": "coco_small", "backbone": TRUNK, "iterations": 300, "batch_size": 4}
    images = sorted((root / "train2017").glob("*.jpg"))
    own, shuffled = with_and_without("coco", settings, root, images, tmp_path)
    print(f"\ncoco: own {own}, shuffled {shuffled}")
    assert all(value < 3 for value in shuffled.values()), "boxes that are drawn without looking hardly overlap any"
    assert own["bbox_AP50"] > 15


@pytest.mark.long
@pytest.mark.parametrize("preset", ["puppets_lip", "puppets_cihp"])
def test_parsing(preset: str, tmp_path: Path) -> None:
    layout = preset.removeprefix("puppets_")
    root = ensure_dataset(WORLD, tmp_path, [layout])
    if layout == "lip":
        folder = next(path.parent for path in root.rglob("train_images"))
        labels = {each: sorted((folder / f"{each}_segmentations").iterdir()) for each in ("train", "test")}
        images = sorted((folder / "train_images").iterdir())
    else:
        folder = next(path.parent for path in root.rglob("list") if path.is_dir())
        listed = {each: (folder / f"list/{each}_id.txt").read_text().split() for each in ("train", "test")}
        labels = {each: [folder / f"labels/{name}.png" for name in names] for each, names in listed.items()}
        images = [folder / f"images/{name}.jpg" for name in listed["train"]]
    own, shuffled = with_and_without("lip", {"preset": preset}, root, images, tmp_path)
    chance = blind_segmentation(labels["train"], labels["test"], 20)
    print(f"\n{preset}: own {own}, shuffled {shuffled}, chance {chance}")
    assert shuffled["mIoU"] < chance["mIoU"] + 3
    assert shuffled["aAcc"] < chance["aAcc"] + 2
    assert own["mIoU"] > shuffled["mIoU"] + 3


@pytest.mark.long
def test_one_class_a_picture(tmp_path: Path) -> None:
    root = ensure_dataset(WORLD, tmp_path, ["imagefolder"])
    images = sorted(root.glob("imagefolder/train/*/*.jpg"))
    own, shuffled = with_and_without("imagenet_linear", {}, root, images, tmp_path)
    sizes = [len(list(folder.iterdir())) for folder in root.glob("imagefolder/test/*")]
    chance, total = 100 * max(sizes) / sum(sizes), sum(sizes)
    spread = 100 * (chance / 100 * (1 - chance / 100) / total) ** 0.5
    print(f"\nimagenet_linear: own {own}, shuffled {shuffled}, commonest class {chance:.1f} +- {spread:.1f}")
    assert shuffled["top1"] < chance + 3 * spread
    assert own["top1"] > chance + 4 * spread


@pytest.mark.long
@pytest.mark.parametrize("preset", ["puppets_cls", "puppets_svm"])
def test_several_classes_a_picture(preset: str, tmp_path: Path) -> None:
    root = ensure_dataset(WORLD, tmp_path, ["voc07"])
    voc = root / "VOCdevkit" / "VOC2007"
    names = (voc / "ImageSets/Main/trainval.txt").read_text().split()
    images = [voc / f"JPEGImages/{name}.jpg" for name in names]
    own, shuffled = with_and_without("voc07_cls", {"preset": preset}, root, images, tmp_path)
    # A ranking by chance has the share of the images that show the class as its precision, on the whole.
    shares = []
    for path in sorted(voc.glob("ImageSets/Main/*_test.txt")):
        values = [int(line.split()[1]) for line in path.read_text().splitlines()]
        shares.append(100 * values.count(1) / max(1, len(values) - values.count(0)))
    chance = sum(shares) / len(shares)
    print(f"\n{preset}: own {own}, shuffled {shuffled}, chance {chance:.1f}")
    assert abs(shuffled["mAP"] - chance) < 6
    assert own["mAP"] > chance + 8


@pytest.mark.long
def test_boxes(tmp_path: Path) -> None:
    root = ensure_dataset(WORLD, tmp_path, ["voc07"])
    voc = devkit.voc_root(root)
    names = {split: devkit.read_list(voc, split) for split in ("trainval", "test")}
    images = [voc / f"JPEGImages/{name}.jpg" for name in names["trainval"]]
    classes = devkit.class_names(builtin=True)
    known, asked = ([devkit.read_objects(voc, name, classes) for name in each] for each in names.values())
    # Actors are large and near the middle: boxes that are drawn without looking hit some of them.
    chance = blind_detection(known, asked, len(classes), "envelope")
    chance07 = blind_detection(known, asked, len(classes), "11-point")
    own, shuffled = with_and_without("voc07_det", {"preset": "puppets_det"}, root, images, tmp_path)
    print(f"\nvoc07_det: own {own}, shuffled {shuffled}, chance {chance:.1f} {chance07:.1f}")
    assert shuffled["mAP"] < chance + 2
    assert shuffled["mAP07"] < chance07 + 3
    assert own["mAP"] > chance + 5
