"""`check_method`: all that the harness relies on in a pretraining method."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel

from ssl_motion.backbones import build_backbone
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing.config_checks import check_config, check_fit
from ssl_motion.testing.sample_checks import check_targets, check_view
from ssl_motion.testing.state_checks import check_embedding, check_export, check_figures, check_state
from ssl_motion.testing.training_checks import check_half_precision, check_hard_samples, check_learning, check_losses

SMALL = BackboneSpec(arch="alexnet_mini", width=12)
"""The trunk that checks use unless told otherwise."""


def check_method(
    method_class: type[PretrainMethod],
    config: BaseModel | Mapping[str, Any] | None = None,
    *,
    backbone: BackboneSpec = SMALL,
    size: int = 96,
) -> None:
    """Check that a pretraining method keeps what `PretrainMethod` promises.

    Samples carry the layers that the method asks for; the settings are fitted to a few of them first.

    Args:
        method_class: the class that the entry point names.
        config: its settings, or a mapping to validate; None takes the defaults.
        backbone: trunk to build it on.
        size: side of the square images in pixels; what the trunk and method need at least.

    Raises:
        ContractError: The first promise that is broken.
    """
    settings = check_fit(method_class, check_config(method_class, config), size)

    def build() -> PretrainMethod:
        torch.manual_seed(0)
        return method_class(settings, build_backbone(backbone)).train()

    with torch.random.fork_rng(devices=[]):
        check_view(build(), size)
        check_targets(build(), size)
        check_losses(build, size)
        check_hard_samples(build, size)
        check_half_precision(build, size)
        check_learning(build, size)
        check_state(build, size)
        check_export(build(), backbone, size)
        check_figures(build(), size)
        check_embedding(build(), size)
