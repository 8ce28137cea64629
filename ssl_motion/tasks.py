"""From a task's name and settings to a task that can be run: what is wrong with either is found here, before any work.

A task of another package is code that nobody here has seen. Whatever can be known of it beforehand is looked at when a
run is planned, and what it returns at the end is kept even where no record can be made of it.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ssl_motion import plugins
from ssl_motion.backbones import outline_backbone
from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import write_json
from ssl_motion.plugins import did_you_mean
from ssl_motion.protocols import DataReport, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.task_faults import SCALES, protocol_fault, report_fault, result_fault
from ssl_motion.task_settings import CURE, unstated

TRY_IT = "`ssl_motion.testing.check_task` finds what else is wrong with the task."
RETURNED = "returned.json"
"""What a task returned, where no record could be made of it."""


def make_task(
    name: str, settings: Mapping[str, Any], recipe_overrides: Mapping[str, Any] | None = None
) -> TransferTask:
    """Find a task, configure it, and look at all that it says of itself.

    Args:
        name: of the task.
        settings: its own, as in `TransferSpec.task_config`.
        recipe_overrides: as in `TransferSpec`.

    Raises:
        UsageError: There is no such task or setting, or the task does not keep what `TransferTask` promises.
    """
    task_class: type[TransferTask] = plugins.load(plugins.BENCHMARKS, name)
    config = parse_settings(name, settings)
    task = task_class(config)
    if recipe_overrides and not task.has_recipe:
        raise UsageError(
            f"--cfg-options {' '.join(recipe_overrides)}: task {name}, preset {getattr(config, 'preset', None)}, has "
            "no MMEngine recipe that could be changed; its settings are changed by --set KEY=VALUE. (A task that reads "
            "RunContext.recipe_overrides says so: has_recipe.)"
        )
    if (fault := task_fault(task)) is not None:
        raise UsageError(f"task {name}, preset {getattr(config, 'preset', None)}: {fault}. {TRY_IT}")
    if silent := unstated(task_class, config):
        given = ", ".join(f"{each.name} ({each.value!r})" for each in silent)
        raise UsageError(
            f"task {name}: {given} would leave no trace: protocol() and backbone() say the same for every value, so "
            f"results of several values would be ranked together. Leave it out; or in the task's code: {CURE}"
        )
    return task


def parse_settings(name: str, settings: Mapping[str, Any]) -> BaseModel:
    """Validate a task's settings.

    Raises:
        UsageError: There is no such task, setting or preset; where other tasks have it, they are named.
    """
    task_class: type[TransferTask] = plugins.load(plugins.BENCHMARKS, name)
    where = f"task_config of {name}"
    try:
        config = parse_spec(task_class.Config, dict(settings), where)
    except UsageError as error:
        raise UsageError("\n".join([str(error), *_of_other_tasks(name, settings)])) from error
    preset = getattr(config, "preset", None)
    if preset not in task_class.presets:
        known = list(task_class.presets)
        fault = f"{where}: preset: {preset!r} is none of {', '.join(known)}.{did_you_mean(str(preset), known)}"
        raise UsageError("\n".join([fault, *_of_other_tasks(name, settings)]))
    return config


def _of_other_tasks(name: str, settings: Mapping[str, Any]) -> list[str]:
    """Lines on the settings and the preset that this task does not have, but others do."""
    own: type[TransferTask] = plugins.load(plugins.BENCHMARKS, name)
    keys = [key for key in settings if key not in own.Config.model_fields]
    preset = str(settings.get("preset", next(iter(own.presets))))
    if not keys and preset in own.presets:
        return []
    others = dict(_other_tasks(name))
    having = {
        f"{key} is a setting": [each for each in others if key in others[each].Config.model_fields] for key in keys
    }
    if preset not in own.presets:
        having[f"{preset} is a preset"] = [each for each in others if preset in others[each].presets]
    return [f"  {what} of --task {' or '.join(names)}" for what, names in having.items() if names]


def _other_tasks(name: str) -> Iterator[tuple[str, type[TransferTask]]]:
    for plugin in plugins.available(plugins.BENCHMARKS):
        if plugin.name != name:
            with suppress(UsageError):  # `ssl-bench list benchmarks` says what is wrong with it
                yield plugin.name, plugins.load(plugins.BENCHMARKS, plugin.name)


def task_fault(task: TransferTask) -> str | None:
    """Look at what a task says as configured, its data aside.

    Raises:
        UsageError: Its settings do not fit each other, or there is no such trunk: mistakes of whoever configured it.
    """
    if not isinstance(getattr(task, "config", None), type(task).Config):
        return "it has no config; its __init__ must call super().__init__(config)"
    preset = getattr(task.config, "preset", None)
    try:
        type(task).Config.model_validate({"preset": preset})
    except ValueError as error:  # pydantic's ValidationError is one
        return f"preset {preset} is refused without further settings: {error}"
    if task.scale not in SCALES:
        return f"scale is {task.scale!r}; expected one of {', '.join(SCALES)}"
    if (task.scale == "builtin") != task.uses_puppets:
        return (
            f'scale is {task.scale!r} with uses_puppets {task.uses_puppets}; "builtin" means the built-in world, and '
            "nothing else does"
        )
    if task.uses_puppets:
        from ssl_motion.puppets.layouts import LAYOUTS

        if not task.puppets_layouts or set(task.puppets_layouts) - set(LAYOUTS):
            return f"puppets_layouts is {task.puppets_layouts}; there are {', '.join(LAYOUTS)}"
    return _trunk_fault(task) or protocol_fault(task.protocol())


def _trunk_fault(task: TransferTask) -> str | None:
    """Look at the trunk that a task says it judges; one that judges whole models has none."""
    if task.judges_models:
        return None
    said: Any = task.backbone()
    if not isinstance(said, Mapping):
        return f"backbone() describes no trunk: it returned {said!r}, expected a BackboneSpec as a dict"
    try:
        trunk = parse_spec(BackboneSpec, dict(said), "backbone()")
    except UsageError as error:
        return f"backbone() describes no trunk: {error}"
    outline_backbone(trunk)
    return None


def data_report(task: TransferTask, root: Path) -> DataReport:
    """Ask a task for its data.

    Raises:
        UsageError: What it says is no report, or complete data have no fingerprint.
    """
    report = task.check_data(root)
    if (fault := report_fault(report)) is not None:
        raise UsageError(f"{type(task).__name__}: check_data({root}) {fault}. {TRY_IT}")
    return report


def sound_result(task: TransferTask, returned: Any, folder: Path) -> TaskResult:
    """Return what a task's run returned, its figures as plain floats; keep it in the run folder where it is faulty.

    Args:
        task: that ran.
        returned: by `run` or `ensemble`.
        folder: of the run.

    Raises:
        RunError: No record can be made of it; the message says why, and where it is kept.
    """
    if (fault := result_fault(task, returned, folder)) is not None:
        path = folder / RETURNED
        write_json(path, {"fault": fault, "returned": _as_json(returned)})
        raise RunError(
            f"{type(task).__name__} came to its end, but no record can be made of its result: {fault}. What it "
            f"returned is kept in {path}, beside all that the run wrote. Mend the task and give the same command again."
        )
    (folder / RETURNED).unlink(missing_ok=True)  # of an attempt before the task was mended
    return TaskResult(
        metrics={metric.name: float(returned.metrics[metric.name]) for metric in task.metrics},
        details={group: {key: float(value) for key, value in each.items()} for group, each in returned.details.items()},
        per_image=returned.per_image,
        wall_seconds=float(returned.wall_seconds),
    )


def _as_json(value: Any) -> Any:
    """Bring anything into a form that JSON has; what has none of its own becomes a text."""
    if isinstance(value, TaskResult):
        value = vars(value)
    if isinstance(value, Mapping):
        return {str(key): _as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    finite = isinstance(value, float) and math.isfinite(value)
    return value if value is None or finite or isinstance(value, (str, int)) else repr(value)
