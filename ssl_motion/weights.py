"""Backbone weights on disk: `backbone.safetensors` with its card `weights.json`, and the gate every import passes.

A backbone folder says what the tensors are (architecture, input normalisation,
checksum, the run that made them). Foreign files go through
`ssl_motion.checkpoints`, which gives tensors under our names; both ways end in
`load_strict`.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as dump_safetensors
from torch import Tensor, nn

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD
from ssl_motion.checkpoints import read_checkpoint
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import sha256_of, write_atomically, write_json
from ssl_motion.protocols import Backbone
from ssl_motion.record import Pretraining
from ssl_motion.spec import BackboneSpec

__all__ = ["CARD", "TENSORS", "WeightsCard", "load_strict", "read_checkpoint", "read_weights", "save_weights"]

TENSORS = "backbone.safetensors"
CARD = "weights.json"

# Counts of batches seen: no layer of ours uses them in computing anything (momentum is never None).
_IGNORED = "num_batches_tracked"


class WeightsCard(BaseModel):
    """What the tensors beside it are.

    Attributes:
        schema_version: of this format.
        backbone: the trunk they belong to.
        mean: of the input per channel, on the scale 0-255, in `channel_order`.
        std: likewise.
        channel_order: of the input images.
        sha256: of the tensors' file.
        method: how they were learned ("cmp", "imagenet", "random", ...).
        run: identity of the run that made them, None for imported files.
        pretraining: what they have seen; None for a random start.
        source: where they came from, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    backbone: BackboneSpec
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: Literal["RGB"] = "RGB"
    sha256: str
    method: str
    run: str | None = None
    pretraining: Pretraining | None = None
    source: str = ""


def save_weights(
    folder: Path,
    backbone: Backbone,
    *,
    spec: BackboneSpec,
    method: str,
    run: str | None,
    pretraining: Pretraining | None,
    source: str,
) -> WeightsCard:
    """Write `backbone.safetensors` and `weights.json` into `folder`, the card last.

    Raises:
        RunError: The folder cannot be written.
        DataError: A tensor holds NaN or infinity: such weights are never handed on.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in backbone.state_dict().items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise DataError(f"{name} of the backbone holds NaN or infinity; not exported. The training has diverged.")
    write_atomically(folder / TENSORS, lambda file: file.write(dump_safetensors(tensors)))
    card = WeightsCard(
        backbone=spec,
        mean=_triple(INPUT_MEAN),
        std=_triple(INPUT_STD),
        sha256=sha256_of(folder / TENSORS),
        method=method,
        run=run,
        pretraining=pretraining,
        source=source,
    )
    write_json(folder / CARD, card.model_dump(mode="json"))
    return card


def read_card(folder: Path) -> WeightsCard:
    """Read `weights.json` alone.

    Raises:
        UsageError: The folder holds none.
        DataError: It is not a card of schema version 1.
    """
    path = folder / CARD
    try:
        return WeightsCard.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{folder} holds no {CARD}: it is no backbone folder. A finished `ssl-bench pretrain` or "
            "`ssl-bench import-weights` makes one."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: not a weights card of schema version 1: {key}: {first['msg']}") from error


def read_weights(folder: Path) -> tuple[WeightsCard, dict[str, Tensor]]:
    """Read a backbone folder.

    Raises:
        UsageError: The folder holds no card or no tensors.
        DataError: The tensors are not those that the card describes (checksum), or the file is damaged.
    """
    card = read_card(folder)
    path = folder / TENSORS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{folder} has a {CARD} but no {TENSORS} beside it") from None
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise DataError(f"{path}: sha256 is {found[:12]}..., its card says {card.sha256[:12]}...: damaged or exchanged")
    try:
        return card, load_safetensors(content)
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {error}") from error


def load_strict(target: nn.Module, tensors: Mapping[str, Tensor], *, what: str, computed: Collection[str] = ()) -> None:
    """Load `tensors` into `target` and prove that all of it, the stem included, now holds them.

    Four conditions, for every tensor of `target` but BN's batch counters:

    1. `tensors` has one of that name and shape, and no name that `target` does not know
       (a ResNet-34 holds every tensor of a ResNet-18, so names and shapes of the target alone are not enough);
    2. it is finite;
    3. its value differs from what `target` held before. Exempt are tensors of at most one dimension (of more than one
       entry) that are constant in both (BN scales of 1, biases and running means of 0): a trained network may well
       hold the constants that a fresh one starts with. A weight of more dimensions, and any vector whose entries
       differ, is drawn at random at the start, so an equal value means that nothing was learned. Exempt are
       those of `computed` too;
    4. after loading, `target` really holds it.

    `target` is left as it was when a condition fails.

    Args:
        target: the freshly made backbone.
        tensors: name -> value, under the names of `target`.
        what: the origin of the tensors, for messages.
        computed: names of tensors that are no weights, but computed from settings when `target` is made.

    Raises:
        UsageError: The first tensor that fails, by name, and how.
    """
    # detach().clone(): state_dict() hands out views of the live parameters.
    before = {
        name: tensor.detach().clone() for name, tensor in target.state_dict().items() if not name.endswith(_IGNORED)
    }
    given = {name: tensor for name, tensor in tensors.items() if not name.endswith(_IGNORED)}
    for name, old in before.items():
        new = given.get(name)
        _check(name, old, new, what, len(before), len(before.keys() & given.keys()))
        if name not in computed and new is not None and torch.equal(new.to(old), old) and not _may_stay(new):
            raise UsageError(
                f"{what}: {name} equals the backbone's initial random value: it was never trained, or was never saved"
            )
    for name in given:
        if name not in before:
            raise UsageError(
                f"{what}: {name} has no place in this backbone (all of the backbone's own {len(before)} tensors are "
                "there, but the file holds more): the weights belong to a deeper or different architecture."
            )
    counters = {name: value for name, value in target.state_dict().items() if name.endswith(_IGNORED)}
    target.load_state_dict({**counters, **given}, strict=True)
    for name, now in target.state_dict().items():
        if name in given and not torch.equal(now, given[name].to(now)):
            target.load_state_dict({**counters, **before}, strict=True)
            raise UsageError(f"{what}: {name} was loaded but the backbone does not hold it afterwards")


def _check(name: str, old: Tensor, new: Tensor | None, what: str, total: int, matched: int) -> None:
    coverage = f"({matched} of {total} tensors of the backbone are in it by name)"
    if new is None:
        raise UsageError(
            f"{what}: no value for {name} {coverage}. Nothing was loaded: a backbone that is partly random gives "
            "numbers that mean nothing. Choose the architecture that the weights were made for."
        )
    if new.shape != old.shape:
        raise UsageError(
            f"{what}: {name} has shape {tuple(new.shape)}, the backbone expects {tuple(old.shape)} {coverage}. "
            "Choose the architecture and width that the weights were made for."
        )
    if not torch.isfinite(new).all():
        raise UsageError(f"{what}: {name} holds NaN or infinity; the training that made it has diverged")


def _may_stay(tensor: Tensor) -> bool:
    """Whether a tensor is a constant that a trained network may hold as well as a fresh one."""
    is_vector = sum(side > 1 for side in tensor.shape) <= 1
    return is_vector and (tensor.numel() == 0 or bool((tensor == tensor.flatten()[0]).all()))


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
