"""What is trained, and on which labels: frozen stages, few labels, and the ResNets of mmsegmentation."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from ssl_motion.data.label_lists import fixed_order, share_of
from ssl_motion.errors import DataError, UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.protocols import RunContext
from ssl_motion.record import read_record
from ssl_motion.spec import TransferSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.store import Store
from ssl_motion.transfer import make_plan
from ssl_motion_benchmarks.voc_fcn import VocFCN

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
RECORDS = Path(__file__).parents[2] / "reports" / "records"
VOC = "VOCdevkit/VOC2012"


def task(**settings: Any) -> VocFCN:
    return VocFCN(parse_spec(VocFCN.Config, settings, "test"))


def resolved(root: Path, run_dir: Path, **settings: Any) -> recipes.Recipe:
    return task(**settings).resolve(RunContext(run_dir=run_dir, weights=None, data_root=root, seed=0))


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_devkit(tmp_path_factory.mktemp("data"), train=24, val=2))


def listed(root: Path) -> list[str]:
    return (root / VOC / "ImageSets/Segmentation/train.txt").read_text(encoding="utf-8").split()


MADE_BEFORE = sorted({*RECORDS.glob("puppets_fcn-random-*.json"), *RECORDS.glob("puppets_linear-random-*.json")})


@pytest.mark.parametrize("path", MADE_BEFORE, ids=lambda path: path.stem)
def test_runs_made_before_these_settings_existed_keep_their_names(tmp_path: Path, path: Path) -> None:
    record = read_record(path)
    plan = make_plan(TransferSpec.model_validate(record.spec), Store(tmp_path))
    assert plan.folder.identity == record.identity
    assert plan.protocol == record.protocol
    everything = {**record.spec["task_config"], "label_fraction": 1.0, "freeze_to": None, "shots": None}
    same = TransferSpec.model_validate({**record.spec, "task_config": everything})
    assert make_plan(same, Store(tmp_path)).folder.identity == record.identity


@pytest.mark.parametrize("fraction", [0.5, 0.125, 1 / 30])
def test_a_share_of_the_labels_is_read_and_no_other(tmp_path: Path, devkit: Path, fraction: float) -> None:
    recipe = resolved(devkit, tmp_path, preset="voc12_fcn_small", label_fraction=fraction)
    file = Path(recipe["train_dataloader"]["dataset"]["dataset"]["ann_file"])
    assert file.is_absolute()
    assert file.is_relative_to(tmp_path)
    assert set(file.read_text(encoding="utf-8").split()) == set(share_of(listed(devkit), fraction))
    assert recipe["test_dataloader"]["dataset"]["ann_file"] == "ImageSets/Segmentation/val.txt"


def test_shots_show_every_class_so_often(tmp_path: Path, devkit: Path) -> None:
    few = task(preset="voc12_fcn_small", shots=2)
    recipe = few.resolve(RunContext(run_dir=tmp_path, weights=None, data_root=devkit, seed=0))
    names = Path(recipe["train_dataloader"]["dataset"]["dataset"]["ann_file"]).read_text(encoding="utf-8").split()
    classes = {
        name: set(np.unique(np.array(Image.open(devkit / VOC / "SegmentationClass" / f"{name}.png")))) - {0, 255}
        for name in listed(devkit)
    }
    for each in set().union(*classes.values()):
        first = [name for name in fixed_order(classes) if each in classes[name]][:2]
        assert set(first) <= set(names)
    assert len(names) <= 2 * 6
    assert few._chosen is not None
    shown = few._chosen[1].shown
    assert shown["images"] == len(names)
    assert shown["sofa"] == 0  # the devkit of the tests shows the classes 1 to 6
    for number, each in enumerate(("aeroplane", "bicycle", "bird", "boat", "bottle", "bus"), start=1):
        assert shown[each] == sum(number in classes[name] for name in names)


def test_both_layouts_of_sbd_give_the_same_images(tmp_path: Path) -> None:
    root = Path(make_devkit(tmp_path / "data", train=24, val=2))
    voc, names = root / VOC, listed(root)
    (voc / "SegmentationClass").rename(voc / "SegmentationClassAug")
    (voc / "SegmentationClass").symlink_to(voc / "SegmentationClassAug")
    lists = voc / "ImageSets/Segmentation"
    (lists / "train.txt").write_text("\n".join(names[:9]), encoding="utf-8")
    (lists / "aug.txt").write_text("\n".join(names[9:]), encoding="utf-8")
    settings = {"preset": "voc12_fcn_r50_mmseg", "label_fraction": 0.25}
    two = resolved(root, tmp_path / "two", **settings)["train_dataloader"]["dataset"]["dataset"]["datasets"]
    (lists / "trainaug.txt").write_text("\n".join(names), encoding="utf-8")
    one = resolved(root, tmp_path / "one", **settings)["train_dataloader"]["dataset"]["dataset"]["datasets"]
    chosen = [
        sorted(name for part in parts for name in Path(part["ann_file"]).read_text(encoding="utf-8").split())
        for parts in (two, one)
    ]
    assert chosen[0] == chosen[1] == sorted(share_of(names, 0.25))
    assert len(one) == 1
    (lists / "trainaug.txt").unlink()
    # One image of 24, so one of the two lists is left without any and drops out.
    single = resolved(root, tmp_path / "single", preset="voc12_fcn_r50_mmseg", label_fraction=1 / 30)
    (part,) = single["train_dataloader"]["dataset"]["dataset"]["datasets"]
    assert Path(part["ann_file"]).read_text(encoding="utf-8").split() == share_of(names, 1 / 30)


def test_few_labels_are_facts() -> None:
    fraction, shots = task(label_fraction=0.5).protocol(), task(shots=3).protocol()
    assert (fraction["labels"]["fraction"], shots["labels"]["shots"]) == (0.5, 3)
    assert "SHA-256" in shots["labels"]["rule"]
    assert {name for name in shots if shots[name] != task().protocol().get(name)} == {"labels"}
    assert task(preset="voc12_fcn_r50_mmseg", label_fraction=0.5).scale == "reduced"


def test_contradictions_and_broken_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="label_fraction and shots each choose the training images"):
        task(label_fraction=0.5, shots=1)
    with pytest.raises(UsageError, match="label_fraction"):
        task(label_fraction=0.0)
    root = Path(make_devkit(tmp_path, train=3, val=2))
    label = root / VOC / "SegmentationClass/train_001.png"
    Image.new("L", (80, 64), color=77).save(label)
    with pytest.raises(DataError, match=r"train_001\.png: label value 77, but there are 21 classes"):
        resolved(root, tmp_path / "run", preset="voc12_fcn_small", shots=1)
    label.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"train_001\.png: not a readable label"):
        resolved(root, tmp_path / "run", preset="voc12_fcn_small", shots=1)


@pytest.mark.parametrize(
    ("settings", "key", "value", "fact"),
    [
        ({}, "frozen", "conv3", "up to conv3"),
        ({"backbone": {"arch": "resnet18", "width": 8}}, "frozen", "layer2", "up to layer2"),
        ({"preset": "voc12_fcn32s_alexnet_zhan"}, "frozen", "fc7", "up to fc7"),
        ({"preset": "voc12_fcn_r50_mmseg"}, "frozen_stages", 0, 0),
        ({"preset": "voc12_fcn_r101_mmseg"}, "frozen_stages", 4, 4),
    ],
)
def test_frozen_stages_reach_the_recipe_and_the_facts(
    settings: dict[str, Any], key: str, value: str | int, fact: str | int
) -> None:
    stage = value if isinstance(value, str) else ("stem", "layer1", "layer2", "layer3", "layer4")[value]
    frozen, free = task(**settings, freeze_to=stage), task(**settings)
    assert frozen.recipe()["model"]["backbone"][key] == value
    facts = frozen.protocol()
    assert facts["frozen_stages"] == fact
    assert facts["bn_policy"].startswith("stored statistics in the frozen stages; batch statistics")
    assert {name for name in facts if facts[name] != free.protocol()[name]} == {
        "backbone", "bn_policy", "frozen_stages",
    }  # fmt: skip


def test_stages_that_cannot_be_frozen_are_refused() -> None:
    with pytest.raises(UsageError, match=r"alexnet_mini has no stage 'conv6'.*Its stages: conv1, .*conv5"):
        task(freeze_to="conv6").protocol()
    with pytest.raises(UsageError, match="keeps the whole trunk as it starts"):
        task(preset="puppets_linear", freeze_to="conv2").protocol()


@pytest.mark.parametrize(
    ("preset", "theirs", "channels"),
    [
        ("voc12_fcn_r101_mmseg", "fcn_r101-d8_4xb4-20k_voc12aug-512x512", (2048, 512, 1024, 256)),
        ("voc12_fcn_r18_mmseg", "fcn_r18-d8_4xb2-80k_cityscapes-512x1024", (512, 128, 256, 64)),
    ],
)
def test_deeper_and_shallower_resnets_are_those_of_mmsegmentation(
    preset: str, theirs: str, channels: tuple[int, ...]
) -> None:
    import mmseg

    path = Path(mmseg.__file__).parent / ".mim" / "configs" / "fcn" / f"{theirs}.py"
    ours = Config.fromfile(recipes.find_config("transfer", preset, ".py"), import_custom_modules=False)
    heads = (ours.model.decode_head, ours.model.auxiliary_head)
    assert tuple(head[key] for head in heads for key in ("in_channels", "channels")) == channels
    if path.is_file():
        other = Config.fromfile(path)
        assert ours.model.backbone.depth == other.model.backbone.depth
        for part in ("decode_head", "auxiliary_head"):
            same = set(ours.model[part]) - {"norm_cfg", "num_classes"}
            assert {key: ours.model[part][key] for key in same} == {key: other.model[part][key] for key in same}
    base = task(preset="voc12_fcn_r50_mmseg").protocol()
    facts = task(preset=preset).protocol()
    assert {name for name in facts if facts[name] != base[name]} == {"backbone", "head", "auxiliary_head"} - (
        {"head", "auxiliary_head"} if preset == "voc12_fcn_r101_mmseg" else set()
    )


def test_the_full_preset_of_the_built_in_world_is_the_quick_one_for_longer() -> None:
    quick, full = task().protocol(), task(preset="puppets_fcn_full").protocol()
    assert {name for name in full if full[name] != quick[name]} == {"iterations", "schedule"}
    assert full["iterations"] == full["schedule"][0]["total_steps"] == 3000
