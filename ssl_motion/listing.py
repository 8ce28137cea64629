"""What is there: plugins, trunks, configs and runs, as plain data that people and programs can read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ssl_motion import plugins
from ssl_motion.errors import DataError
from ssl_motion.locking import OWNER
from ssl_motion.paths import config_root
from ssl_motion.record import read_record
from ssl_motion.spec import BASELINE
from ssl_motion.store import LOCK, SPEC, Kind, RunFolder, Store

Row = dict[str, Any]


def list_plugins(group: str, describe: Callable[[Any], Row]) -> list[Row]:
    """List the plugins of an entry-point group; one that does not import is listed with its error.

    Args:
        group: such as `plugins.METHODS`.
        describe: what to say about the class of one that imports.

    Returns:
        One row each, with "imports": whether it can be used, "problem": if not, in a few words, and "error": why.
    """
    rows = []
    for plugin in plugins.available(group):
        row: Row = {"name": plugin.name, "distribution": plugin.distribution, "target": plugin.target}
        try:
            found = describe(plugins.load(group, plugin.name))
            row |= {"imports": True, **found, "problem": None, "error": None}
        except plugins.UnusablePlugin as error:
            row |= {"imports": False, "problem": error.problem, "error": str(error)}
        except Exception as error:  # the plugin's own code: whatever it raises must not hide the others
            text = f"{plugin.target}: {type(error).__name__}: {error}"
            row |= {"imports": False, "problem": "cannot be described", "error": text}
        rows.append(row)
    return rows


def list_methods() -> list[Row]:
    """Pretraining methods: name, distribution, the paper they implement, recipe version, the trunks they work with."""
    return list_plugins(
        plugins.METHODS,
        lambda method: {
            "paper": str(method.citation),
            "recipe_version": int(method.recipe_version),
            "trunks": str(method.trunks),
        },
    )


def list_benchmarks() -> list[Row]:
    """Transfer tasks: name, distribution, metrics (the primary one first), presets, baselines, if there are ensembles.

    Baselines are named as `init` takes them.
    """

    def describe(task: Any) -> Row:
        metrics = sorted(task.metrics, key=lambda metric: not metric.primary)
        return {
            "metrics": [metric.name for metric in metrics],
            "presets": dict(task.presets),
            "baselines": {f"{BASELINE}{name}": line for name, line in task.baselines.items()},
            "recipe_version": task.recipe_version,
            "ensembles": task.has_ensembles(),
        }

    return list_plugins(plugins.BENCHMARKS, describe)


def list_estimators() -> list[Row]:
    """Flow estimators: name, distribution, and what their parameters were learned from."""
    return list_plugins(plugins.FLOW_ESTIMATORS, lambda estimator: {"supervision": estimator.supervision})


def list_backbones() -> list[Row]:
    """Trunks that `ssl_motion.backbones` builds, and the forms of other libraries' names."""
    from ssl_motion.backbones import BACKBONES, EXTERNAL

    return [{"name": name, "description": line} for name, line in {**BACKBONES, **EXTERNAL}.items()]


def list_configs() -> list[Row]:
    """Shipped configs, with the first line of their header."""
    rows = []
    for kind, suffix in (("suites", ".yaml"), ("pretrain", ".yaml"), ("transfer", ".py")):
        for file in sorted((config_root() / kind).glob(f"*{suffix}")):
            if not file.name.startswith("_"):
                rows.append({"kind": kind, "name": file.stem, "description": _header(file), "file": str(file)})
    return rows


def _header(file: Path) -> str:
    """First sentence of a config's leading comment or docstring."""
    words: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.strip().lstrip("#").strip("\"' ")
        if text and (words or line.lstrip().startswith(("#", '"', "'"))):
            words.append(text)
        elif words or text:
            break
    return " ".join(words).partition(". ")[0].rstrip(".")


