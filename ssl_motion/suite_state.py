"""What of a suite is there already, and the data that its jobs share: worked out and made before any of them starts."""

from collections.abc import Sequence

from ssl_motion.errors import SSLMotionError
from ssl_motion.identity import digest
from ssl_motion.spec import PretrainSpec, PuppetsSpec
from ssl_motion.store import Store
from ssl_motion.sweep import Job


def check_jobs(jobs: Sequence[Job], store: Store) -> None:
    """Find the mistakes of a suite that its last jobs would stumble over after hours of the first ones.

    Methods, tasks, their settings, starts other than the suite's own, and data that should be there already.

    Raises:
        UsageError: The first fault, with the job that it is found in.
    """
    from ssl_motion import plugins
    from ssl_motion.engine import plan as pretraining
    from ssl_motion.spec import BackboneSpec
    from ssl_motion.spec_text import parse_spec
    from ssl_motion.starts import resolve_start
    from ssl_motion.transfer import find_data

    with_data: set[str] = set()
    for job in jobs:
        spec = job.spec
        try:
            if isinstance(spec, PretrainSpec):
                pretraining.make_plan(spec, store)
                continue
            kind = plugins.load(plugins.BENCHMARKS, spec.task)
            task = kind(parse_spec(kind.Config, spec.task_config, f"task_config of {spec.task}"))
            if job.parent is None:
                resolve_start(spec.init, BackboneSpec(**task.backbone()), store)
            key = digest([spec.task, spec.task_config, spec.data_root])
            if not task.uses_puppets and key not in with_data:
                find_data(task, spec.data_root)
                with_data.add(key)
        except SSLMotionError as error:
            raise type(error)(f"{job.name}: {error}") from error


def finished_run(job: Job, parent_run: str | None, store: Store) -> str | None:
    """Folder of the finished run of a job; None where there is none, or where only its command can tell.

    A command takes seconds to start and say the same.

    Args:
        job: of a suite.
        parent_run: folder of its parent's finished run; None where it has no parent.
        store: where runs lie.
    """
    from ssl_motion.engine import plan as pretraining
    from ssl_motion.transfer import make_plan

    try:
        if isinstance(job.spec, PretrainSpec):
            folder = pretraining.make_plan(job.spec, store).folder
        elif job.spec.puppets is None:
            return None  # the whole data set would be read for its fingerprint
        else:
            folder = make_plan(job.spec.model_copy(update={"init": parent_run or job.spec.init}), store).folder
    except SSLMotionError:
        return None  # the command says what is wrong
    return str(folder.path) if folder.is_finished else None


def finished_runs(jobs: Sequence[Job], store: Store) -> dict[str, str]:
    """Name of each finished job of a plan -> folder of its run."""
    found: dict[str, str] = {}
    for job in jobs:
        if job.parent is None or job.parent in found:
            run = finished_run(job, found.get(job.parent) if job.parent else None, store)
            if run is not None:
                found[job.name] = run
    return found


def modules_of(jobs: Sequence[Job]) -> list[str]:
    """Modules of the methods and tasks that jobs use, and of the libraries below the tasks."""
    from ssl_motion import plugins

    used = {job.spec.method if isinstance(job.spec, PretrainSpec) else job.spec.task for job in jobs}
    found = [*plugins.available(plugins.METHODS), *plugins.available(plugins.BENCHMARKS)]
    modules = sorted({plugin.target.partition(":")[0] for plugin in found if plugin.name in used})
    transfers = any(job.verb == "transfer" for job in jobs)
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
