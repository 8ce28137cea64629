"""Reading a resolved recipe the way a protocol table is written: dotted keys, and what they do when they are built."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

ABSENT = "absent"


def read(recipe: Any, path: str) -> Any:
    """What stands at a dotted path (numbers count in lists), `ABSENT` where nothing does; tuples read as lists."""
    for part in path.split("."):
        if isinstance(recipe, Mapping):
            if part not in recipe:
                return ABSENT
            recipe = recipe[part]
        elif isinstance(recipe, (list, tuple)) and part.isdigit() and int(part) < len(recipe):
            recipe = recipe[int(part)]
        else:
            return ABSENT
    return _plain(recipe)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def differences(recipe: Any, table: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Path -> (in the recipe, in the table), wherever the two differ."""
    found = {path: (read(recipe, path), expected) for path, expected in table.items()}
    return {path: pair for path, pair in found.items() if pair[0] != pair[1]}


def rates(recipe: Mapping[str, Any], at: list[int]) -> dict[int, float]:
    """Learning rate of iterations, by building the recipe's schedulers and stepping through all of them."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=recipe["optim_wrapper"]["optimizer"]["lr"])
    schedulers = [
        PARAM_SCHEDULERS.build(dict(each), default_args={"optimizer": optimizer}) for each in recipe["param_scheduler"]
    ]
    found, wanted = {}, set(at)
    optimizer.step()
    for iteration in range(max(at) + 1):
        if iteration in wanted:
            found[iteration] = float(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    return found


def parameter_settings(recipe: Mapping[str, Any], model: nn.Module) -> dict[str, tuple[float, float]]:
    """Name of every trained parameter -> its learning rate and weight decay, as the recipe's optimiser gets them."""
    wrapper = build_optim_wrapper(model, Config({"wrapper": recipe["optim_wrapper"]}).wrapper)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
