"""How long the runs of a suite take, judged by runs that were made before.

Pretrainings are timed by the image, so that another length of training has an estimate too. A run of the same settings
counts before one that is only alike, and within both the runs of this folder before others, which may come from
another machine.
"""

import heapq
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from ssl_motion.identity import canonical_json
from ssl_motion.record import Reproduced, ResultRecord
from ssl_motion.spec import PretrainSpec
from ssl_motion.store import Store
from ssl_motion.sweep import Job
from ssl_motion.weights import CARD

Key = Hashable
Timed = Sequence[tuple[tuple[Key, Key], float]]
"""Of each run, what names runs of the same settings and runs that are alike, and its seconds."""


class Costs:
    """Estimates from earlier runs.

    Args:
        own: timed runs of this folder, as from `timed_pretrainings` and `timed_records`.
        others: of elsewhere.
    """

    def __init__(self, own: Timed = (), others: Timed = ()) -> None:
        self._tables: list[dict[Key, list[float]]] = [{}, {}, {}]  # of now, of this folder, of elsewhere
        for table, timed in zip(self._tables, ((), own, others), strict=True):
            for keys, seconds in timed:
                for key in keys:
                    table.setdefault(key, []).append(seconds)

    def learn(self, job: Job, seconds: float) -> None:
        """Take the time of a run that was made just now; such times count before all others."""
        for key in _keys(job):
            self._tables[0].setdefault(key, []).append(seconds / _amount(job))

    def seconds(self, job: Job) -> float | None:
        """Estimate a run's time; None where nothing alike was run before."""
        for key in _keys(job):
            for table in self._tables:
                if key in table:
                    return median(table[key]) * _amount(job)
        return None


def timed_pretrainings(store: Store, device: str) -> list[tuple[tuple[Key, Key], float]]:
    """Time the finished pretrainings of a folder on a kind of device ("cpu" or "cuda"), in seconds an image."""
    timed = []
    for run in store.runs("pretrain"):
        try:
            facts = json.loads((run.path / CARD).read_text(encoding="utf-8"))["pretraining"]
            if facts["device"] == device and facts["run"] == run.identity:
                timed.append((_pretrain_keys(facts["spec"]), facts["wall_seconds"] / facts["images_seen"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not finished, or of a version before these facts: other runs tell
    return timed


def timed_records(records: Iterable[ResultRecord], device: str) -> list[tuple[tuple[Key, Key], float]]:
    """Time the transfers and ensembles of records, and the pretrainings that these started from."""
    timed = []
    pretrainings: set[str] = set()
    for record in records:
        if not isinstance(record.origin, Reproduced) or not record.spec:
            continue
        verb = "ensemble" if "ensemble" in record.spec else "transfer"
        if record.origin.provenance.device.partition(":")[0] == device:
            timed.append((_transfer_keys(verb, record.spec), record.origin.provenance.wall_seconds))
        before = record.pretraining
        if before is None or before.run is None or before.run in pretrainings or before.device != device:
            continue
        if before.wall_seconds is not None and before.images_seen and "method" in before.spec:
            pretrainings.add(before.run)
            timed.append((_pretrain_keys(before.spec), before.wall_seconds / before.images_seen))
    return timed


def makespan(jobs: Sequence[Job], seconds: Mapping[str, float], slots: int) -> float:
    """Time that jobs take side by side, started as the local executor starts them.

    Args:
        jobs: parents before children; those without a time take none.
        seconds: job name -> time.
        slots: how many run at once.
    """
    waiting = [job for job in jobs if job.name in seconds]
    ended = {job.name for job in jobs if job.name not in seconds}
    running: list[tuple[float, str]] = []
    now = 0.0
    while waiting or running:
        for job in list(waiting):
            if len(running) < slots and ended.issuperset(job.parents):
                heapq.heappush(running, (now + seconds[job.name], job.name))
                waiting.remove(job)
        now, name = heapq.heappop(running)
        ended.add(name)
    return now


def _amount(job: Job) -> float:
    """What a job's time is counted in: images of a pretraining, one of the others."""
    if isinstance(job.spec, PretrainSpec):
        return job.spec.iterations * job.spec.batch_size * job.spec.accumulate * job.spec.processes
    return 1.0


def _keys(job: Job) -> tuple[Key, Key]:
    content = job.spec.model_dump(mode="json")
    return _pretrain_keys(content) if isinstance(job.spec, PretrainSpec) else _transfer_keys(job.verb, content)


def _pretrain_keys(spec: Mapping[str, Any]) -> tuple[Key, Key]:
    """Name runs of equal cost an image, and runs that are alike."""
    data, trunk = spec["data"], spec["backbone"]
    side = data.get("crop") or data.get("short_side") or (data.get("puppets") or {}).get("size")
    alike = ("pretrain", spec["method"], trunk["arch"])
    arithmetic = (spec["batch_size"], spec["processes"], spec["precision"])
    return (*alike, trunk.get("width"), side, data.get("control"), *arithmetic), alike


def _transfer_keys(verb: str, spec: Mapping[str, Any]) -> tuple[Key, Key]:
    # What is not set differs between a suite's settings and a record's, which are complete.
    settings = {key: value for key, value in spec["task_config"].items() if value is not None}
    sizes = {key: value for key, value in (spec.get("puppets") or {}).items() if key not in ("world", "seed")}
    same = canonical_json([settings, spec.get("recipe_overrides") or {}, sizes])
    alike = (verb, spec["task"], settings.get("preset"))
    return (*alike, same), alike
