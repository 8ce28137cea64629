"""Doing the work of a run folder exactly once, whoever asks for it and however often."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from ssl_motion.engine.environment import barrier, launched_processes, leave_process_group, prepare_device
from ssl_motion.spec import RuntimeSpec
from ssl_motion.store import RunFolder


def run_once(
    folder: RunFolder,
    written_spec: dict[str, Any],
    runtime: RuntimeSpec,
    work: Callable[[str], None],
    *,
    force: bool = False,
) -> RunFolder:
    """Do the work of a run in its locked folder, unless it is finished.

    Under torchrun every process calls this; the folder is the first one's.

    Args:
        folder: of the run.
        written_spec: what goes into its spec.yaml.
        runtime: its device and threads are set up first.
        work: gets the device; continues what it finds in the folder, and finishes it.
        force: move an existing folder aside and start anew.

    Raises:
        RunError: Another process holds the folder.
        UsageError: The device is not there.
    """
    if folder.is_finished and not force:
        return folder
    processes = launched_processes()
    device = prepare_device(runtime.device)
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
    if processes.is_main and force and folder.path.exists():
        with folder.locked(written_spec):
            pass  # refuses while another process works in it
        folder.move_aside()
    with folder.locked(written_spec) if processes.is_main else nullcontext():
        barrier()
        if not folder.is_finished:
            work(device)
        barrier()
    if processes.world_size > 1:
        leave_process_group()
    return folder
