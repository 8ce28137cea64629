"""What is wrong with a transfer task, in words: the harness refuses it by them, and `ssl_motion.testing` fails by them.

Every function returns the first fault, None where there is none. What needs a task of certain settings is in
`ssl_motion.tasks`.
"""

import inspect
import json
import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, get_args

from ssl_motion.protocols import DataReport, Metric, Scale, TaskResult, TransferTask

SCALES = get_args(Scale)
ADDED = ("recipe_overrides", "dataset_hash", "recipe_version")
"""Facts of a protocol that the harness adds itself."""


def class_fault(task_class: type[TransferTask]) -> str | None:
    """Look at what a class says before it is configured: hooks, metrics, presets, default settings."""
    if inspect.isabstract(task_class):
        return f"it does not define {', '.join(sorted(task_class.__abstractmethods__))}"
    for attribute, kind in (("metrics", tuple), ("presets", Mapping)):
        found = getattr(task_class, attribute, None)
        if not isinstance(found, kind):
            return f"{attribute}: expected a {kind.__name__}, found {found!r}"
    return _metrics_fault(task_class.metrics) or _presets_fault(task_class) or _fields_fault(task_class)


def _metrics_fault(metrics: tuple[Metric, ...]) -> str | None:
    if not all(isinstance(each, Metric) for each in metrics):
        return "metrics: expected Metric objects"
    names = [each.name for each in metrics]
    if len(set(names)) < len(names):
        return f"metrics has a name twice: {names}"
    primary = [each.name for each in metrics if each.primary]
    if len(primary) != 1:
        return f"metrics: exactly one must be primary; it is {' and '.join(primary) or 'none'}"
    return None


def _presets_fault(task_class: type[TransferTask]) -> str | None:
    if not task_class.presets:
        return "presets is empty; name at least one"
    for preset, line in task_class.presets.items():
        if not isinstance(line, str) or not line.strip() or "\n" in line:
            return f"presets[{preset!r}]: expected one line on what it is"
    return None


def _fields_fault(task_class: type[TransferTask]) -> str | None:
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


def protocol_fault(facts: Any) -> str | None:
    """Look at what `TransferTask.protocol` returned: whether it can be hashed and kept."""
    if not isinstance(facts, dict) or not facts:
        return f"protocol() states no facts: it returned {facts!r}, expected a dict"
    try:
        json.dumps(facts, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        return f"protocol() is not plain JSON: {error}"
    if added := [key for key in ADDED if key in facts]:
        return f"protocol() has {added[0]!r}, which the harness adds itself"
    return None


def report_fault(report: Any) -> str | None:
    """Look at what `TransferTask.check_data` returned."""
    if not isinstance(report, DataReport):
        return f"returned a {type(report).__name__}; expected a DataReport"
    if not report.missing and not report.fingerprint:
        return "gives no fingerprint, so changed data would go unnoticed"
    return None


def result_fault(task: TransferTask, result: Any, folder: Path) -> str | None:
    """Look at what `TransferTask.run` returned: whether a record can be made of it.

    Args:
        task: that ran.
        result: what it returned.
        folder: of the run.
    """
    if not isinstance(result, TaskResult):
        kind = "None" if result is None else f"a {type(result).__name__}"
        return f"run() returned {kind}; expected a TaskResult"
    figures: Any = result.metrics
    if not isinstance(figures, Mapping):
        return f"run() gave {figures!r} as metrics; expected names with values"
    for metric in task.metrics:
        if metric.name not in figures:
            return f"run() gave no {metric.name}, which its metrics promise"
        if not _is_figure(value := figures[metric.name]):
            return f"run() gave {metric.name} = {value!r}; expected a finite float"
    if not _is_figure(result.wall_seconds):
        return f"run() says it took {result.wall_seconds!r} s"
    return _details_fault(result.details) or _file_fault(result.per_image, folder)


def _details_fault(details: Any) -> str | None:
    if not isinstance(details, Mapping):
        return f"details is {details!r}; expected groups of figures"
    for group, figures in details.items():
        if not isinstance(group, str) or not isinstance(figures, Mapping):
            return f"details[{group!r}] is {figures!r}; expected figures by name, and texts as names"
        for key, value in figures.items():
            if not isinstance(key, str) or not _is_figure(value):
                return f"details[{group!r}][{key!r}] is {value!r}; leave out what has no value, and use texts as names"
    return None


def _file_fault(name: Any, folder: Path) -> str | None:
    if name is None:
        return None
    path = (folder / name).resolve() if isinstance(name, str) else None
    if path is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return f"per_image is {name!r}, which is no file of the run folder"
    return None


def _is_figure(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
