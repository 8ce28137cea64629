"""Pretraining: from a spec to a run folder with a backbone in it.

The finished folder holds spec.yaml, log.jsonl, previews/, backbone.safetensors with its card weights.json,
checkpoints/last.pth (the whole method; keys in `ssl_motion.engine.checkpoint`, without optimiser), fitted.json (where
the method estimated settings from the data) and done.json.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.data.loader import VALIDATION_SEED, BatchLoader, PairDataset, training_loader, validation_loader
from ssl_motion.data.sample import FlowSample
from ssl_motion.engine.adapter import Normaliser, PretrainModel, arithmetic
from ssl_motion.engine.environment import (
    Processes,
    launched_processes,
)
from ssl_motion.engine.finish import finish
from ssl_motion.engine.fitting import fitted_config
from ssl_motion.engine.inputs import describe_inputs
from ssl_motion.engine.once import run_once
from ssl_motion.engine.optim import ScheduleHook, StepWrapper, build_optimizer
from ssl_motion.engine.plan import PretrainPlan, check_runnable, make_plan
from ssl_motion.engine.runner import HarnessRunner
from ssl_motion.engine.samples import open_samples
from ssl_motion.engine.settings import LOOP, common_settings
from ssl_motion.engine.stopping import EarlyStopping, ValidationHook
from ssl_motion.engine.validation import Validation, Validator, warn_if_blind
from ssl_motion.protocols import PretrainMethod
from ssl_motion.provenance import code_state
from ssl_motion.seeding import seed_everything
from ssl_motion.spec import PretrainSpec, RuntimeSpec
from ssl_motion.store import RunFolder, Store


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
    plan = make_plan(spec, store)
    if not plan.folder.is_finished or force:
        check_runnable(spec, runtime)

    def work(device: str) -> None:
        _Run(plan, runtime, store, device, launched_processes()).run()

    return run_once(plan.folder, plan.written_spec(), runtime, work, force=force)


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
        train_samples, val_samples = open_samples(self.plan, self.store, self.processes)
        config = fitted_config(self.plan, train_samples, self.processes)
        seed_everything(self.spec.seed)
        method = self.plan.method(config, build_backbone(self.spec.backbone))
        model = self._model(method)
        loader, val_loader = self._loaders(method, train_samples, val_samples)
        validator = Validator(
            model, val_loader or [], self._arithmetic, self.path / "previews" if self.processes.is_main else None
        )
        stopping = EarlyStopping(method, self.spec.early_stopping)
        runner = self._runner(model, loader, ValidationHook(validator, self.spec.validate_every, stopping))
        try:
            runner.train()
            final = self._validate(runner, validator, stopping)
        finally:
            runner.close()
        if self.processes.is_main:
            warn_if_blind(final, "at the end")
            finish(
                self.plan,
                method,
                pairs=len(train_samples),
                done=runner.iter,
                seconds=runner.wall_seconds,
                final=final,
                inputs=describe_inputs(method, train_samples, self.spec.data),
                stopping=stopping,
                device=self.device,
                processes=self.processes,
                code=code,
            )

    def _validate(self, runner: HarnessRunner, validator: Validator, stopping: EarlyStopping) -> Validation:
        """Validate at the end, and set the method to the weights that are kept; returns their validation."""
        done = runner.iter
        last = None
        if not stopping.has_stopped:
            last = validator.run(done)
            stopping.observe(done, last)
            runner.call_hook("on_figures", done=done, figures={**last.figures, **stopping.figures(early=False)})
        elif self.processes.is_main:
            stopping.announce(done, self.spec.iterations)
        best = stopping.restore_best()
        if best is not None:
            return best.validation
        return last if last is not None else validator.run(done)

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

    def _runner(self, model: PretrainModel, loader: BatchLoader, validation: ValidationHook) -> HarnessRunner:
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
            validation,
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
