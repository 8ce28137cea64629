"""A pretraining method as the model that MMEngine's Runner trains."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD
from ssl_motion.engine.compatibility import check_image_size, single_value_error
from ssl_motion.errors import RunError
from ssl_motion.protocols import PretrainMethod


class Normaliser(nn.Module):
    """Moves a batch to the model's device and normalises its images there.

    Args:
        channels_last: memory format of the images.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels_last: bool = False) -> None:
        super().__init__()
        # Not in the state: the weights' card states them.
        self.register_buffer("mean", torch.tensor(INPUT_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(INPUT_STD).view(1, 3, 1, 1), persistent=False)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def forward(self, batch: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """Return the batch on the device, "image" (uint8 [B, 3, H, W], RGB) as normalised float of that shape."""
        del training
        moved = {key: value.to(self.mean.device, non_blocking=True) for key, value in batch.items()}
        image = moved["image"].to(torch.float32, memory_format=self.memory_format)
        moved["image"] = image.sub_(self.mean).div_(self.std)
        return moved


class PretrainModel(BaseModel):  # type: ignore[misc]  # mmengine ships no types
    """What the Runner sees of a method: `forward(mode="loss", **batch)`.

    Its state_dict is the method's under the prefix "method.".

    Args:
        method: the method with its backbone.
        normaliser: applied to every batch first.
    """

    def __init__(self, method: PretrainMethod, normaliser: Normaliser) -> None:
        super().__init__(data_preprocessor=normaliser)
        self.method = method
        self._trunk_was_reached = False

    def init_weights(self) -> None:
        """Leave the weights alone: methods and backbones initialise themselves when they are built."""

    def forward(self, mode: str = "loss", **batch: Tensor) -> dict[str, Tensor]:
        """Return the method's losses of a normalised batch.

        Raises:
            UsageError: The images are too small for the trunk, or the batch for batch norm.
        """
        assert mode == "loss", mode
        check_image_size(self.method.backbone, *batch["image"].shape[-2:])
        try:
            losses: dict[str, Tensor] = self.method.losses(batch)
        except ValueError as error:
            if (meaning := single_value_error(error, batch)) is not None:
                raise meaning from error
            raise
        return losses

    def parse_losses(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (what is minimised, figures to log); the figure "loss" is the minimised sum.

        Raises:
            RunError: The losses are not scalar tensors by name, or do not depend on the trunk (faults of the method).
        """
        total = total_loss(losses)
        if not self._trunk_was_reached:
            # Once is enough; a head on a trunk that is never trained would look like a method.
            if not depends_on(total, self.method.backbone.parameters()):
                raise RunError(
                    f"no gradient of {type(self.method).__name__}'s losses reaches the trunk: it would be exported as "
                    "it started. Look for torch.no_grad() or detach() between `self.backbone` and the loss."
                )
            self._trunk_was_reached = True
        return total, {**{key: value.detach() for key, value in losses.items()}, "loss": total.detach()}


def total_loss(losses: Mapping[str, Tensor]) -> Tensor:
    """Sum the losses whose name contains "loss".

    Raises:
        RunError: There is none, or one is not a tensor of a single value (faults of the method).
    """
    if not isinstance(losses, Mapping):
        raise RunError(f"the method's losses() returned a {type(losses).__name__}; expected a dict of scalar tensors")
    terms = [value for key, value in losses.items() if "loss" in key]
    if not terms:
        raise RunError(f"the method's losses() returned {sorted(losses)}; expected a key that contains 'loss'")
    for key, value in losses.items():
        if not isinstance(value, Tensor) or value.ndim:
            found = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise RunError(f"the method's losses() returned {found} as {key!r}; expected a tensor of a single value")
    return torch.stack(terms).sum() if len(terms) > 1 else terms[0]


def depends_on(value: Tensor, parameters: Iterable[Tensor]) -> bool:
    """Say whether a gradient of `value` would reach any of the parameters."""
    wanted = {id(parameter) for parameter in parameters}
    waiting: list[Any] = [value.grad_fn]
    seen: set[Any] = {None}
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) in wanted:
            return True
        waiting += [before for before, _ in node.next_functions]
    return False


_LOW_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}


def arithmetic(device: str, precision: str) -> AbstractContextManager[Any]:
    """Context of the forward pass: autocast to `precision`, or nothing for "fp32"."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device, dtype=_LOW_PRECISION[precision])
