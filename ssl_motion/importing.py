"""Published weights -> a backbone folder, and where a method can read them, its whole model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.checkpoints import backbone_tensors, read_checkpoint
from ssl_motion.errors import UsageError
from ssl_motion.models import save_model
from ssl_motion.plugins import METHODS, load
from ssl_motion.protocols import PretrainMethod
from ssl_motion.record import Pretraining
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import CARD, load_strict, save_weights


def import_weights(
    source: Path,
    folder: Path,
    *,
    spec: BackboneSpec | None = None,
    method: str | None = None,
    pretraining: Pretraining | None = None,
    full: bool = False,
    dry_run: bool = False,
) -> BackboneSpec:
    """Turn a file of published weights into a backbone folder.

    Reads original CMP checkpoints (whole, or the exported image encoder) and ResNets under the names of torchvision,
    timm or OpenMMLab.

    Args:
        source: `.pth`, `.pth.tar`, `.pt` or `.safetensors`.
        folder: gets `backbone.safetensors` and `weights.json`; with `full` the whole model too.
        spec: the trunk; None reads it off names and shapes.
        method: how the weights were learned; None will do for original CMP checkpoints.
        pretraining: what they have seen; None says "unknown".
        full: keep the method's other parts as well (`ssl_motion.models.load_model`).
        dry_run: read and check everything, write nothing.

    Returns:
        The trunk that the weights belong to.

    Raises:
        UsageError: The file does not fit, holds code, or `folder` already holds weights.
        DataError: The file is damaged.
        RunError: The folder cannot be written.
    """
    if (folder / CARD).exists():
        raise UsageError(f"{folder} already holds weights ({CARD}); choose another folder, or move it away")
    content = read_checkpoint(source)
    tensors = backbone_tensors(content, what=str(source))
    original = is_original_cmp(content)
    if spec is None:
        spec = guess_spec(tensors, dilated=original, what=str(source))
    if method is None:
        if not original:
            raise UsageError(f"{source}: say how these weights were learned: --method imagenet, or another name")
        method = "cmp"
    backbone = build_backbone(spec)
    load_strict(backbone, tensors, what=str(source))
    model = None
    if full:
        kind: type[PretrainMethod] = load(METHODS, method)
        model = kind.from_published(content, spec.arch)
    if not dry_run:
        note = f"imported from {source.name}"
        if model is not None:
            save_model(folder, model, method=method, spec=spec, source=note)
        seen = pretraining or Pretraining(data="unknown")
        save_weights(folder, backbone, spec=spec, method=method, run=None, pretraining=seen, source=note)
    return spec


def is_original_cmp(content: Mapping[str, object]) -> bool:
    """Tell whether a checkpoint, or an exported image encoder, is of the CMP authors' code."""
    nested = content.get("state_dict")
    names = {str(name).removeprefix("module.") for name in (nested if isinstance(nested, Mapping) else content)}
    encoder = any(name.startswith("image_encoder.") for name in names)
    exported = {"conv1.0.weight", "conv8.weight"} <= names or {"layer4.0.conv1.weight", "conv5.weight"} <= names
    return encoder or exported


def guess_spec(tensors: Mapping[str, Tensor], *, dilated: bool, what: str) -> BackboneSpec:
    """Read the trunk off the names and shapes of its tensors.

    Args:
        tensors: under our names.
        dilated: whether a ResNet was trained at stride 8, as CMP's were.
        what: the file, for messages.

    Raises:
        UsageError: It is no trunk we know.
    """
    if "conv1.0.weight" in tensors:
        # The variants of stride 8 and 32 have the same tensors; all published ones are of stride 32.
        arch, usual = ("alexnet_32x", 96) if "fc6.0.weight" in tensors else ("alexnet_mini", 24)
        width = tensors["conv1.0.weight"].shape[0]
        norm: Literal["batch", "none"] = "batch" if "conv1.1.weight" in tensors else "none"
        return BackboneSpec(arch=arch, width=None if width == usual else width, norm=norm)
    if "conv1.weight" in tensors and "layer1.0.conv1.weight" in tensors:
        depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layer3."))
        bottleneck = "layer1.0.conv3.weight" in tensors
        names = {(2, False): "resnet18", (6, False): "resnet34", (6, True): "resnet50", (23, True): "resnet101"}
        if (depth, bottleneck) in names:
            width = tensors["conv1.weight"].shape[0]
            return BackboneSpec(
                arch=names[depth, bottleneck],
                width=None if width == 64 else width,
                output_stride=8 if dilated else None,
            )
    raise UsageError(
        f"{what}: cannot tell which trunk this is from its names ({', '.join(list(tensors)[:4])}, ...). "
        "Known are ResNet-18, -34, -50, -101 and CMP's AlexNets; name one with --arch."
    )
