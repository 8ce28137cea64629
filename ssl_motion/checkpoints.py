"""Foreign checkpoint files -> tensors under the names of our backbones.

Our ResNets carry torchvision's parameter names and our AlexNets those of the
original CMP encoders, so adapting a file means unwrapping what was
put around them, and dropping what is no part of a backbone.

| file | nesting | prefix | dropped |
|---|---|---|---|
| torchvision ResNet | none | none | `fc.` |
| timm ResNet | none or `state_dict` | none or `module.` | `fc.` |
| OpenMMLab (mmcls, mmselfsup, mmseg, mmdet) | `state_dict` | `backbone.` | everything else |
| original CMP | `state_dict` | `module.image_encoder.` | `conv8` / 1x1 `conv5` of the encoder, everything else |
| MoCo v1, v2 | `state_dict` | `module.encoder_q.` | `fc.`, everything else |

All of these normalise RGB images with ImageNet's mean and deviation, as we do. Caffe-style
weights (BGR, 0-255 without deviation) carry the same names and cannot be told apart: do not import them.
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ssl_motion.errors import DataError, UsageError

_NESTS = ("state_dict", "model", "model_state_dict")
_WRAPPERS = ("module.", "model.", "_orig_mod.")
_TRUNKS = ("backbone.", "image_encoder.", "encoder_q.")
_HEADS = ("fc.", "head.", "conv8.")
# What torch's reader of archives and pickles raises on damaged ones: nearly anything.
_DAMAGE = (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile)
# The original CMP ResNet ends in a 1x1 convolution of this name; AlexNet's fifth convolution is `conv5.0`.
_HEAD_NAMES = ("conv5.weight", "conv5.bias")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a `.safetensors` file, or a file of `torch.save` without running any code in it.

    Returns:
        What the file holds: tensors by name, or a mapping around them.

    Raises:
        UsageError: No such file, one of neither format, or it holds Python objects other than tensors and plain
            containers.
        DataError: The file is damaged.
    """
    if not path.is_file():
        raise UsageError(f"no such weights file: {path}")
    if path.suffix != ".safetensors" and not _is_pickle(path):
        raise UsageError(
            f"{path}: no weights file: it is neither one of torch.save nor named .safetensors. "
            "Was an error page or a text file saved in its place?"
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file, or cut short: {error}") from error
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path}: refused: it holds Python objects beside tensors, and loading them could run any code "
            f"({_first_line(error)}). Use a file that holds its state_dict "
            "alone: ask for one, or save it anew in the program that wrote it."
        ) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path}: damaged, cut short, or not written by torch.save: {type(error).__name__}: {_first_line(error)}"
        ) from error
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: expected a mapping of names to tensors, found {type(content).__name__}")
    return dict(content)


def _is_pickle(path: Path) -> bool:
    """Whether the file begins as torch's zip archives (of pickles) or as bare pickles do."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def backbone_tensors(content: Mapping[str, Any], *, what: str) -> dict[str, Tensor]:
    """Take the backbone's tensors out of a checkpoint, under our names.

    Args:
        content: as returned by `read_checkpoint`.
        what: the file, for messages.

    Returns:
        Parameter name of the backbone -> tensor; classifiers and projection heads are left out.

    Raises:
        UsageError: The content holds no tensors, or belongs to a trunk that is known not to fit.
    """
    tensors = _unwrap(_unnest(content, what))
    for trunk in _TRUNKS:
        inner = {name[len(trunk) :]: tensor for name, tensor in tensors.items() if name.startswith(trunk)}
        if inner:
            tensors = _unwrap(inner)
            break
    _refuse_known(tensors, what)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_HEADS) and name not in _HEAD_NAMES}


def _unnest(content: Mapping[str, Any], what: str) -> dict[str, Tensor]:
    for key in _NESTS:
        nested = content.get(key)
        if isinstance(nested, Mapping):
            return _unnest(nested, what)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UsageError(f"{what}: holds no tensors (keys: {', '.join(map(str, list(content)[:8])) or 'none'})")
    return tensors


def _unwrap(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Strip wrappers that stand before every name."""
    for wrapper in _WRAPPERS:
        if tensors and all(name.startswith(wrapper) for name in tensors):
            return _unwrap({name[len(wrapper) :]: tensor for name, tensor in tensors.items()})
    return tensors


def _refuse_known(tensors: Mapping[str, Tensor], what: str) -> None:
    deep = next((name for name in ("stem.0.weight", "conv1.0.weight") if name in tensors), None)
    if deep is not None and any(name.startswith("layer1.") for name in tensors):
        raise UsageError(
            f"{what}: {deep}: a ResNet with a deep stem of three 3x3 convolutions (ResNetV1c, V1d, timm's *d). "
            "Our ResNets have the plain 7x7 stem; its weights cannot come from this file. Take a plain ResNet's."
        )
    if "features.0.weight" in tensors and any(name.startswith("classifier.") for name in tensors):
        raise UsageError(
            f"{what}: features.0.weight: torchvision's AlexNet or VGG. Our AlexNets are CMP's (batch normalisation, "
            "96-256-384-384-256 channels, convolutional fc6 and fc7): the weights do not fit."
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    picked = [line for line in lines if "GLOBAL" in line or "nsupported" in line]
    return (picked or lines or [type(error).__name__])[0][:300]
