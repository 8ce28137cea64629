"""Published numbers beside reproduced ones: which printed row a full protocol repeats, and how far the two are apart.

`published/protocols.json` says of each published protocol which presets of this project repeat it, as far as it is
known, and what its metrics are called here. The two are different protocols all the same, since none of the published
ones is wholly known: they share no table and no rank, and what is known to differ stands beside the difference.
"""

from collections.abc import Sequence
from dataclasses import replace

from ssl_motion.record import MetricValue, Reported, ResultRecord
from ssl_motion_reports.formatting import abridged, amount
from ssl_motion_reports.published import UNKNOWN, architecture, repeated_by
from ssl_motion_reports.shapes import Beside, Entry, Group


def with_reported(groups: Sequence[Group], published: Sequence[ResultRecord]) -> list[Group]:
    """Write into the entries of full protocols the published rows that they repeat.

    Args:
        groups: of a board.
        published: records of published rows.
    """
    by_preset: dict[str, list[tuple[ResultRecord, dict[str, str]]]] = {}
    for record in published:
        presets, metrics = repeated_by(record)
        for preset in presets:
            by_preset.setdefault(preset, []).append((record, metrics))
    return [
        replace(group, entries=tuple(replace(entry, reported=_rows(entry, group, known)) for entry in group.entries))
        if group.scale == "full" and group.reproduced and (known := by_preset.get(group.name))
        else group
        for group in groups
    ]


def _rows(entry: Entry, group: Group, known: Sequence[tuple[ResultRecord, dict[str, str]]]) -> tuple[Beside, ...]:
    own = entry.values.get(group.primary)
    if entry.origin == "reported" or own is None:
        return ()
    found = []
    for record, metrics in known:
        same = record.method == entry.method and architecture(record.backbone) == architecture(group.backbone)
        printed = next((each for each in record.metrics if metrics.get(each.name, each.name) == group.primary), None)
        if same and printed is not None:
            found.append(_row(entry, own.mean, record, printed))
    return tuple(found)


def _row(entry: Entry, own: float, record: ResultRecord, printed: MetricValue) -> Beside:
    origin, before = record.origin, record.pretraining
    assert isinstance(origin, Reported)
    differs = [_protocol_words(record)]
    if before is not None and (before.pairs is not None or before.data != entry.data):
        theirs = before.data if before.pairs is None else f"{before.data}, {amount(before.pairs)}"
        differs.append(f"learned from {theirs}")
    if before is not None and before.flow_supervision != entry.flow_supervision:
        differs.append(f"flow supervision {before.flow_supervision}")
    differs += [f"run by {origin.reimplemented_by}"] if origin.reimplemented_by else []
    differs += [origin.confounds] if origin.confounds else []
    source = ", ".join(part for part in (origin.publication, origin.table) if part)
    return Beside(printed.value, own - printed.value, source, tuple(differs))


def _protocol_words(record: ResultRecord) -> str:
    """What is known of a published protocol, such as head, batch norm and validation split, and what is not."""
    facts = {
        name.replace("_", " "): value for name, value in record.protocol.items() if name not in ("dataset", "setup")
    }
    known = ", ".join(f"{name} {abridged(value)}" for name, value in facts.items() if value != UNKNOWN)
    unknown = ", ".join(name for name, value in facts.items() if value == UNKNOWN)
    said = [f"{what}: {names}" for what, names in (("known", known), ("unknown", unknown)) if names]
    return f"its protocol is not wholly known ({'; '.join(said)})"
