"""Detection recipes: the published settings one by one, any trunk below the pyramid, and frozen stages."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.libraries import use_mmdet
from ssl_motion.openmmlab.pyramid import pyramid_stages
from ssl_motion.seeding import seed_everything
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import save_weights
from ssl_motion_benchmarks.coco_mask_rcnn import CocoMaskRCNN
from ssl_motion_benchmarks.coco_mask_rcnn.annotations import CLASSES
from ssl_motion_benchmarks.coco_mask_rcnn.presets import PRESETS

EPOCH = 7330  # iterations of 16 images in train2017's 117,266 with boxes


def task(**settings: Any) -> CocoMaskRCNN:
    return CocoMaskRCNN(CocoMaskRCNN.Config.model_validate(settings))


def theirs(name: str) -> Any:
    """A config of mmdetection's own, where it came with its configs."""
    import mmdet

    path = Path(mmdet.__file__).parent / ".mim" / "configs" / name
    if not path.is_file():
        pytest.skip("mmdetection came without its configs")
    return _plain(Config.fromfile(path))


def _plain(config: Any) -> Any:
    return recipes._plain(config.to_dict())


def differences(ours: Any, other: Any, place: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (ours, theirs), where they differ; None for a key that is not there."""
    if isinstance(ours, dict) and isinstance(other, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted(ours.keys() | other.keys()):
            found |= differences(ours.get(key), other.get(key), f"{place}.{key}".lstrip("."))
        return found
    return {} if ours == other else {place: (ours, other)}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_read_and_state_their_protocol(preset: str) -> None:
    facts = task(preset=preset).protocol()
    assert facts["val_split"] == ("test" if preset.startswith("puppets_") else "val2017")
    assert task(preset=preset).scale == PRESETS[preset].scale  # type: ignore[index]  # one of the literals
    assert facts == task(preset=preset).protocol()
    assert "data_root" not in str(facts)
    assert "weights" not in facts["backbone"]


def test_the_protocols_never_mix() -> None:
    facts = [task(preset=preset).protocol() for preset in PRESETS]
    assert all(facts[i] != facts[j] for i in range(len(facts)) for j in range(i))
    assert task(preset="coco_ssl_1x", freeze_to="layer1").protocol() != task(preset="coco_ssl_1x").protocol()


def test_2019_against_mmdetections_legacy_config() -> None:
    other, ours = theirs("legacy_1.x/mask-rcnn_r50_fpn_1x_coco_v1.py"), recipes.load_recipe("coco_cmp2019")
    found = differences(ours["model"], other["model"])
    assert {key for key in found if not key.startswith("backbone.")} == {"train_cfg.rpn.allowed_border"}
    assert found["train_cfg.rpn.allowed_border"] == (0, -1)  # as in version 1 itself
    assert other["model"]["backbone"]["frozen_stages"] == 1
    assert other["model"]["backbone"]["norm_eval"] is True
    assert ours["model"]["backbone"]["frozen"] == "layer1"
    assert ours["model"]["backbone"]["norm_eval"] is True
    assert ours["optim_wrapper"]["optimizer"] == other["optim_wrapper"]["optimizer"]
    assert ours["train_pipeline"] == [
        {key: value for key, value in step.items() if key != "backend_args"} for step in other["train_pipeline"]
    ]
    filtered = ours["train_dataloader"]["dataset"]["dataset"]["filter_cfg"]
    assert filtered == other["train_dataloader"]["dataset"]["filter_cfg"]
    assert ours["param_scheduler"][1]["milestones"] == [8 * EPOCH, 11 * EPOCH]


def test_mmselfsup_against_mmdetections_own_config() -> None:
    other, ours = theirs("mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"), recipes.load_recipe("coco_ssl_1x")
    found = differences(ours["model"], other["model"])
    # What mmselfsup changes: norms everywhere, the box head, nothing frozen.
    norm = {"type": "BN", "requires_grad": True}
    assert {key: value for key, value in found.items() if not key.startswith("backbone.")} == {
        "neck.norm_cfg": (norm, None),
        "roi_head.bbox_head.norm_cfg": (norm, None),
        "roi_head.bbox_head.type": ("Shared4Conv1FCBBoxHead", "Shared2FCBBoxHead"),
        "roi_head.mask_head.norm_cfg": (norm, None),
    }
    assert ours["sync_bn"] == "torch"
    assert not ours["model"]["backbone"].keys() & {"frozen", "norm_eval"}
    assert ours["optim_wrapper"] == other["optim_wrapper"]
    warm_up, steps = ours["param_scheduler"]
    assert warm_up == other["param_scheduler"][0]
    assert steps["milestones"] == [EPOCH * epoch for epoch in other["param_scheduler"][1]["milestones"]]
    assert ours["iterations"] == ours["train_cfg"]["max_iters"] == EPOCH * other["train_cfg"]["max_epochs"]
    assert ours["train_dataloader"]["batch_size"] == 8 * other["train_dataloader"]["batch_size"]
    assert ours["test_pipeline"] == [
        {key: value for key, value in step.items() if key != "backend_args"}
        for step in other["test_pipeline"]
        if step["type"] != "LoadAnnotations"  # the metric reads the annotations' file itself
    ]


def test_twice_as_long() -> None:
    once, twice = task(preset="coco_ssl_1x").protocol(), task(preset="coco_ssl_2x").protocol()
    assert {key for key in once if once[key] != twice[key]} == {"iterations", "schedule"}
    assert twice["iterations"] == 24 * EPOCH
    assert twice["schedule"][0]["end"] == 1000
    assert twice["schedule"][1]["milestones"] == [16 * EPOCH, 22 * EPOCH]


def test_classes_are_mmdetections() -> None:
    use_mmdet()
    from mmdet.datasets import CocoDataset

    assert CocoDataset.METAINFO["classes"] == CLASSES


def network(recipe: recipes.Recipe) -> Any:
    use_mmdet()
    from mmdet.registry import MODELS

    with MODELS.switch_scope_and_registry("mmdet"):
        model = MODELS.build(Config({"model": recipe["model"]}).model)
    model.init_weights()
    return model


TRUNKS: list[tuple[dict[str, Any], list[int], list[int]]] = [
    ({"arch": "resnet18", "width": 8}, [4, 8, 16, 32], [4, 8, 16, 32]),
    ({"arch": "resnet18", "width": 8, "output_stride": 8}, [4, 8], [4, 8, 16, 32]),
    ({"arch": "alexnet_mini", "width": 6}, [4, 8], [4, 8, 16, 32]),
    ({"arch": "alexnet_32x", "width": 6}, [4, 8, 16, 32], [4, 8, 16, 32]),
]


@pytest.mark.parametrize(("trunk", "regions", "anchors"), TRUNKS)
def test_any_trunk_goes_below_the_pyramid(trunk: dict[str, Any], regions: list[int], anchors: list[int]) -> None:
    recipe = task(preset="coco_small", backbone=trunk).recipe()
    model = recipe["model"]
    assert model["rpn_head"]["anchor_generator"]["strides"] == [*anchors, 64]
    assert model["roi_head"]["bbox_roi_extractor"]["featmap_strides"] == regions
    assert model["roi_head"]["mask_roi_extractor"]["featmap_strides"] == regions
    built = network(recipe).eval()
    with torch.no_grad():
        levels = built.neck(built.backbone(torch.zeros(1, 3, 128, 192)))
    assert [(level.shape[2], level.shape[3]) for level in levels] == [(128 // s, 192 // s) for s in [*anchors, 64]]


def test_a_coarser_finest_level_takes_larger_regions() -> None:
    assert pyramid_stages(BackboneSpec(arch="alexnet_8x")) == {"conv2": (4, 256), "fc7": (8, 4096)}
    recipe = recipes.load_recipe("coco_ssl_1x")
    for node in recipes.nodes(recipe["model"], lambda node: "featmap_strides" in node):
        node["featmap_strides"] = [8, 16]
    from ssl_motion.openmmlab.pyramid import set_pyramid

    set_pyramid(recipe, BackboneSpec(arch="resnet18"))
    assert recipe["model"]["roi_head"]["bbox_roi_extractor"]["finest_scale"] == 28


def test_frozen_stages_and_statistics() -> None:
    small = {"arch": "resnet18", "width": 8}
    model = network(task(preset="coco_cmp2019", backbone=small).recipe()).train()
    trunk = model.backbone.trunk
    fixed = {name.split(".")[0] for name, value in trunk.named_parameters() if not value.requires_grad}
    assert fixed == {"conv1", "bn1", "layer1"}
    norms = [part for part in trunk.modules() if isinstance(part, nn.BatchNorm2d)]
    assert not any(part.training for part in norms)
    assert trunk.layer2[0].bn1.weight.requires_grad
    later = network(task(preset="coco_cmp2019", backbone=small, freeze_to="layer3").recipe()).backbone.trunk
    assert not later.layer3[0].conv1.weight.requires_grad
    assert later.layer4[0].conv1.weight.requires_grad
    free = network(task(preset="coco_small", backbone=small).recipe()).train()
    assert all(part.training for part in free.modules() if isinstance(part, nn.BatchNorm2d))
    facts = task(preset="coco_cmp2019").protocol()
    assert (facts["frozen_stages"], facts["bn_policy"]) == ("layer1", "stored statistics, affine trained")


def test_a_stage_that_the_trunk_lacks_is_named() -> None:
    with pytest.raises(UsageError, match=r"keeps the trunk up to 'layer1'.*--freeze-to which of conv1, conv2"):
        task(preset="coco_cmp2019", backbone={"arch": "alexnet_8x"}).protocol()
    frozen = task(preset="coco_cmp2019", backbone={"arch": "alexnet_8x"}, freeze_to="conv1").protocol()
    assert frozen["frozen_stages"] == "conv1"
    with pytest.raises(UsageError, match=r"no stage 'layer5'.*Did you mean"):
        task(freeze_to="layer5", backbone={"arch": "resnet18"}).protocol()


def test_heads_start_equal_in_every_arm_and_weights_arrive(tmp_path: Path) -> None:
    spec = BackboneSpec(arch="alexnet_mini", width=6)
    torch.manual_seed(9)
    trunk = build_backbone(spec)
    save_weights(tmp_path, trunk, spec=spec, method="cmp", run=None, pretraining=None, source="")
    states = []
    for weights in (None, str(tmp_path)):
        recipe = task(preset="puppets_coco", backbone=spec.model_dump()).recipe()
        recipe["model"]["backbone"]["weights"] = weights
        seed_everything(4)
        states.append(network(recipe).state_dict())
    random, pretrained = states
    assert random.keys() == pretrained.keys()
    heads = [name for name in random if not name.startswith("backbone.")]
    assert len(heads) > 20
    for name in heads:
        assert torch.equal(random[name], pretrained[name]), name
    for name, tensor in trunk.state_dict().items():
        assert torch.equal(pretrained[f"backbone.trunk.{name}"], tensor), name


def test_settings_that_change_a_preset() -> None:
    changed = task(preset="coco_ssl_1x", iterations=8796, batch_size=8, lr=0.01)
    facts = changed.protocol()
    assert (facts["iterations"], facts["effective_batch"], facts["optimiser"]["lr"]) == (8796, 8, 0.01)
    assert facts["schedule"][1]["milestones"] == [5864, 8063]
    assert facts["schedule"][0]["end"] == 50
    assert changed.scale == "reduced"
    assert task(preset="coco_ssl_1x", evaluate_on="val", backbone={"arch": "resnet50"}).scale == "full"
    assert task(evaluate_on="val").protocol()["val_split"] == "val"
    with pytest.raises(UsageError, match="not public"):
        task(preset="coco_ssl_1x", evaluate_on="test")
