"""What a curve is made of: which results, what stands on its axes, and which of them one line connects.

A suite declares its curves; reports draw them from records alone. Places in a record are dotted paths, such as
"pretraining.spec.method_config.guidance.count", "pretraining.figures.guidance_points" or "spec.task_config.freeze_to".
"""

from typing import Any, Literal

from pydantic import JsonValue, model_validator

from ssl_motion.record import ResultRecord
from ssl_motion.spec import Strict


class CurveSpec(Strict):
    """A curve over results.

    Attributes:
        title: one line for people.
        x: place in the record of what varies.
        x_label: what it is, with its unit.
        x_scale: "category" keeps the order in which a suite lists the values.
        kind: "line" joins means over seeds along x, unless that is a name without order (a method); "scatter" draws
            every run as a point of its own, joins none, and says by a rank correlation whether x goes with y: for an x
            that was measured and not set.
        y: name of the metric; None for each protocol's primary one.
        lines: places in the record; results that agree in all of them (and in their protocol) share a line.
        where: place in the record -> value, or list of values, of the results that belong to the curve.
        references: names of methods whose results, under the same protocols, are drawn as level lines.
        published: name of a published curve whose points are drawn beside it.
    """

    title: str
    x: str
    x_label: str
    x_scale: Literal["linear", "log2", "category"] = "linear"
    kind: Literal["line", "scatter"] = "line"
    y: str | None = None
    lines: list[str] = []
    where: dict[str, JsonValue] = {}
    references: list[str] = ["random"]
    published: str | None = None

    @model_validator(mode="after")
    def _has_ranks(self) -> "CurveSpec":
        if self.kind == "scatter" and self.x_scale == "category":
            raise ValueError("kind: scatter needs numbers on the x axis; x_scale: category has none")
        return self


def place(record: ResultRecord, path: str) -> Any:
    """Look a dotted path up in a record; None where it does not lead anywhere.

    Keys may hold dots themselves, as in "spec.recipe_overrides.model.backbone.norm_eval"; the shortest that leads on
    counts.
    """
    return _below(record, path.split("."))


def _below(node: Any, parts: list[str]) -> Any:
    if not parts:
        return node
    if not isinstance(node, dict):  # records hold no other mappings, and asking for any takes most of the time
        found = getattr(node, parts[0], None)
        return None if found is None else _below(found, parts[1:])
    for length in range(1, len(parts) + 1):
        found = node.get(".".join(parts[:length]))
        if found is not None and (found := _below(found, parts[length:])) is not None:
            return found
    return None


def belongs(record: ResultRecord, curve: CurveSpec) -> bool:
    """Whether a record is one of a curve's results (its references apart)."""
    for path, wanted in curve.where.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if place(record, path) not in values:
            return False
    return True
