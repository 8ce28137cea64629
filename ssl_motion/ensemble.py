"""An ensemble: the average of what several finished transfer runs predict, scored and recorded like a run.

Its folder lies among the transfer runs and holds spec.yaml, recipe.py (where the task has one), log.jsonl, per-image
statistics, record.json and done.json. Nothing is trained; an interrupted one starts again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ssl_motion.engine.checkpoint import require_checkpoint
from ssl_motion.engine.environment import launched_processes, prepare_device
from ssl_motion.ensemble_members import Member, check_average, differences, finished_member
from ssl_motion.errors import UsageError
from ssl_motion.identity import digest, ensemble_identity
from ssl_motion.protocols import RunContext
from ssl_motion.provenance import code_state, collect
from ssl_motion.record import Pretraining, Reproduced, ResultRecord
from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion.store import SPEC, RunFolder, Store, transfer_label
from ssl_motion.tasks import sound_result
from ssl_motion.transfer import (
    make_plan,
    metric_values,
    per_image_file,
    ready_data,
    write_record,
)
from ssl_motion.transfer_plan import TransferPlan

AVERAGED = "class probabilities"


@dataclass(frozen=True)
class EnsemblePlan:
    """A resolved ensemble.

    Attributes:
        members: the runs, by method and identity, whatever order they were named in.
        plan: of a run of their protocol: the task, its data.
        protocol: the members' facts, and that so many networks are averaged.
        folder: where the ensemble is, or will be.
    """

    members: tuple[Member, ...]
    plan: TransferPlan
    protocol: dict[str, Any]
    folder: RunFolder

    @property
    def method(self) -> str:
        """The members' methods: "cmp + imagenet"."""
        return " + ".join(member.record.method for member in self.members)

    @property
    def seed(self) -> int | None:
        """The members' seed, where it is one."""
        seeds = {member.record.seed for member in self.members}
        return seeds.pop() if len(seeds) == 1 else None

    @property
    def protocol_name(self) -> str:
        """The members' protocol, marked."""
        return f"{self.members[0].record.protocol_name}, {len(self.members)} networks averaged"

    def written_spec(self) -> dict[str, Any]:
        """What the record and spec.yaml say: the members' common settings, with their identities as "init"."""
        content = self.plan.spec.model_dump(mode="json", exclude={"data_root"})
        identities = [member.folder.identity for member in self.members]
        return {**content, "init": identities, "seed": self.seed, "ensemble": len(self.members)}


def ensemble(
    runs: Sequence[str], runtime: RuntimeSpec, store: Store, data_root: Path | None = None, *, force: bool = False
) -> RunFolder:
    """Average what finished transfer runs predict, and record the result; reuse a finished ensemble.

    Args:
        runs: folders, names or identities of at least two runs of one protocol.
        runtime: where and how; not part of the identity.
        store: where runs lie.
        data_root: folder of the task's data, in place of the one that the runs were made with.
        force: move an existing folder of this ensemble aside and start anew.

    Returns:
        The finished ensemble's folder.

    Raises:
        UsageError: The runs cannot be averaged, or the data are not those that they were scored on.
        RunError: Another process holds the folder, or the disk is full.
    """
    if launched_processes().world_size > 1:
        raise UsageError("an ensemble is tested by one process: start `ssl-bench ensemble` without torchrun")
    made = plan_ensemble(runs, store, data_root)
    if made.folder.is_finished and not force:
        return made.folder
    device = prepare_device(runtime.device)
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
    if force and made.folder.path.exists():
        with made.folder.locked(made.written_spec()):
            pass  # refuses while another process works in it
        made.folder.move_aside()
    with made.folder.locked(made.written_spec()):
        if not made.folder.is_finished:
            _run(made, runtime, store, device)
    return made.folder


