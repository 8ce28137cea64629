"""Carrying out a plan: make the shards that are not there yet, then write the index."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ssl_motion.data.shards import INDEX_NAME, SPLITS, ShardSet, shard_name, sidecar_path, write_dataset_index
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.fileio import write_atomically
from ssl_motion.prepare.folder import OutputFolder
from ssl_motion.prepare.pool import run_parallel
from ssl_motion.prepare.spec import ShardSpec
from ssl_motion.prepare.units import Unit, UnitReport, make_shard, read_report, report_path
from ssl_motion.progress import Progress
from ssl_motion.video.clip import Rejection


@dataclass(frozen=True)
class Plan:
    """Everything that will be done.

    Attributes:
        identity: hash of the settings and of the content that goes in.
        units: one per shard.
        rejected: what cannot be used, known before any shard is made.
        clips: one row per clip, for `clips.jsonl`; empty where clips are not known one by one (imports).
        settings: as in `prepare.json`.
    """

    identity: str
    units: Sequence[Unit]
    rejected: list[Rejection]
    clips: list[dict[str, Any]]
    settings: dict[str, Any]


@dataclass(frozen=True)
class PrepareResult:
    """What came out.

    Attributes:
        folder: the data set.
        fingerprint: hash of the shards.
        pairs: split -> number of pairs.
        tried: pairs that were tried.
        still: pairs left out because nothing moves.
        across_cuts: pairs left out because they reach over a cut.
        rejected: number of lines in `rejected.jsonl`.
        made: shards made by this call.
        reused: shards that were there already.
        seconds: wall time of this call's second pass.
        notes: what the user should know, such as an empty split.
    """

    folder: Path
    fingerprint: str
    pairs: dict[str, int]
    tried: int
    still: int
    across_cuts: int
    rejected: int
    made: int
    reused: int
    seconds: float
    notes: list[str] = field(default_factory=list)

    @property
    def cached(self) -> bool:
        """Whether everything was there already."""
        return self.made == 0

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return {**asdict(self), "folder": str(self.folder), "path": str(self.folder), "cached": self.cached}


def run_plan(
    plan: Plan, spec: ShardSpec, out: OutputFolder, *, processes: int, name: str, flow: tuple[str, str, str]
) -> PrepareResult:
    """Make the missing shards, `rejected.jsonl`, `clips.jsonl` and, last, the index. Call it with `out` locked.

    Args:
        plan: what to do.
        spec: settings.
        out: the data set's folder.
        processes: worker processes.
        name: of the data set.
        flow: (estimator, its version, its supervision), for the index.

    Raises:
        UsageError: The folder's shards were made from other input.
        RunError: No pair could be kept, or writing failed.
    """
    _check_same_input(plan, out)
    began = time.monotonic()
    missing = [unit for unit in plan.units if read_report(out, unit, plan.identity) is None]
    total, to_do = sum(unit.planned for unit in plan.units), sum(unit.planned for unit in missing)
    if missing:
        # An index of an interrupted earlier attempt must not vouch for shards that are being made.
        (out.path / INDEX_NAME).unlink(missing_ok=True)
        work = partial(make_shard, spec=spec, out=out, identity=plan.identity)
        with Progress("pairs", total, "pairs", done=total - to_do) as progress:
            for _ in run_parallel(work, missing, min(processes, len(missing)), progress):
                pass
    seconds = time.monotonic() - began
    totals = _write_reports(plan, out)
    if not totals.kept:
        raise RunError(_nothing_kept(plan, totals, out))
    _refuse_strangers(plan, out)
    notes = _notes(totals.pairs, spec)
    if missing or not _has_sound_index(out.path):
        facts = {
            "settings": plan.settings,
            "identity": plan.identity,
            "clips": len(plan.clips),
            "pairs_tried": totals.tried,
            "still": totals.still,
            "across_cuts": totals.across_cuts,
            "rejected": totals.rejected,
        }
        write_dataset_index(
            out.path, name=name, flow_estimator=flow[0], flow_version=flow[1], flow_supervision=flow[2], extra=facts
        )
    return PrepareResult(
        out.path,
        ShardSet(out.path).fingerprint,
        totals.pairs,
        totals.tried,
        totals.still,
        totals.across_cuts,
        totals.rejected,
        len(missing),
        len(plan.units) - len(missing),
        seconds,
        notes,
    )


def _has_sound_index(folder: Path) -> bool:
    """Whether the data set's index is there and readable; one damaged by hand is written anew."""
    try:
        ShardSet(folder)
    except (DataError, UsageError):
        return False
    return True


