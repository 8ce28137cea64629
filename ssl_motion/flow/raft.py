"""RAFT (Teed and Deng, ECCV 2020) by torchvision, where torchvision and a local weights file are there.

Nothing is downloaded: a run must not depend on what a server hands out that day. The weights were learned from
labelled flow (synthetic, and real too for some files), which every data set made with them records.
"""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ssl_motion.checkpoints import read_checkpoint
from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.fileio import sha256_of
from ssl_motion.flow.protocol import FlowEstimator

WEIGHTS_VARIABLE = "SSL_MOTION_RAFT_WEIGHTS"
DEFAULT_UPDATES = 12

# What torchvision's files were learned from, by the first digits of their hashes. C_T: FlyingChairs and FlyingThings;
# SKHT and K add Sintel, KITTI and HD1K, two of which are real scenes with measured flow.
_SYNTHETIC = {"22a6c225", "1bb1363a", "ad48884c", "01064c6d"}
_REAL_TOO = {"0b8c9e55", "ff5fadd5", "4a6a5039", "b5c70766"}

# The correlation pyramid halves 1/8-resolution features three times and needs two cells at the top (torchvision).
_MIN_SIDE = 128
_MULTIPLE = 8
_HOW_TO_GET = (
    f"Download torchvision's raft_large_C_T_V2-1bb1363a.pth or raft_small_C_T_V2-01064c6d.pth from "
    f"https://download.pytorch.org/models/ on a machine with internet, and set {WEIGHTS_VARIABLE}=FILE."
)


class RAFTFlow(FlowEstimator):
    """torchvision's raft_large or raft_small, told apart by the weights file."""

    name = "raft"
    supervision: str = "synthetic labels"

    def __init__(
        self,
        weights: Path | str | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        updates: int = DEFAULT_UPDATES,
    ) -> None:
        """Load the network.

        Args:
            weights: torchvision's weights file; None reads the path from $SSL_MOTION_RAFT_WEIGHTS.
            device: "auto" takes CUDA when it is there.
            updates: recurrent refinement steps.

        Raises:
            UsageError: torchvision or the file is missing, or the file is not RAFT's; says what to do.
            DataError: The file is damaged.
        """
        location = weights or os.environ.get(WEIGHTS_VARIABLE)
        if not location:
            raise UsageError(f"flow estimator 'raft' needs a weights file. {_HOW_TO_GET}")
        if updates < 1:
            raise UsageError(f"RAFT with {updates} updates: expected at least 1")
        self.weights, self.updates = Path(location), updates
        self.device = "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
        builders = _builders()
        if not self.weights.is_file():
            raise UsageError(f"no RAFT weights at {self.weights}. {_HOW_TO_GET}")
        tensors = read_checkpoint(self.weights)
        # Only the large network has a learned upsampling.
        self.arch = "raft_large" if any(name.startswith("mask_predictor.") for name in tensors) else "raft_small"
        network: nn.Module = builders[self.arch]()
        try:
            network.load_state_dict(tensors)
        except (RuntimeError, TypeError) as error:
            first = " ".join(str(error).split())[:300]
            raise UsageError(f"{self.weights} does not hold {self.arch}'s weights: {first}. {_HOW_TO_GET}") from error
        self._network = network.eval().to(self.device)
        self._digest = sha256_of(self.weights)[:12]
        published = self._digest[:8]
        if published in _REAL_TOO:
            self.supervision = "synthetic and real labels"
        elif published not in _SYNTHETIC:
            self.supervision = "labels (unknown weights)"

    @property
    def version(self) -> str:
        """torchvision's version, the network, its refinement steps and the hash of its weights."""
        import torchvision

        return f"torchvision {torchvision.__version__} {self.arch} x{self.updates} weights {self._digest}"

    @torch.inference_mode()
    def estimate(self, frame0: UInt8Array, frame1: UInt8Array) -> Float32Array:
        """See `FlowEstimator.estimate`. Sides are padded, edge pixels repeated, to a multiple of 8 and at least 128."""
        if frame0.shape != frame1.shape or frame0.ndim != 3 or frame0.shape[2] != 3 or frame0.dtype != np.uint8:
            raise UsageError(
                f"flow needs two RGB frames of one size, uint8 [H, W, 3]; got {frame0.dtype} {frame0.shape} and "
                f"{frame1.dtype} {frame1.shape}"
            )
        height, width = frame0.shape[:2]
        top, bottom = _padding(height)
        left, right = _padding(width)
        images = [
            functional.pad(self._normalised(frame), (left, right, top, bottom), mode="replicate")
            for frame in (frame0, frame1)
        ]
        flow: Tensor = self._network(*images, num_flow_updates=self.updates)[-1][0]
        inner = flow[:, top : top + height, left : left + width]
        return np.ascontiguousarray(inner.permute(1, 2, 0).float().cpu().numpy())

    def _normalised(self, frame: UInt8Array) -> Tensor:
        # torchvision's preset: 0..255 becomes -1..1.
        pixels = torch.tensor(frame, device=self.device).permute(2, 0, 1)[None]
        return pixels.float() / 127.5 - 1


def _padding(side: int) -> tuple[int, int]:
    missing = max(-(-side // _MULTIPLE) * _MULTIPLE, _MIN_SIDE) - side
    return missing // 2, missing - missing // 2


def _builders() -> dict[str, Any]:
    try:
        from torchvision.models.optical_flow import raft_large, raft_small
    except ImportError as error:
        raise UsageError(
            f"flow estimator 'raft' needs torchvision, which does not import ({error}). Install the release that goes "
            f"with torch {torch.__version__}: pip install torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from error
    except (RuntimeError, OSError) as error:
        # A torchvision built for another torch (or for CUDA) fails while it registers its operators.
        raise UsageError(
            f"the installed torchvision does not fit torch {torch.__version__} ({str(error).splitlines()[0]}). Install "
            "the pair from one index: pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from error
    return {"raft_large": raft_large, "raft_small": raft_small}
