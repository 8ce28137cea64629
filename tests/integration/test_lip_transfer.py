"""Human parsing from spec to record, on data in CIHP's published layout and on the built-in world."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_motion.per_image.confusion import read_per_image, scores
from ssl_motion.record import read_record
from ssl_motion.spec import PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import transfer

TRUNK = {"arch": "alexnet_mini", "width": 6}
CPU = RuntimeSpec(device="cpu")


def _write_published_cihp(root: Path) -> int:
    """Write two splits of coloured parts, with an unknown border; returns the number of known pixels of val."""
    rng, known = np.random.default_rng(5), 0
    for split, folder, count in (("train", "Training", 4), ("val", "Validation", 3)):
        names = [f"{number:07d}" for number in range(count)]
        for name in names:
            size = (int(rng.integers(40, 70)), int(rng.integers(40, 70)))
            label = np.zeros(size, np.uint8)
            label[4:30, 4:20], label[4:30, 20:36], label[0] = 10, 14, 255
            for part, ending, pixels in (
                ("Images", "jpg", np.repeat(label[..., None] * 12, 3, axis=2)),
                ("Category_ids", "png", label),
            ):
                path = root / folder / part / f"{name}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
            known += int((label != 255).sum()) if split == "val" else 0
        (root / folder / f"{split}_id.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return known


def test_published_cihp_is_trained_on_and_scored_at_its_own_sizes(tmp_path: Path) -> None:
    known = _write_published_cihp(tmp_path / "instance-level_human_parsing")
    settings = {"preset": "cihp_fcn_small", "backbone": TRUNK, "iterations": 2, "batch_size": 2, "crop": 48}
    folder = transfer(TransferSpec(task="lip", task_config=settings), CPU, Store(tmp_path / "runs"), tmp_path)
    record = read_record(folder.path / "record.json")
    assert (record.scale, record.primary.name) == ("reduced", "mIoU")
    matrices = read_per_image(folder.path / "per_image.npz")
    assert matrices.names == [f"{number:07d}" for number in range(3)]
    assert matrices.total().sum() == known
    figures = scores(matrices.total())
    assert {metric.name: metric.value for metric in record.metrics} == pytest.approx(
        {"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy}
    )
    assert record.details["IoU"]["Torso-skin"] == pytest.approx(figures.iou[10])
    assert record.details["IoU"]["Left-arm"] == pytest.approx(figures.iou[14])


@pytest.mark.long
@pytest.mark.parametrize("preset", ["puppets_lip", "puppets_cihp"])
def test_it_learns_parts_in_the_built_in_world(tmp_path: Path, preset: str) -> None:
    world = PuppetsSpec(size=64, train_images=60, val_images=0, test_images=20)
    figures = {}
    for iterations in (2, 120):
        spec = TransferSpec(task="lip", task_config={"preset": preset, "iterations": iterations}, puppets=world)
        record = read_record(transfer(spec, CPU, Store(tmp_path)).path / "record.json")
        figures[iterations] = {metric.name: metric.value for metric in record.metrics}
    # Background alone gives an mIoU of 4 and about 75 % of the pixels.
    assert figures[120]["mIoU"] > 9
    assert figures[120]["mIoU"] > 2 * figures[2]["mIoU"]
    assert figures[120]["aAcc"] > 80
