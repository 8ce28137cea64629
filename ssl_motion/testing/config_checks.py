"""Checks of what a method says about itself: attributes, settings, and how they are fitted to data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from ssl_motion.protocols import PretrainMethod
from ssl_motion.testing.promise import ContractError, expect
from ssl_motion.testing.samples import arrays, example_sample

FINGERPRINT = "example data"
FIT_KINDS = (*("moving",) * 6, "still", "unknown")


def check_config(method_class: type[PretrainMethod], config: BaseModel | Mapping[str, Any] | None) -> BaseModel:
    """Check the class's attributes and its `Config`; return the settings as a `Config`."""
    name = method_class.__name__
    expect(issubclass(method_class, PretrainMethod), f"{name} must be a subclass of PretrainMethod")
    for attribute, kind in (("Config", type), ("recipe_version", int), ("citation", str), ("trunks", str)):
        expect(
            isinstance(getattr(method_class, attribute, None), kind), f"{name}.{attribute}: expected {kind.__name__}"
        )
    expect(method_class.recipe_version >= 1 and bool(method_class.citation), f"{name}: recipe_version and citation")
    return check_settings(name, method_class.Config, config)


def check_settings(name: str, model: type[BaseModel], config: BaseModel | Mapping[str, Any] | None) -> BaseModel:
    """Check a plugin's `Config`: a pydantic model that survives JSON and refuses unknown keys; return the settings."""
    expect(issubclass(model, BaseModel), f"{name}.Config must be a pydantic model")
    settings = config if isinstance(config, BaseModel) else model.model_validate(dict(config or {}))
    _check_round_trip(name, settings, model)
    try:
        model.model_validate({**settings.model_dump(mode="json"), "no_such_key_": 1})
    except ValidationError:
        return settings
    raise ContractError(f'{name}.Config accepts unknown keys; give it model_config = ConfigDict(extra="forbid")')


def _check_round_trip(name: str, settings: BaseModel, model: type[BaseModel]) -> None:
    again = model.model_validate(settings.model_dump(mode="json"))
    expect(again == settings, f"{name}.Config changes on its way through JSON: {settings!r} became {again!r}")


def check_fit(method_class: type[PretrainMethod], settings: BaseModel, size: int) -> BaseModel:
    """Check `layers` and `fit`, and return the fitted settings, as they come back from JSON."""
    layers = method_class.layers(settings)
    named = isinstance(layers, tuple) and all(isinstance(each, str) for each in layers)
    expect(named, f"layers() returned {layers!r}; expected a tuple of names")
    samples = [
        example_sample(kind, size=size, seed=seed, layers=layers).checked() for seed, kind in enumerate(FIT_KINDS)
    ]
    before = [[array.copy() for array in arrays(sample)] for sample in samples]
    kept = settings.model_dump(mode="json")
    fitted = method_class.fit(settings, samples, FINGERPRINT)
    expect(settings.model_dump(mode="json") == kept, "fit() changed the settings it was given; return a new Config")
    unchanged = all(
        np.array_equal(old, new)
        for copies, sample in zip(before, samples, strict=True)
        for old, new in zip(copies, arrays(sample), strict=True)
    )
    expect(unchanged, "fit() changed the samples it was given")
    model = method_class.Config
    expect(isinstance(fitted, model), f"fit() returned a {type(fitted).__name__}; expected a {model.__name__}")
    again = method_class.fit(settings, samples, FINGERPRINT)
    expect(again == fitted, "fit() gives two results for the same samples: the processes of a run would not agree")
    _check_round_trip(method_class.__name__, fitted, model)
    twice = method_class.fit(fitted, samples, FINGERPRINT)
    expect(twice == fitted, "fit() changes settings that it has already completed on the same data")
    return model.model_validate(fitted.model_dump(mode="json"))
