"""Published weights become backbone folders and whole models, and nothing else does."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.cli.import_weights_verb import command
from ssl_motion.errors import DataError, UsageError
from ssl_motion.importing import guess_spec, import_weights
from ssl_motion.models import load_model, save_model
from ssl_motion.record import Pretraining
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import SMALL, example_batch
from ssl_motion.weights import load_strict, read_weights
from ssl_motion_methods.cmp import CMP, CMPConfig, CMPNetwork, load_original


def original_state(
    arch: str, width: int, *, decoder: str = "plain", output_stride: int | None = None
) -> dict[str, Tensor]:
    """A narrow model of the authors' layout, under their names with `module.`, all of it random."""
    torch.manual_seed(11)
    strides = (1, 2, 4, 8) if decoder == "skip" else (1, 2, 4)
    config = CMPConfig.model_validate(
        {"decoder": decoder, "strides": strides, "decoder_width": 8, "image_channels": 24}
    )
    spec = BackboneSpec.model_validate({"arch": arch, "width": width, "output_stride": output_stride})
    state = {}
    projection = "conv8" if arch.startswith("alexnet") else "conv5"
    for name, tensor in CMPNetwork(build_backbone(spec), config).state_dict().items():
        for ours, theirs in (
            ("backbone.", "image_encoder."), ("head.image_projection.", f"image_encoder.{projection}."),
            ("head.motion_encoder.", "flow_encoder."), ("head.decoder.propagation.nets.", "flow_decoder.decoder"),
            ("head.decoder.classifier.", "flow_decoder.head."), ("head.decoder.skip", "flow_decoder.skipconv"),
            ("head.decoder.", "flow_decoder."),
        ):  # fmt: skip
            if name.startswith(ours):
                name = theirs + name[len(ours) :]
                break
        state[f"module.{name}"] = tensor + 0.01 if tensor.is_floating_point() else tensor
    return state


def checkpoint(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"step": 42_000, "state_dict": state, "optimizer": {"param_groups": [{"lr": 0.1}], "state": {}}}, path)
    return path


@pytest.mark.parametrize(
    ("arch", "output_stride", "decoder"),
    [("alexnet_32x", None, "plain"), ("resnet50", 8, "plain"), ("resnet50", 8, "skip")],
)
def test_an_original_checkpoint_becomes_a_backbone_and_a_whole_model(
    tmp_path: Path, arch: str, output_stride: int | None, decoder: str
) -> None:
    state = original_state(arch, 12, decoder=decoder, output_stride=output_stride)
    source = checkpoint(tmp_path / "ckpt_iter_42000.pth.tar", state)
    spec = import_weights(source, tmp_path / "out", full=True)
    assert (spec.arch, spec.output_stride, spec.width) == (arch, output_stride, 12)
    card, tensors = read_weights(tmp_path / "out")
    assert (card.backbone, card.method, card.run) == (spec, "cmp", None)
    assert card.pretraining == Pretraining(data="unknown"), "imported weights are no random start"
    assert "ckpt_iter_42000" in card.source
    backbone = build_backbone(spec)
    load_strict(backbone, tensors, what="test")
    first = "conv1.0.weight" if arch == "alexnet_32x" else "conv1.weight"
    assert torch.equal(backbone.state_dict()[first], state[f"module.image_encoder.{first}"])

    model = load_model(tmp_path / "out")
    assert isinstance(model, CMP)
    assert not model.training
    image, sparse = torch.randn(1, 3, 128, 128), torch.randn(1, 4, 128, 128)
    with torch.no_grad():
        expected = load_original(state)(image, sparse)
        assert torch.equal(model.logits({"image": image, "guidance": sparse}), expected)


def test_an_exported_image_encoder_imports_without_its_extra_convolution(tmp_path: Path) -> None:
    for arch, stride in (("alexnet_32x", None), ("resnet50", 8)):
        prefix = "module.image_encoder."
        state = original_state(arch, 12, output_stride=stride)
        encoder = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
        torch.save(encoder, tmp_path / f"{arch}.pth.tar")
        spec = import_weights(tmp_path / f"{arch}.pth.tar", tmp_path / arch)
        assert (spec.arch, spec.output_stride) == (arch, stride)
        card, tensors = read_weights(tmp_path / arch)
        assert card.method == "cmp"
        assert not {"conv8.weight", "conv5.weight"} & set(tensors)
        with pytest.raises(UsageError, match=r"no tensor flow_decoder.head.weight"):
            import_weights(tmp_path / f"{arch}.pth.tar", tmp_path / f"{arch}-full", full=True)
        assert not (tmp_path / f"{arch}-full").exists()


