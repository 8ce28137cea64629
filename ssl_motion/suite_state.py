"""What of a suite is there already, and the data that its jobs share: worked out and made before any of them starts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssl_motion.errors import SSLMotionError
from ssl_motion.identity import digest
from ssl_motion.spec import PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.sweep import Job

if TYPE_CHECKING:
    from ssl_motion.protocols import TransferTask


def merged(jobs: Sequence[Job]) -> list[Job]:
    """Leave out jobs that are another one's under a second name, such as those that two included suites share.

    They would wait for each other's folder. No data are looked at: a suite is planned before its data are there.

    Args:
        jobs: parents before children.

    Returns:
        The first of each, in order, with parents among themselves.

    Raises:
        UsageError: A method, a task or a setting does not exist.
    """
    first: dict[str, Job] = {}
    names: dict[str, str] = {}
    for job in jobs:
        parents = tuple(names[parent] for parent in job.parents)
        try:
            key = digest([job.verb, sorted(parents), {} if job.verb == "ensemble" else _content(job)])
        except SSLMotionError as error:
            raise type(error)(f"{job.name}: {error}") from error
        names[job.name] = first.setdefault(key, replace(job, parents=parents)).name
    return list(first.values())


def _content(job: Job) -> dict[str, Any]:
    """What decides the identity of a pretraining or a transfer, data as they are named."""
    from ssl_motion import plugins
    from ssl_motion.spec_text import parse_spec

    content = job.spec.model_dump(mode="json")
    if isinstance(job.spec, PretrainSpec):
        config = plugins.load(plugins.METHODS, job.spec.method).Config
        settings = parse_spec(config, job.spec.method_config, f"method_config of {job.spec.method}")
        # The same keys as in `ssl_motion.engine.plan.make_plan`.
        watched = job.spec.early_stopping is not None
        unimportant = {"checkpoint_every"} | (set() if watched else {"validate_every"})
        content = {key: value for key, value in content.items() if key not in unimportant}
        return {**content, "method_config": settings.model_dump(mode="json")}
    from ssl_motion.tasks import parse_settings

    settings = parse_settings(job.spec.task, job.spec.task_config)
    world = job.spec.puppets
    return {
        **content,
        "task_config": settings.model_dump(mode="json"),
        "init": None if job.parents else job.spec.init,
        # Of a world, the labelled images alone count, as in `ssl_motion.transfer.make_plan`.
        "puppets": None if world is None else world.model_dump(mode="json", exclude={"pairs", "val_pairs"}),
    }


def check_jobs(jobs: Sequence[Job], store: Store) -> list[str]:
    """Find the mistakes of a suite that its last jobs would stumble over after hours of the first ones.

    Methods, tasks, their settings, starts other than the suite's own, and data that should be there already.

    Returns:
        What may be a mistake, or what a reader of the results should know of the data; each sentence once.

    Raises:
        UsageError: The first fault, with the job that it is found in.
    """
    from ssl_motion.engine import plan as pretraining
    from ssl_motion.ensemble_members import check_average
    from ssl_motion.tasks import make_task
    from ssl_motion.transfer import find_data, find_start, remarks_on

    tasks: dict[str, TransferTask] = {}  # seeds and methods share them
    with_data: set[str] = set()
    remarks: dict[str, None] = {}
    for job in jobs:
        spec = job.spec
        try:
            if isinstance(spec, PretrainSpec):
                pretraining.make_plan(spec, store)
                continue
            if job.verb == "ensemble":
                check_average(spec.task)
                continue  # of transfers that are looked at
            settings = digest([spec.task, spec.task_config, spec.recipe_overrides])
            if settings not in tasks:
                tasks[settings] = make_task(spec.task, spec.task_config, spec.recipe_overrides)
                if spec.recipe_overrides:
                    remarks |= dict.fromkeys(tasks[settings].check_recipe(spec.recipe_overrides))
            task = tasks[settings]
            if not job.parents:
                find_start(task, spec.init, store)
            key = digest([spec.task, spec.task_config, spec.data_root])
            if not task.uses_puppets and key not in with_data:
                remarks |= dict.fromkeys(remarks_on(find_data(task, spec.data_root)[1]))
                with_data.add(key)
        except SSLMotionError as error:
            raise type(error)(f"{job.name}: {error}") from error
    return list(remarks)


def finished_run(job: Job, parent_runs: Sequence[str], store: Store) -> str | None:
    """Folder of the finished run of a job; None where there is none, or where only its command can tell.

    A command takes seconds to start and say the same.

    Args:
        job: of a suite.
        parent_runs: folders of its parents' finished runs.
        store: where runs lie.
    """
    from ssl_motion.engine import plan as pretraining
    from ssl_motion.ensemble import plan_ensemble
    from ssl_motion.transfer import make_plan

    try:
        if isinstance(job.spec, PretrainSpec):
            folder = pretraining.make_plan(job.spec, store).folder
        elif job.spec.puppets is None:
            return None  # the whole data set would be read for its fingerprint
        elif job.verb == "ensemble":
            folder = plan_ensemble(parent_runs, store).folder
        else:
            folder = make_plan(TransferSpec.model_validate(job.run_spec(parent_runs)), store).folder
    except SSLMotionError:
        return None  # the command says what is wrong
    return str(folder.path) if folder.is_finished else None


def finished_runs(jobs: Sequence[Job], store: Store) -> dict[str, str]:
    """Name of each finished job of a plan -> folder of its run."""
    found: dict[str, str] = {}
    for job in jobs:
        if all(parent in found for parent in job.parents):
            run = finished_run(job, [found[parent] for parent in job.parents], store)
            if run is not None:
                found[job.name] = run
    return found


def modules_of(jobs: Sequence[Job]) -> list[str]:
    """Modules of the methods and tasks that jobs use, and of the libraries below the tasks."""
    from ssl_motion import plugins

    used = {job.spec.method if isinstance(job.spec, PretrainSpec) else job.spec.task for job in jobs}
    found = [*plugins.available(plugins.METHODS), *plugins.available(plugins.BENCHMARKS)]
    modules = sorted({plugin.target.partition(":")[0] for plugin in found if plugin.name in used})
    transfers = any(job.verb != "pretrain" for job in jobs)
    return [*modules, "ssl_motion.openmmlab.registered"] if transfers else modules


def prepare_worlds(jobs: Sequence[Job], store: Store, processes: int) -> None:
    """Render the built-in data that jobs read, layers beside the pairs included, once and with all cores.

    Jobs that share data would wait for the first of them to make it.

    Args:
        jobs: those that are yet to run.
        store: data go below its `data` folder.
        processes: rendering processes.

    Raises:
        UsageError: A method, a setting or a layer does not exist.
        RunError: The folder cannot be written, or the disk is full.
    """
    from ssl_motion import plugins
    from ssl_motion.engine.plan import make_plan
    from ssl_motion.prepare.layers import ensure_puppets
    from ssl_motion.puppets import ensure_dataset

    root = store.root / "data"
    layers: dict[str, tuple[PuppetsSpec, set[str]]] = {}
    for job in jobs:
        if isinstance(job.spec, PretrainSpec):
            if (world := job.spec.data.puppets) is not None:
                key = digest(world.model_dump(mode="json"))
                layers.setdefault(key, (world, set()))[1].update(make_plan(job.spec, store).layers)
        elif job.spec.puppets is not None:
            kind = plugins.load(plugins.BENCHMARKS, job.spec.task)
            task = kind(kind.Config.model_validate(job.spec.task_config))
            ensure_dataset(job.spec.puppets, root, task.puppets_layouts, processes=processes)
    for world, names in layers.values():
        ensure_puppets(world, root, sorted(names), processes)
