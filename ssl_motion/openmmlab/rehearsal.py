"""Building the parts of a changed recipe before a run, to find in seconds what the libraries will not take."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    METRICS,
    MODELS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    DefaultScope,
    Registry,
)

from ssl_motion.openmmlab.recipes import Recipe
from ssl_motion.openmmlab.running import faults_of


def build_parts(recipe: Recipe, overrides: Mapping[str, Any]) -> None:
    """Build network, optimiser, schedules and transforms; compare the settings of what reads data with its signature.

    That says nothing on whether the parts fit the data and each other, and whether memory suffices.

    Args:
        recipe: as changed, without paths, seed and weights; the parts that it names are registered.
        overrides: the changes, for messages.

    Raises:
        UsageError: A part cannot be built.
    """
    config = Config(dict(recipe))
    scope = DefaultScope.overwrite_default_scope(recipe.get("default_scope", "mmengine"))
    with warnings.catch_warnings(), scope, faults_of(overrides):
        # Remarks of these libraries on their own defaults and deprecations: nothing that a user could act on.
        warnings.filterwarnings("ignore", module=r"mm(seg|det|engine|cv)\.")
        optimiser = build_optim_wrapper(MODELS.build(config.model), config.optim_wrapper)
        for schedule in config.param_scheduler:
            PARAM_SCHEDULERS.build({**schedule, "optimizer": optimiser})
        for name in ("train_dataloader", "test_dataloader"):
            loader = recipe[name]
            for dataset in _nested(loader["dataset"]):
                _accepts(DATASETS, dataset)
                for step in dataset.get("pipeline", ()):
                    TRANSFORMS.build(Config(step))
            _accepts(DATA_SAMPLERS, loader["sampler"])
        _accepts(METRICS, recipe["test_evaluator"])


def _nested(dataset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A data set and those that it wraps."""
    yield dataset
    for inner in (dataset.get("dataset"), *dataset.get("datasets", ())):
        if isinstance(inner, Mapping):
            yield from _nested(inner)


def _accepts(registry: Registry, settings: Mapping[str, Any]) -> None:
    """Compare a part's settings with its signature.

    Raises:
        TypeError: It does not take one of them.
        KeyError: There is no such part.
    """
    with registry.switch_scope_and_registry(None) as own:
        kind = own.get(settings["type"])
    if kind is None:
        raise KeyError(f"{settings['type']} is not in the registry of {registry.name}s")
    inspect.signature(kind).bind_partial(**{name: value for name, value in settings.items() if name != "type"})