def list_runs(root: Path) -> list[Row]:
    """Runs below a folder: kind, name, identity, state, and the figures of finished ones.

    A run whose `done.json` cannot be read has the state "damaged". It says why in "error", as a failed one does.
    """
    store = Store(root)
    kinds: tuple[Kind, ...] = ("pretrain", "transfer")
    rows = []
    for kind in kinds:
        for run in store.runs(kind):
            row: Row = {"kind": kind, "name": run.path.name, "identity": run.identity, "path": str(run.path)}
            try:
                stands = state(run)
                row |= {"state": stands, "figures": _figures(run), "error": error_of(run, stands)}
            except DataError as damage:
                row |= {"state": "damaged", "figures": {}, "error": str(damage)}
            rows.append(row)
    return rows


def state(run: RunFolder) -> str:
    """Say how a run stands.

    Returns:
        "finished"; "running": a process holds its lock (or did, on another host, where that cannot be seen);
        "failed": its last attempt ended in an error (`RunFolder.failure`); "interrupted": it was stopped or killed.
    """
    if run.is_finished:
        return "finished"
    if run.is_held:
        return "running"
    return "failed" if run.failure is not None else "interrupted"


def error_of(run: RunFolder, stands: str) -> str | None:
    """What a run that stands as `state` says ended in; None unless it failed."""
    return run.failure if stands == "failed" else None


def prospect(run: RunFolder) -> tuple[str, str]:
    """Say how a run stands that need not be there yet ("new"; else as `state`), and what its command would do."""
    stands = state(run) if run.path.is_dir() else "new"
    meaning = {"finished": "would be reused", "running": "would be refused: it runs", "new": "would be run"}
    return stands, meaning.get(stands, "would be continued")


def _summary(run: RunFolder) -> Row:
    """What a finished run said at its end; empty before.

    Raises:
        DataError: done.json is damaged.
    """
    return run.summary if run.is_finished else {}


def _figures(run: RunFolder) -> dict[str, float]:
    """The figures of a finished run: metrics of a transfer, final validation of a pretraining."""
    summary = _summary(run)
    for key in ("metrics", "figures", "validation"):
        if isinstance(summary.get(key), Mapping):
            summary = summary[key]
            break
    return {
        name: value
        for name, value in summary.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name != "seed"
    }


def show_run(root: Path, query: str) -> Row:
    """Describe one run.

    Args:
        root: folder of all runs.
        query: folder, folder name, identity or the beginning of one.

    Returns:
        "kind", "name", "path", "identity", "state", "error" (of a failed run, else None), "spec", "figures", "summary"
        (done.json), "record" (of a finished transfer, else None), "files" (name -> bytes) and "again": the command that
        continues or repeats it.

    Raises:
        UsageError: No run matches, or several do.
        DataError: The run's files are damaged.
    """
    run = Store(root).find(query)
    spec_file, record_file = run.path / SPEC, run.path / "record.json"
    kind = run.path.parent.name
    try:
        spec = yaml.safe_load(spec_file.read_text(encoding="utf-8")) if spec_file.is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{spec_file}: not readable: {error}") from error
    record = read_record(record_file) if record_file.is_file() else None
    files = {
        path.relative_to(run.path).as_posix(): path.stat().st_size
        for path in sorted(run.path.rglob("*"))
        if path.is_file() and path.name not in (LOCK, OWNER)
    }
    # An ensemble lies among the transfer runs; what it starts from are runs.
    is_ensemble = isinstance(spec, dict) and "ensemble" in spec
    again = ["ensemble", *spec["init"]] if is_ensemble else [kind, str(spec_file)]
    stands = state(run)
    return {
        "kind": kind,
        "name": run.path.name,
        "path": str(run.path),
        "identity": run.identity,
        "state": stands,
        "error": error_of(run, stands),
        "spec": spec,
        "figures": {metric.name: metric.value for metric in record.metrics} if record else _figures(run),
        "summary": _summary(run),
        "record": record.model_dump(mode="json") if record else None,
        "files": files,
        "again": ["ssl-bench", *again, "--runs", str(root)],
    }
