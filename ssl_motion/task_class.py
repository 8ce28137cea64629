"""What is wrong with the class of a transfer task, in words, as far as it shows before any task is made of it.

Task and metrics are looked at by their parts: importing their classes would bring torch to whoever lists plugins.
"""

import inspect
from collections.abc import Mapping
from typing import Any


def class_fault(task_class: Any) -> str | None:
    """Look at what a class says before it is configured: hooks, metrics, presets, default settings.

    Args:
        task_class: a subclass of `ssl_motion.protocols.TransferTask` with a pydantic model as `Config`.

    Returns:
        The first fault in words; None where there is none.
    """
    if inspect.isabstract(task_class):
        return f"it does not define {', '.join(sorted(task_class.__abstractmethods__))}"
    for attribute, kind in (("metrics", tuple), ("presets", Mapping)):
        found = getattr(task_class, attribute, None)
        if not isinstance(found, kind):
            return f"{attribute}: expected a {kind.__name__}, found {found!r}"
    return _metrics_fault(task_class.metrics) or _presets_fault(task_class) or _fields_fault(task_class)


def _metrics_fault(metrics: tuple[Any, ...]) -> str | None:
    if not all(isinstance(getattr(each, "primary", None), bool) for each in metrics):
        return "metrics: expected Metric objects"
    names = [each.name for each in metrics]
    if len(set(names)) < len(names):
        return f"metrics has a name twice: {names}"
    primary = [each.name for each in metrics if each.primary]
    if len(primary) != 1:
        return f"metrics: exactly one must be primary; it is {' and '.join(primary) or 'none'}"
    return None


def _presets_fault(task_class: Any) -> str | None:
    if not task_class.presets:
        return "presets is empty; name at least one"
    for preset, line in task_class.presets.items():
        if not isinstance(line, str) or not line.strip() or "\n" in line:
            return f"presets[{preset!r}]: expected one line on what it is"
    return None


def _fields_fault(task_class: Any) -> str | None:
    fields = task_class.Config.model_fields
    if "preset" not in fields:
        return "Config has no field `preset`"
    if unknown := sorted(set(task_class.data_settings) - set(fields)):
        return f"data_settings names {', '.join(unknown)}, which Config does not have"
    try:
        chosen = getattr(task_class.Config(), "preset", None)
    except ValueError as error:  # pydantic's ValidationError is one
        return f"Config needs settings ({error}); every field must have a default"
    if chosen not in task_class.presets:
        return f"Config: its default preset {chosen!r} is not among presets ({', '.join(task_class.presets)})"
    return None
