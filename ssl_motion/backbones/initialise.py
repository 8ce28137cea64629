"""Random starts of a trunk, each by its name.

A comparison with "random" depends on which: `ssl-bench transfer --init random:xavier` names one of `SCHEMES`. Plain
`--init random` is what the recipe itself does (`initialise_for_transfer`), and no scheme of that name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.seeding import generator

_Convolution = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
CMP_GAIN = 0.02


def initialise_he(module: nn.Module) -> None:
    """Draw convolutions from He's normal distribution (fan out), and reset biases and batch norms.

    As torchvision does for its ResNets; source: He et al. 2015, "Delving deep into rectifiers", equation 15.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            _zero_bias(part)
        elif isinstance(part, nn.BatchNorm2d):
            _reset_norm(part)


def initialise_for_transfer(module: nn.Module) -> None:
    """Draw the start that plain `--init random` stands for: He's, and 0 for the last batch norm of residual blocks.

    It is mmseg's start for its own ResNets: blocks begin as the identity.
    """
    initialise_he(module)
    for part in module.modules():
        last = getattr(part, "bn3", getattr(part, "bn2", None))
        if isinstance(last, nn.BatchNorm2d):
            nn.init.zeros_(last.weight)


def initialise_xavier(module: nn.Module) -> None:
    """Draw weights from Glorot's normal distribution, and reset biases and batch norms.

    Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks",
    section 4.2.1 (as a normal distribution of the same variance).
    """
    for part in module.modules():
        if isinstance(part, _Convolution):
            nn.init.xavier_normal_(part.weight)
            _zero_bias(part)
        elif isinstance(part, nn.BatchNorm2d):
            _reset_norm(part)


def initialise_cmp(module: nn.Module) -> None:
    """Draw weights Xavier-normal with gain 0.02, BN scales from N(1, 0.02); biases and shifts are 0.

    Source: code of Zhan et al. 2019 (not described in the paper), which does this to the whole model, the image encoder
    included, after any other initialisation. Weights are about fifty times smaller than usual; where batch norm
    follows, it takes the scale out again.
    """
    for part in module.modules():
        if isinstance(part, _Convolution):
            nn.init.xavier_normal_(part.weight, gain=CMP_GAIN)
            _zero_bias(part)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)


def initialise_caffe(module: nn.Module) -> None:
    """Draw weights from N(0, 0.01), and reset biases and batch norms.

    The "gaussian" filler with the deviation that Caffe's AlexNet gives its convolutions; there some biases start at
    1 or 0.1 instead, which batch norm makes pointless.
    """
    for part in module.modules():
        if isinstance(part, _Convolution):
            nn.init.normal_(part.weight, 0.0, 0.01)
            _zero_bias(part)
        elif isinstance(part, nn.BatchNorm2d):
            _reset_norm(part)


def initialise_torch(module: nn.Module) -> None:
    """Draw what each of torch's layers draws when it is made (convolutions: uniform, variance 1 / (3 fan in))."""
    for part in module.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()


def _zero_bias(part: nn.Module) -> None:
    if isinstance(part.bias, torch.Tensor):
        nn.init.zeros_(part.bias)


def _reset_norm(part: nn.BatchNorm2d) -> None:
    nn.init.ones_(part.weight)
    nn.init.zeros_(part.bias)


@dataclass(frozen=True)
class Scheme:
    """A random start.

    Attributes:
        description: one line for people.
        apply: draws all weights of a module anew, from torch's global generator.
    """

    description: str
    apply: Callable[[nn.Module], None]


SCHEMES: Mapping[str, Scheme] = {
    "xavier": Scheme("Glorot's normal distribution; biases 0", initialise_xavier),
    "cmp": Scheme("as the CMP authors' code: Xavier-normal with gain 0.02, BN scales N(1, 0.02)", initialise_cmp),
    "torch": Scheme("torch's own default of every layer", initialise_torch),
    "caffe": Scheme("N(0, 0.01) as Caffe's AlexNet; biases 0", initialise_caffe),
}


def find_scheme(name: str) -> Scheme:
    """Look a scheme up.

    Raises:
        UsageError: There is none of that name; the nearest is given.
    """
    if name not in SCHEMES:
        raise UsageError(
            f"init random:{name}: unknown scheme.{did_you_mean(name, list(SCHEMES))} Known: "
            f"{', '.join(f'random:{known}' for known in SCHEMES)}, and random (the recipe's own)"
        )
    return SCHEMES[name]


def draw(module: nn.Module, scheme: str, seed: int) -> None:
    """Draw all weights of a module from a scheme and a seed; torch's global generator is as before afterwards."""
    chosen = find_scheme(scheme)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "random start").integers(2**63)))
        chosen.apply(module)
