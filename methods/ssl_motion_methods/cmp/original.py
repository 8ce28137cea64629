"""Weights of the authors' own implementation (XiaohangZhan/conditional-motion-propagation) in our network.

Their checkpoints (`.pth.tar`, a file of `torch.save` and no archive) hold `step`, `state_dict` and `optimizer`; the
names in `state_dict` begin with `module.`. Where a name of theirs goes:

| theirs | ours |
|---|---|
| `image_encoder.conv8` (AlexNet), `image_encoder.conv5` (ResNet) | `head.image_projection` |
| `image_encoder.*` | `backbone.*` |
| `flow_encoder.*` | `head.motion_encoder.*` |
| `flow_decoder.decoder{1,2,4,8}.*` | `head.decoder.propagation.nets.{1,2,4,8}.*` |
| `flow_decoder.skipconv{4,2}.*` | `head.decoder.skip{4,2}.*` |
| `flow_decoder.fusion{8,4,2}.*` | `head.decoder.fusion{8,4,2}.*` |
| `flow_decoder.head.*` | `head.decoder.classifier.*` |
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import UsageError
from ssl_motion.spec import BackboneSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion_methods.cmp.config import CMPConfig
from ssl_motion_methods.cmp.network import CMPNetwork

_TRUNKS = {
    "alexnet_fcn_32x": BackboneSpec(arch="alexnet_32x"),
    "alexnet_fcn_8x": BackboneSpec(arch="alexnet_8x"),
    "resnet50": BackboneSpec(arch="resnet50", output_stride=8),
    "resnet101": BackboneSpec(arch="resnet101", output_stride=8),
}
_STRIDES = {"shallownet8x": 8, "shallownet32x": 32}

_RULES = (
    (re.compile(r"^image_encoder\.conv(?:8|5)\.(weight|bias)$"), r"head.image_projection.\1"),
    (re.compile(r"^image_encoder\."), "backbone."),
    (re.compile(r"^flow_encoder\."), "head.motion_encoder."),
    (re.compile(r"^flow_decoder\.decoder(\d)\."), r"head.decoder.propagation.nets.\1."),
    (re.compile(r"^flow_decoder\.skipconv(\d)\."), r"head.decoder.skip\1."),
    (re.compile(r"^flow_decoder\.fusion(\d)\."), r"head.decoder.fusion\1."),
    (re.compile(r"^flow_decoder\.head\."), "head.decoder.classifier."),
)


class OriginalConfig(BaseModel):
    """The `model.module` section of one of the authors' configs; keys that do not shape the network are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image_encoder: Literal["alexnet_fcn_32x", "alexnet_fcn_8x", "resnet50", "resnet101"]
    sparse_encoder: Literal["shallownet8x", "shallownet32x"]
    flow_decoder: Literal["MotionDecoderPlain", "MotionDecoderSkipLayer"]
    img_enc_dim: Annotated[int, Field(ge=1)] = 256
    sparse_enc_dim: Annotated[int, Field(ge=1)] = 16
    output_dim: Annotated[int, Field(ge=6)] = 198
    decoder_combo: list[Literal[1, 2, 4, 8]] = [1, 2, 4]
    flow_criterion: Literal["DiscreteLoss"] = "DiscreteLoss"
    nbins: int | None = None
    fmax: Annotated[float, Field(gt=0.01)] = 50.0

    def ours(self) -> tuple[BackboneSpec, CMPConfig]:
        """Say the same in our words.

        Raises:
            UsageError: The parts do not fit each other.
        """
        trunk = _TRUNKS[self.image_encoder]
        stride = trunk.output_stride or int(self.image_encoder.rpartition("_")[2].rstrip("x"))
        if _STRIDES[self.sparse_encoder] != stride:
            raise UsageError(
                f"config: sparse_encoder {self.sparse_encoder} has stride {_STRIDES[self.sparse_encoder]}, "
                f"image_encoder {self.image_encoder} has {stride}; they must agree"
            )
        if self.output_dim != 2 * (self.nbins or self.output_dim // 2):
            raise UsageError(f"config: output_dim is {self.output_dim}, expected twice nbins ({self.nbins})")
        skip = self.flow_decoder == "MotionDecoderSkipLayer"
        content = {
            "bins": self.output_dim // 2,
            "boundary": self.fmax,
            "image_channels": self.img_enc_dim,
            "motion_channels": self.sparse_enc_dim,
            "decoder": "skip" if skip else "plain",
            # The authors' skip decoder has all four networks whatever decoder_combo says.
            "strides": (1, 2, 4, 8) if skip else tuple(sorted(self.decoder_combo)),
        }
        return trunk, parse_spec(CMPConfig, content, "config")


def original_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Take the state dict out of a checkpoint of the authors', without the prefix `module.`.

    Raises:
        UsageError: There are no tensors in it.
    """
    inner = content.get("state_dict", content)
    tensors = (
        {str(name).removeprefix("module."): value for name, value in inner.items() if isinstance(value, Tensor)}
        if isinstance(inner, Mapping)
        else {}
    )
    if not tensors:
        raise UsageError(f"no tensors in the checkpoint (keys: {', '.join(map(str, list(content)[:8])) or 'none'})")
    return tensors


def our_name(name: str) -> str:
    """Translate a parameter name of the authors' model (without `module.`) into that of `CMPNetwork`."""
    for pattern, replacement in _RULES:
        renamed, count = pattern.subn(replacement, name)
        if count:
            return renamed
    return name


def guess_config(content: Mapping[str, Any], *, stride: Literal[8, 32] | None = None) -> dict[str, Any]:
    """Read the config off the names and shapes of a full model's checkpoint.

    Args:
        content: state dict or checkpoint.
        stride: of an AlexNet: the variants of stride 8 and 32 have the same parameters. None means 32, which
            all of the authors' configs use.

    Raises:
        UsageError: It is no full CMP model.
    """
    tensors = original_tensors(content)
    needed = ("flow_decoder.head.weight", "flow_encoder.features.4.weight")
    for name in needed:
        if name not in tensors:
            raise UsageError(
                f"no tensor {name}: not a full model of the original CMP. (A trunk alone is imported without --full.)"
            )
    alexnet = "image_encoder.conv1.0.weight" in tensors
    projection = tensors.get("image_encoder.conv8.weight" if alexnet else "image_encoder.conv5.weight")
    if projection is None:
        raise UsageError("no image_encoder.conv8 or image_encoder.conv5: not a full model of the original CMP")
    if alexnet:
        encoder, total = f"alexnet_fcn_{stride or 32}x", stride or 32
    else:
        encoder, total = ("resnet101" if "image_encoder.layer3.6.conv1.weight" in tensors else "resnet50"), 8
    return {
        "image_encoder": encoder,
        "sparse_encoder": f"shallownet{total}x",
        "flow_decoder": "MotionDecoderSkipLayer"
        if any(name.startswith("flow_decoder.fusion8.") for name in tensors)
        else "MotionDecoderPlain",
        "img_enc_dim": projection.shape[0],
        "sparse_enc_dim": tensors["flow_encoder.features.4.weight"].shape[0],
        "output_dim": tensors["flow_decoder.head.weight"].shape[0],
        "decoder_combo": [s for s in (1, 2, 4, 8) if any(n.startswith(f"flow_decoder.decoder{s}.") for n in tensors)],
    }


def load_original(state_dict: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> CMPNetwork:
    """Build our network with the parameters of the authors'.

    Args:
        state_dict: parameters by the authors' names, with or without `module.`; a whole checkpoint will do.
        config: the `model.module` section of their config; None reads it off the names and shapes.

    Returns:
        The network in evaluation mode: `network(image_BCHW, sparse_B4HW)` gives logits.

    Raises:
        UsageError: Config or parameters are not those of a model of theirs; the first fault is named.
    """
    tensors = original_tensors(state_dict)
    content = guess_config(state_dict) if config is None else dict(config)
    spec, settings = parse_spec(OriginalConfig, content, "config").ours()
    spec, settings = _with_widths(spec, settings, tensors)
    with torch.device("meta"):
        network = CMPNetwork(build_backbone(spec), settings)
    _check(network, tensors)
    network.to_empty(device="cpu")
    counters = {name: torch.zeros_like(value) for name, value in network.state_dict().items() if _counts(name)}
    network.load_state_dict({**counters, **{our_name(name): tensor for name, tensor in tensors.items()}})
    return network.eval()


def _with_widths(
    spec: BackboneSpec, settings: CMPConfig, tensors: Mapping[str, Tensor]
) -> tuple[BackboneSpec, CMPConfig]:
    """Take the widths that the authors' code has as constants from the tensors, where they are others."""
    alexnet = spec.arch.startswith("alexnet")
    first = tensors.get("image_encoder.conv1.0.weight" if alexnet else "image_encoder.conv1.weight")
    if first is not None and first.shape[0] != (96 if alexnet else 64):
        spec = parse_spec(BackboneSpec, {**spec.model_dump(), "width": first.shape[0]}, "image_encoder.conv1")
    for name in ("flow_decoder.decoder1.0.bias", "flow_decoder.decoder2.1.bias", "flow_decoder.decoder4.1.bias"):
        if name in tensors and tensors[name].shape[0] != settings.decoder_width:
            content = {**settings.model_dump(), "decoder_width": tensors[name].shape[0]}
            return spec, parse_spec(CMPConfig, content, name)
    return spec, settings


def _counts(name: str) -> bool:
    # BN's number of batches seen: checkpoints of torch before 0.4.1 lack it, and nothing here is computed from it.
    return name.endswith("num_batches_tracked")


def _check(network: CMPNetwork, tensors: Mapping[str, Tensor]) -> None:
    expected = network.state_dict()
    given = {our_name(name): name for name in tensors}
    for name, value in expected.items():
        if name not in given:
            if _counts(name):
                continue
            raise UsageError(f"the checkpoint holds nothing for {name}: another architecture than the config says")
        if tensors[given[name]].shape != value.shape:
            raise UsageError(
                f"{given[name]} has shape {tuple(tensors[given[name]].shape)}; the config expects {tuple(value.shape)}"
            )
    for ours, theirs in given.items():
        if ours not in expected:
            raise UsageError(f"{theirs} has no place in the network that the config describes")
