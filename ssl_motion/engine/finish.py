"""The end of a pretraining run: the exported backbone, the whole method, and the summary."""

import io
import math
import resource
import sys
from collections.abc import Mapping

import torch

from ssl_motion.data.controls import control_label
from ssl_motion.engine.checkpoint import FORMAT, list_checkpoints, plain
from ssl_motion.engine.environment import Processes
from ssl_motion.engine.plan import PretrainPlan
from ssl_motion.engine.stopping import EarlyStopping
from ssl_motion.engine.validation import Validation
from ssl_motion.fileio import write_atomically
from ssl_motion.models import LAST
from ssl_motion.protocols import PretrainMethod
from ssl_motion.provenance import collect
from ssl_motion.record import Pretraining
from ssl_motion.weights import save_weights


def method_label(plan: PretrainPlan) -> str:
    """Name what was done, for records: the method, and its control where there is one ("cmp, shuffled flow")."""
    return ", ".join(part for part in (plan.spec.method, control_label(plan.spec.data.control)) if part)


def finish(
    plan: PretrainPlan,
    method: PretrainMethod,
    *,
    pairs: int,
    done: int,
    seconds: float,
    final: Validation,
    inputs: Mapping[str, float],
    stopping: EarlyStopping,
    device: str,
    processes: Processes,
    code: tuple[str, bool | None] | None,
) -> None:
    """Write the backbone, the whole method and the summary; then drop the checkpoints of the way.

    Args:
        plan: of the run.
        method: with the weights that are kept.
        pairs: training pairs that were used; fewer than planned where layers of the built-in world drop some.
        done: iterations that were trained.
        seconds: they took.
        final: validation of the weights that are kept.
        inputs: what was measured of the method's inputs (`ssl_motion.engine.inputs`).
        stopping: says which weights these are.
        device: "cpu" or "cuda".
        processes: of the run.
        code: state of the code when the run began.
    """
    spec, path = plan.spec, plan.folder.path
    kept = stopping.best.iteration if stopping.best else done
    trained, speed = plan.images_in(done), plan.images_in(done) / max(seconds, 1e-9)
    memory = peak_memory_mib(device)
    figures = {**final.figures, **inputs}
    seen = Pretraining(
        data=plan.data.name,
        pairs=pairs,
        flow_supervision=plan.data.flow_supervision,
        images_seen=trained,
        images_seen_by_weights=plan.images_in(kept) if kept != done else None,
        wall_seconds=seconds,
        images_per_second=speed,
        peak_memory_mib=memory,
        device=device,
        run=plan.folder.identity,
        recipe_version=plan.method.recipe_version,
        data_fingerprint=plan.data.fingerprint,
        figures={key: value for key, value in figures.items() if math.isfinite(value)},
        spec=plan.written_spec(),
    )
    backbone, exported = method.export(spec.backbone)
    label = method_label(plan)
    save_weights(
        path,
        backbone,
        spec=exported,
        method=label,
        run=plan.folder.identity,
        pretraining=seen,
        source=f"pretrained here with {label}",
    )
    whole = {
        "meta": {"iter": kept, "epoch": 0, "wall_seconds": seconds, "seed": spec.seed, "format": FORMAT},
        "state_dict": {f"method.{key}": value for key, value in method.state_dict().items()},
    }
    buffer = io.BytesIO()
    torch.save(plain(whole), buffer)
    write_atomically(path / LAST, lambda file: file.write(buffer.getbuffer()) and None)
    plan.folder.finish(
        {
            "method": label,
            "backbone": spec.backbone.arch,
            "data": {"name": plan.data.name, "pairs": pairs, "fingerprint": plan.data.fingerprint},
            "seed": spec.seed,
            "iterations": done,
            **_early(plan, done, kept, stopping),
            "images_seen": trained,
            # As in the log: what is not finite becomes null.
            "figures": {key: value if math.isfinite(value) else None for key, value in figures.items()},
            "uses_image": final.uses_image,
            "wall_seconds": round(seconds, 3),
            "images_per_second": round(speed, 2),
            "peak_memory_mib": round(memory, 1),
            "device": device,
            "processes": processes.world_size,
            "provenance": collect(device, seconds, [], code).model_dump(mode="json"),
        }
    )
    for each in list_checkpoints((path / LAST).parent):
        each.unlink(missing_ok=True)


def _early(plan: PretrainPlan, done: int, kept: int, stopping: EarlyStopping) -> dict[str, object]:
    """What the summary says about early stopping; nothing where it was not asked for."""
    if stopping.patience is None:
        return {}
    planned = plan.spec.iterations
    stopped = {"stopped": done < planned, "iterations_planned": planned, "best_iteration": kept}
    return {"early_stopping": {**stopped, "images_seen_by_weights": plan.images_in(kept)}}


def peak_memory_mib(device: str) -> float:
    """Peak memory of this process so far in MiB: on the GPU what torch allocated, else resident memory."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
