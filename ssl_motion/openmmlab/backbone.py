"""Our trunks as OpenMMLab backbones that start from a backbone folder or at random.

A random start is drawn first, whatever follows, so that heads get the same initial values in every arm of a
comparison; then the weights are loaded through the coverage gate (`ssl_motion.weights.load_strict`). A frozen trunk
passes the same gate: it is frozen afterwards.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn, no_grad

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.external import ExternalTrunk
from ssl_motion.backbones.freezing import batch_norms, freeze
from ssl_motion.backbones.initialise import initialise_for_transfer
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import load_strict, read_weights


@MODELS.register_module(name="SSLMotionBackbone", force=True)
class TrunkBackbone(BaseModule):  # type: ignore[misc]  # mmengine ships no types
    """One of `ssl_motion.backbones` as a backbone of mmseg and mmdet (registered in the registry above both).

    A random start is mmseg's for its own ResNets: He's normal distribution (fan out) for convolutions, batch norms
    1 and 0, and 0 for the last batch norm of every residual block, so that blocks start as the identity. Trunks of
    other libraries start as these make them.

    Args:
        spec: a `BackboneSpec` as a dict.
        out_stages: stages whose features are handed to the heads, in this order.
        weights: a backbone folder, or None for a random start.
        frozen: keep tensors as they start: no gradient, and batch norms with their stored statistics. True for the
            whole trunk, or the name of the last stage that is kept.
        norm_eval: use the stored statistics in every batch norm; the affine parameters of those not frozen are trained.

    Raises:
        UsageError: `frozen` names no stage of the trunk.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        out_stages: Sequence[str],
        weights: str | None = None,
        frozen: bool | str = False,
        norm_eval: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = build_backbone(BackboneSpec(**spec))
        self.out_stages, self.weights = list(out_stages), weights
        self.frozen = frozen is True
        # By name: synchronising batch norms replaces the modules.
        self._evaluating: list[str] = batch_norms(self.trunk) if norm_eval else []
        if self.frozen:
            self.trunk.requires_grad_(False)
            self._evaluating = [""]
        elif frozen:
            self._evaluating += freeze(self.trunk, str(frozen))
        self.train(self.training)

    def init_weights(self) -> None:
        """Draw the random start, then load the weights where there are any."""
        if not isinstance(self.trunk, ExternalTrunk):
            initialise_for_transfer(self.trunk)
        load_trunk(self.trunk, self.weights)

    def train(self, mode: bool = True) -> "TrunkBackbone":
        """Switch between training and evaluation; what is frozen always evaluates."""
        super().train(mode)
        for name in self._evaluating:
            self.trunk.get_submodule(name).eval()
        return self

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Map normalised images to the features of `out_stages`."""
        with no_grad() if self.frozen else nullcontext():
            stages = self.trunk(image_BCHW)
        return tuple(stages[stage] for stage in self.out_stages)


def load_trunk(module: nn.Module, weights: str | None) -> None:
    """Load a backbone folder through the coverage gate; with None, leave the module as it is."""
    if weights is not None:
        _, tensors = read_weights(Path(weights))
        load_strict(module, tensors, what=weights)
