"""The three operators that OpenMMLab's models really call, supplied where mmcv came without compiled ones.

mmcv-lite holds all of mmcv's Python code; only the extension module `mmcv._ext` is missing. `install_operators`
puts a module of that name in its place before `mmcv.ops` is imported: `nms` and `roi_align_*` work (from
torchvision where its operators load, else plain torch), every other operator exists by
name and says clearly, when called, that a compiled mmcv is needed. A compiled `mmcv._ext` always wins.
"""

import importlib
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ssl_motion.openmmlab import plain_ops

EXTENSION = "mmcv._ext"
COMPILE = (
    "pip uninstall -y mmcv-lite && pip install 'setuptools<81' wheel ninja && "
    "CFLAGS='-g0 -w' pip install --no-cache-dir --no-build-isolation mmcv==2.1.0"
)


class OperatorMissing(NotImplementedError):
    """An operator was called that only a compiled mmcv has."""


def install_operators() -> None:
    """Make `mmcv.ops` importable in this process. Harmless to call again, and where mmcv is compiled or absent."""
    if EXTENSION not in sys.modules and not _compiled():
        sys.modules[EXTENSION] = _Operators()


def operator_source() -> str:
    """Say where nms and roi_align come from: "a compiled mmcv", "torchvision ..." or "plain torch".

    Raises:
        ImportError: A compiled mmcv is installed, but does not load beside this torch.
    """
    install_operators()
    module = importlib.import_module(EXTENSION)
    if not isinstance(module, _Operators):
        return "a compiled mmcv"
    vision = _torchvision()
    return "plain torch" if vision is None else f"torchvision {vision.__version__}"


def _compiled() -> bool:
    mmcv = find_spec("mmcv")
    places = mmcv.submodule_search_locations if mmcv else None
    return places is not None and PathFinder.find_spec(EXTENSION, list(places)) is not None


@lru_cache(maxsize=1)
def _torchvision() -> ModuleType | None:
    """torchvision where its operators really run; a build for another torch fails at import or in the first call."""
    try:
        vision = importlib.import_module("torchvision")
        vision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except Exception:  # ImportError, RuntimeError, AttributeError: a broken build shows itself in many ways
        return None
    return vision


class _Supplied(Loader):
    """Stands for a loader; the module is made in memory and never loaded."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return _Operators()

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do."""


class _Operators(ModuleType):
    """The module that stands for `mmcv._ext`."""

    def __init__(self) -> None:
        super().__init__(EXTENSION, "Operators supplied by ssl-motion.")
        # pkgutil and importlib look at __spec__ and its loader to learn whether the extension is there.
        self.__spec__ = ModuleSpec(EXTENSION, loader=_Supplied(), origin=__file__)
        self.nms = nms
        self.roi_align_forward = roi_align_forward
        self.roi_align_backward = roi_align_backward
        self.get_compiler_version = lambda: "none: operators of ssl-motion"
        self.get_compiling_cuda_version = lambda: "not available"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def missing(*args: object, **kwargs: object) -> None:
            raise OperatorMissing(
                f"mmcv operator {name!r} needs a compiled mmcv (nms and roi_align work without). Compile it, "
                f"which takes 5 to 10 minutes: {COMPILE}"
            )

        missing.__name__ = name
        return missing


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Non-maximum suppression with the signature of mmcv's extension."""
    vision = _torchvision()
    if vision is not None and offset == 0:
        kept: Tensor = vision.ops.nms(boxes, scores.to(boxes.dtype), iou_threshold)
        return kept
    return plain_ops.nms(boxes, scores, iou_threshold, offset)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoIAlign into `output`, with the signature of mmcv's extension."""
    del argmax_y, argmax_x
    _average_only(pool_mode)
    size = (aligned_height, aligned_width)
    vision = _torchvision()
    if vision is not None:
        rois = rois.to(input.dtype)
        output.copy_(vision.ops.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned))
    else:
        output.copy_(plain_ops.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned))


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of RoIAlign into `grad_input`, with the signature of mmcv's extension."""
    del argmax_y, argmax_x
    _average_only(pool_mode)
    batch, channels, height, width = grad_input.shape
    if _torchvision() is not None:
        grad_input.copy_(
            torch.ops.torchvision._roi_align_backward(
                grad_output,
                rois.to(grad_output.dtype),
                spatial_scale,
                aligned_height,
                aligned_width,
                batch,
                channels,
                height,
                width,
                sampling_ratio,
                aligned,
            )
        )
    else:
        shape = (batch, channels, height, width)
        grad_input.copy_(plain_ops.roi_align_backward(grad_output, rois, shape, spatial_scale, sampling_ratio, aligned))


def _average_only(pool_mode: int) -> None:
    if pool_mode != 1:
        raise OperatorMissing(f"RoIAlign with maximum pooling needs a compiled mmcv. Compile it: {COMPILE}")
