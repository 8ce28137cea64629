"""Where a run executes: device, process group, signals.

MMEngine picks CUDA whenever a GPU is visible and calls `torch.cuda.set_device`
under any launcher; both are mended here, once, before its Runner is built.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist

from ssl_motion.errors import UsageError

WORKER_SECONDS = 20.0
"""How long a loader's worker outlives SIGTERM: less than Slurm and torchrun (30 s) wait before they kill."""


@dataclass(frozen=True)
class Processes:
    """This process's place among the data-parallel ones.

    Attributes:
        rank: index of this process, from 0.
        world_size: number of processes.
        local_rank: index of this process on its machine; chooses the GPU.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


def launched_processes() -> Processes:
    """Read this process's place from the variables that torchrun sets; alone without them."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Processes()
    return Processes(
        int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    )


def resolve_device(device: str) -> str:
    """Turn "auto", "cpu" or "cuda" into "cpu" or "cuda".

    Raises:
        UsageError: CUDA is asked for and not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "device 'cuda' was asked for, but torch sees no CUDA device. Use --device cpu, or see `ssl-bench doctor`."
        )
    return device


def prepare_device(device: str) -> str:
    """Make MMEngine use `device` in this process, and join the process group under torchrun.

    Safe to call more than once. Gloo connects CPU processes, NCCL those with a GPU each.

    Args:
        device: "auto", "cpu" or "cuda".

    Returns:
        "cpu" or "cuda".

    Raises:
        UsageError: CUDA is asked for and not there, or there are more local processes than GPUs.
    """
    import mmengine.device.utils as mmengine_device

    resolved = resolve_device(device)
    # MMEngine reads this module variable wherever it places models and checkpoints.
    mmengine_device.DEVICE = resolved
    processes = launched_processes()
    if resolved == "cuda":
        if processes.local_rank >= torch.cuda.device_count():
            raise UsageError(
                f"local process {processes.local_rank} has no GPU: torch sees {torch.cuda.device_count()}. "
                f"Start at most that many processes on this machine (torchrun --nproc_per_node)."
            )
        torch.cuda.set_device(processes.local_rank)
    if processes.world_size > 1 and not dist.is_initialized():
        # Before MMEngine does it: its own start-up calls torch.cuda.set_device on CPU-only machines too.
        if resolved == "cuda":
            dist.init_process_group("nccl", device_id=torch.device("cuda", processes.local_rank))
        else:
            dist.init_process_group("gloo")
    return resolved


def leave_process_group() -> None:
    """Leave the process group, where there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for the other processes; nothing to do alone."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()


class StopRequest:
    """Remembers that somebody asked this process to stop."""

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._process = os.getpid()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Note the first request; Ctrl-C after it stops at once.

        Slurm sends SIGTERM to every process of a job, torchrun passes it on to its workers, and both repeat it.
        """
        del frame
        if os.getpid() != self._process:
            # A loader's worker, forked with this handler. The main process needs it alive until the checkpoint is
            # written, and then ends it; one that it can no longer end goes by itself.
            if number == signal.SIGTERM:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, WORKER_SECONDS)
            return
        if self.signal_name is None:
            self.signal_name = signal.Signals(number).name
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def seen_by_any(self, device: str) -> bool:
        """Whether any process got the request. Every process must call this at the same iteration."""
        seen = self.signal_name is not None
        if not (dist.is_available() and dist.is_initialized()):
            return seen
        flag = torch.tensor([int(seen)], device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        if flag.item() and self.signal_name is None:
            self.signal_name = "a signal to another process"
        return bool(flag.item())


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT (Ctrl-C) into a request that the training loop answers with a checkpoint.

    Outside the main thread, where Python allows no handlers, signals keep their meaning.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[int, Any] = {
        number: signal.signal(number, request.handle) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
