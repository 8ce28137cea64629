"""The finished runs that an ensemble is made of: found, compared, and refused where they cannot be averaged."""

from dataclasses import dataclass
from typing import Any

from ssl_motion import plugins
from ssl_motion.errors import UsageError
from ssl_motion.listing import list_benchmarks
from ssl_motion.record import ResultRecord, read_record
from ssl_motion.store import RunFolder, Store

_SHOWN = 5
_LONGEST = 50


@dataclass(frozen=True)
class Member:
    """A finished transfer run."""

    folder: RunFolder
    record: ResultRecord


def finished_member(query: str, store: Store) -> Member:
    """Find a finished transfer run of one network.

    Raises:
        UsageError: There is none of that name, it is not finished, or is an ensemble itself.
        DataError: Its record is damaged.
    """
    folder = store.find(query, "transfer")
    if not folder.is_finished:
        raise UsageError(f"{folder.path} is not finished. Start the same `ssl-bench transfer` command again.")
    record = read_record(folder.path / "record.json")
    if "ensemble" in record.spec:
        raise UsageError(f"{folder.path.name} is an ensemble itself; name the runs that it is made of")
    return Member(folder, record)


def check_average(task: str) -> None:
    """Refuse a task whose predictions cannot be averaged, before its data are looked at.

    Raises:
        UsageError: It is one; the tasks that have ensembles are named.
    """
    if plugins.load(plugins.BENCHMARKS, task).has_ensembles():
        return
    known = [row["name"] for row in list_benchmarks() if row["imports"] and row["ensembles"]]
    raise UsageError(f"{task}: what it predicts cannot be averaged. There are ensembles of: {', '.join(known)}")


def differences(first: ResultRecord, second: ResultRecord) -> str:
    """Name the facts that two protocols do not share, with their values where these are short."""
    if first.task != second.task:
        return f"task ({first.task}, {second.task})"  # everything else follows from it
    one, other = ({"backbone": each.backbone, "scale": each.scale} for each in (first, second))
    keys = dict.fromkeys([*first.protocol, *second.protocol])
    if one["backbone"] != other["backbone"]:
        keys.pop("backbone", None)  # the same in more words
    else:
        del one["backbone"]
    one |= {key: first.protocol.get(key, "none") for key in keys}
    other |= {key: second.protocol.get(key, "none") for key in keys}
    unlike = [key for key in one if one[key] != other[key]]
    words = [_with_values(key, one[key], other[key]) for key in unlike[:_SHOWN]]
    return ", ".join(words) + (f", and {len(unlike) - _SHOWN} more" if len(unlike) > _SHOWN else "")


def _with_values(name: str, one: Any, other: Any) -> str:
    values = f"{one}, {other}"
    tells = name != "dataset_hash" and not isinstance(one, (dict, list)) and not isinstance(other, (dict, list))
    return f"{name} ({values})" if tells and len(values) <= _LONGEST else name
