"""Random start of a trunk that no method initialises in its own way."""

from torch import nn


def initialise_he(module: nn.Module) -> None:
    """Draw convolutions from He's normal distribution (fan out), and reset biases and batch norms.

    As torchvision does for its ResNets; source: He et al. 2015, "Delving deep into rectifiers", equation 15.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
