"""Parts of the engine against planted truths: schedules, checkpoints, random states, log, image-blind verdict."""

import json
import os
import pickle
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ssl_motion.engine.adapter import depends_on, total_loss
from ssl_motion.engine.checkpoint import (
    last_intact_checkpoint,
    list_checkpoints,
    plain,
    random_state,
    restore_random_state,
    write_checkpoint,
)
from ssl_motion.engine.environment import stop_on_signals
from ssl_motion.engine.log import append_log, truncate_log
from ssl_motion.engine.optim import build_optimizer, cycled_momentum, learning_rate
from ssl_motion.engine.validation import stack_panels, summarise
from ssl_motion.errors import DataError, RunError
from ssl_motion.spec import OptimizerSpec, ScheduleSpec


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("iterations", [7, 40, 100])
def test_one_cycle_is_torchs(kind: str, iterations: int) -> None:
    spec = OptimizerSpec(type=kind, lr=0.3)
    optimizer = build_optimizer(spec, [torch.nn.Parameter(torch.zeros(1))])
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=iterations)
    schedule = ScheduleSpec(type="onecycle")
    for iteration in range(iterations):
        group = optimizer.param_groups[0]
        assert learning_rate(0.3, schedule, iteration, iterations) == pytest.approx(group["lr"], rel=1e-9)
        momentum = group["betas"][0] if kind == "adamw" else group["momentum"]
        assert cycled_momentum(schedule, iteration, iterations) == pytest.approx(momentum, rel=1e-9)
        optimizer.step()
        if iteration + 1 < iterations:
            reference.step()


