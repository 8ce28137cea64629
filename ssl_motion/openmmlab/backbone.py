"""Our trunks, and mmseg's plain ResNet, as mmseg backbones that start from a backbone folder or at random.

Both first draw a random start, whatever follows, so that heads get
the same initial values in every arm of a comparison; then the weights are loaded through the coverage gate
(`ssl_motion.weights.load_strict`). A frozen trunk passes the same gate: it is frozen afterwards.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mmengine.model import BaseModule
from mmseg.models.backbones import ResNet as PlainResNet
from mmseg.registry import MODELS
from torch import Tensor, nn, no_grad

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.external import ExternalTrunk
from ssl_motion.backbones.initialise import initialise_he
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import load_strict, read_weights


@MODELS.register_module(name="SSLMotionBackbone", force=True)
class TrunkBackbone(BaseModule):  # type: ignore[misc]  # mmengine ships no types
    """One of `ssl_motion.backbones` as an mmseg backbone.

    A random start is mmseg's for its own ResNets: He's normal distribution (fan out) for convolutions, batch norms
    1 and 0, and 0 for the last batch norm of every residual block, so that blocks start as the identity. Trunks of
    other libraries start as these make them.

    Args:
        spec: a `BackboneSpec` as a dict.
        out_stages: stages whose features are handed to the heads, in this order.
        weights: a backbone folder, or None for a random start.
        frozen: keep every tensor of the trunk as it starts: no gradient, and batch norms with their stored statistics.
    """

    def __init__(
        self, spec: Mapping[str, Any], out_stages: Sequence[str], weights: str | None = None, frozen: bool = False
    ) -> None:
        super().__init__()
        self.trunk = build_backbone(BackboneSpec(**spec))
        self.out_stages, self.weights, self.frozen = list(out_stages), weights, frozen
        if frozen:
            self.trunk.requires_grad_(False)
            self.train(self.training)

    def init_weights(self) -> None:
        """Draw the random start, then load the weights where there are any."""
        if not isinstance(self.trunk, ExternalTrunk):
            initialise_he(self.trunk)
            for part in self.trunk.modules():
                last = getattr(part, "bn3", getattr(part, "bn2", None))
                if isinstance(last, nn.BatchNorm2d):
                    nn.init.zeros_(last.weight)
        _load(self.trunk, self.weights)

    def train(self, mode: bool = True) -> "TrunkBackbone":
        """Switch between training and evaluation; a frozen trunk always evaluates."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Map normalised images to the features of `out_stages`."""
        with no_grad() if self.frozen else nullcontext():
            stages = self.trunk(image_BCHW)
        return tuple(stages[stage] for stage in self.out_stages)


@MODELS.register_module(name="SSLMotionResNet", force=True)
class WeightedResNet(PlainResNet):  # type: ignore[misc]  # mmseg ships no types
    """mmseg's ResNet with the plain 7x7 stem, for recipes that must be mmseg's own in every detail.

    Its dilation differs from our trunks': with `contract_dilation` the first block of a dilated stage keeps the
    dilation before it (1 and 2 at stride 8), as in torchvision.

    Args:
        weights: a backbone folder, or None for a random start.
        **settings: of mmseg's ResNet.
    """

    def __init__(self, weights: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.weights = weights

    def init_weights(self) -> None:
        """Draw mmseg's random start, then load the weights where there are any."""
        super().init_weights()
        _load(self, self.weights)


def _load(module: nn.Module, weights: str | None) -> None:
    if weights is not None:
        _, tensors = read_weights(Path(weights))
        load_strict(module, tensors, what=weights)
