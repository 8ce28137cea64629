"""What a pretraining spec amounts to, worked out without training or rendering anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_motion import plugins, puppets
from ssl_motion.data.controls import check_control, control_label
from ssl_motion.data.layers import LayerSet, layer_fingerprint, layer_index_path
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet, joined_fingerprint
from ssl_motion.engine.compatibility import check_compatible
from ssl_motion.engine.environment import launched_processes, resolve_device
from ssl_motion.errors import UsageError
from ssl_motion.identity import digest, run_identity
from ssl_motion.prepare.layers import default_layer
from ssl_motion.prepare.makers import LAYER_MAKERS
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import DataSpec, PretrainSpec, RuntimeSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.store import RunFolder, Store


@dataclass(frozen=True)
class DataFacts:
    """Pretraining data in brief.

    Attributes:
        name: for people and records.
        fingerprint: of everything stored that can move the result.
        pairs: training pairs that are used; of a built-in world with layers yet to be made, at most so many.
        flow_supervision: what the flow was learned from.
    """

    name: str
    fingerprint: str
    pairs: int
    flow_supervision: str


@dataclass(frozen=True)
class PretrainPlan:
    """A resolved pretraining run.

    Attributes:
        spec: with every default filled in, the method's included.
        method: the method's class.
        data: facts on the data.
        folder: where the run is, or will be.
        layers: names of the layers that the method reads.
    """

    spec: PretrainSpec
    method: type[PretrainMethod]
    data: DataFacts
    folder: RunFolder
    layers: tuple[str, ...] = ()

    @property
    def images_seen(self) -> int:
        """Images in all optimiser steps together, where none is left out by early stopping."""
        return self.images_in(self.spec.iterations)

    def images_in(self, iterations: int) -> int:
        """Images in the first so many optimiser steps."""
        return iterations * self.spec.batch_size * self.spec.accumulate * self.spec.processes

    def written_spec(self) -> dict[str, Any]:
        """Return the resolved spec as plain data, such as goes into spec.yaml."""
        return self.spec.model_dump(mode="json")


def data_facts(spec: DataSpec, layers: Sequence[str] = ()) -> DataFacts:
    """Describe the data of a spec, without rendering the built-in world.

    Args:
        spec: the data.
        layers: names of layers that the method reads; part of the fingerprint. The built-in world's are made with
            their makers' defaults when they are needed.

    Raises:
        UsageError: A shard folder is missing or unfinished, or lacks a layer, or its layers keep no training pair.
        DataError: A shard index is damaged.
    """
    layer_fingerprints: list[str] = []
    if spec.puppets is not None:
        name, pairs, supervision = f"puppets-{spec.puppets.world}", spec.puppets.pairs, "exact flow"
        fingerprint = puppets.fingerprint(spec.puppets, ("pairs", "val_pairs"))
        layer_fingerprints = [layer_fingerprint(fingerprint, default_layer(layer)) for layer in layers]
    else:
        sets = [ShardSet(Path(folder)) for folder in spec.shards]
        name = "+".join(str(each.info["name"]) for each in sets)
        pairs = sum(each.count("train") for each in sets)
        supervision = ", ".join(dict.fromkeys(str(each.info["flow_supervision"]) for each in sets))
        fingerprint = joined_fingerprint(sets)
        if not pairs:
            raise UsageError(f"no training pairs in {', '.join(spec.shards)}")
        if layers:
            layer_fingerprints = [_finished_layer(data, layer).fingerprint for data in sets for layer in layers]
            pairs = len(ShardPairs(spec.shards, "train", layers=layers))
    if layers:
        fingerprint = digest([fingerprint, layer_fingerprints])
    return DataFacts(name, fingerprint, min(pairs, spec.max_pairs or pairs), supervision)


def _finished_layer(data: ShardSet, name: str) -> LayerSet:
    """Open a layer of a shard folder; where it is not there, say how to get it."""
    if not layer_index_path(data.folder, name).is_file():
        maker = LAYER_MAKERS.get(name)
        how = maker.advice.format(folder=data.folder) if maker else "nothing here makes it"
        raise UsageError(f"the method reads the layer {name!r}, which {data.folder} does not have; {how}")
    return LayerSet(data, name)


def make_plan(spec: PretrainSpec, store: Store) -> PretrainPlan:
    """Resolve a spec: method and its configuration, backbone, data, identity and folder.

    Raises:
        UsageError: Something named does not exist, a key of `method_config` is unknown, method, trunk and images do not
            fit together, or the control would control nothing.
        DataError: A shard index is damaged.
    """
    method: type[PretrainMethod] = plugins.load(plugins.METHODS, spec.method)
    config = parse_spec(method.Config, spec.method_config, f"method_config of {spec.method}")
    layers = tuple(method.layers(config))
    check_control(spec.data.control, layers)
    check_compatible(method, config, spec)
    resolved = spec.model_copy(update={"method_config": config.model_dump(mode="json")})
    data = data_facts(spec.data, layers)
    content = resolved.model_dump(mode="json")
    # The fingerprint says what the data are, not a path.
    for key in ("shards", "puppets"):
        del content["data"][key]
    # Checkpoints move no weights, nor does watching; but early stopping decides at validations.
    for key in ("checkpoint_every",) if spec.early_stopping is not None else ("validate_every", "checkpoint_every"):
        del content[key]
    identity = run_identity(content, recipe_version=method.recipe_version, data_fingerprint=data.fingerprint)
    control = control_label(spec.data.control)
    label = "-".join(part for part in (spec.method, control, data.name, spec.backbone.arch, f"s{spec.seed}") if part)
    return PretrainPlan(resolved, method, data, store.folder("pretrain", label, identity), layers)


def check_runnable(spec: PretrainSpec, runtime: RuntimeSpec) -> None:
    """Check that the spec can run here: the device is there and can do the arithmetic, and the processes are as many.

    Raises:
        UsageError: It cannot; the message says what to do.
    """
    _check_processes(spec, launched_processes().world_size)
    device = resolve_device(runtime.device)
    if spec.precision == "fp16" and device == "cpu":
        raise UsageError("precision fp16 needs a CUDA device (its loss scaling does); on the CPU use bf16 or fp32")
    if spec.sync_bn and device == "cpu":
        raise UsageError("sync_bn needs CUDA devices: torch has no SyncBatchNorm on the CPU; set sync_bn: false")


def _check_processes(spec: PretrainSpec, running: int) -> None:
    """Check that as many processes run as the spec is for; else give the command to type."""
    if spec.processes == running:
        return
    command = (
        f"torchrun --standalone --nproc_per_node {spec.processes} -m ssl_motion pretrain ..."
        if spec.processes > 1
        else "ssl-bench pretrain ..."
    )
    total = spec.processes * spec.batch_size * spec.accumulate
    raise UsageError(
        f"the spec is for {spec.processes} process(es), {total} images per step in all, but {running} run(s) here. "
        f"Start it as `{command}`, or change it with --set processes={running}; "
        f"--set accumulate=N then keeps the total."
    )
