"""The network on sparse hypercolumns.

Source: Mahendran et al. 2018. A pixel's hypercolumn (`ssl_motion.hypercolumns`) is mapped to the output by a network
with one hidden layer.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.hypercolumns import read_layer
from ssl_motion_methods.mahendran.stages import Stage


class HypercolumnNetwork(nn.Module):
    """Hypercolumn, one hidden layer with ReLU, output.

    Args:
        stages: what a hypercolumn is put together from.
        hidden: width of the hidden layer.
        outputs: numbers per point.
    """

    def __init__(self, stages: Sequence[Stage], hidden: int, outputs: int) -> None:
        super().__init__()
        self.strides = [stage.stride for stage in stages]
        self.hidden = nn.Linear(sum(stage.channels for stage in stages), hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, features: Sequence[Tensor], points_BP2: Tensor) -> Tensor:
        """Map each stage's features [B, C, h, w] and points [B, P, 2] (x, y in pixels) to outputs [B, P, outputs]."""
        hidden = read_layer(self.hidden, features, self.strides, points_BP2)
        outputs: Tensor = self.output(F.relu(hidden))
        return outputs