def plan_ensemble(runs: Sequence[str], store: Store, data_root: Path | None = None) -> EnsemblePlan:
    """Resolve an ensemble. Renders, tests and writes nothing.

    Raises:
        UsageError: As for `ensemble`.
    """
    found = [finished_member(query, store) for query in runs]
    members = tuple(sorted(found, key=lambda member: (member.record.method, member.folder.identity)))
    identities = [member.folder.identity for member in members]
    if len(members) < 2:
        raise UsageError("an ensemble needs at least two runs")
    if len(set(identities)) < len(identities):
        raise UsageError(f"an ensemble needs different runs; got {', '.join(identities)}")
    first = members[0]
    for other in members[1:]:
        if other.record.protocol_fingerprint != first.record.protocol_fingerprint:
            raise UsageError(
                f"{first.folder.path.name} and {other.folder.path.name} were not made by the same protocol; they "
                f"differ in: {differences(first.record, other.record)}. Only runs of one task, trunk and "
                "protocol are averaged."
            )
    check_average(first.record.task)
    plan = plan_of_member(first, store, data_root)
    protocol = {**first.record.protocol, "ensemble": {"networks": len(members), "averaged": AVERAGED}}
    identity = ensemble_identity(plan.spec.task, protocol, identities)
    methods = " + ".join(member.record.method for member in members)
    label = transfer_label({**plan.spec.model_dump(mode="json"), "ensemble": len(members)}, methods)
    made = EnsemblePlan(members, plan, protocol, store.folder("transfer", label, identity))
    if not made.folder.is_finished:
        for member in members:
            require_checkpoint(member.folder.path / "checkpoints")
    return made


def plan_of_member(member: Member, store: Store, data_root: Path | None) -> TransferPlan:
    """Plan a run of a member's protocol, to find its task and data; they must be what they were.

    Raises:
        UsageError: The data are not there, or data or code are others today.
    """
    spec = parse_spec(TransferSpec, {**member.record.spec, "init": "random"}, f"spec of {member.folder.path.name}")
    if data_root is None and spec.puppets is None:
        # The record holds no path, the folder's own spec does.
        written = load_yaml(member.folder.path / SPEC).get("data_root")
        data_root = Path(written) if isinstance(written, str) and Path(written).is_dir() else None
    plan = make_plan(spec, store, data_root)
    if digest(plan.protocol) != digest(member.record.protocol):
        now = member.record.model_copy(update={"protocol": plan.protocol})
        raise UsageError(
            f"{member.folder.path.name} was made by another protocol than its settings give today; they differ in: "
            f"{differences(member.record, now)}. With other data (dataset_hash), give the runs' own as "
            "--data-root; with other code, run them again."
        )
    return plan


def _run(made: EnsemblePlan, runtime: RuntimeSpec, store: Store, device: str) -> None:
    """Do the work in a locked folder."""
    code = code_state()
    folder, task = made.folder.path, made.plan.task
    root, remarks = ready_data(made.plan, store)
    context = RunContext(
        run_dir=folder,
        weights=None,
        data_root=root,
        seed=made.seed or 0,
        device=device,
        workers=runtime.workers,
        recipe_overrides=made.plan.spec.recipe_overrides,
        trackers=tuple(runtime.trackers),
    )
    result = sound_result(task, task.ensemble([member.folder.path for member in made.members], context), folder)
    parents = [member.folder.identity for member in made.members]
    record = ResultRecord(
        identity=made.folder.identity,
        method=made.method,
        backbone=made.members[0].record.backbone,
        pretraining=joint_pretraining([member.record for member in made.members]),
        task=made.plan.spec.task,
        protocol=made.protocol,
        protocol_name=made.protocol_name,
        scale=made.members[0].record.scale,
        metrics=metric_values(task, result),
        details=result.details,
        seed=made.seed,
        per_image=per_image_file(folder, result),
        spec=made.written_spec(),
        remarks=remarks,
        origin=Reproduced(provenance=collect(device, result.wall_seconds, parents, code)),
    )
    write_record(made.folder, record, result.wall_seconds)


def joint_pretraining(records: Sequence[ResultRecord]) -> Pretraining | None:
    """Say what an ensemble's networks had seen, together; None where all had a random start.

    Numbers are sums, where every one is known; texts are joined by " + ". Seeds are left out of the specs.
    """
    seen = [(record, record.pretraining) for record in records if record.pretraining is not None]
    if len(seen) <= 1:
        return seen[0][1] if seen else None
    parts = [part for _, part in seen]

    def total(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if None in values else sum(values)

    def joined(name: str) -> str:
        return " + ".join(dict.fromkeys(str(getattr(part, name)) for part in parts))

    specs = {f"network {number}": _without_seed(part.spec) for number, part in enumerate(parts, start=1)}
    return Pretraining(
        data=joined("data"),
        pairs=total("pairs"),
        flow_supervision=joined("flow_supervision"),
        images_seen=total("images_seen"),
        wall_seconds=total("wall_seconds"),
        run=" + ".join(part.run or str(record.spec.get("init")) for record, part in seen),
        recipe_version=max(part.recipe_version for part in parts),
        spec=specs,
    )


def _without_seed(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "seed"}
