"""mmseg's own ResNet, started from a backbone folder or at random."""

from typing import Any

from mmseg.models.backbones import ResNet
from mmseg.registry import MODELS

from ssl_motion.openmmlab.backbone import load_trunk


@MODELS.register_module(name="SSLMotionResNet", force=True)
class WeightedResNet(ResNet):  # type: ignore[misc]  # mmseg ships no types
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
        load_trunk(self, self.weights)