@pytest.mark.parametrize("layout", ["torchvision", "openmmlab", "safetensors"])
@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_resnets_of_others_import_at_stride_32(tmp_path: Path, arch: str, layout: str) -> None:
    torch.manual_seed(5)
    state: dict[str, Any] = dict(build_backbone(BackboneSpec(arch=arch, width=8)).state_dict())
    state |= {"fc.weight": torch.zeros(10, 64), "fc.bias": torch.zeros(10)}
    source = tmp_path / ("weights.safetensors" if layout == "safetensors" else "weights.pth")
    if layout == "torchvision":
        torch.save(state, source)
    elif layout == "openmmlab":
        nested = {f"backbone.{k}": v for k, v in state.items() if not k.startswith("fc.")}
        torch.save({"meta": {"epoch": 1}, "state_dict": nested | {"head.fc.weight": torch.zeros(3)}}, source)
    else:
        save_file(state, source)
    with pytest.raises(UsageError, match="--method imagenet"):
        import_weights(source, tmp_path / "out")
    spec = import_weights(source, tmp_path / "out", method="imagenet", pretraining=Pretraining(data="ImageNet-1k"))
    assert spec == BackboneSpec(arch=arch, width=8)
    card, tensors = read_weights(tmp_path / "out")
    assert card.method == "imagenet"
    assert card.pretraining == Pretraining(data="ImageNet-1k")
    assert torch.equal(tensors["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    with pytest.raises(UsageError, match="already holds weights"):
        import_weights(source, tmp_path / "out", method="imagenet")


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    state = original_state("resnet50", 8, output_stride=8)
    whole = checkpoint(tmp_path / "whole.pth.tar", state)
    with pytest.raises(UsageError, match="no value for layer3"):
        import_weights(whole, out, spec=BackboneSpec(arch="resnet101", width=8, output_stride=8))
    part = {name: value for name, value in state.items() if "layer4.1.conv2" not in name}
    with pytest.raises(UsageError, match=r"layer4\.1\.conv2\.weight"):
        import_weights(checkpoint(tmp_path / "part.pth.tar", part), out)
    torch.save({"anything.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(UsageError, match="cannot tell which trunk"):
        import_weights(tmp_path / "other.pth", out, method="x")
    with pytest.raises(UsageError, match="no such weights file"):
        import_weights(tmp_path / "missing.pth", out)
    (tmp_path / "cut.pth.tar").write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(DataError, match="damaged"):
        import_weights(tmp_path / "cut.pth.tar", out)
    resnet = tmp_path / "r.pth"
    torch.save(dict(build_backbone(BackboneSpec(arch="resnet18", width=8)).state_dict()), resnet)
    with pytest.raises(UsageError, match=r"no tensor flow_decoder.head.weight"):
        import_weights(resnet, out, method="cmp", full=True)
    assert not out.exists()


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(Path("payload-was-run").absolute()), "w"))


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"module.image_encoder.conv1.weight": Payload()}}, tmp_path / "evil.pth.tar")
    with pytest.raises(UsageError, match="refused"):
        import_weights(tmp_path / "evil.pth.tar", tmp_path / "out")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"x": Payload()}))
    with pytest.raises((UsageError, DataError)):
        import_weights(tmp_path / "plain.pth", tmp_path / "out")
    assert not (tmp_path / "payload-was-run").exists()
    assert not (tmp_path / "out").exists()


def test_every_resnet_is_recognised() -> None:
    for arch in ("resnet18", "resnet34", "resnet50", "resnet101"):
        with torch.device("meta"):
            for width in (None, 16):
                state = build_backbone(BackboneSpec(arch=arch, width=width)).state_dict()
                assert guess_spec(state, dilated=False, what="x") == BackboneSpec(arch=arch, width=width)
    with torch.device("meta"):
        mini = build_backbone(SMALL).state_dict()
    assert guess_spec(mini, dilated=False, what="x") == SMALL


def test_a_trained_model_survives_the_disk_and_damage_is_noticed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = CMPConfig.model_validate({"decoder_width": 8, "guidance": {"kernel_size": 15, "grid_stride": 20}})
    model = CMP(config, build_backbone(SMALL)).eval()
    save_model(tmp_path / "m", model, method="cmp", spec=SMALL, source="a test")
    torch.manual_seed(1)
    again = load_model(tmp_path / "m")
    batch = example_batch(model)
    with torch.no_grad():
        assert torch.equal(model.predict(batch), again.predict(batch))
    with pytest.raises(UsageError, match=r"no model\.json"):
        load_model(tmp_path)
    blob = tmp_path / "m" / "model.safetensors"
    blob.write_bytes(blob.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DataError, match="sha256"):
        load_model(tmp_path / "m")
    (tmp_path / "m" / "model.json").write_text("{}")
    with pytest.raises(DataError, match="not a model card"):
        load_model(tmp_path / "m")


def test_the_verb(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "a b é.pth.tar", original_state("alexnet_32x", 12))
    out = tmp_path / "out put"
    runner = CliRunner()
    dry = runner.invoke(command, [str(source), str(out), "--dry-run"], catch_exceptions=False)
    assert "would become" in dry.output
    assert "alexnet_32x" in dry.output
    assert not out.exists()
    options = ["--full", "--json", "--data", "yfcc", "--pairs", "1260000", "--flow-supervision", "synthetic labels"]
    done = runner.invoke(command, [str(source), str(out), *options], catch_exceptions=False)
    said = json.loads(done.output)
    assert said == {
        "path": str(out), "full": True, "written": True,
        "backbone": {"arch": "alexnet_32x", "width": 12, "output_stride": None},
    }  # fmt: skip
    seen = read_weights(out)[0].pretraining
    assert seen == Pretraining(data="yfcc", pairs=1_260_000, flow_supervision="synthetic labels")
    with pytest.raises(UsageError, match="need --arch"):
        runner.invoke(command, [str(source), str(out), "--output-stride", "8"], catch_exceptions=False)
    eight = runner.invoke(
        command, [str(source), str(tmp_path / "8x"), "--arch", "alexnet_8x", "--width", "12", "--full"],
        catch_exceptions=False,
    )  # fmt: skip
    assert eight.exit_code == 0, eight.output
    assert load_model(tmp_path / "8x").backbone.strides["fc7"] == 8
