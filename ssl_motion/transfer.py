"""A transfer run, from its spec to its record: start and data resolved, the task run, the result kept.

The finished folder holds spec.yaml, recipe.py (the resolved recipe, where the task has one), log.jsonl,
per-image statistics, record.json and done.json.
"""

import sys
from pathlib import Path

from ssl_motion.data.image_files import shared_images
from ssl_motion.engine.checkpoint import list_checkpoints
from ssl_motion.engine.environment import barrier, launched_processes
from ssl_motion.engine.once import run_once
from ssl_motion.errors import UsageError
from ssl_motion.fileio import sha256_of, write_json
from ssl_motion.identity import transfer_identity
from ssl_motion.model_starts import resolve_model_start
from ssl_motion.paths import data_roots
from ssl_motion.protocols import DataReport, RunContext, TaskResult, TransferTask
from ssl_motion.provenance import code_state, collect
from ssl_motion.puppets import fingerprint as puppets_fingerprint
from ssl_motion.record import MetricValue, PerImage, Reproduced, ResultRecord
from ssl_motion.spec import BackboneSpec, PuppetsSpec, RuntimeSpec, TransferSpec
from ssl_motion.starts import Start, materialise, resolve_start
from ssl_motion.store import RunFolder, Store, transfer_label
from ssl_motion.tasks import data_report, make_task, sound_result
from ssl_motion.transfer_plan import TransferPlan


def transfer(
    spec: TransferSpec, runtime: RuntimeSpec, store: Store, data_root: Path | None = None, *, force: bool = False
) -> RunFolder:
    """Fine-tune a backbone on a task and record the result; reuse a finished run, continue an interrupted one.

    Under torchrun every process calls this; files are written by the first.

    Args:
        spec: what to run.
        runtime: where and how; not part of the run's identity.
        store: where runs lie; the built-in world is rendered below its `data` folder.
        data_root: folder of the task's data, in place of the spec's.
        force: move an existing folder of this run aside and start anew.

    Returns:
        The finished run's folder.

    Raises:
        UsageError: The spec names something that does not exist, data are missing, or weights do not fit.
        RunError: Another process holds the folder, training diverged, or the disk is full.
        StoppedBySignal: SIGTERM or Ctrl-C; the same call continues.
    """
    plan = make_plan(spec, store, data_root)
    return run_once(
        plan.folder, plan.written_spec(), runtime, lambda device: _run(plan, runtime, store, device), force=force
    )


def make_plan(spec: TransferSpec, store: Store, data_root: Path | None = None) -> TransferPlan:
    """Resolve a spec: task, start, data, protocol, identity and folder. Trains, renders and writes nothing.

    Raises:
        UsageError: As for `transfer`.
    """
    task = make_task(spec.task, spec.task_config, spec.recipe_overrides)
    recipe_remarks = tuple(task.check_recipe(spec.recipe_overrides)) if spec.recipe_overrides else ()
    start = find_start(task, spec.init, store)
    puppets = (spec.puppets or PuppetsSpec()) if task.uses_puppets else None
    spec = spec.model_copy(update={"task_config": task.config.model_dump(mode="json"), "puppets": puppets})
    data_remarks: tuple[str, ...] = ()
    if puppets is not None:
        root = report = None
        fingerprint = f"puppets:{puppets_fingerprint(puppets, ('train_images', 'val_images', 'test_images'))}"
    else:
        root, report = find_data(task, data_root or spec.data_root)
        fingerprint, data_remarks = report.fingerprint, tuple(remarks_on(report))
        spec = spec.model_copy(update={"data_root": str(root.resolve())})
    protocol = {**task.protocol(), "recipe_overrides": spec.recipe_overrides, "dataset_hash": fingerprint}
    if task.recipe_version > 1:
        # Results of two versions are never ranked together. A protocol that names none is of the first.
        protocol["recipe_version"] = task.recipe_version
    settings = spec.model_dump(mode="json")
    identity = transfer_identity(
        settings,
        start=start.key,
        protocol=protocol,
        recipe_version=task.recipe_version,
        parents=start.parents,
    )
    label = transfer_label(settings, start.method)
    folder = store.folder("transfer", label, identity)
    return TransferPlan(spec, task, start, root, protocol, folder, report, data_remarks, recipe_remarks)


def find_start(task: TransferTask, init: str, store: Store) -> Start:
    """Find out what `init` means to a task: a backbone, or a whole model.

    Raises:
        UsageError: There is nothing of that name, or it is nothing that the task judges.
    """
    if task.judges_models:
        return resolve_model_start(init, task.baselines, store)
    return resolve_start(init, BackboneSpec(**task.backbone()), store)


def find_data(task: TransferTask, data_root: Path | str | None) -> tuple[Path, DataReport]:
    """Check the folder given, else the first of $SSL_MOTION_DATA that has what the task needs.

    Returns:
        The folder, and what was found there.

    Raises:
        UsageError: Something is missing; the message says what, where and how to get it.
    """
    candidates = [Path(data_root)] if data_root is not None else data_roots()
    reports: list[tuple[Path, DataReport]] = []
    for root in candidates:
        if not root.is_dir():
            reports.append((root, DataReport(found=[], missing=[f"folder {root}"])))
            continue
        report = data_report(task, root)
        if not report.missing:
            return root, report
        reports.append((root, report))
    lines = []
    for root, report in reports:
        lines.append(f"the task's data are not complete in {root} (--data-root):")
        lines += [f"  found: {each}" for each in report.found] + [f"  missing: {each}" for each in report.missing]
    cures = dict.fromkeys(report.how_to_get for _, report in reports if report.how_to_get)
    if not cures:
        cures = dict.fromkeys(["Give the folder of the data as --data-root, or set SSL_MOTION_DATA."])
    raise UsageError("\n".join([*lines, *cures]))


