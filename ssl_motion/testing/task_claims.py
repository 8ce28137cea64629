"""Checks of what a transfer task says about itself: attributes, presets, protocol."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ssl_motion.errors import SSLMotionError
from ssl_motion.identity import digest
from ssl_motion.protocols import TransferTask
from ssl_motion.task_class import class_fault
from ssl_motion.task_settings import CURE, changes, settings_of
from ssl_motion.tasks import task_fault
from ssl_motion.testing.config_checks import check_settings
from ssl_motion.testing.promise import ContractError, expect


def check_claims(task_class: type[TransferTask], config: BaseModel | Mapping[str, Any] | None) -> BaseModel:
    """Check the class's attributes, its `Config` and its list of presets; return the settings as a `Config`."""
    name = task_class.__name__
    expect(issubclass(task_class, TransferTask), f"{name} must be a subclass of TransferTask")
    for attribute, kind in (("Config", type), ("recipe_version", int)):
        expect(isinstance(getattr(task_class, attribute, None), kind), f"{name}.{attribute}: expected {kind.__name__}")
    expect(task_class.recipe_version >= 1, f"{name}.recipe_version is {task_class.recipe_version}; it starts at 1")
    _expect_no(class_fault(task_class), name)
    return check_settings(name, task_class.Config, config)


def check_preset(task_class: type[TransferTask], preset: str) -> None:
    """Check one preset as it comes: scale, trunk, protocol, and that no setting can be changed unnoticed."""
    what = f"{task_class.__name__}, preset {preset}"
    task = _build(task_class, {"preset": preset}, what)
    try:
        _expect_no(task_fault(task), what)
    except SSLMotionError as error:
        raise ContractError(f"{what}: its trunk or its protocol cannot be told: {error}") from error
    _check_protocol(task, task_class(task.config), what)
    for other in task_class.presets:
        if other < preset:
            theirs = _build(task_class, {"preset": other}, what).protocol()
            expect(
                digest(theirs) != digest(task.protocol()),
                f"{what}: its protocol is that of {other}; results of the two would be ranked together",
            )
    check_changes(task_class, task.config, what)


def check_changes(task_class: type[TransferTask], settings: BaseModel, what: str) -> None:
    """Check that whatever is changed by hand is a fact of the protocol, and ends a full scale.

    Settings are changed one by one to values that their types allow; what the task refuses says nothing.
    """
    for setting in settings_of(settings):
        if setting.path[0] in ("preset", *task_class.data_settings):
            continue
        tried: list[Any] = []
        for value, after, shows in changes(task_class, settings, setting):
            if shows:
                expect(
                    after.scale != "full",
                    f'{what}, with {setting.name}={value}: scale is still "full", but the preset is not what was run',
                )
                break
            tried.append(value)
        else:
            values = ", ".join(map(str, tried[:3]))
            expect(
                not tried,
                f"{what}: {setting.name} changed from {setting.value} to {values} leaves no trace in protocol() and "
                f"backbone(), so results of several values would be ranked together. {CURE}",
            )


def _build(task_class: type[TransferTask], config: Mapping[str, Any], what: str) -> TransferTask:
    try:
        return task_class(task_class.Config.model_validate(config))
    except (ValidationError, SSLMotionError) as error:
        raise ContractError(f"{what}: it is refused: {error}") from error


def _check_protocol(task: TransferTask, again: TransferTask, what: str) -> None:
    facts = task.protocol()
    read = json.loads(json.dumps(facts))
    expect(read == facts, f"{what}: protocol() changes on its way through JSON; use lists, not tuples, and text keys")
    expect(task.protocol() == facts, f"{what}: protocol() says two things on two calls")
    expect(again.protocol() == facts, f"{what}: protocol() differs between two tasks of the same settings")
    for text in _texts(facts):
        expect(
            not text.startswith(("/", "~")), f"{what}: protocol() holds the path {text!r}, which no other machine has"
        )


def _expect_no(fault: str | None, what: str) -> None:
    expect(fault is None, f"{what}: {fault}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
