"""A trunk that is not trained any more: its weights through the coverage gate, or a random start; and its name."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD, build_backbone
from ssl_motion.backbones.external import ExternalTrunk
from ssl_motion.backbones.initialise import initialise_for_transfer
from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import Backbone
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import WeightsCard, load_strict, read_weights


@dataclass(frozen=True)
class FrozenTrunk:
    """A trunk in evaluation mode, without gradients.

    Attributes:
        network: the trunk.
        spec: what it was built from.
        card: of the weights it holds; None for a random start.
        key: hash of its tensors, by name: two trunks with one key compute the same.
        mean: of its input per RGB channel, on the scale 0-255.
        std: likewise.
    """

    network: Backbone
    spec: BackboneSpec
    card: WeightsCard | None
    key: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def check_stages(self, stages: Sequence[str]) -> tuple[str, ...]:
        """Return the stages, all of the trunk's where none are named.

        Raises:
            UsageError: The trunk has no such stage; the nearest is given.
        """
        known = list(self.network.channels)
        for stage in stages:
            if stage not in known:
                raise UsageError(
                    f"{self.network.arch} has no stage {stage!r}.{did_you_mean(stage, known)} "
                    f"Its stages: {', '.join(known)}"
                )
        return tuple(stages) or tuple(known)

    def normalise(self, images: Sequence[UInt8Array]) -> Tensor:
        """Stack images of one size (uint8 RGB [H, W, 3]) as the input of the network: float32 [B, 3, H, W]."""
        return normalised(images, self.mean, self.std)

    @torch.no_grad()
    def features(self, images: Sequence[UInt8Array], stages: Sequence[str], device: str = "cpu") -> dict[str, Tensor]:
        """Compute the features of images of one size: stage -> float32 [B, C, h, w], on the network's device."""
        found = self.network(self.normalise(images).to(device))
        return {stage: found[stage].float() for stage in stages}


def normalised(images: Sequence[UInt8Array], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Stack images of one size as the input of a network.

    Args:
        images: uint8 RGB [H, W, 3] each.
        mean: of the network's input per RGB channel, on the scale 0-255.
        std: likewise.

    Returns:
        float32 [B, 3, H, W].
    """
    batch_BHWC = torch.stack([torch.from_numpy(image) for image in images]).float()
    normal_BHWC = (batch_BHWC - torch.tensor(mean)) / torch.tensor(std)
    return normal_BHWC.permute(0, 3, 1, 2).contiguous()


def build_trunk(weights: Path | None, spec: BackboneSpec, seed: int, device: str = "cpu") -> FrozenTrunk:
    """Build a trunk for reading.

    A random start is drawn first, as for fine-tuning (`initialise_for_transfer`; batch norms then have mean 0 and
    variance 1); weights are loaded over it through the coverage gate.

    Args:
        weights: a backbone folder (`RunContext.weights`), or None for a random start.
        spec: the trunk.
        seed: of the random start.
        device: "cpu" or "cuda".

    Raises:
        UsageError: The weights are not exactly this trunk's; the first tensor that fails is named.
        DataError: The weights' file is damaged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "frozen trunk").integers(2**63)))
        network = build_backbone(spec)
        if not isinstance(network, ExternalTrunk):
            initialise_for_transfer(network)
    card = None
    mean: Any = INPUT_MEAN
    std: Any = INPUT_STD
    if weights is not None:
        card, tensors = read_weights(weights)
        load_strict(network, tensors, what=str(weights))
        mean, std = card.mean, card.std
    key = _hash(network)
    return FrozenTrunk(network.eval().requires_grad_(False).to(device), spec, card, key, tuple(mean), tuple(std))


def _hash(network: Backbone) -> str:
    sha = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} ".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
