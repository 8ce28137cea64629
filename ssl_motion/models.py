"""A whole pretraining model on disk: `model.safetensors` with its card `model.json`.

Transfer needs the backbone alone (`ssl_motion.weights`). What a method has learned
beside it, such as predicting flow from a few vectors, is kept here.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as dump_safetensors
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import read_json_object, sha256_of, write_atomically, write_json
from ssl_motion.plugins import METHODS, load
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import BackboneSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.weights import load_strict

TENSORS = "model.safetensors"
CARD = "model.json"

ConfigT = TypeVar("ConfigT", bound=BaseModel)

FITTED = "fitted.json"
"""In the folder of a pretraining run: the method's settings, complete, where it estimated some from its data."""

LAST = "checkpoints/last.pth"
"""In the folder of a finished pretraining run: the whole method (keys: `ssl_motion.engine.checkpoint`)."""


class ModelCard(BaseModel):
    """What the tensors beside it are.

    Attributes:
        schema_version: of this format.
        method: name of the pretraining method.
        method_config: its settings, in full.
        backbone: the trunk inside it.
        sha256: of the tensors' file.
        source: where they came from, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    method: str
    method_config: dict[str, Any]
    backbone: BackboneSpec
    sha256: str
    source: str = ""


def save_model(folder: Path, model: PretrainMethod, *, method: str, spec: BackboneSpec, source: str) -> ModelCard:
    """Write a whole model into `folder`, the card last.

    Args:
        folder: made when missing.
        model: its trunk was built from `spec`.
        method: name under which the method is installed.
        spec: of the trunk.
        source: where the weights came from, in words.

    Raises:
        RunError: The folder cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomically(folder / TENSORS, lambda file: file.write(dump_safetensors(tensors)))
    card = ModelCard(
        method=method,
        method_config=model.config.model_dump(mode="json"),
        backbone=spec,
        sha256=sha256_of(folder / TENSORS),
        source=source,
    )
    write_json(folder / CARD, card.model_dump(mode="json"))
    return card


def read_model_card(folder: Path) -> ModelCard:
    """Read what a folder says of the model in it.

    Raises:
        UsageError: No model is there.
        DataError: The card is damaged.
    """
    try:
        return ModelCard.model_validate_json((folder / CARD).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise _no_model(folder) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{folder / CARD}: not a model card of schema version 1: {key}: {first['msg']}") from error


def _no_model(folder: Path) -> UsageError:
    return UsageError(
        f"{folder} holds no {CARD} with {TENSORS}: no whole model. `ssl-bench import-weights --full` makes one."
    )


def load_model(folder: Path) -> PretrainMethod:
    """Rebuild a model from its folder, in evaluation mode, on the CPU.

    Raises:
        UsageError: No model is there, or its method is not installed.
        DataError: The card or the tensors are damaged or do not belong together.
    """
    card = read_model_card(folder)
    try:
        content = (folder / TENSORS).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _no_model(folder) from None
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise DataError(
            f"{folder / TENSORS}: sha256 is {found[:12]}..., its card says {card.sha256[:12]}...: damaged or exchanged"
        )
    try:
        tensors = load_safetensors(content)
    except SafetensorError as error:
        raise DataError(f"{folder / TENSORS}: not a safetensors file: {error}") from error
    method: type[PretrainMethod] = load(METHODS, card.method)
    config = parse_spec(method.Config, card.method_config, f"{folder / CARD}: method_config")
    return filled(method(config, build_backbone(card.backbone)), tensors, str(folder / TENSORS))


def read_fitted(path: Path, config: type[ConfigT]) -> ConfigT:
    """Read the settings that a run's method estimated.

    Args:
        path: `FITTED` in the run folder.
        config: the method's `Config`.

    Raises:
        DataError: The file is damaged.
        UsageError: They are not the method's.
    """
    try:
        content = read_json_object(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}. Use --force to run from the beginning.") from error
    return parse_spec(config, content, str(path))


def filled(method: PretrainMethod, tensors: Mapping[str, Tensor], what: str) -> PretrainMethod:
    """Give a fresh method what it has learned, and put it into evaluation mode.

    Args:
        method: as built.
        tensors: of its state.
        what: their origin, for messages.

    Raises:
        UsageError: A tensor does not fit, or was never trained (`ssl_motion.weights.load_strict`).
    """
    # Buffers of the method itself, such as a codebook, are made from its settings: those a model rightly starts with.
    computed = [name for name, _ in method.named_buffers() if not name.startswith("backbone.")]
    load_strict(method, tensors, what=what, computed=computed)
    return method.eval()
