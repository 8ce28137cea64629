"""Checkpoints that load with `weights_only=True`, are never half written, and continue a run exactly.

Layout of `checkpoints/iter_00000600.pth` (a plain dict, readable by
`torch.load(path, weights_only=True)` anywhere, without this package):

    meta           {"iter": 600, "epoch": 0, "wall_seconds": 12.3, "seed": 0, "format": 1}
    state_dict     the network. In a pretraining run every key is "method." + the key in the method's own
                   state_dict, the backbone's being "method.backbone." + ...
    optimizer      state of the optimiser (and of the loss scaler, where there is one)
    param_schedulers   states of MMEngine's schedulers (absent where the rate is a function of the iteration)
    random         one entry per process: states of the python, numpy, torch and CUDA generators
    log            losses that no line of the log holds yet
    message_hub    empty; there so that MMEngine's own tools accept the file
"""

import io
import os
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.fileio import write_atomically

FORMAT = 1
KEEP = 2
_NAME = re.compile(r"iter_(\d+)\.pth")


def plain(value: Any, where: str = "checkpoint") -> Any:
    """Reduce a value to what `weights_only=True` loads: tensors (on the CPU), numbers, texts, dicts, lists, tuples.

    Raises:
        RunError: It holds something else; saying so at once beats a file that cannot be read.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Mapping):
        return {plain(key, where): plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(item, where) for item in value)
    if isinstance(value, list):
        return [plain(item, where) for item in value]
    if isinstance(value, (int, float, str)):
        # A subclass, such as an enumeration: its plain value is what counts.
        return next(kind(value) for kind in (int, float, str) if isinstance(value, kind))
    raise RunError(
        f"{where} holds a {type(value).__name__}, which cannot be saved safely; expected tensors and plain values"
    )


def write_checkpoint(folder: Path, content: Mapping[str, Any], keep: int = KEEP) -> Path:
    """Write a checkpoint atomically as `iter_<meta.iter>.pth`, then remove all but the newest `keep`.

    Raises:
        RunError: It cannot be written (full disk); the earlier ones are intact.
    """
    iteration = content["meta"]["iter"]
    path = folder / f"iter_{iteration:08d}.pth"
    # Through memory: torch's own file writer hides the reason of a failure, such as a full disk.
    buffer = io.BytesIO()
    torch.save(plain(content), buffer)
    try:
        write_atomically(path, lambda file: file.write(buffer.getbuffer()) and None)
    except RunError as error:
        raise RunError(f"checkpoint of iteration {iteration}: {error}{_fallback(folder)}") from error
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def _fallback(folder: Path) -> str:
    """Say what a restart will continue from."""
    known = list_checkpoints(folder)
    rest = f"Checkpoint {known[-1].name} is intact" if known else "There is no earlier checkpoint"
    return f" {rest}; free some space and start the same command again."


def list_checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints of a folder, oldest first."""
    found = [(int(match.group(1)), path) for path in folder.glob("iter_*.pth") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def require_checkpoint(folder: Path) -> None:
    """Find out whether a finished run still has its network.

    Raises:
        UsageError: The folder holds no checkpoint.
    """
    if not list_checkpoints(folder):
        raise UsageError(f"{folder} holds no checkpoint: the run's network is gone. Run it again with --force.")


def last_intact_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Load the newest checkpoint that is whole, to the CPU; None where there is none.

    Leftovers of killed writers are removed on the way.

    Raises:
        DataError: There are checkpoints, and none of them can be read.
    """
    for leftover in folder.glob(".iter_*.part"):
        leftover.unlink(missing_ok=True)
    known = list_checkpoints(folder)
    problems = []
    for path in reversed(known):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            problems.append(f"{path.name}: {type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        if (
            isinstance(content, dict)
            and isinstance(content.get("meta"), dict)
            and content["meta"].get("format") == FORMAT
        ):
            return path, content
        problems.append(f"{path.name}: not a checkpoint of format {FORMAT}")
    if problems:
        raise DataError(
            f"none of the checkpoints in {folder} can be read ({'; '.join(problems)}). "
            f"Move that folder away, or use --force, to start from the beginning."
        )
    return None


def random_state() -> dict[str, Any]:
    """Take the states of this process's global random generators."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - third-party code draws from it
    return {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Set this process's global random generators to what `random_state` took."""
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002 - as above
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def gathered_random_states() -> list[dict[str, Any]]:
    """Take the states of all processes, by rank. Every process must call this."""
    mine = random_state()
    if not (dist.is_available() and dist.is_initialized()):
        return [mine]
    states: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(states, mine)
    return states


def own_random_state(states: list[dict[str, Any]], rank: int) -> dict[str, Any]:
    """Choose this process's entry.

    Raises:
        RunError: The run was checkpointed with another number of processes.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if len(states) != world_size:
        raise RunError(f"the checkpoint was written by {len(states)} processes and cannot be continued by {world_size}")
    return states[rank]