@dataclass
class _Totals:
    pairs: dict[str, int] = field(default_factory=lambda: {str(split): 0 for split in SPLITS})
    tried: int = 0
    still: int = 0
    across_cuts: int = 0
    rejected: int = 0

    @property
    def kept(self) -> int:
        return sum(self.pairs.values())


def _check_same_input(plan: Plan, out: OutputFolder) -> None:
    """Refuse to mix shards of two different inputs in one folder."""
    path = out.path / "work" / "identity.json"
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        earlier = None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); delete {out.path} and start again") from error
    if earlier not in (None, plan.identity) and out.has_shards:
        raise UsageError(
            f"{out.path} was made from other clips, or their content changed since. "
            "Name another output folder, or delete this one."
        )
    write_atomically(path, lambda file: file.write(json.dumps(plan.identity).encode()) and None)


def _write_reports(plan: Plan, out: OutputFolder) -> _Totals:
    """Join the shards' reports, one at a time, into `rejected.jsonl` and `clips.jsonl`."""
    totals = _Totals(across_cuts=sum(row["across_cuts"] for row in plan.clips))
    counts: dict[str, list[int]] = {row["clip"]: [0, 0] for row in plan.clips}

    def lines() -> Iterable[dict[str, Any]]:
        yield from (rejection.as_json() for rejection in plan.rejected)
        for unit in plan.units:
            report = UnitReport(**json.loads(report_path(out, unit).read_text(encoding="utf-8")))
            totals.pairs[unit.shard.split("-")[0]] += report.kept
            totals.tried += report.planned
            totals.still += report.still
            for clip, (kept, still) in report.clips.items():
                if clip in counts:
                    counts[clip][0] += kept
                    counts[clip][1] += still
            yield from report.rejected

    totals.rejected = _write_lines(out.path / "rejected.jsonl", lines())
    if plan.clips:
        rows = ({**row, "still": counts[row["clip"]][1], "pairs": counts[row["clip"]][0]} for row in plan.clips)
        _write_lines(out.path / "clips.jsonl", rows)
    return totals


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    count = 0

    def write(file: Any) -> None:
        nonlocal count
        for row in rows:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
            count += 1

    write_atomically(path, write)
    return count


def _refuse_strangers(plan: Plan, out: OutputFolder) -> None:
    """Fail loudly if the folder holds a shard that the plan does not know: the index would take it in."""
    known = {unit.shard for unit in plan.units}
    for split in SPLITS:
        for path in out.path.glob(f"{split}-*.tar"):
            # A layer's tar has a second dot in its name.
            if path.name not in known and "." not in path.stem:
                raise RunError(
                    f"{path} does not belong to this data set (expected {shard_name(split, 0)} to the last planned "
                    f"shard). Delete it and its {sidecar_path(path).name}, then repeat the command."
                )


def _nothing_kept(plan: Plan, totals: _Totals, out: OutputFolder) -> str:
    first = "; ".join(f"{rejection.clip}: {rejection.reason}" for rejection in plan.rejected[:3])
    return (
        f"no pair could be kept: {totals.tried} tried, {totals.still} without motion, "
        f"{totals.across_cuts} across cuts, {totals.rejected} rejected"
        + (f" ({first})" if first else "")
        + f". See {out.path / 'rejected.jsonl'}."
    )


def _notes(pairs: dict[str, int], spec: ShardSpec) -> list[str]:
    notes = []
    if not pairs["train"]:
        notes.append("the train split is empty: no pair of its clips was kept")
    if not pairs["val"] and spec.val_fraction > 0:
        notes.append("the val split is empty: splits are by clip, and no second clip with motion was there")
    return notes