def _run(plan: TransferPlan, runtime: RuntimeSpec, store: Store, device: str) -> None:
    """Do the work in a locked folder."""
    is_main = launched_processes().is_main
    code = code_state() if is_main else None  # now: the checkout may move on while the run takes its hours
    folder = plan.folder.path
    if is_main and plan.backbone is not None:
        # First, since weights that do not fit are found at once, and rendering takes its time.
        materialise(plan.start, plan.backbone, folder / "init", plan.spec.seed)
    barrier()
    root, remarks = ready_data(plan, store)
    if is_main:
        for remark in (*plan.recipe_remarks, *remarks):
            print(f"note: {remark}", file=sys.stderr, flush=True)
    context = RunContext(
        run_dir=folder,
        weights=folder / "init" if plan.start.is_made else plan.start.folder,
        model=plan.start.model,
        baseline=plan.start.baseline,
        data_root=root,
        seed=plan.spec.seed,
        device=device,
        workers=runtime.workers,
        recipe_overrides=plan.spec.recipe_overrides,
        trackers=tuple(runtime.trackers),
    )
    returned = plan.task.run(context)
    if is_main:
        _finish(plan, sound_result(plan.task, returned, folder), device, code, remarks)


def ready_data(plan: TransferPlan, store: Store) -> tuple[Path, list[str]]:
    """Give the folder of the plan's data, rendering the built-in world first, and what a reader should know of them.

    Every process of a run must call this.

    Raises:
        UsageError: The built-in data are damaged, or do not have what the settings ask for.
    """
    if plan.spec.puppets is None:
        assert plan.data_root is not None
        return plan.data_root, list(plan.data_remarks)
    from ssl_motion.puppets import ensure_dataset

    layouts = plan.task.puppets_layouts
    if launched_processes().is_main:
        ensure_dataset(plan.spec.puppets, store.root / "data", layouts)
    barrier()
    root = ensure_dataset(plan.spec.puppets, store.root / "data", layouts)
    report = data_report(plan.task, root)
    if report.missing:
        raise UsageError(
            f"the built-in data in {root} cannot be used: {'; '.join(report.missing)}. Where files are damaged, remove "
            "that folder: it is rendered again."
        )
    return root, remarks_on(report)


def remarks_on(data: DataReport) -> list[str]:
    """Say what a reader of results on some data should know."""
    shared = shared_images(data.training_images, data.test_images)
    return [*data.remarks, *([shared] if shared else [])]


def metric_values(task: TransferTask, result: TaskResult) -> list[MetricValue]:
    """Put a result's figures into the form of a record."""
    return [
        MetricValue(
            name=metric.name,
            value=result.metrics[metric.name],
            unit=metric.unit,
            higher_is_better=metric.higher_is_better,
            primary=metric.primary,
        )
        for metric in task.metrics
    ]


def per_image_file(folder: Path, result: TaskResult) -> PerImage | None:
    """Describe a result's per-image statistics, where it has any."""
    if result.per_image is None:
        return None
    return PerImage(file=result.per_image, sha256=sha256_of(folder / result.per_image))


def write_record(folder: RunFolder, record: ResultRecord, wall_seconds: float) -> None:
    """Write the record, then the summary, which marks the run as finished."""
    write_json(folder.path / "record.json", record.model_dump(mode="json"))
    folder.finish(
        {
            "method": record.method,
            "backbone": record.backbone,
            "task": record.task,
            "protocol": record.protocol_name,
            "scale": record.scale,
            "protocol_fingerprint": record.protocol_fingerprint,
            "seed": record.seed,
            "metrics": {metric.name: metric.value for metric in record.metrics},
            "wall_seconds": round(wall_seconds, 3),
        }
    )


def _finish(
    plan: TransferPlan, result: TaskResult, device: str, code: tuple[str, bool | None] | None, remarks: list[str]
) -> None:
    """Record the result; then drop the checkpoints of the way but the last."""
    folder = plan.folder
    record = ResultRecord(
        identity=folder.identity,
        method=plan.start.method,
        backbone=plan.judged,
        pretraining=plan.start.pretraining,
        task=plan.spec.task,
        protocol=plan.protocol,
        protocol_name=plan.protocol_name,
        scale=plan.scale,
        metrics=metric_values(plan.task, result),
        details=result.details,
        seed=plan.spec.seed,
        per_image=per_image_file(folder.path, result),
        spec=plan.spec.model_dump(mode="json", exclude={"data_root"}),
        remarks=remarks,
        origin=Reproduced(provenance=collect(device, result.wall_seconds, plan.start.parents, code)),
    )
    write_record(folder, record, result.wall_seconds)
    for path in list_checkpoints(folder.path / "checkpoints")[:-1]:
        path.unlink(missing_ok=True)