def test_steps_drop_at_the_iteration_of_the_authors() -> None:
    """CMP, 70,000 iterations: x0.1 at 40,000 and at 60,000, counted from 0."""
    schedule = ScheduleSpec(type="step", milestones=[4 / 7, 6 / 7], gamma=0.1)
    rates = [learning_rate(0.1, schedule, i, 70_000) for i in (0, 39_999, 40_000, 59_999, 60_000, 69_999)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert cycled_momentum(schedule, 0, 10) is None
    assert learning_rate(0.2, ScheduleSpec(type="constant"), 9, 10) == 0.2


def test_one_iteration_is_a_run_too() -> None:
    for kind in ("step", "onecycle", "constant"):
        assert learning_rate(0.1, ScheduleSpec(type=kind), 0, 1) > 0


def content(iteration: int) -> dict[str, object]:
    meta = {"iter": iteration, "epoch": 0, "wall_seconds": np.float64(1.5), "seed": 0, "format": 1}
    return {"meta": meta, "state_dict": {"w": torch.arange(5.0)}, "random": [random_state()]}


def test_checkpoints_load_with_weights_only_and_two_are_kept(tmp_path: Path) -> None:
    for iteration in (5, 10, 100):
        path = write_checkpoint(tmp_path, content(iteration))
    assert [file.name for file in list_checkpoints(tmp_path)] == ["iter_00000010.pth", "iter_00000100.pth"]
    loaded = torch.load(path, weights_only=True)
    assert type(loaded["meta"]["wall_seconds"]) is float
    assert torch.equal(loaded["state_dict"]["w"], torch.arange(5.0))


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    first, second = write_checkpoint(tmp_path, content(1)), write_checkpoint(tmp_path, content(2))
    os.truncate(second, second.stat().st_size // 2)
    (tmp_path / ".iter_00000003.pth.77.part").write_bytes(b"half")
    found = last_intact_checkpoint(tmp_path)
    assert found is not None
    assert found[0] == first
    assert not list(tmp_path.glob(".*part"))
    os.truncate(first, 10)
    with pytest.raises(DataError, match="none of the checkpoints"):
        last_intact_checkpoint(tmp_path)
    assert last_intact_checkpoint(tmp_path / "empty") is None


class Bomb:
    """Code in a pickle."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/ssl_motion_exploded",)


def test_a_pickle_with_code_is_not_executed(tmp_path: Path) -> None:
    marker = Path("/tmp/ssl_motion_exploded")
    marker.unlink(missing_ok=True)
    (tmp_path / "iter_00000001.pth").write_bytes(pickle.dumps({"meta": Bomb()}))
    with pytest.raises(DataError, match="none of the checkpoints"):
        last_intact_checkpoint(tmp_path)
    torch.save({"meta": Bomb()}, tmp_path / "iter_00000001.pth")
    with pytest.raises(DataError, match="none of the checkpoints"):
        last_intact_checkpoint(tmp_path)
    assert not marker.exists()


def test_only_plain_data_are_saved() -> None:
    from mmengine.logging import HistoryBuffer

    assert plain({"a": (np.int64(3), [np.float32(0.5), True, None])}) == {"a": (3, [0.5, True, None])}
    with pytest.raises(RunError, match=r"checkpoint\['hub'\] holds a HistoryBuffer"):
        plain({"hub": HistoryBuffer()})


def test_random_states_come_back_through_a_file(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1)), random.gauss(0, 1)  # noqa: NPY002

    random.gauss(0, 1)  # leaves a spare value in the generator's state
    path = write_checkpoint(tmp_path, content(1))
    expected = [draw() for _ in range(3)]
    restore_random_state(torch.load(path, weights_only=True)["random"][0])
    assert [draw() for _ in range(3)] == expected


def test_the_log_is_cut_back_to_where_a_run_continues(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for iteration in (1, 2, 3):
        append_log(path, {"iteration": iteration, "train/loss": 0.5})
    with path.open("a") as file:
        file.write('{"iteration": 1, "train/lo')
    truncate_log(path, 2)
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [1, 2]
    append_log(path, {"iteration": 2, "val/loss": 0.6})
    truncate_log(path, 2)
    assert len(path.read_text().splitlines()) == 3
    truncate_log(path, 2, keep_figures=False)  # measured again by the run that continues here
    assert [json.loads(line) for line in path.read_text().splitlines()][-1] == {"iteration": 2, "train/loss": 0.5}
    truncate_log(path, 0)
    assert path.read_text() == ""


def rows(gaps: list[float], loss: float = 2.0) -> list[dict[str, float]]:
    return [{"count": 4.0, "loss": loss, "epe": 1.0, "loss_blind": loss + gap} for gap in gaps]


def test_the_blind_verdict() -> None:
    assert summarise(rows([0.5, 0.6, 0.4])).uses_image is True
    assert summarise(rows([0.0, 0.001, -0.001])).uses_image is False
    assert summarise(rows([0.015] * 5)).uses_image is False  # sure, but under one per cent of the loss
    floored = [{**row, "loss_floor": 1.5} for row in rows([0.015] * 5)]
    assert summarise(floored).uses_image is True  # three per cent of what can be learned
    assert summarise(rows([1.0, -0.9, 1.0, -0.9])).uses_image is False  # 2.5 %, but all noise
    assert summarise(rows([-0.3] * 4)).uses_image is False
    assert summarise([{"count": 1.0, "loss": 2.0}]).uses_image is None
    assert summarise([]).figures == {}


def test_validation_figures_weigh_images_equally() -> None:
    result = summarise([{"count": 3.0, "loss": 1.0, "loss_blind": 3.0}, {"count": 1.0, "loss": 5.0}])
    assert result.figures == {"val/loss": 2.0, "val/loss_blind": 3.0, "val/gap": 2.0}


def test_panels_of_different_widths_are_stacked() -> None:
    stacked = stack_panels([np.zeros((5, 8, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)])
    assert stacked.shape == (18, 8, 3)
    assert (stacked[9:14, 6:] == 255).all()


def test_signals_ask_the_main_process_and_end_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssl_motion.engine.environment.WORKER_SECONDS", 0.5)
    ready, say_ready = os.pipe()
    with stop_on_signals() as request:
        child = os.fork()
        if child == 0:
            os.write(say_ready, b"x")  # Python forgets signals that come while it is still forking
            time.sleep(60)
            os._exit(0)
        os.read(ready, 1)
        os.kill(child, signal.SIGINT)  # as Ctrl-C reaches the whole group
        os.kill(child, signal.SIGTERM)
        time.sleep(0.1)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "a checkpoint may still need it"
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGALRM
        assert not request.seen_by_any("cpu")
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.seen_by_any("cpu")
        assert request.signal_name == "SIGTERM"
        os.kill(os.getpid(), signal.SIGTERM)  # Slurm repeats it, and so does torchrun
        with pytest.raises(KeyboardInterrupt):
            request.handle(signal.SIGINT, None)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_trunk_that_no_gradient_reaches_is_told_from_one_that_is() -> None:
    trunk, head = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    features = trunk(torch.ones(2, 3))
    for loss, expected in (
        (head(features).sum(), True),
        (head(torch.nn.functional.relu(features) * 0).mean(), True),
        (head(features.detach()).sum(), False),
        (features.detach().sum(), False),
    ):
        assert depends_on(loss, trunk.parameters()) is expected


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        (torch.ones(()), "returned a Tensor"),
        ({"loss": torch.ones(3)}, r"shape \[3\] as 'loss'"),
        ({"loss": 1.0}, "returned 1.0 as 'loss'"),
        ({"kl": torch.ones(())}, "expected a key that contains 'loss'"),
    ],
)
def test_losses_that_are_none_are_named(losses: Any, found: str) -> None:
    with pytest.raises(RunError, match=found):
        total_loss(losses)


def test_only_warnings_that_say_something_reach_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    import logging
    from types import SimpleNamespace

    from mmengine.logging import print_log

    from ssl_motion.engine.runner import HarnessRunner

    HarnessRunner.build_logger(SimpleNamespace(_experiment_name="test of warnings"))  # type: ignore[arg-type]
    print_log("Image shapes are different in the batch.", logger="current", level=logging.WARNING)
    print_log("The batch is empty.", logger="current", level=logging.WARNING)
    said = capsys.readouterr().err
    assert "The batch is empty." in said
    assert "Image shapes" not in said
