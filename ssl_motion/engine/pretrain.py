"""Pretraining: from a spec to a run folder with a backbone in it.

The finished folder holds spec.yaml, log.jsonl, previews/, backbone.safetensors with its card weights.json,
checkpoints/last.pth (the whole method; keys in `ssl_motion.engine.checkpoint`, without optimiser) and done.json.
"""

import io
import math
import resource
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from ssl_motion import puppets
from ssl_motion.backbones import build_backbone
from ssl_motion.data.loader import VALIDATION_SEED, BatchLoader, PairDataset, training_loader, validation_loader
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.engine.adapter import Normaliser, PretrainModel, arithmetic
from ssl_motion.engine.checkpoint import FORMAT, list_checkpoints, plain
from ssl_motion.engine.environment import (
    Processes,
    barrier,
    launched_processes,
    leave_process_group,
    prepare_device,
)
from ssl_motion.engine.optim import ScheduleHook, StepWrapper, build_optimizer
from ssl_motion.engine.plan import PretrainPlan, check_runnable, make_plan
from ssl_motion.engine.runner import HarnessRunner
from ssl_motion.engine.settings import LOOP, common_settings
from ssl_motion.engine.validation import Validation, ValidationHook, Validator, warn_if_blind
from ssl_motion.fileio import write_atomically
from ssl_motion.protocols import PretrainMethod
from ssl_motion.provenance import code_state, collect
from ssl_motion.record import Pretraining
from ssl_motion.seeding import seed_everything
from ssl_motion.spec import PretrainSpec, RuntimeSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.store import RunFolder, Store
from ssl_motion.weights import save_weights


def pretrain(spec: PretrainSpec, runtime: RuntimeSpec, store: Store, *, force: bool = False) -> RunFolder:
    """Pretrain a backbone; reuse a finished run, continue an interrupted one.

    Under torchrun every process calls this; files are written by the first.

    Args:
        spec: what to run.
        runtime: where and how; not part of the run's identity.
        store: where runs lie; the built-in world is rendered below its `data` folder.
        force: move an existing folder of this run aside and start anew.

    Returns:
        The finished run's folder.

    Raises:
        UsageError: The spec names something that does not exist or cannot run here.
        DataError: The data are damaged, or a pair is bad.
        RunError: Another process holds the folder, the loss is not finite, or the disk is full.
        StoppedBySignal: SIGTERM or Ctrl-C; the same call continues.
    """
    processes = launched_processes()
    plan = make_plan(spec, store)
    if plan.folder.is_finished and not force:
        return plan.folder
    check_runnable(spec, runtime)
    device = prepare_device(runtime.device)
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
    if processes.is_main and force and plan.folder.path.exists():
        with plan.folder.locked(plan.written_spec()):
            pass  # refuses while another process works in it
        plan.folder.move_aside()
    with plan.folder.locked(plan.written_spec()) if processes.is_main else nullcontext():
        barrier()
        if not plan.folder.is_finished:
            _Run(plan, runtime, store, device, processes).run()
        barrier()
    if processes.world_size > 1:
        leave_process_group()
    return plan.folder


