"""How the authors' code starts every parameter (Zhan et al. 2019, code; not described in the paper)."""

from torch import nn

GAIN = 0.02


def initialise_as_authors(module: nn.Module) -> None:
    """Draw all weights anew: convolutions Xavier-normal with gain 0.02, BN scales from N(1, 0.02), biases and shifts 0.

    Their training wrapper does this to the whole model, the image encoder included, after any other initialisation.
    So weights are about fifty times smaller than usual. Where batch norm follows, it takes the scale out again; but the
    256-channel image feature, which none follows, starts an order of magnitude below the motion feature, so training
    starts from the guidance.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_normal_(part.weight, gain=GAIN)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
