"""Checks of what a transfer task says about itself: attributes, presets, protocol."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ssl_motion.backbones import outline_backbone
from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.identity import digest
from ssl_motion.protocols import Metric, TransferTask
from ssl_motion.puppets.layouts import LAYOUTS
from ssl_motion.record import ResultRecord
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing.config_checks import check_settings
from ssl_motion.testing.promise import ContractError, expect

SCALES = get_args(ResultRecord.model_fields["scale"].annotation)
ADDED = ("recipe_overrides", "dataset_hash", "recipe_version")
"""Facts of a protocol that the harness adds itself."""

CHANGES: Mapping[str, Any] = {"iterations": 7, "lr": 1.23e-3}
"""Settings that several tasks have under one name, and a value that no preset has."""


def check_claims(task_class: type[TransferTask], config: BaseModel | Mapping[str, Any] | None) -> BaseModel:
    """Check the class's attributes, its `Config` and its list of presets; return the settings as a `Config`."""
    name = task_class.__name__
    expect(issubclass(task_class, TransferTask), f"{name} must be a subclass of TransferTask")
    for attribute, kind in (("Config", type), ("recipe_version", int), ("metrics", tuple), ("presets", Mapping)):
        expect(isinstance(getattr(task_class, attribute, None), kind), f"{name}.{attribute}: expected {kind.__name__}")
    expect(task_class.recipe_version >= 1, f"{name}.recipe_version is {task_class.recipe_version}; it starts at 1")
    metrics = task_class.metrics
    expect(all(isinstance(each, Metric) for each in metrics), f"{name}.metrics: expected Metric objects")
    names = [each.name for each in metrics]
    expect(len(set(names)) == len(names), f"{name}.metrics has a name twice: {names}")
    primary = [each.name for each in metrics if each.primary]
    expect(len(primary) == 1, f"{name}.metrics: exactly one must be primary; it is {primary or 'none'}")
    expect(bool(task_class.presets), f"{name}.presets is empty; name at least one")
    expect("preset" in task_class.Config.model_fields, f"{name}.Config has no field `preset`")
    for preset, line in task_class.presets.items():
        sound = isinstance(line, str) and bool(line.strip()) and "\n" not in line
        expect(sound, f"{name}.presets[{preset!r}]: expected one line on what it is")
    try:
        default = task_class.Config()
    except ValidationError as error:
        raise ContractError(f"{name}.Config needs settings ({error}); every field must have a default") from error
    chosen = getattr(default, "preset", None)
    expect(chosen in task_class.presets, f"{name}.Config: its default preset {chosen!r} is not among {name}.presets")
    return check_settings(name, task_class.Config, config)


def check_preset(task_class: type[TransferTask], preset: str) -> None:
    """Check one preset as it comes: scale, trunk and protocol."""
    what = f"{task_class.__name__}, preset {preset}"
    task = _build(task_class, {"preset": preset}, what)
    expect(task.scale in SCALES, f"{what}: scale is {task.scale!r}; expected one of {', '.join(SCALES)}")
    builtin = task.scale == "builtin"
    expect(
        builtin == task.uses_puppets,
        f'{what}: scale is {task.scale!r} with uses_puppets {task.uses_puppets}; "builtin" means the built-in world',
    )
    if task.uses_puppets:
        unknown = set(task.puppets_layouts) - set(LAYOUTS)
        expect(
            bool(task.puppets_layouts) and not unknown,
            f"{what}: puppets_layouts is {task.puppets_layouts}; there are {', '.join(LAYOUTS)}",
        )
    try:
        if not task.judges_models:
            outline_backbone(BackboneSpec.model_validate(task.backbone()))
    except (ValidationError, SSLMotionError, TypeError) as error:
        raise ContractError(f"{what}: backbone() describes no trunk: {error}") from error
    _check_protocol(task, task_class(task.config), what)
    for other in task_class.presets:
        if other < preset:
            theirs = _build(task_class, {"preset": other}, what).protocol()
            expect(
                digest(theirs) != digest(task.protocol()),
                f"{what}: its protocol is that of {other}; results of the two would be ranked together",
            )


def check_changes(task_class: type[TransferTask], settings: BaseModel) -> None:
    """Check that what is changed by hand is a fact of the protocol, and ends a full scale."""
    plain = {"preset": getattr(settings, "preset", None)}
    before = _build(task_class, plain, task_class.__name__)
    for key, value in CHANGES.items():
        if key not in task_class.Config.model_fields:
            continue
        what = f"{task_class.__name__} with {key}={value}"
        try:
            after = task_class(task_class.Config.model_validate({**plain, key: value}))
        except (ValidationError, UsageError):
            continue  # a preset may refuse what it has no use for
        expect(
            digest(after.protocol()) != digest(before.protocol()),
            f"{what}: protocol() does not say so; its results would be ranked with the preset's own",
        )
        expect(after.scale != "full", f'{what}: scale is still "full", but the preset is not what was run')


def _build(task_class: type[TransferTask], config: Mapping[str, Any], what: str) -> TransferTask:
    try:
        return task_class(task_class.Config.model_validate(config))
    except (ValidationError, SSLMotionError) as error:
        raise ContractError(f"{what}: it is refused: {error}") from error


def _check_protocol(task: TransferTask, again: TransferTask, what: str) -> None:
    facts = task.protocol()
    expect(bool(facts) and isinstance(facts, dict), f"{what}: protocol() states no facts")
    try:
        read = json.loads(json.dumps(facts, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ContractError(f"{what}: protocol() is not plain JSON: {error}") from error
    expect(read == facts, f"{what}: protocol() changes on its way through JSON; use lists, not tuples, and text keys")
    expect(task.protocol() == facts, f"{what}: protocol() says two things on two calls")
    expect(again.protocol() == facts, f"{what}: protocol() differs between two tasks of the same settings")
    for key in ADDED:
        expect(key not in facts, f"{what}: protocol() has {key!r}, which the harness adds itself")
    for text in _texts(facts):
        expect(
            not text.startswith(("/", "~")), f"{what}: protocol() holds the path {text!r}, which no other machine has"
        )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
