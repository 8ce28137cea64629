"""Names of a leaderboard's lines: the method, and the settings that tell it from others of the same method."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ssl_motion.record import ResultRecord
from ssl_motion_reports.formatting import abridged

_ABSENT = object()


def differing(facts: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep those facts, by name, that any of the others lacks or has with another value."""
    known = list(others)
    return {
        name: value
        for name, value in sorted(facts.items())
        if any(other.get(name, _ABSENT) != value for other in known)
    }


def entry_labels(members: dict[str, list[ResultRecord]]) -> dict[str, str]:
    """Name the entries of a group; those of one method get the settings in which they differ, or their key.

    What most of them have in common is left unsaid, so that the base of an ablation bears the plain name.
    """
    labels = {key: replicates[0].method for key, replicates in members.items()}
    for method in set(labels.values()):
        same = [key for key, name in labels.items() if name == method]
        own = [key for key in same if members[key][0].origin.kind == "reproduced"]
        if len(own) > 1:
            known = {key: settings(members[key][0]) for key in own}
            telling = _telling(list(known.values()))
            for key in own:
                own_settings = {name: known[key][name] for name in telling if name in known[key]}
                special = {name: value for name, value in own_settings.items() if value != telling[name]}
                shown = [f"{name.rpartition('.')[2]}={value}" for name, value in special.items()][:3]
                labels[key] += f" ({', '.join(shown)})" if shown else "" if telling else f" (variant {key[:4]})"
        if len({labels[key] for key in own}) < len(own):
            for key in own:
                labels[key] += f" #{key[:4]}"
    return labels


def preset_changes(record: ResultRecord) -> str:
    """Name what was changed in the preset of a record's run, shortest first; the trunk has its own place in titles."""
    config = record.spec.get("task_config")
    given = {**(config if isinstance(config, dict) else {}), **record.spec.get("recipe_overrides", {})}
    shown = {name: abridged(value) for name, value in given.items() if value is not None}
    words = [f"{name}={text}" for name, text in shown.items() if text and name not in ("preset", "backbone")]
    return ", ".join(sorted(words, key=len)[:3])


def _telling(known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Name the settings that are not the same for all, each with the value that more than half have, where one is.

    In one pass, since there may be hundreds of variants.
    """
    first = known[0]
    names = sorted({name for each in known for name in each})
    differ = [name for name in names if any(each.get(name, _ABSENT) != first.get(name, _ABSENT) for each in known)]
    return {name: _usual([each.get(name, _ABSENT) for each in known]) for name in differ}


def _usual(values: Sequence[Any]) -> Any:
    """The value that more than half of all are; a new object, equal to nothing, where there is none."""
    # Boyer and Moore's vote: values need not be hashable.
    candidate, votes = values[0], 0
    for value in values:
        candidate, votes = (value, 1) if votes == 0 else (candidate, votes + (1 if value == candidate else -1))
    return candidate if 2 * sum(value == candidate for value in values) > len(values) else object()


def settings(record: ResultRecord) -> dict[str, Any]:
    """Flatten what is known of a record's pretraining to dotted keys; seeds and what moves no weights left out."""
    before = record.pretraining
    spec = before.spec if before else {}
    idle = {"seed", "checkpoint_every"} | ({"validate_every"} if spec.get("early_stopping") is None else set())
    flat = dict(_flat("", {name: value for name, value in spec.items() if name not in idle}))
    if before is not None:
        flat.update({"data": before.data, "pairs": before.pairs, "recipe_version": before.recipe_version})
    return flat


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value.get("strategies") == []:
        yield prefix.rstrip("."), "none"  # CMP's guidance by no strategy: its other settings are read by nobody.
    elif isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _flat(f"{prefix}{name}.", child)
    else:
        yield prefix.rstrip("."), value
