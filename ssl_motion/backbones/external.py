"""Trunks of torchvision and timm by name: `torchvision:NAME`, `timm:NAME`. Always with random weights.

Their stages are called stage1, stage2, ... in forward order:

- torchvision: the last feature map before each change of stride (ResNets, VGGs, DenseNets, MobileNets, EfficientNets,
  RegNets, ConvNeXts, ...);
- timm: what timm itself gives as features (`features_only`), at an `output_stride` where the model can have one.

A model serves if it takes images of any size and the strides of its maps are powers of two. Transformers, and old
networks without padding (AlexNet, SqueezeNet, Inception), do not.
"""

import copy
import warnings
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import Backbone
from ssl_motion.spec import BackboneSpec

_PROBE = (256, 320)  # sides that differ, and that every stride up to 64 divides
_STRIDES = (1, 2, 4, 8, 16, 32, 64)


class ExternalTrunk(Backbone):
    """Another library's network as a trunk.

    Args:
        arch: name to carry.
        net: maps images to its stages' features, in forward order.
        channels: of each stage.
        strides: of each stage.
    """

    def __init__(self, arch: str, net: nn.Module, channels: list[int], strides: list[int]) -> None:
        super().__init__()
        self.arch, self.net = arch, net
        names = [f"stage{number}" for number in range(1, len(channels) + 1)]
        self.channels = dict(zip(names, channels, strict=True))
        self.strides = dict(zip(names, strides, strict=True))

    def forward(self, image_BCHW: Tensor) -> dict[str, Tensor]:
        """Map images [B, 3, H, W] to the features of every stage; a side of n pixels becomes ceil(n / stride).

        Some networks round down. So sides are padded with zeros to a multiple of the largest stride, and what the
        padding adds to the features is cut off; an image of such sides passes as it is.
        """
        height, width = image_BCHW.shape[-2:]
        largest = max(self.strides.values())
        found = self.net(F.pad(image_BCHW, (0, -width % largest, 0, -height % largest)))
        features = found.values() if isinstance(found, dict) else found
        return {
            stage: map_BCHW[..., : -(-height // stride), : -(-width // stride)]
            for (stage, stride), map_BCHW in zip(self.strides.items(), features, strict=True)
        }


def build_external(spec: BackboneSpec) -> ExternalTrunk:
    """Build a trunk whose name begins with "torchvision:" or "timm:".

    Raises:
        UsageError: The package is missing, has no such model, or the model cannot serve as a trunk.
    """
    library, _, name = spec.arch.partition(":")
    if spec.width is not None:
        raise UsageError(f"backbone.width: {spec.arch} has the width of its name; leave width out")
    if spec.norm != "batch":
        raise UsageError(f"backbone.norm: {spec.arch} has the norms of its name; leave norm out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of the libraries on their own ways
        trunk = _torchvision(spec, name) if library == "torchvision" else _timm(spec, name)
    stride = trunk.strides[trunk.last_stage]
    if spec.output_stride not in (None, stride):
        raise UsageError(
            f"backbone.output_stride: {spec.arch} has stride {stride} and cannot have {spec.output_stride}. "
            "Leave output_stride out."
        )
    # Callers who only look build on the meta device.
    return trunk.to("meta") if torch.empty(0).is_meta else trunk


def _library(arch: str, module: str) -> Any:
    """Import the package that an architecture is from.

    Raises:
        UsageError: It is not installed, or does not work here.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or package).partition(".")[0]
        raise UsageError(
            f"backbone.arch: {arch} needs the package {missing}, which is not installed: pip install {package}"
        ) from error
    except Exception as error:  # such as missing operators: torchvision's version or build is not torch's
        raise UsageError(
            f"backbone.arch: {arch}: {package} is installed, but does not work with torch {torch.__version__} "
            f"({type(error).__name__}: {error}). Install the build that belongs to that torch."
        ) from error


def _known(arch: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise UsageError(
            f"backbone.arch: {arch.partition(':')[0]} has no model {name!r}.{did_you_mean(name, names)} "
            f"It has {len(names)}, such as {', '.join(names[:: max(1, len(names) // 5)][:5])}."
        )


def _timm(spec: BackboneSpec, name: str) -> ExternalTrunk:
    timm = _library(spec.arch, "timm")
    _known(spec.arch, name, list(timm.list_models()))
    failures = (RuntimeError, AttributeError, TypeError, AssertionError, ValueError, KeyError)

    def build(**options: Any) -> nn.Module:
        # Not on the meta device: some constructors compute with tensors.
        with torch.device("cpu"):
            net: nn.Module = timm.create_model(name, pretrained=False, features_only=True, **options)
        return net

    try:
        net = build() if spec.output_stride is None else build(output_stride=spec.output_stride)
    except failures as error:
        try:
            net = build()
        except failures:
            raise _no_maps(spec.arch, f"timm cannot take features from it: {error}") from error
        # Else at its own stride, which may be what is wanted; `build_external` compares.
    shapes = [tuple(features.shape) for features in _probed(spec.arch, net)]
    strides = [stride for shape in shapes if (stride := _stride(shape)) is not None]
    if len(strides) < len(shapes) or strides != sorted(strides):
        raise _no_maps(spec.arch, f"of an image of {_PROBE[0]} x {_PROBE[1]} it makes {shapes}")
    if len(set(strides)) < 2:
        raise _no_maps(spec.arch, f"all that it makes has stride {strides[0]}")
    return ExternalTrunk(spec.arch, net, [shape[1] for shape in shapes], strides)


def _torchvision(spec: BackboneSpec, name: str) -> ExternalTrunk:
    models = _library(spec.arch, "torchvision.models")
    extraction = _library(spec.arch, "torchvision.models.feature_extraction")
    _known(spec.arch, name, list(models.list_models(module=models)))
    with torch.device("cpu"):  # not on the meta device: some constructors compute with tensors
        net: nn.Module = models.get_model(name, weights=None)
    try:
        both = extraction.get_graph_node_names(net)
        every = extraction.create_feature_extractor(
            net, train_return_nodes=_same(both[0]), eval_return_nodes=_same(both[1])
        )
    except Exception as error:  # tracing runs the model's own code: whatever it does not support
        raise _no_maps(spec.arch, f"torchvision cannot take features from it: {error}") from error
    # Networks with drop-out of whole blocks have other nodes in training than in evaluation.
    found = [_deepest(_probed(spec.arch, every.train(training))) for training in (True, False)]
    if list(found[0]) != list(found[1]) or len(found[0]) < 3:
        raise _no_maps(spec.arch, f"it has maps at the strides {', '.join(map(str, found[1])) or 'none'} only")
    stages = [{node: str(stride) for stride, (node, _) in each.items()} for each in found]
    trunk = extraction.create_feature_extractor(net.train(), train_return_nodes=stages[0], eval_return_nodes=stages[1])
    return ExternalTrunk(spec.arch, trunk, [channels for _, channels in found[0].values()], list(found[0]))


def _same(names: list[str]) -> dict[str, str]:
    return {name: name for name in names}


def _deepest(nodes: dict[str, Any]) -> dict[int, tuple[str, int]]:
    """Find the last node at each stride: stride -> (node, channels), in forward order.

    Maps inside a block (of squeeze-and-excitation, say) are of no power of two, or come before others of their stride.
    """
    found: dict[int, tuple[str, int]] = {}
    for node, value in nodes.items():
        shape = tuple(value.shape) if isinstance(value, Tensor) else ()
        stride = _stride(shape)
        # The image itself is no stage, nor is a map after a deeper one.
        if stride is not None and shape[1] > 3 and stride >= max(found, default=1):
            found[stride] = (node, shape[1])
    return found


def _stride(shape: tuple[int, ...]) -> int | None:
    """Stride of a map [1, C, h, w] of the probe; None where it has none of `_STRIDES`, or another layout."""
    fits = (stride for stride in _STRIDES if shape[2:] == (_PROBE[0] // stride, _PROBE[1] // stride))
    return next(fits, None) if len(shape) == 4 else None


def _probed(arch: str, net: nn.Module) -> Any:
    """Run a copy of a network on the meta device, which works out shapes alone."""
    try:
        with torch.no_grad(), torch.device("meta"):
            return copy.deepcopy(net).to("meta")(torch.zeros(2, 3, *_PROBE))
    except Exception as error:  # the model's own code: it says by any exception that it wants another image
        raise _no_maps(arch, f"it does not take an image of {_PROBE[0]} x {_PROBE[1]}: {error}") from error


def _no_maps(arch: str, why: str) -> UsageError:
    return UsageError(
        f"backbone.arch: {arch} cannot serve as a trunk: {why}. Wanted is a convolutional network whose maps have "
        "strides that are powers of two."
    )
