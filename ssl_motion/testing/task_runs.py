"""Checks of a transfer task at work: its result, that it can be repeated, and where its weights come from."""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save

from ssl_motion.backbones import build_backbone
from ssl_motion.backbones.initialise import draw
from ssl_motion.errors import DataError, UsageError
from ssl_motion.protocols import RunContext, TaskResult, TransferTask
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing.promise import ContractError, expect
from ssl_motion.testing.task_data import contents
from ssl_motion.weights import CARD, TENSORS, read_card, save_weights

TOLERANCE = 1e-6
"""Relative difference that two runs of one seed may have: sums over threads are rounded differently."""


def check_runs(task: TransferTask, root: Path, folder: Path) -> None:
    """Check what the task makes of its data: from weights and at random, twice, and with weights that do not fit.

    A task that judges whole models is tried with each of its baselines: models are of methods, which are not known
    here.

    Args:
        task: as it is to be run.
        root: folder of the data.
        folder: to work in.
    """
    name = type(task).__name__
    before = contents(root)
    runs = folder / "runs" / "transfer"  # as in a real folder of runs, for tasks that keep something beside it
    if task.judges_models:
        for baseline in task.baselines:
            _check_repeats(task, root, runs, baseline=baseline)
    else:
        weights = _weights(BackboneSpec.model_validate(task.backbone()), folder / "weights")
        _check_repeats(task, root, runs, weights)
        _run(task, root, runs / "random", None)
        _check_gate(task, root, runs, weights)
    expect(contents(root) == before, f"{name}: run() changed the folder of the data")


def _check_repeats(
    task: TransferTask, root: Path, runs: Path, weights: Path | None = None, baseline: str | None = None
) -> None:
    """Run from one start, again in the same folder, and with another number of loader processes."""
    name, start = type(task).__name__, baseline or "weights"
    first = _run(task, root, runs / f"{start} first", weights, baseline)
    again = _run(task, root, runs / f"{start} first", weights, baseline)
    _expect_equal(first, again, f"{name}: run() in the folder of a run that ended, which should continue at its end,")
    other = _run(task, root, runs / f"{start} second", weights, baseline, workers=1)
    _expect_equal(first, other, f"{name}: the same seed with another number of loader processes")


def _run(
    task: TransferTask, root: Path, folder: Path, weights: Path | None, baseline: str | None = None, workers: int = 0
) -> TaskResult:
    folder.mkdir(parents=True, exist_ok=True)
    context = RunContext(folder, weights, root, seed=0, device="cpu", workers=workers, baseline=baseline)
    result = task.run(context)
    _check_result(task, result, folder)
    return result


def _check_result(task: TransferTask, result: TaskResult, folder: Path) -> None:
    name = type(task).__name__
    expect(isinstance(result, TaskResult), f"{name}: run() returned a {type(result).__name__}; expected a TaskResult")
    for metric in task.metrics:
        expect(metric.name in result.metrics, f"{name}: run() gave no {metric.name}, which its metrics promise")
        value = result.metrics[metric.name]
        sound = isinstance(value, float) and math.isfinite(value)
        expect(sound, f"{name}: run() gave {metric.name} = {value!r}; expected a finite float")
        in_percent = metric.unit != "%" or 0 <= value <= 100
        expect(in_percent, f"{name}: run() gave {metric.name} = {value}, but its unit is %")
    for group, figures in result.details.items():
        for key, value in figures.items():
            sound = isinstance(value, float) and math.isfinite(value)
            expect(sound, f"{name}: details[{group!r}][{key!r}] is {value!r}; leave out what has no value")
    expect(result.wall_seconds > 0, f"{name}: run() says it took {result.wall_seconds} s")
    if result.per_image is not None:
        path = folder / result.per_image
        inside = path.resolve().is_relative_to(folder.resolve()) and path.is_file()
        expect(inside, f"{name}: per_image is {result.per_image!r}, which is no file of the run folder")
        try:
            with np.load(path, allow_pickle=False) as content:
                arrays = {key: content[key] for key in content.files}
        except (OSError, ValueError) as error:
            raise ContractError(f"{name}: {result.per_image} does not load without pickles: {error}") from error
        expect(bool(arrays), f"{name}: {result.per_image} holds nothing")


def _expect_equal(first: TaskResult, second: TaskResult, what: str) -> None:
    for key, value in first.metrics.items():
        close = math.isclose(value, second.metrics.get(key, math.nan), rel_tol=TOLERANCE)
        expect(close, f"{what} gives {key} = {second.metrics.get(key)}, at first it was {value}")


def _weights(spec: BackboneSpec, folder: Path) -> Path:
    """Make a backbone folder of other values than any random start."""
    torch.manual_seed(1)
    trunk = build_backbone(spec)
    draw(trunk, "xavier", seed=1)
    save_weights(folder, trunk, spec=spec, method="check", run=None, pretraining=None, source="a check")
    return folder


def _check_gate(task: TransferTask, root: Path, runs: Path, weights: Path) -> None:
    """Check that weights which lack a tensor of the trunk are refused."""
    tensors = load((weights / TENSORS).read_bytes())
    lost = min(name for name, value in tensors.items() if value.ndim == 4)
    content = save({name: value for name, value in tensors.items() if name != lost})
    card = read_card(weights).model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    part = weights.with_name("part of the weights")
    part.mkdir()
    (part / TENSORS).write_bytes(content)
    (part / CARD).write_text(card.model_dump_json(), encoding="utf-8")
    try:
        _run(task, root, runs / "refused", part)
    except (UsageError, DataError):
        return
    raise ContractError(
        f"{type(task).__name__}: run() took weights without {lost}, so that part of the trunk was random or everything "
        "was; load them through ssl_motion.weights.load_strict"
    )
