"""Entry points -> classes: how methods, benchmarks and flow estimators are found.

A broken plugin never takes the program down: it is listed as broken, and using
it says why. Two plugins under one name are an error, since silently choosing
one would make results depend on installation order.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ssl_motion.errors import UsageError
from ssl_motion.task_class import class_fault


class UnusablePlugin(UsageError):
    """An announced plugin cannot be used.

    Attributes:
        problem: what is wrong in a few words, such as "does not import".
    """

    def __init__(self, message: str, problem: str = "cannot be used") -> None:
        super().__init__(message)
        self.problem = problem


METHODS = "ssl_motion.methods"
BENCHMARKS = "ssl_motion.benchmarks"
FLOW_ESTIMATORS = "ssl_motion.flow_estimators"

ANNOUNCED_TWICE = "announced by two packages"

_KIND = {METHODS: "method", BENCHMARKS: "benchmark", FLOW_ESTIMATORS: "flow estimator"}
_SHAPES = "ssl_motion.protocols"
_BASE = {METHODS: "PretrainMethod", BENCHMARKS: "TransferTask"}


@dataclass(frozen=True)
class Plugin:
    """An announced plugin, not yet imported.

    Attributes:
        name: the name users type.
        distribution: the installed package that announces it.
        target: "module:Class".
    """

    name: str
    distribution: str
    target: str


def did_you_mean(name: str, known: list[str]) -> str:
    """Return " Did you mean ...?" for the nearest known name, or an empty string."""
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def _points(group: str) -> list[EntryPoint]:
    """Announced entry points by name; the same one found twice (such as by two entries of the path) counts once."""
    found = {(point.name, point.value): point for point in entry_points(group=group)}
    return [found[key] for key in sorted(found)]


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"


def available(group: str) -> list[Plugin]:
    """List the announced plugins of a group, by name, without importing any."""
    return [Plugin(point.name, _distribution(point), point.value) for point in _points(group)]


def load(group: str, name: str) -> Any:
    """Import and return the class announced under `name`.

    Raises:
        UsageError: No such plugin (the nearest name is given).
        UnusablePlugin: Two packages announce it, it does not import (the reason is given), or it lacks what every
            plugin of its group must have.
    """
    points = [point for point in _points(group) if point.name == name]
    if not points:
        known = sorted({point.name for point in _points(group)})
        raise UsageError(
            f"unknown {_KIND[group]} {name!r}.{did_you_mean(name, known)} Installed: {', '.join(known) or 'none'}. "
            f"`ssl-bench list` shows them all."
        )
    if len(points) > 1:
        sources = " and ".join(f"{_distribution(point)} ({point.value})" for point in points)
        raise UnusablePlugin(
            f"two installed packages announce a {_KIND[group]} named {name!r}: {sources}. Uninstall one of them.",
            ANNOUNCED_TWICE,
        )
    (point,) = points
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # a module that exits when it is imported must not end the program
        raise UnusablePlugin(
            f"{_KIND[group]} {name!r} of package {_distribution(point)} does not import ({point.value}): "
            f"{type(error).__name__}: {error}",
            "does not import",
        ) from error
    if (fault := _fault(group, found)) is not None:
        raise UnusablePlugin(
            f"{_KIND[group]} {name!r} of package {_distribution(point)} cannot be used ({point.value}): {fault}. "
            f"`ssl_motion.testing` has a check that finds what else is missing.",
        )
    return found


def _fault(group: str, found: Any) -> str | None:
    """Say what an imported plugin lacks at first sight; None where nothing is missing."""
    from pydantic import BaseModel  # here, since naming plugins must be quick

    base = _BASE.get(group)
    if base is None:
        return None
    # By name: importing the class itself would bring torch to whoever lists plugins.
    above = found.__mro__ if isinstance(found, type) else ()
    if not any(each.__qualname__ == base and f"{each.__module__}.".startswith(f"{_SHAPES}.") for each in above):
        return f"it is no subclass of {_SHAPES}.{base}"
    config = getattr(found, "Config", None)
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        return f"its Config is {config!r}; expected a pydantic model of its settings"
    version = getattr(found, "recipe_version", None)
    if not isinstance(version, int) or version < 1:
        return f"its recipe_version is {version!r}; expected a whole number from 1"
    if group == BENCHMARKS:
        return class_fault(found)
    return None
