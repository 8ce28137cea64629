"""Human parsing: left and right on mirrored pictures, and the recipes against the settings that they stand for."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.puppets import LIP_PARTS, render
from ssl_motion.puppets.labels import PART_IDS
from ssl_motion.puppets.layouts_common import crops
from ssl_motion.spec import PuppetsSpec
from ssl_motion_benchmarks.lip import LIP
from ssl_motion_benchmarks.lip.presets import PRESETS

table = runpy.run_path(str(Path(__file__).parents[1] / "protocol_table.py"))
SIDED = {14: 15, 15: 14, 16: 17, 17: 16, 18: 19, 19: 18}


def task(**settings: Any) -> LIP:
    return LIP(LIP.Config.model_validate(settings))


def flip_of(preset: str) -> Any:
    """The preset's own flip, made certain to happen."""
    use_mmseg()
    from mmseg.registry import TRANSFORMS

    pipeline = task(preset=preset).recipe()["train_dataloader"]["dataset"]["dataset"]["pipeline"]
    steps = [step for step in pipeline if step["type"] == "RandomFlip"]
    assert len(steps) == 1
    return TRANSFORMS.build({**steps[0], "prob": 1.0})


def flipped(flip: Any, label: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    image = np.repeat(label[..., None], 3, axis=2)
    results = flip({"img": image, "gt_seg_map": label.copy(), "seg_fields": ["gt_seg_map"]})
    np.testing.assert_array_equal(results["img"], image[:, ::-1])
    found: npt.NDArray[np.uint8] = np.ascontiguousarray(results["gt_seg_map"])
    return found


LABELS = arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([*range(20), 255]))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_flip_swaps_exactly_the_sided_parts_and_two_flips_nothing(preset: str) -> None:
    flip = flip_of(preset)

    @given(LABELS)
    def check(label: npt.NDArray[np.uint8]) -> None:
        once = flipped(flip, label)
        expected = np.vectorize(lambda part: SIDED.get(part, part), otypes=[np.uint8])(label[:, ::-1])
        np.testing.assert_array_equal(once, expected)
        np.testing.assert_array_equal(flipped(flip, once), label)

    check()
    assert {LIP_PARTS[one].removeprefix("left-") for one in (14, 16, 18)} == {
        LIP_PARTS[other].removeprefix("right-") for other in (15, 17, 19)
    }


def _sides_as_from_the_front(label: npt.NDArray[np.uint8]) -> list[bool]:
    """Of each pair of limbs that both are seen: whether the own left one is on the viewer's right."""
    found = []
    for left, right in ((14, 15), (16, 17), (18, 19)):
        if (label == left).any() and (label == right).any():
            found.append(bool(np.nonzero(label == left)[1].mean() > np.nonzero(label == right)[1].mean()))
    return found


def test_persons_seen_from_the_front_stay_so_when_mirrored() -> None:
    flip = flip_of("puppets_lip")
    before: list[bool] = []
    after: list[bool] = []
    mirrored: list[bool] = []
    for index in range(60):
        scene = render(PuppetsSpec(size=64), "people_train", index)
        for box, place in crops(scene):
            label = np.ascontiguousarray(np.where(scene.instances == box.instance, scene.parts, 0)[place])
            # Whoever shows much of his face looks at the viewer; at the back of a head only the neck has this label.
            if (label == PART_IDS["face"]).sum() > 1.5 * (label == PART_IDS["hair"]).sum():
                before += _sides_as_from_the_front(label)
                after += _sides_as_from_the_front(flipped(flip, label))
                mirrored += _sides_as_from_the_front(np.ascontiguousarray(label[:, ::-1]))
    assert len(before) > 20
    assert np.mean(before) > 0.85
    assert np.mean(after) > 0.85
    assert np.mean(mirrored) < 0.15, "without the swap a mirrored picture would teach the wrong side"


def test_seeded_draws_swap_where_they_mirror(tmp_path: Path) -> None:
    """Through the very data set that training reads: either the stored label or its mirror image with sides swapped."""
    use_mmseg()
    from mmengine.config import ConfigDict
    from mmengine.registry import DefaultScope

    from ssl_motion.openmmlab.drawing import SeededDataset

    label = np.zeros((40, 40), np.uint8)
    label[5:10, 5:15], label[20:25, 30:38], label[30:38, 3:6], label[2:4, 20:30] = 14, 17, 18, 13
    folder = tmp_path / "LIP"
    for name in ("train_images", "train_segmentations"):
        (folder / name).mkdir(parents=True)
    Image.fromarray(np.repeat(label[..., None], 3, axis=2) * 9).save(folder / "train_images" / "a.jpg")
    Image.fromarray(label).save(folder / "train_segmentations" / "a.png")
    (folder / "train_id.txt").write_text("a\n")
    recipe = task(preset="puppets_lip").recipe()["train_dataloader"]["dataset"]["dataset"]
    kept = ("LoadImageFromFile", "LoadAnnotations", "RandomFlip", "PackSegInputs")
    recipe.update(data_root=str(folder), pipeline=[step for step in recipe["pipeline"] if step["type"] in kept])
    with DefaultScope.overwrite_default_scope("mmseg"):
        data = SeededDataset(ConfigDict(recipe), seed=3)
        drawn = [data[0, draw]["data_samples"].gt_sem_seg.data.numpy()[0] for draw in range(12)]
    swapped = np.vectorize(lambda part: SIDED.get(part, part), otypes=[np.uint8])(label[:, ::-1])
    seen = [("as stored" if np.array_equal(each, label) else "swapped") for each in drawn]
    assert all(np.array_equal(each, label) or np.array_equal(each, swapped) for each in drawn)
    assert set(seen) == {"as stored", "swapped"}


