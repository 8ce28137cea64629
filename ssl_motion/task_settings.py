"""Settings of a task that leave no trace in its protocol: results that differ in them would be ranked together.

A setting is tried: changed to other values, until one of them changes `protocol()` or `backbone()`. Values are taken
from the setting's type; those that the task refuses say nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from ssl_motion.backbones import outline_backbone
from ssl_motion.identity import canonical_json, digest
from ssl_motion.protocols import TransferTask
from ssl_motion.spec import BackboneSpec

INTEGERS = (1, 2, 3, 8, 64, 224, 1000, 0)
FLOATS = (0.5, 0.1, 1e-3, 2.0, 100.0, 0.0)
TRUNKS = (BackboneSpec(arch="alexnet_mini", width=6), BackboneSpec(arch="resnet18"), BackboneSpec(arch="resnet50"))
CURE = (
    "State it in protocol(); where it has no use, refuse it in Config; where it only says which data are read, and so "
    "changes the fingerprint of check_data, name it in data_settings."
)


@dataclass(frozen=True)
class Setting:
    """One setting of a `Config`, or of a model in it.

    Attributes:
        path: names of the fields that lead to it.
        annotation: its type.
        value: what it is.
    """

    path: tuple[str, ...]
    annotation: Any
    value: Any

    @property
    def name(self) -> str:
        """As `--set` takes it."""
        return ".".join(self.path)


def settings_of(config: BaseModel, above: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Walk over all settings; those of a model in a setting one by one, but a trunk as a whole."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel) and not isinstance(value, BackboneSpec):
            yield from settings_of(value, (*above, name))
        else:
            yield Setting((*above, name), field.annotation, value)


def changed(config: BaseModel, setting: Setting, value: Any) -> BaseModel:
    """Return the settings with another value for one of them.

    Raises:
        ValidationError: They are refused.
    """
    content = config.model_dump(mode="json")
    node = content
    for name in setting.path[:-1]:
        node = node[name]
    node[setting.path[-1]] = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return type(config).model_validate(content)


def changes(
    task_class: type[TransferTask], config: BaseModel, setting: Setting, first: Iterable[Any] = ()
) -> Iterator[tuple[Any, TransferTask, bool]]:
    """Try other values of a setting.

    Args:
        task_class: the task.
        config: its settings.
        setting: one of them.
        first: values to try before those that follow from its type.

    Yields:
        A value that the task takes, the task with it, and whether `protocol()` or `backbone()` changed.
    """
    task = task_class(config)
    own = _said(task)
    trunk = None if task.judges_models else BackboneSpec.model_validate(task.backbone())
    stages = () if trunk is None else tuple(outline_backbone(trunk).channels)
    for value in (*first, *other_values(setting.annotation, setting.value, stages)):
        try:
            other = changed(config, setting, value)
            after = task_class(other)
            said = _said(after)
        except Exception:  # noqa: S112 - refused by its type, by the task, or for want of a file that it names
            continue
        if other != config:  # a Config may drop what its preset says anyway
            yield value, after, said != own


def unstated(task_class: type[TransferTask], config: BaseModel) -> list[Setting]:
    """Find the settings that were changed from the preset's own without a trace in `protocol()` or `backbone()`.

    A value that says what holds anyway is no such setting: another value of it would show.
    """
    content, own = canonical_json(config.model_dump(mode="json")), _of_the_preset(task_class, config)
    return [
        each
        for each in settings_of(config)
        if each.path[0] not in task_class.data_settings
        and (each.path not in own or own[each.path] != each.value)
        and _leaves_no_trace(task_class, content, each.path)
    ]


@lru_cache(maxsize=1024)  # the jobs of a suite have few settings between them
def _leaves_no_trace(task_class: type[TransferTask], content: str, path: tuple[str, ...]) -> bool:
    config = task_class.Config.model_validate_json(content)
    setting = next(each for each in settings_of(config) if each.path == path)
    own = _of_the_preset(task_class, config)
    tried = False
    for *_, shows in changes(task_class, config, setting, [own[path]] if path in own else []):
        if shows:
            return False
        tried = True
    return tried


def _of_the_preset(task_class: type[TransferTask], config: BaseModel) -> dict[tuple[str, ...], Any]:
    """Values of all settings where nothing is changed."""
    preset = task_class.Config.model_validate({"preset": getattr(config, "preset", None)})
    return {each.path: each.value for each in settings_of(preset)}


def _said(task: TransferTask) -> str:
    return digest([task.protocol(), task.backbone()])


def other_values(annotation: Any, value: Any, texts: tuple[str, ...] = ()) -> Iterator[Any]:
    """Propose values for a setting; its limits are not looked at.

    Args:
        annotation: its type.
        value: what it is.
        texts: what a text may well be.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from other_values(parts[0], value, texts)
    elif origin in (Union, UnionType):
        for part in parts:
            yield from other_values(part, value, texts)
    elif origin is Literal:
        yield from parts
    elif annotation is Any:
        yield from other_values(type(value), value, texts) if value is not None else ()
    elif annotation is NoneType:
        yield None
    elif origin in (dict, Mapping):
        items = dict(value or {})
        for key in items:
            yield from ({**items, key: other} for other in other_values(parts[1], items[key], texts))
    elif isinstance(origin, type) and issubclass(origin, Iterable):
        yield from _other_lists(parts, list(value or ()), texts)
    elif isinstance(annotation, type):
        yield from _other_plain(annotation, value, texts)


def _other_lists(parts: tuple[Any, ...], items: list[Any], texts: tuple[str, ...]) -> Iterator[list[Any]]:
    """Lists with another last element, one more, one less."""
    of = parts[min(len(items), len(parts)) - 1] if parts and parts[-1] is not ... else (*parts, Any)[0]
    for other in other_values(of, items[-1] if items else None, texts):
        yield from ([*items[:-1], other], [*items, other])
    yield items[:-1]


def _other_plain(kind: type, value: Any, texts: tuple[str, ...]) -> Iterator[Any]:
    if kind is bool:
        yield from (True, False) if value is None else (not value,)
    elif kind is int:
        near = () if value is None else (value + 1, value * 2, value - 1, value // 2)
        yield from (*near, *INTEGERS)
    elif kind is float:
        yield from (*(() if value is None else (value * 1.25, value * 0.8)), *FLOATS)
    elif issubclass(kind, Enum):
        yield from (each.value for each in kind)
    elif issubclass(kind, str | Path):
        yield from (*texts, f"{value or ''}_other")
    elif issubclass(kind, BackboneSpec):
        yield from TRUNKS
    elif issubclass(kind, BaseModel) and value is None:
        yield {}
