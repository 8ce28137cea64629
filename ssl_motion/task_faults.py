"""What is wrong with a transfer task, in words: the harness refuses it by them, and `ssl_motion.testing` fails by them.

Every function returns the first fault, None where there is none. Classes are looked at in `ssl_motion.task_class`,
tasks as configured in `ssl_motion.tasks`.
"""

import json
import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, get_args

from ssl_motion.protocols import DataReport, Scale, TaskResult, TransferTask

SCALES = get_args(Scale)
ADDED = ("recipe_overrides", "dataset_hash", "recipe_version")
"""Facts of a protocol that the harness adds itself."""


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