def test_the_flip_makes_what_the_authors_of_cihp_stored_as_reversed_labels(sample_data: Path) -> None:
    flip = flip_of("cihp_fcn_r50")
    paths = sorted((sample_data / "cihp" / "labels").glob("*.png"))
    assert paths
    for path in paths:
        label, reverse = (np.array(Image.open(each)) for each in (path, path.parents[1] / "labels_rev" / path.name))
        np.testing.assert_array_equal(flipped(flip, label), reverse)


# Section by section: mmsegmentation's fcn_r50-d8_4xb4-20k (network, schedule) and its _base_/datasets/lip.py (LIP).
FULL = {
    "train_dataloader.batch_size": 16,
    "train_cfg.max_iters": 20000,
    "optim_wrapper.optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005},
    "param_scheduler.0.type": "PolyLR",
    "param_scheduler.0.power": 0.9,
    "param_scheduler.0.end": 20000,
    "model.backbone.type": "SSLMotionResNet",
    "model.backbone.depth": 50,
    "model.backbone.dilations": [1, 1, 2, 4],
    "model.backbone.frozen_stages": table["ABSENT"],
    "model.backbone.norm_eval": False,
    "model.decode_head.num_classes": 20,
    "model.decode_head.channels": 512,
    "model.auxiliary_head.num_classes": 20,
    "model.auxiliary_head.loss_decode.loss_weight": 0.4,
    "model.data_preprocessor.size": [473, 473],
    "model.test_cfg.mode": "whole",
    "train_pipeline.3": {"type": "RandomCrop", "crop_size": [473, 473], "cat_max_ratio": 0.75},
    "train_pipeline.4": {"type": "RandomFlip", "prob": 0.5, "swap_seg_labels": [[14, 15], [16, 17], [18, 19]]},
}
LIP_ONLY = {
    "train_dataloader.dataset.dataset.type": "LIPDataset",
    "train_pipeline.2": {
        "type": "RandomResize", "scale": [520, 520], "ratio_range": [0.75, 1.25], "keep_ratio": False,
    },
    "train_pipeline.5": {"type": "RandomRotate", "prob": 0.6, "degree": 30},
    "train_pipeline.6": {"type": "PhotoMetricDistortion"},
    "test_pipeline.1": {"type": "Resize", "scale": [520, 520], "keep_ratio": False},
}  # fmt: skip
CIHP_ONLY = {
    "train_dataloader.dataset.dataset.metainfo.classes.10": "Torso-skin",
    "train_pipeline.2": {
        "type": "RandomResize", "scale": [2048, 473], "ratio_range": [0.5, 2.0], "keep_ratio": True,
    },
    "train_pipeline.5": {"type": "PhotoMetricDistortion"},
    "test_pipeline.1": {"type": "Resize", "scale": [2048, 473], "keep_ratio": True},
}  # fmt: skip


@pytest.mark.parametrize(("preset", "own"), [("lip_fcn_r50", LIP_ONLY), ("cihp_fcn_r50", CIHP_ONLY)])
def test_full_recipes_are_their_table(preset: str, own: dict[str, Any]) -> None:
    recipe = task(preset=preset).recipe()
    assert table["differences"](recipe, {**FULL, **own}) == {}
    # What is said at the top is what the loaders read.
    for loader, pipeline in (("train_dataloader", "train_pipeline"), ("test_dataloader", "test_pipeline")):
        dataset = recipe[loader]["dataset"]
        assert dataset.get("dataset", dataset)["pipeline"] == recipe[pipeline]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_state_what_they_are(preset: str) -> None:
    each = task(preset=preset)
    facts = each.protocol()
    assert facts["label_swap"] == [[14, 15], [16, 17], [18, 19]]
    assert facts["head"]["num_classes"] == 20
    assert facts["val_split"] == ("test" if preset.startswith("puppets_") else "val")
    assert each.scale == PRESETS[preset].scale  # type: ignore[index]  # one of the literals
    assert each.puppets_layouts == (("cihp",) if "cihp" in preset else ("lip",))
    longer = task(preset=preset, iterations=7)
    assert longer.protocol()["iterations"] == 7
    assert longer.scale != "full"


def test_wrong_wishes_are_refused() -> None:
    with pytest.raises(UsageError, match="not public"):
        task(preset="cihp_fcn_small", evaluate_on="test")
    with pytest.raises(UsageError, match="no stage 'conv9'"):
        task(preset="puppets_lip", freeze_to="conv9").protocol()
    assert task(preset="puppets_lip", freeze_to="conv3").protocol()["frozen_stages"] == "up to conv3"
    assert task(preset="lip_fcn_r50", freeze_to="layer2").protocol()["frozen_stages"] == 2
    assert task(preset="lip_fcn_r50", backbone={"arch": "resnet50", "output_stride": 8}).scale == "full"
