"""Recipes: the presets' settings, what changes them, and the networks they describe."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.libraries import check_versions, use_mmseg
from ssl_motion.paths import config_root
from ssl_motion.seeding import seed_everything
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import save_weights
from ssl_motion_benchmarks.voc_fcn import VocFCN
from ssl_motion_benchmarks.voc_fcn.presets import PRESETS

MINI = {"arch": "alexnet_mini"}


def task(**settings: Any) -> VocFCN:
    return VocFCN(VocFCN.Config.model_validate(settings))


def network(recipe: recipes.Recipe) -> Any:
    use_mmseg()
    from mmseg.registry import MODELS

    with MODELS.switch_scope_and_registry("mmseg"):
        model = MODELS.build(Config({"model": recipe["model"]}).model)
    model.init_weights()
    return model.eval()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_read_and_state_their_protocol(preset: str) -> None:
    facts = task(preset=preset).protocol()
    assert facts["val_split"] == ("test" if preset.startswith("puppets_") else "val")
    assert task(preset=preset).scale == PRESETS[preset].scale  # type: ignore[index]  # one of the literals
    assert facts == task(preset=preset).protocol()
    assert "data_root" not in str(facts)


def test_published_settings_of_the_alexnet_preset() -> None:
    facts = task(preset="voc12_fcn32s_alexnet_zhan").protocol()
    assert facts["effective_batch"] == 64
    assert facts["iterations"] == 42000
    assert facts["optimiser"]["lr"] == 1e-2
    assert facts["optimiser"]["weight_decay"] == 5e-4
    assert facts["optimiser"]["paramwise"] == {"bias_lr_mult": 2.0}
    assert facts["schedule"][0]["milestones"] == [24000, 36000, 40000]
    assert facts["head"]["num_convs"] == 0
    assert facts["train_split"] == "train_aug"


def test_published_settings_of_the_resnet_preset() -> None:
    facts = task(preset="voc12_fcn_r50_mmseg").protocol()
    # Against mmsegmentation's own config, where it is installed with its configs.
    import mmseg

    root = Path(mmseg.__file__).parent / ".mim" / "configs" / "fcn" / "fcn_r50-d8_4xb4-20k_voc12aug-512x512.py"
    if not root.is_file():
        pytest.skip("mmsegmentation came without its configs")
    theirs = Config.fromfile(root)
    ours = Config.fromfile(recipes.find_config("transfer", "voc12_fcn_r50_mmseg", ".py"), import_custom_modules=False)
    assert ours.optim_wrapper.optimizer == theirs.optimizer
    assert [dict(each) for each in ours.param_scheduler] == [dict(each) for each in theirs.param_scheduler]
    assert ours.train_cfg.max_iters == theirs.train_cfg.max_iters == 20000
    assert facts["effective_batch"] == 4 * theirs.train_dataloader.batch_size
    assert [dict(step) for step in ours.train_pipeline] == [dict(step) for step in theirs.train_pipeline]
    for part in ("decode_head", "auxiliary_head"):
        mine, other = dict(ours.model[part]), dict(theirs.model[part])
        assert {key: value for key, value in mine.items() if key != "norm_cfg"} == {
            key: value for key, value in other.items() if key != "norm_cfg"
        }
    for key in (
        "depth",
        "num_stages",
        "out_indices",
        "dilations",
        "strides",
        "norm_eval",
        "style",
        "contract_dilation",
    ):
        assert ours.model.backbone[key] == theirs.model.backbone[key]
    assert theirs.model.backbone.type == "ResNetV1c"  # the trap: a deep stem, which no plain weights fill
    assert ours.model.backbone.type == "SSLMotionResNet"


@pytest.mark.parametrize(
    ("settings", "stride", "classes"),
    [
        ({"preset": "puppets_fcn"}, 8, None),
        ({"preset": "puppets_linear", "backbone": {"arch": "resnet18", "width": 8, "output_stride": 8}}, 8, None),
        ({"preset": "voc12_fcn_small", "backbone": {"arch": "resnet18", "width": 8, "output_stride": 8}}, 8, 21),
        ({"preset": "voc12_fcn32s_alexnet_zhan", "backbone": {"arch": "alexnet_32x", "width": 6}}, 32, 21),
        ({"preset": "voc12_fcn_r50_mmseg", "backbone": MINI}, 8, 21),
        ({"preset": "voc12_fcn_r50_mmseg"}, 8, 21),
    ],
)
def test_networks_have_the_stride_and_classes_they_should(
    settings: dict[str, Any], stride: int, classes: int | None
) -> None:
    model = network(task(**settings).recipe())
    with torch.no_grad():
        logits = model._forward(torch.zeros(1, 3, 64, 64))
    if classes is None:
        from ssl_motion.puppets import CLASSES

        classes = len(CLASSES)
    assert tuple(logits.shape) == (1, classes, 64 // stride, 64 // stride)


def test_heads_start_equal_in_every_arm_and_weights_arrive(tmp_path: Path) -> None:
    spec = BackboneSpec(arch="alexnet_mini", width=6)
    torch.manual_seed(9)
    trunk = build_backbone(spec)
    save_weights(tmp_path, trunk, spec=spec, method="cmp", run=None, pretraining=None, source="")
    states = []
    for weights in (None, str(tmp_path)):
        recipe = task(preset="puppets_fcn", backbone=spec.model_dump()).recipe()
        recipe["model"]["backbone"]["weights"] = weights
        seed_everything(4)
        states.append(network(recipe).state_dict())
    random, pretrained = states
    assert random.keys() == pretrained.keys()
    heads = [name for name in random if name.startswith("decode_head.")]
    assert len(heads) > 4
    for name in heads:
        assert torch.equal(random[name], pretrained[name]), name
    for name, tensor in trunk.state_dict().items():
        assert torch.equal(pretrained[f"backbone.trunk.{name}"], tensor), name
    assert not torch.equal(random["backbone.trunk.conv1.0.weight"], trunk.state_dict()["conv1.0.weight"])


def test_plain_resnet_of_mmseg_takes_our_weights_through_the_gate(tmp_path: Path) -> None:
    use_mmseg()
    from mmseg.registry import MODELS

    settings = {**task(preset="voc12_fcn_r50_mmseg").recipe()["model"]["backbone"], "depth": 18}
    spec = BackboneSpec(arch="resnet18", output_stride=8)
    torch.manual_seed(9)
    trunk = build_backbone(spec)
    save_weights(tmp_path, trunk, spec=spec, method="cmp", run=None, pretraining=None, source="")
    with MODELS.switch_scope_and_registry("mmseg"):
        model = MODELS.build({**settings, "weights": str(tmp_path)})
    model.init_weights()
    assert torch.equal(model.state_dict()["layer4.1.conv2.weight"], trunk.state_dict()["layer4.1.conv2.weight"])
    deeper = BackboneSpec(arch="resnet34", output_stride=8)
    save_weights(tmp_path, build_backbone(deeper), spec=deeper, method="cmp", run=None, pretraining=None, source="")
    with pytest.raises(UsageError, match="has no place in this backbone"):
        model.init_weights()


def test_changes_reach_the_recipe_and_the_facts() -> None:
    changed = task(preset="voc12_fcn32s_alexnet_zhan", iterations=420, batch_size=8, lr=0.1, crop=128)
    assert changed.scale == "reduced"
    facts, before = changed.protocol(), task(preset="voc12_fcn32s_alexnet_zhan").protocol()
    assert facts["schedule"][0]["milestones"] == [240, 360, 400]
    assert facts["effective_batch"] == 8
    assert facts["optimiser"]["lr"] == 0.1
    assert facts["padded_to"] == [128, 128]
    assert facts["augmentation"][0]["crop_size"] == [128, 128]
    assert {key for key in facts if facts[key] != before[key]} == {
        "iterations", "schedule", "effective_batch", "optimiser", "padded_to", "augmentation",
    }  # fmt: skip
    onecycle = task(preset="puppets_fcn", iterations=30, lr=1e-3)
    assert onecycle.scale == "builtin"
    assert onecycle.protocol()["schedule"][0]["total_steps"] == 30
    assert onecycle.protocol()["schedule"][0]["eta_max"] == pytest.approx(1e-3)
    assert task(preset="puppets_fcn", evaluate_on="val").protocol()["val_split"] == "val"


def test_saying_what_the_preset_says_changes_nothing() -> None:
    for said in ({"arch": "resnet50", "output_stride": 8}, BackboneSpec(arch="resnet50", output_stride=8)):
        spoken = task(preset="voc12_fcn_r50_mmseg", backbone=said, evaluate_on="val")
        assert spoken.config == task(preset="voc12_fcn_r50_mmseg").config
        assert spoken.scale == "full"
    assert task(preset="voc12_fcn_r50_mmseg", backbone={"arch": "resnet50"}).scale == "reduced"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "voc12_fcn32s_alexnet_zhan", "batch_size": 10}, "cannot be shared among"),
        ({"preset": "puppets_fcn", "crop": 64}, "no crop"),
    ],
)
def test_changes_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        task(**settings).protocol()


def test_hidden_test_labels_cannot_be_scored() -> None:
    with pytest.raises(UsageError, match="not public"):
        task(preset="voc12_fcn_small", evaluate_on="test")


def test_overrides(tmp_path: Path) -> None:
    recipe = recipes.load_recipe("puppets_fcn")
    changed = recipes.override(
        recipe,
        {
            "optim_wrapper.optimizer.weight_decay": 0.5,
            "param_scheduler.0.pct_start": 0.1,
            "train_dataloader.dataset.dataset.pipeline.2.prob": 0.0,
            "model.decode_head.dropout_ratio": 0.3,
        },
    )
    assert changed["optim_wrapper"]["optimizer"]["weight_decay"] == 0.5
    assert changed["optim_wrapper"]["optimizer"]["type"] == "AdamW"
    assert changed["param_scheduler"][0]["pct_start"] == 0.1
    assert changed["train_dataloader"]["dataset"]["dataset"]["pipeline"][2]["prob"] == 0.0
    assert changed["model"]["decode_head"]["dropout_ratio"] == 0.3
    assert recipe["optim_wrapper"]["optimizer"]["weight_decay"] == 1e-2
    sizes = recipes.override(recipes.load_recipe("voc12_fcn_small"), {"model.data_preprocessor.size": [64, 64]})
    assert sizes["model"]["data_preprocessor"]["size"] == (64, 64), "YAML has no tuples"
    for key, message in (
        ("optim_wraper.optimizer.lr", "has no 'optim_wraper'; there is"),
        ("param_scheduler.4.pct_start", "has 1 entries"),
        ("iterations.more", "not a group of keys"),
    ):
        with pytest.raises(UsageError, match=message):
            recipes.override(recipe, {key: 1})
    recipes.save_recipe(tmp_path / "recipe.py", changed, "two\nlines")
    read = Config.fromfile(tmp_path / "recipe.py", import_custom_modules=False)
    assert recipes._plain(read.to_dict()) == changed


def test_broken_and_missing_recipes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'puppets_fcn'"):
        recipes.load_recipe("pupets_fcn")
    (tmp_path / "broken.py").write_text("model = dict(", encoding="utf-8")
    with pytest.raises(UsageError, match=r"broken\.py: not a valid MMEngine config"):
        recipes.load_recipe(str(tmp_path / "broken.py"))


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (
            {"mmcv": "2.2.0", "mmengine": "0.10.7"},
            r"found mmcv 2\.2\.0.*pip uninstall -y mmcv && pip install mmcv-lite==2\.1\.0",
        ),
        ({"mmcv": "2.1.0", "mmcv-lite": "2.1.0"}, "overwrite each other.*pip uninstall -y mmcv mmcv-lite"),
        ({"mmengine": "0.10.7"}, r"found neither mmcv nor mmcv-lite.*pip install mmcv-lite==2\.1\.0"),
        (
            {"mmcv-lite": "2.1.0", "mmengine": "0.9.0"},
            r"mmengine: found 0\.9\.0; 0\.10\.7 is needed.*pip install mmengine==0\.10\.7",
        ),
        ({"mmcv-lite": "2.1.0", "mmengine": "0.10.7"}, r"mmsegmentation: found none; 1\.2\.2 is needed"),
    ],
)
def test_wrong_versions_name_the_cure(monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], message: str) -> None:
    monkeypatch.setattr("ssl_motion.doctor._installed", installed.get)
    with pytest.raises(UsageError, match=message):
        check_versions("mmsegmentation")


def test_a_recipe_is_at_most_two_levels_deep() -> None:
    """What a recipe says is to be found without opening one file after another."""

    def depth(path: Path) -> int:
        bases = Config._get_base_files(str(path))
        return max((1 + depth(path.parent / base) for base in bases), default=0)

    folder = config_root() / "transfer"
    recipes_and_bases = [*folder.glob("*.py"), *folder.glob("_base_/*/*.py")]
    assert max(map(depth, recipes_and_bases)) <= 2
