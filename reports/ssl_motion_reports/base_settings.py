"""Which entry stands for its method where methods are compared: the one of its base settings.

A method with many variants (an ablation) would have the better chance of a high mean by their number alone, and the
best of them is chosen on test images. So the choice never looks at figures.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ssl_motion.identity import digest
from ssl_motion.record import ResultRecord
from ssl_motion_reports.labels import settings
from ssl_motion_reports.shapes import Entry, Group

# What goes with the data: methods meet the same settings again in other worlds.
_DATA = ("data", "data.puppets.world", "data.shards", "pairs")


def is_base(entry: Entry) -> bool:
    """Whether an entry bears the plain name of its method: what most of its variants have in common."""
    return entry.label == entry.method


def protocols_by_settings(groups: Iterable[Group]) -> Counter[str]:
    """Count under how many protocols each settings of a method were tried, by `settings_key`."""
    return Counter(
        key
        for group in groups
        for key in {settings_key(entry.records[0]) for entry in group.entries if entry.origin == "reproduced"}
    )


def settings_key(record: ResultRecord) -> str:
    """Hash of the method and its settings, whatever the data it learned from."""
    known = {name: value for name, value in settings(record).items() if name not in _DATA}
    return digest([record.method, known])


def base_entries(entries: Sequence[Entry], protocols: Mapping[str, int]) -> list[Entry]:
    """Keep of every method the entry of its base settings, in the order given.

    That is the one with the plain name; where none has it, the one whose settings were tried under most protocols.

    Args:
        entries: of one protocol.
        protocols: as `protocols_by_settings` counts them.
    """
    chosen: dict[str, Entry] = {}
    for entry in entries:
        known = chosen.get(entry.method)
        if known is None or _claim(entry, protocols) > _claim(known, protocols):
            chosen[entry.method] = entry
    return [entry for entry in entries if chosen[entry.method] is entry]


def _claim(entry: Entry, protocols: Mapping[str, int]) -> tuple[bool, int, str]:
    return is_base(entry), protocols.get(settings_key(entry.records[0]), 0), entry.key
