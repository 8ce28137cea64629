"""What stands above the panels of a curve: the task, and in words the protocol that its results share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ssl_motion.record import ResultRecord
from ssl_motion_reports.curves.shapes import Panel
from ssl_motion_reports.formatting import abridged, plain
from ssl_motion_reports.labels import differing
from ssl_motion_reports.picture import WORLDS
from ssl_motion_reports.shapes import SCALE_MARKS


def panel_details(panels: Sequence[Panel]) -> list[Panel]:
    """Write into each panel its protocol in words; panels of the same words get the facts in which they differ.

    Returns:
        The panels, ordered by task, scale and words.
    """
    words = [replace(panel, detail=_setting(_first(panel))) for panel in panels]
    told_apart = []
    for panel in words:
        alike = [each for each in words if (each.title, each.detail) == (panel.title, panel.detail)]
        facts = differing(_facts(panel), [_facts(each) for each in alike])
        extra = sorted((f"{name.replace('_', ' ')} {text}" for name, text in facts.items() if text), key=len)[:2]
        if len(alike) > 1:
            extra.append(f"#{panel.fingerprints[0][:6]}")
        told_apart.append(replace(panel, detail="; ".join([panel.detail, *extra])))
    order = list(WORLDS)
    return sorted(
        told_apart,
        key=lambda panel: (panel.task, panel.metric.name, _world_place(_first(panel), order), panel.detail),
    )


def _first(panel: Panel) -> ResultRecord:
    return panel.points[0].records[0]


def _world_place(record: ResultRecord, order: list[str]) -> int:
    world = str(_puppets(record).get("world", ""))
    return order.index(world) if world in order else -1


def _puppets(record: ResultRecord) -> dict[str, Any]:
    return (record.spec.get("puppets") or {}) if record.scale == "builtin" else {}


def _setting(record: ResultRecord) -> str:
    puppets = _puppets(record)
    parts = [SCALE_MARKS[record.scale]]
    if puppets:
        world = str(puppets.get("world", ""))
        parts.append(WORLDS.get(world, world))
    return plain("; ".join(part for part in (*parts, record.protocol_name, record.backbone) if part))


def _facts(panel: Panel) -> dict[str, str]:
    # Which data it is, a hash says in no word that helps; the built-in ones differ in their sizes.
    record = _first(panel)
    facts = {name: abridged(value) for name, value in record.protocol.items() if name not in panel.along_x}
    facts.pop("dataset_hash", None)
    return facts | {name: abridged(value) for name, value in _puppets(record).items() if name != "world"}
