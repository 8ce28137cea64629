"""Backbone folders are checked on reading, and nothing is loaded into a backbone in part."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import DataError, UsageError
from ssl_motion.protocols import Backbone
from ssl_motion.record import Pretraining
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import CARD, TENSORS, load_strict, read_card, read_weights, save_weights

SPEC = BackboneSpec(arch="resnet18", width=8)


def fresh(seed: int, spec: BackboneSpec = SPEC) -> Backbone:
    torch.manual_seed(seed)
    return build_backbone(spec)


def trained(seed: int = 1, spec: BackboneSpec = SPEC) -> dict[str, Tensor]:
    """Tensors of another start, with batch norms that have moved."""
    state = fresh(seed, spec).state_dict()
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + 0.1 * torch.rand(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor + 7
        for name, tensor in state.items()
    }


def save(folder: Path) -> dict[str, Tensor]:
    backbone = fresh(1)
    save_weights(
        folder,
        backbone,
        spec=SPEC,
        method="cmp",
        run="0123456789abcdef",
        pretraining=Pretraining(data="puppets-still", pairs=10),
        source="a test",
    )
    return dict(backbone.state_dict())


def test_folder_round_trip(tmp_path: Path) -> None:
    tensors = save(tmp_path)
    card, read = read_weights(tmp_path)
    assert card.backbone == SPEC
    assert (card.method, card.run, card.channel_order) == ("cmp", "0123456789abcdef", "RGB")
    assert card.mean[0] == pytest.approx(123.675)
    assert card.pretraining is not None
    assert card.pretraining.pairs == 10
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


def test_exchanged_tensors_are_noticed(tmp_path: Path) -> None:
    save(tmp_path)
    content = bytearray((tmp_path / TENSORS).read_bytes())
    content[-1] ^= 1
    (tmp_path / TENSORS).write_bytes(content)
    with pytest.raises(DataError, match="sha256"):
        read_weights(tmp_path)


def test_missing_and_broken_cards_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no backbone folder"):
        read_weights(tmp_path)
    save(tmp_path)
    (tmp_path / TENSORS).unlink()
    with pytest.raises(UsageError, match=TENSORS):
        read_weights(tmp_path)
    (tmp_path / CARD).write_text('{"schema_version": 2}', encoding="utf-8")
    with pytest.raises(DataError, match="schema version 1"):
        read_card(tmp_path)


def test_diverged_weights_are_not_exported(tmp_path: Path) -> None:
    backbone = fresh(1)
    with torch.no_grad():
        next(iter(backbone.parameters()))[0, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match=r"conv1\.weight"):
        save_weights(tmp_path, backbone, spec=SPEC, method="cmp", run=None, pretraining=None, source="")
    assert not list(tmp_path.iterdir())


def test_complete_weights_load() -> None:
    target, source = fresh(0), trained()
    load_strict(target, source, what="test")
    state = target.state_dict()
    for name, tensor in source.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(state[name], tensor), name


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: state.pop("conv1.weight"), r"no value for conv1\.weight \(\d+ of \d+"),
        (lambda state: state.pop("layer4.1.bn2.running_var"), r"no value for layer4\.1\.bn2\.running_var"),
        (
            lambda state: state.update({"conv1.weight": torch.ones(8, 3, 3, 3)}),
            r"conv1\.weight has shape \(8, 3, 3, 3\), the backbone expects \(8, 3, 7, 7\)",
        ),
        (
            lambda state: state.update({"layer1.2.conv1.weight": torch.ones(3)}),
            r"layer1\.2\.conv1\.weight has no place",
        ),
        (lambda state: state["bn1.bias"].fill_(float("inf")), r"bn1\.bias holds NaN or infinity"),
    ],
)
def test_partial_weights_are_refused_and_change_nothing(damage: object, message: str) -> None:
    target, source = fresh(0), trained()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    assert callable(damage)
    damage(source)
    with pytest.raises(UsageError, match=message):
        load_strict(target, source, what="test")
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


def test_a_deeper_network_of_the_same_shapes_is_refused() -> None:
    # Every tensor of a ResNet-18 is in a ResNet-34 by name and shape.
    deeper = trained(1, BackboneSpec(arch="resnet34", width=8))
    assert fresh(0).state_dict().keys() < deeper.keys()
    with pytest.raises(UsageError, match=r"layer1\.2.* has no place"):
        load_strict(fresh(0), deeper, what="test")


@pytest.mark.parametrize("name", ["conv1.weight", "layer3.0.downsample.0.weight"])
def test_a_random_tensor_that_kept_its_initial_value_is_caught(name: str) -> None:
    source = trained()
    source[name] = fresh(0).state_dict()[name].clone()
    with pytest.raises(UsageError, match=rf"{name} equals the backbone's initial random value"):
        load_strict(fresh(0), source, what="test")


def test_constants_may_stay_what_they_were() -> None:
    # A frozen batch norm, or a bias that stayed 0, is no sign of a tensor that was not loaded.
    source, target = trained(), fresh(0)
    for name, tensor in target.state_dict().items():
        if ".bn" in name or name.startswith("bn1") or "downsample.1" in name:
            source[name] = tensor.clone()
    load_strict(target, source, what="test")
    assert torch.equal(target.state_dict()["conv1.weight"], source["conv1.weight"])


def test_a_random_vector_may_not() -> None:
    torch.manual_seed(0)
    target = nn.Linear(4, 3)
    source = {"weight": torch.ones(3, 4), "bias": target.bias.detach().clone()}
    with pytest.raises(UsageError, match="bias equals"):
        load_strict(target, source, what="test")
    source["bias"] = torch.zeros(3)
    load_strict(target, source, what="test")


class Forgetful(nn.Linear):
    """A layer that says it loaded, and did not."""

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        del state_dict, prefix, rest


def test_what_is_loaded_is_also_held() -> None:
    with pytest.raises(UsageError, match="does not hold it afterwards"):
        load_strict(Forgetful(4, 3), {"weight": torch.ones(3, 4), "bias": torch.ones(3)}, what="test")
