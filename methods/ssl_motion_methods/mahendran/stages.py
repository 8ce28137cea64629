"""Which features a hypercolumn is put together from.

The paper names conv1, pool1, conv3, pool5 and fc7 of AlexNet. Our AlexNets name their stages before the pooling; a
pooled stage is made here, with the trunk's own pooling, so that a trunk's stages stay what other methods take them for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ssl_motion.backbones.alexnet import AlexNet
from ssl_motion.errors import UsageError
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import Backbone

_POOLED = {"conv1": "pool1", "conv2": "pool2", "conv5": "pool5"}


@dataclass(frozen=True)
class Stage:
    """Features that can be read from a trunk.

    Attributes:
        name: in the settings.
        source: the trunk's stage that they come from.
        pool: the trunk's module that they are pooled by; None for features as the trunk gives them.
        channels: how many.
        stride: input pixels per cell.
    """

    name: str
    source: str
    pool: str | None
    channels: int
    stride: int


def known_stages(backbone: Backbone) -> dict[str, Stage]:
    """List the trunk's stages by name and, for AlexNets, the pooled ones."""
    found = {}
    for name, channels in backbone.channels.items():
        found[name] = Stage(name, name, None, channels, backbone.strides[name])
        pool = _POOLED.get(name)
        if pool is not None and isinstance(backbone, AlexNet):
            step = getattr(backbone, pool).stride
            found[pool] = Stage(pool, name, pool, channels, backbone.strides[name] * step)
    return found


def resolve_stages(backbone: Backbone, names: Sequence[str] | None) -> tuple[Stage, ...]:
    """Find the named stages.

    Args:
        backbone: the trunk.
        names: None takes conv1, pool1, conv3, pool5, fc7 of an AlexNet as in the paper; conv1, pool1, conv3, conv5 of
            one without fc7; and every stage of any other trunk (ResNets: stem, layer1 .. layer4).

    Raises:
        UsageError: A name is unknown, or the deepest stage is not used, so that the layers before it would stay random.
    """
    known = known_stages(backbone)
    if names is None:
        names = list(backbone.channels)
        if isinstance(backbone, AlexNet):
            deep = ("pool5", "fc7") if backbone.fully_connected else ("conv5",)
            names = ("conv1", "pool1", "conv3", *deep)
    for name in names:
        if name not in known:
            raise UsageError(
                f"method_config.stages: {backbone.arch} has no stage {name!r}.{did_you_mean(name, list(known))} "
                f"It has: {', '.join(known)}"
            )
    stages = tuple(known[name] for name in names)
    if backbone.last_stage not in {stage.source for stage in stages}:
        raise UsageError(
            f"method_config.stages: {', '.join(names)} do not include {backbone.last_stage}, the deepest stage of "
            f"{backbone.arch}: the layers after the last one used would not be trained. Add it."
        )
    return stages


def take_stages(backbone: Backbone, outputs: Mapping[str, Tensor], stages: Sequence[Stage]) -> list[Tensor]:
    """Return the features [B, C, h, w] of each of `stages`, pooled where they are.

    Args:
        backbone: the trunk.
        outputs: what it returned for some images.
        stages: of that trunk.
    """
    features = []
    for stage in stages:
        value = outputs[stage.source]
        if stage.pool is not None:
            pool: nn.Module = getattr(backbone, stage.pool)
            value = pool(value)
        features.append(value)
    return features
