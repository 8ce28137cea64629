"""What is looked into: trunks of runs, files and random starts; and whole methods, where their embedding is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD
from ssl_motion.checkpoints import backbone_tensors, read_checkpoint
from ssl_motion.data.sample import UInt8Array
from ssl_motion.engine.environment import resolve_device
from ssl_motion.errors import UsageError
from ssl_motion.frozen.trunk import build_trunk, normalised
from ssl_motion.importing import guess_spec, is_original_cmp
from ssl_motion.inspection.maps import FeatureMap, grid_points
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.similarity import FlowKernel
from ssl_motion.spec import BackboneSpec, PretrainSpec, PuppetsSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion.starts import find_weights, materialise, resolve_start
from ssl_motion.store import SPEC, Store
from ssl_motion.weights import read_card
from ssl_motion.whole_models import find_whole_model, load_whole_model, training_side

EMBEDDING = "embedding"
"""Name of what a method compares pixels by, beside the stages of its trunk."""

DEFAULT_TRUNK = BackboneSpec(arch="alexnet_mini")
"""The trunk of random starts, where nothing says another."""


@dataclass(frozen=True)
class Inspected:
    """A network in evaluation mode, without gradients of its own.

    Attributes:
        label: what people call it.
        network: the trunk.
        mean: of its input per RGB channel, on the scale 0-255.
        std: likewise.
        device: that it is on.
        method: the whole of it, where its embedding is looked at.
        run: folder of the pretraining run that it is from; None for others.
        spec: of that run.
    """

    label: str
    network: Backbone
    mean: tuple[float, ...] = INPUT_MEAN
    std: tuple[float, ...] = INPUT_STD
    device: str = "cpu"
    method: PretrainMethod | None = None
    run: Path | None = None
    spec: PretrainSpec | None = None

    def resolve_stage(self, stage: str | None) -> str:
        """Return the stage that is asked for: one of the trunk's, the last of these for None, or `EMBEDDING`.

        Raises:
            UsageError: There is no such stage.
        """
        if stage == EMBEDDING and self.method is not None:
            return stage
        self.network.require_stage(stage or self.network.last_stage, "--stage")
        return stage or self.network.last_stage

    def look(self, image: UInt8Array, stage: str) -> FeatureMap:
        """Compute the features of an image.

        Args:
            image: uint8 [H, W, 3] RGB.
            stage: of `resolve_stage`.
        """
        with torch.no_grad():
            stages = self.network(normalised([image], self.mean, self.std).to(self.device))
            if stage == EMBEDDING and self.method is not None:
                points, shape, step = grid_points(*image.shape[:2])
                values_PD = self.method.embed(stages, points[None].to(self.device))[0]
                return FeatureMap(values_PD.T.reshape(-1, *shape).float().cpu(), step)
        return FeatureMap(stages[stage][0].float().cpu(), self.network.strides[stage])

    @property
    def flow_kernel(self) -> FlowKernel | None:
        """Which motions the method takes for alike, where it has learned that and is at hand."""
        return self.method.flow_kernel() if self.method is not None else None


def open_models(
    queries: Sequence[str],
    store: Store,
    *,
    whole: bool = False,
    backbone: BackboneSpec | None = None,
    seed: int = 0,
    device: str = "auto",
) -> list[Inspected]:
    """Find and load what is to be looked into.

    Args:
        queries: what `--init` of a transfer takes: runs, backbone folders, weights files, "random", "random:SCHEME",
            "imagenet".
        store: where runs are looked up.
        whole: load whole methods that embed pixels, not their trunks alone.
        backbone: the trunk of files, random starts and "imagenet"; None reads it off a file, and takes that of the
            first query that has its own for the others.
        seed: of random starts.
        device: "cpu", "cuda" or "auto".

    Raises:
        UsageError: There is nothing of that name, it does not fit the trunk, or it has no embedding and that is wanted.
        DataError: A file is damaged.
    """
    resolved = resolve_device(device)
    if whole:
        return [_whole(query, store, resolved) for query in queries]
    own = [_own_trunk(query, store, backbone) for query in queries]
    other = backbone or next((spec for spec in own if spec is not None), DEFAULT_TRUNK)
    return [_trunk(query, spec or other, store, seed, resolved) for query, spec in zip(queries, own, strict=True)]


def _is_drawn(query: str) -> bool:
    return query in ("random", "imagenet") or query.startswith("random:")


def _own_trunk(query: str, store: Store, given: BackboneSpec | None) -> BackboneSpec | None:
    """Say which trunk a query is of; None where any will do."""
    if _is_drawn(query):
        return None
    path = find_weights(query, store)
    if path.is_dir():
        return read_card(path).backbone
    if given is not None:
        return given
    content = read_checkpoint(path)
    return guess_spec(backbone_tensors(content, what=query), dilated=is_original_cmp(content), what=query)


def _trunk(query: str, spec: BackboneSpec, store: Store, seed: int, device: str) -> Inspected:
    start = resolve_start(query, spec, store)
    with TemporaryDirectory() as folder:
        weights = materialise(start, spec, Path(folder), seed)
        trunk = build_trunk(weights, spec, seed, device)
    run, run_spec = _run(start.folder)
    label = f"{start.method} ({start.parents[0][:8]})" if start.parents else start.method
    return Inspected(label, trunk.network, trunk.mean, trunk.std, device, run=run, spec=run_spec)


def _run(folder: Path | None) -> tuple[Path | None, PretrainSpec | None]:
    """Take a folder for a run's where it is one; a backbone folder of `ssl-bench import-weights` has no spec."""
    if folder is None or not (folder / SPEC).is_file():
        return None, None
    return folder, parse_spec(PretrainSpec, load_yaml(folder / SPEC), str(folder / SPEC))


def _whole(query: str, store: Store, device: str) -> Inspected:
    if _is_drawn(query):
        raise UsageError(f"--init {query} has no embedding of pixels; look at a stage of its trunk instead")
    path = find_whole_model(query, store)
    model = load_whole_model(path)
    method = model.method.requires_grad_(False).to(device)
    if type(method).embed is PretrainMethod.embed:
        raise UsageError(
            f"{model.source}: the method {model.name} has no embedding of pixels. Look at a stage of its trunk: "
            f"{', '.join(method.backbone.channels)}"
        )
    run, spec = _run(path)
    label = f"{model.name} ({path.name.rpartition('-')[2][:8]})" if run is not None else model.name
    return Inspected(label, method.backbone, device=device, method=method, run=run, spec=spec)


def shared_side(models: Sequence[Inspected]) -> int | None:
    """Shorter side, in pixels, of the images that the first model that tells was trained on; None where none does."""
    sides = (training_side(model.spec) for model in models if model.spec is not None)
    return next((side for side in sides if side is not None), None)


def shared_world(models: Sequence[Inspected]) -> PuppetsSpec:
    """Built-in world that the first model that saw one was trained on; else the easiest."""
    worlds = (model.spec.data.puppets for model in models if model.spec is not None)
    return next((world for world in worlds if world is not None), PuppetsSpec())
