"""Checks of what remains of a method: state, exported trunk, figures and pictures, embedding of pixels."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import SSLMotionError
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing.promise import ContractError, expect
from ssl_motion.testing.samples import example_batch, example_samples
from ssl_motion.testing.training_checks import loss_of
from ssl_motion.weights import load_strict, read_weights, save_weights

TOLERANCE = 1e-5


def check_state(build: Callable[[], PretrainMethod], size: int) -> None:
    """Check that the state dict is all there is, and that the trunk in it is the one that was handed in."""
    method = build().eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.mul_(1.01)
    own = {f"backbone.{name}" for name in method.backbone.state_dict()}
    expect(own <= method.state_dict().keys(), "the trunk handed in is not kept as self.backbone")
    copy = build().eval()
    found, wanted = ({k: v.shape for k, v in each.state_dict().items()} for each in (copy, method))
    expect(found == wanted, f"two models of one Config differ in their state: {sorted(found.keys() ^ wanted.keys())}")
    copy.load_state_dict(method.state_dict())
    batch = example_batch(method, size=size)
    with torch.no_grad():
        torch.manual_seed(1)
        first = loss_of(method, batch)
        torch.manual_seed(1)
        second = loss_of(copy, batch)
    expect(
        torch.equal(first, second), "a model rebuilt from its state_dict gives another loss: some state is not in it"
    )


def check_export(method: PretrainMethod, spec: BackboneSpec, size: int) -> None:
    """Check that the trunk that is handed over comes back from disk, and computes there what it did before."""
    batch = example_batch(method, size=size)
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.01)
    loss_of(method, batch).backward()  # type: ignore[no-untyped-call]  # torch's own backward has no types
    optimizer.step()  # a trained trunk, batch statistics included
    method.eval()
    state = {key: value.clone() for key, value in method.state_dict().items()}
    trunk, exported = method.export(spec)
    expect(isinstance(trunk, Backbone), f"export() returned a {type(trunk).__name__}; expected a Backbone")
    expect(isinstance(exported, BackboneSpec), "export() returned no BackboneSpec beside the trunk")
    now = method.state_dict()
    kept = state.keys() == now.keys() and all(torch.equal(state[key], now[key]) for key in state)
    expect(kept, "export() changed the method, which may go on training; work on a copy")
    trunk.eval()
    with TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder)
        try:
            save_weights(path, trunk, spec=exported, method="check", run=None, pretraining=None, source="a check")
            card, tensors = read_weights(path)
            torch.manual_seed(2)
            fresh = build_backbone(card.backbone)
            load_strict(fresh, tensors, what="the exported trunk")
        except SSLMotionError as error:
            raise ContractError(f"what export() returned does not come back from disk: {error}") from error
        before, after = trunk(batch["image"]), fresh.eval()(batch["image"])
    expect(before.keys() == after.keys(), f"the exported trunk has stages {sorted(before)}, rebuilt {sorted(after)}")
    for stage, value in before.items():
        bound = TOLERANCE * (1 + float(value.abs().max()))
        fits = value.shape == after[stage].shape and bool((value - after[stage]).abs().max() <= bound)
        expect(fits, f"the trunk rebuilt from the exported BackboneSpec computes other features in stage {stage}")


def check_figures(method: PretrainMethod, size: int) -> None:
    """Check that figures are finite scalars without gradient, and that panels are pictures."""
    method.eval()
    for kind in ("moving", "unknown"):
        samples = example_samples(method, [kind] * 2, size=size)
        for key, figure in method.describe_sample(method.config, samples[0], generator(0, "describe")).items():
            expect(bool(np.isfinite(figure)), f"describe_sample()[{key!r}] of a {kind} sample is {figure}")
        batch = example_batch(method, (kind, kind), size=size)
        for key, value in method.evaluate(batch).items():
            fine = value.ndim == 0 and not value.requires_grad and bool(torch.isfinite(value))
            expect(fine, f"evaluate()[{key!r}] with {kind} samples: expected a finite scalar without gradient")
        panels = method.preview(batch, [sample.image for sample in samples])
        expect(len(panels) in (0, len(samples)), f"preview() drew {len(panels)} panels for {len(samples)} images")
        for panel in panels:
            fine = panel.dtype == np.uint8 and panel.ndim == 3 and panel.shape[2] == 3
            expect(fine, f"preview() drew {panel.dtype} {panel.shape}; expected uint8 [h, w, 3]")


def check_embedding(method: PretrainMethod, size: int) -> None:
    """Check that pixels are embedded each for itself, where they are at all, and that the flow kernel has a width."""
    kernel = method.flow_kernel()
    expect(kernel is None or (kernel.sigma > 0 and kernel.saturation > 0), f"flow_kernel() returned {kernel}")
    if type(method).embed is PretrainMethod.embed:
        return
    method.eval()
    image = example_batch(method, size=size)["image"]
    last = min(image.shape[-2:]) - 1
    points_B52 = torch.from_numpy(generator(0, "points").uniform(0, last, (2, 5, 2))).float()
    with torch.no_grad():
        stages = method.backbone(image)
        together, alone = method.embed(stages, points_B52), method.embed(stages, points_B52[:, 3:4])
    expect(
        together.dtype == torch.float32 and together.ndim == 3 and together.shape[:2] == (2, 5),
        f"embed() of 5 points of 2 images: {together.dtype} {tuple(together.shape)}; expected float32 [2, 5, D]",
    )
    fits = bool(((together[:, 3:4] - alone).abs() <= TOLERANCE * (1 + together.abs().max())).all())
    expect(fits, "embed() gives a point another embedding when others are asked for beside it, or NaN")
