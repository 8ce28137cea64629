"""No door lets weights in that are not the trunk's own: wrong stem, depth, names, or tensors never trained."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.frozen.trunk import build_trunk
from ssl_motion.openmmlab.backbone import TrunkBackbone
from ssl_motion.openmmlab.libraries import use_mmdet, use_mmseg
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import CARD, TENSORS, WeightsCard, save_weights

WIDTH = 16
SPEC = BackboneSpec(arch="resnet18", width=WIDTH)
MMSEG_RESNET = {
    "type": "SSLMotionResNet",
    "depth": 18,
    "num_stages": 4,
    "out_indices": (0, 1, 2, 3),
    "stem_channels": WIDTH,
    "base_channels": WIDTH,
}
STAGES = ["layer1", "layer2", "layer3", "layer4"]
State = Mapping[str, Tensor]


def _mmseg(weights: Path | None, **settings: Any) -> nn.Module:
    use_mmseg()
    from mmseg.registry import MODELS

    return _initialised(
        MODELS.build({**MMSEG_RESNET, **settings, "weights": None if weights is None else str(weights)})
    )


def _mmdet(weights: Path | None) -> nn.Module:
    use_mmdet()
    from mmdet.registry import MODELS

    described = {"type": "SSLMotionBackbone", "spec": SPEC.model_dump(), "out_stages": STAGES, "norm_eval": True}
    model = MODELS.build({**described, "frozen": "layer1", "weights": None if weights is None else str(weights)})
    return _initialised(model).trunk


def _linear(weights: Path | None) -> nn.Module:
    given = None if weights is None else str(weights)
    return _initialised(TrunkBackbone(SPEC.model_dump(), ["layer4"], given, frozen=True)).trunk


def _frozen(weights: Path | None) -> nn.Module:
    return build_trunk(weights, SPEC, seed=3).network


def _initialised(model: Any) -> Any:
    torch.manual_seed(3)
    model.init_weights()
    return model


DOORS: dict[str, Callable[[Path | None], nn.Module]] = {
    "mmseg's own ResNet": _mmseg,
    "a trunk in mmdet, first stage frozen": _mmdet,
    "a frozen trunk in mmseg": _linear,
    "features computed once": _frozen,
}


def write(folder: Path, tensors: State) -> Path:
    """Write a backbone folder that says it is of `SPEC`, whatever the tensors are."""
    save_weights(folder, build_backbone(SPEC), spec=SPEC, method="cmp", run=None, pretraining=None, source="")
    from safetensors.torch import save

    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    (folder / TENSORS).write_bytes(content)
    card = WeightsCard.model_validate_json((folder / CARD).read_bytes())
    changed = card.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    (folder / CARD).write_text(changed.model_dump_json(), encoding="utf-8")
    return folder


def trained(spec: BackboneSpec = SPEC) -> dict[str, Tensor]:
    torch.manual_seed(9)
    state = build_backbone(spec).state_dict()
    return {name: value + 0.01 if value.is_floating_point() else value for name, value in state.items()}


@pytest.mark.parametrize("door", DOORS)
def test_weights_of_the_very_trunk_come_in(door: str, tmp_path: Path) -> None:
    tensors = trained()
    held = DOORS[door](write(tmp_path, tensors)).state_dict()
    assert all(torch.equal(held[name], tensors[name]) for name in tensors if "num_batches" not in name)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda _: trained(BackboneSpec(arch="resnet34", width=WIDTH)), "has no place in this backbone"),
        (lambda _: trained(BackboneSpec(arch="resnet50", width=WIDTH)), r"shape|no value for"),
        (
            lambda _: {f"backbone.{name}": value for name, value in trained().items()},
            r"no value for conv1\.weight \(0 of",
        ),
        (lambda start: dict(start), r"conv1\.weight equals the backbone's initial random value"),
        (
            lambda start: {**trained(), "layer4.1.conv2.weight": start["layer4.1.conv2.weight"]},
            r"layer4\.1\.conv2\.weight equals the backbone's initial",
        ),
        (lambda _: {name: value for name, value in trained().items() if name != "conv1.weight"}, r"no value for conv1"),
    ],
    ids=["deeper", "other blocks", "prefix", "never trained", "one layer never trained", "no stem"],
)
def test_other_weights_do_not(
    door: str, damage: Callable[[State], dict[str, Tensor]], message: str, tmp_path: Path
) -> None:
    start = {name: value.clone() for name, value in DOORS[door](None).state_dict().items()}
    folder = write(tmp_path, damage(start))
    with pytest.raises(UsageError, match=message):
        DOORS[door](folder)


def test_a_shallower_checkpoint_does_not_fill_a_deeper_trunk(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no value for layer1\.2\.conv1\.weight"):
        _mmseg(write(tmp_path, trained()), depth=34)


def test_a_plain_checkpoint_does_not_fill_a_deep_stem(tmp_path: Path) -> None:
    # The trap of published benchmark configs: ResNetV1c has three 3x3 convolutions where the checkpoint has one 7x7.
    folder = write(tmp_path, trained())
    deep = _mmseg(None, deep_stem=True)
    missing, unexpected = deep.load_state_dict(trained(), strict=False)
    assert {name for name in missing if name.startswith("stem.")}, "loaded loosely, the stem stays random in silence"
    assert all(name.startswith(("conv1.", "bn1.")) for name in unexpected)
    with pytest.raises(UsageError, match=r"no value for stem\.0\.weight"):
        _mmseg(folder, deep_stem=True)
