"""The MMEngine settings that pretraining and transfer share."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Importing these registers them under their names.
from ssl_motion.engine import hooks, log, loop
from ssl_motion.engine.environment import launched_processes, prepare_device
from ssl_motion.errors import UsageError

_TRACKERS = ("tensorboard", "wandb", "mlflow")  # the packages are called so too
LOOP = loop.ResumableTrainLoop.__name__


def common_settings(
    run_dir: Path,
    *,
    iterations: int,
    checkpoint_every: int,
    label: str,
    seed: int,
    device: str,
    trackers: Sequence[str] = (),
) -> dict[str, Any]:
    """Make the keys of an MMEngine config that every run of this project shares.

    Build the runner with `ssl_motion.engine.runner.build_runner`, and train with
    `train_cfg=dict(type=LOOP, max_iters=iterations, val_interval=...)`. All values are plain data, so that a
    resolved config can be dumped. A config that is merged with them must not keep other `default_hooks` for
    "checkpoint", "logger", "timer" or "runtime_info".

    Args:
        run_dir: folder of the run; log.jsonl and checkpoints/ go there.
        iterations: optimiser steps of the run.
        checkpoint_every: iterations between checkpoints.
        label: name of the run in the progress display.
        seed: seed of the global random generators; ranks differ by their number.
        device: "auto", "cpu" or "cuda".
        trackers: further places to log to: "tensorboard", "wandb", "mlflow".

    Raises:
        UsageError: The device is not there, or a tracker's package is not installed.
    """
    resolved = prepare_device(device)
    processes = launched_processes()
    wrapper: dict[str, Any] = {"type": "MMDistributedDataParallel", "broadcast_buffers": False}
    if resolved == "cpu":
        # torch refuses device_ids, which MMEngine would fill in, for CPU modules.
        wrapper["device_ids"] = None
    return {
        "work_dir": str(run_dir),
        "experiment_name": label,
        "default_hooks": {
            "timer": None,
            "runtime_info": {"type": hooks.RunInfoHook.__name__},
            "logger": {
                "type": log.LogHook.__name__,
                "path": str(run_dir / "log.jsonl"),
                "label": label,
                "every": log_interval(iterations),
            },
            "checkpoint": {
                "type": hooks.SafeCheckpointHook.__name__,
                "folder": str(run_dir / "checkpoints"),
                "every": checkpoint_every,
            },
        },
        "custom_hooks": [],
        "env_cfg": {
            "cudnn_benchmark": False,
            "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0},
            "dist_cfg": {"backend": "nccl" if resolved == "cuda" else "gloo"},
        },
        "log_processor": {"by_epoch": False},
        "log_level": "WARNING",
        "visualizer": {"type": "Visualizer", "vis_backends": tracker_backends(run_dir, trackers, label)},
        "model_wrapper_cfg": wrapper,
        "launcher": "pytorch" if processes.world_size > 1 else "none",
        "resume": True,
        "load_from": None,
        "randomness": {"seed": seed % 2**32, "diff_rank_seed": processes.world_size > 1},
    }


def log_interval(iterations: int) -> int:
    """Iterations between lines of the log: about fifty lines in a short run, one in fifty iterations in a long one."""
    return min(50, max(1, iterations // 50))


def tracker_backends(run_dir: Path, trackers: Sequence[str], label: str) -> list[dict[str, Any]]:
    """Describe MMEngine's visualizer backends for the trackers asked for; none by default.

    Raises:
        UsageError: A tracker is unknown, or its package is not installed.
    """
    if not launched_processes().is_main:
        return []
    backends: list[dict[str, Any]] = []
    for tracker in trackers:
        if tracker not in _TRACKERS:
            raise UsageError(f"unknown tracker {tracker!r}; there are {', '.join(_TRACKERS)}")
        if find_spec(tracker) is None:
            raise UsageError(
                f"tracker {tracker!r} needs a package that is not installed: pip install 'ssl-motion[tracking]'"
            )
        folder = str(run_dir / tracker)
        if tracker == "tensorboard":
            backends.append({"type": "TensorboardVisBackend", "save_dir": folder})
        elif tracker == "wandb":
            backends.append(
                {"type": "WandbVisBackend", "save_dir": folder, "init_kwargs": {"project": "ssl-motion", "name": label}}
            )
        else:
            backends.append(
                {"type": "MLflowVisBackend", "save_dir": folder, "exp_name": "ssl-motion", "run_name": label}
            )
    return backends
