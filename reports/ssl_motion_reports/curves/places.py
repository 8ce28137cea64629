"""The x axis of a curve: what stands on it, in which order, and what of the protocol goes with it."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ssl_motion.curves import CurveSpec, place
from ssl_motion.identity import digest
from ssl_motion.record import MetricValue, ResultRecord


def value_text(value: Any) -> str:
    """A value of the x axis or of a line's label as text: {1,2,4} for a list, "none" for None and for no settings."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.rpartition('.')[2]}={value_text(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return "{" + ",".join(value_text(each) for each in value) + "}"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def metric_of(record: ResultRecord, spec: CurveSpec) -> MetricValue | None:
    """The metric of a result that a curve shows; None where it was not measured."""
    if spec.y is None:
        return record.primary
    return next((metric for metric in record.metrics if metric.name == spec.y), None)


def has_x(record: ResultRecord, spec: CurveSpec) -> bool:
    """Whether a result has a value that the axis can show: any for categories, a number else, positive for log2."""
    if spec.x_scale == "category":
        return True
    value = place(record, spec.x)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return is_number and (spec.x_scale != "log2" or value > 0)


def facts_along_x(records: Sequence[ResultRecord], x: str) -> frozenset[str]:
    """Facts of the protocol that go with x, such as the frozen layers: one value at each x, and not one everywhere.

    Such a curve runs across fingerprints, because that is what it is about; the panel says in which facts. What comes
    of the pretraining alone changes no protocol.
    """
    if x.startswith("pretraining.") or x == "method":
        return frozenset()
    values: dict[str, dict[str, set[str]]] = {}
    names = {name for record in records for name in record.protocol}
    for record in records:
        at = digest([record.task, place(record, x)])
        for name in names:
            values.setdefault(name, {}).setdefault(at, set()).add(digest([record.protocol.get(name)]))
    return frozenset(
        name
        for name, by_x in values.items()
        if all(len(each) == 1 for each in by_x.values()) and len(set().union(*by_x.values())) > 1
    )


def categories_of(records: Sequence[ResultRecord], spec: CurveSpec, listed: Sequence[Any]) -> list[str]:
    """Texts of the categories that results have, in the order listed; empty for a scale of numbers."""
    if spec.x_scale != "category":
        return []
    found = {value_text(place(record, spec.x)) for record in records}
    order = dict.fromkeys(value_text(value) for value in listed)
    return [text for text in order if text in found] + sorted(found - set(order))


def listed_values(declared: Mapping[str, Any], x: str) -> list[Any]:
    """Values of x in the order in which a suite lists them.

    Args:
        declared: the suite as plain data.
        x: place in a record, such as "pretraining.spec.method_config.strides".
    """
    found: list[Any] = list(declared.get("worlds") or []) if x.endswith(".world") else []
    pretrainings = declared.get("pretrain") or {}
    for entry in [*pretrainings.values(), *(declared.get("transfer") or [])]:
        for part in ("set", "task_config", "recipe_overrides"):
            found += [value for key, value in (entry.get(part) or {}).items() if x.endswith(f".{key}")]
        for part in ("vary", "vary_recipe"):
            for key, values in (entry.get(part) or {}).items():
                found += values if x.endswith(f".{key}") else []
    seen: dict[str, Any] = {}
    for value in found:
        seen.setdefault(json.dumps(value, sort_keys=True), value)
    return list(seen.values())