class _Run:
    """One run of a plan in this process."""

    def __init__(
        self, plan: PretrainPlan, runtime: RuntimeSpec, store: Store, device: str, processes: Processes
    ) -> None:
        self.plan, self.runtime, self.store = plan, runtime, store
        self.device, self.processes = device, processes
        self.spec, self.path = plan.spec, plan.folder.path

    def run(self) -> None:
        """Train, validate, export."""
        code = code_state() if self.processes.is_main else None
        train_samples, val_samples = self._samples()
        seed_everything(self.spec.seed)
        backbone = build_backbone(self.spec.backbone)
        config = parse_spec(self.plan.method.Config, self.spec.method_config, f"method_config of {self.spec.method}")
        method = self.plan.method(config, backbone)
        model = self._model(method)
        loader, val_loader = self._loaders(method, train_samples, val_samples)
        validator = Validator(
            model, val_loader or [], self._arithmetic, self.path / "previews" if self.processes.is_main else None
        )
        runner = self._runner(model, loader, validator)
        try:
            runner.train()
            final = validator.run(self.spec.iterations)
            runner.call_hook("on_figures", done=self.spec.iterations, figures=final.figures)
        finally:
            runner.close()
        if self.processes.is_main:
            warn_if_blind(final, "at the end")
            self._finish(runner, method, final, code)

    def _samples(self) -> tuple[Sequence[FlowSample], Sequence[FlowSample] | None]:
        """Open the data; the built-in world is rendered first where it is not there yet."""
        data = self.spec.data
        folders = [Path(folder) for folder in data.shards]
        if data.puppets is not None:
            if self.processes.is_main:
                puppets.ensure_dataset(data.puppets, self.store.root / "data", layouts=("shards",))
            barrier()
            root = puppets.ensure_dataset(data.puppets, self.store.root / "data", layouts=("shards",))
            folders = [root / "shards"]
        has_validation = any(ShardSet(folder).count("val") for folder in folders)
        if not has_validation and self.processes.is_main:
            print(
                "no validation pairs in the data: no validation, and no image-blind loss", file=sys.stderr, flush=True
            )
        return ShardPairs(folders, "train", data.max_pairs), ShardPairs(folders, "val") if has_validation else None

    def _model(self, method: PretrainMethod) -> PretrainModel:
        if self.spec.sync_bn and self.processes.world_size > 1:
            convert: Any = torch.nn.SyncBatchNorm.convert_sync_batchnorm
            convert(method)  # in place, but for a module that is itself a BatchNorm
        model = PretrainModel(method, Normaliser(self.runtime.channels_last))
        model.to(self.device)
        if self.runtime.channels_last:
            model.to(memory_format=torch.channels_last)
        if self.runtime.compile:
            # The parts, whose forward passes are called by the method; in place, so names in the state stay.
            for part in method.children():
                part.compile()
        return model

    def _loaders(
        self, method: PretrainMethod, train_samples: Sequence[FlowSample], val_samples: Sequence[FlowSample] | None
    ) -> tuple[BatchLoader, BatchLoader | None]:
        spec, pin = self.spec, self.device == "cuda"
        share = {"rank": self.processes.rank, "world_size": self.processes.world_size}
        options: dict[str, Any] = {"workers": self.runtime.workers, "pin": pin, **share}
        train = PairDataset(train_samples, method, spec.data, spec.seed)
        loader = training_loader(train, spec.batch_size, **options)
        if val_samples is None:
            return loader, None
        # The same for every seed, so that runs are compared on the same pairs, crops and guidance.
        held_out = PairDataset(val_samples, method, spec.data, VALIDATION_SEED, training=False)
        return loader, validation_loader(held_out, spec.batch_size, **options)

    def _arithmetic(self) -> Any:
        return arithmetic(self.device, self.spec.precision)

    def _runner(self, model: PretrainModel, loader: BatchLoader, validator: Validator) -> HarnessRunner:
        spec = self.spec
        settings = common_settings(
            self.path,
            iterations=spec.iterations,
            checkpoint_every=spec.checkpoint_every,
            label=f"pretrain {spec.method}, seed {spec.seed}",
            seed=spec.seed,
            device=self.device,
            trackers=self.runtime.trackers,
        )
        wrapper = settings.pop("model_wrapper_cfg")
        # Batches have one size; only the CPU promises equal bits.
        settings["env_cfg"]["cudnn_benchmark"] = self.device == "cuda"
        settings["custom_hooks"] = [
            ScheduleHook(spec.optimizer, spec.schedule, spec.iterations),
            ValidationHook(validator, spec.validate_every),
        ]
        optimizer = build_optimizer(spec.optimizer, model.parameters())
        return HarnessRunner(
            model,
            train_dataloader=loader,
            train_cfg={"type": LOOP, "max_iters": spec.iterations, "passes": spec.accumulate},
            optim_wrapper=StepWrapper(
                optimizer, accumulate=spec.accumulate, device=self.device, precision=spec.precision
            ),
            cfg={"model_wrapper_cfg": wrapper},
            **settings,
        )

    def _finish(
        self, runner: HarnessRunner, method: PretrainMethod, final: Validation, code: tuple[str, bool | None] | None
    ) -> None:
        """Write the backbone, the whole method and the summary; then drop the checkpoints of the way."""
        plan, spec = self.plan, self.spec
        seconds = runner.wall_seconds
        seen = Pretraining(
            data=plan.data.name,
            pairs=plan.data.pairs,
            flow_supervision=plan.data.flow_supervision,
            images_seen=plan.images_seen,
            wall_seconds=seconds,
            run=plan.folder.identity,
            recipe_version=plan.method.recipe_version,
            data_fingerprint=plan.data.fingerprint,
            spec=plan.written_spec(),
        )
        save_weights(
            self.path,
            method.backbone,
            spec=spec.backbone,
            method=spec.method,
            run=plan.folder.identity,
            pretraining=seen,
            source=f"pretrained here with {spec.method}",
        )
        whole = {
            "meta": {"iter": spec.iterations, "epoch": 0, "wall_seconds": seconds, "seed": spec.seed, "format": FORMAT},
            "state_dict": {f"method.{key}": value for key, value in method.state_dict().items()},
        }
        buffer = io.BytesIO()
        torch.save(plain(whole), buffer)
        folder = self.path / "checkpoints"
        write_atomically(folder / "last.pth", lambda file: file.write(buffer.getbuffer()) and None)
        plan.folder.finish(
            {
                "method": spec.method,
                "backbone": spec.backbone.arch,
                "data": {"name": plan.data.name, "pairs": plan.data.pairs, "fingerprint": plan.data.fingerprint},
                "seed": spec.seed,
                "iterations": spec.iterations,
                "images_seen": plan.images_seen,
                # As in the log: what is not finite becomes null.
                "figures": {key: value if math.isfinite(value) else None for key, value in final.figures.items()},
                "uses_image": final.uses_image,
                "wall_seconds": round(seconds, 3),
                "images_per_second": round(plan.images_seen / max(seconds, 1e-9), 2),
                "peak_memory_mib": round(peak_memory_mib(self.device), 1),
                "device": self.device,
                "processes": self.processes.world_size,
                "provenance": collect(self.device, seconds, [], code).model_dump(mode="json"),
            }
        )
        for path in list_checkpoints(folder):
            path.unlink(missing_ok=True)


def peak_memory_mib(device: str) -> float:
    """Peak memory of this process so far in MiB: on the GPU what torch allocated, else resident memory."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
