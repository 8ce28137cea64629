"""Contract checks for plugins: what the harness relies on, tried on small made-up data.

A package that brings a pretraining method calls this from its own tests:

    from ssl_motion.testing import check_method

    def test_contract():
        check_method(MyMethod, {"width": 16})

Every check fails with a `ContractError` that says what was expected.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from ssl_motion.backbones import INPUT_MEAN, INPUT_STD, build_backbone
from ssl_motion.data.sample import FlowSample
from ssl_motion.protocols import PretrainMethod
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec

SMALL = BackboneSpec(arch="alexnet_mini", width=12)
"""The trunk that checks use unless told otherwise."""


class ContractError(AssertionError):
    """A plugin does not keep what its plug shape promises."""


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)


def example_sample(kind: str = "moving", *, size: int = 96, seed: int = 0) -> FlowSample:
    """Make a small sample.

    Args:
        kind: "moving": a disc that moves by a few pixels before a still background, a strip of it unknown; "still":
            the same picture without motion; "unknown": no pixel's flow is known.
        size: side in pixels.
        seed: of texture, place and motion.
    """
    rng = generator(seed, "example sample")
    image = rng.integers(0, 80, (size, size, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:size, :size]
    centre = rng.uniform(0.35, 0.65, 2) * size
    disc = np.hypot(rows - centre[0], columns - centre[1]) < size / 4
    image[disc] += 120
    flow = np.zeros((size, size, 2), np.float32)
    valid = np.ones((size, size), np.bool_)
    if kind == "moving":
        flow[disc] = rng.uniform(1, 6, 2) * rng.choice([-1, 1], 2)
        valid[:, : size // 16] = False
        flow[~valid] = 0
    elif kind == "unknown":
        valid[:] = False
    else:
        assert kind == "still", kind
    return FlowSample(image=image, flow=flow, valid=valid, clip=f"example-{kind}", frame=seed, gap=1).checked()


def example_batch(
    method: PretrainMethod, kinds: tuple[str, ...] = ("moving", "moving"), *, size: int = 96
) -> dict[str, Tensor]:
    """Make a batch as the harness does: `targets` of each sample, stacked, and the normalised "image"."""
    samples = [example_sample(kind, size=size, seed=index) for index, kind in enumerate(kinds)]
    rows = [method.targets(sample, generator(0, "targets", index)) for index, sample in enumerate(samples)]
    batch = {key: torch.stack([row[key] for row in rows]) for key in rows[0]}
    pixels = torch.from_numpy(np.stack([sample.image for sample in samples])).float()
    batch["image"] = ((pixels - torch.tensor(INPUT_MEAN)) / torch.tensor(INPUT_STD)).permute(0, 3, 1, 2).contiguous()
    return batch


def check_method(
    method_class: type[PretrainMethod],
    config: BaseModel | Mapping[str, Any] | None = None,
    *,
    backbone: BackboneSpec = SMALL,
    size: int = 96,
) -> None:
    """Check that a pretraining method keeps what `PretrainMethod` promises.

    Args:
        method_class: the class that the entry point names.
        config: its settings, or a mapping to validate; None takes the defaults.
        backbone: trunk to build it on.
        size: side of the square images in pixels; what the trunk and method need at least.

    Raises:
        ContractError: The first promise that is broken.
    """
    settings = _check_config(method_class, config)

    def build() -> PretrainMethod:
        torch.manual_seed(0)
        return method_class(settings, build_backbone(backbone)).train()

    with torch.random.fork_rng(devices=[]):
        _check_targets(build(), size)
        _check_losses(build, size)
        _check_hard_samples(build, size)
        _check_half_precision(build, size)
        _check_state(build, size)
        _check_figures(build(), size)


def _check_config(method_class: type[PretrainMethod], config: BaseModel | Mapping[str, Any] | None) -> BaseModel:
    name = method_class.__name__
    _expect(issubclass(method_class, PretrainMethod), f"{name} must be a subclass of PretrainMethod")
    for attribute, kind in (("Config", type), ("recipe_version", int), ("citation", str)):
        _expect(
            isinstance(getattr(method_class, attribute, None), kind), f"{name}.{attribute}: expected {kind.__name__}"
        )
    _expect(method_class.recipe_version >= 1 and bool(method_class.citation), f"{name}: recipe_version and citation")
    model = method_class.Config
    _expect(issubclass(model, BaseModel), f"{name}.Config must be a pydantic model")
    settings = config if isinstance(config, BaseModel) else model.model_validate(dict(config or {}))
    again = model.model_validate(settings.model_dump(mode="json"))
    _expect(again == settings, f"{name}.Config changes on its way through JSON: {settings!r} became {again!r}")
    try:
        model.model_validate({**settings.model_dump(mode="json"), "no_such_key_": 1})
    except ValidationError:
        return settings
    raise ContractError(f'{name}.Config accepts unknown keys; give it model_config = ConfigDict(extra="forbid")')


def _same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def _check_targets(method: PretrainMethod, size: int) -> None:
    sample = example_sample(size=size)
    memory: list[npt.NDArray[Any]] = [sample.image, sample.flow, sample.valid]
    before = [array.copy() for array in memory]
    first = method.targets(sample, generator(0, "targets"))
    second = method.targets(sample, generator(0, "targets"))
    _expect(all(map(np.array_equal, before, memory)), "targets() changed the sample it was given")
    _expect(all(isinstance(value, Tensor) for value in first.values()), "targets() must return tensors only")
    _expect("image" not in first, 'targets() returned the key "image", which is the harness\'s own')
    _expect(_same(first, second), "targets() differs for the same sample and the same state of rng")
    shared = [k for k, v in first.items() if any(np.shares_memory(v.numpy(), array) for array in memory)]
    for key in shared:
        first[key].zero_()
    _expect(
        all(map(np.array_equal, before, memory)),
        f"targets() returned views of the sample ({', '.join(shared)}); a loader that reuses buffers would change them",
    )
    for kind in ("still", "unknown"):
        other = method.targets(example_sample(kind, size=size), generator(0, "targets"))
        _expect(other.keys() == first.keys(), f"targets() gives other keys for a {kind} sample")
        for key, value in other.items():
            same = value.shape == first[key].shape and value.dtype == first[key].dtype
            _expect(
                same, f"targets()[{key!r}] has another shape or type for a {kind} sample; batches could not be stacked"
            )


def _loss(method: PretrainMethod, batch: Mapping[str, Tensor]) -> Tensor:
    losses = method.losses(batch)
    parts = [value for key, value in losses.items() if "loss" in key]
    _expect(bool(parts), f'losses() returned {sorted(losses)}: no key contains "loss", so nothing would be minimised')
    for key, value in losses.items():
        _expect(value.ndim == 0, f"losses()[{key!r}] has shape {tuple(value.shape)}; expected a scalar")
        _expect(bool(torch.isfinite(value)), f"losses()[{key!r}] is {float(value.detach())}")
    return torch.stack([part.float() for part in parts]).sum()


def _step(build: Callable[[], PretrainMethod], batch: Mapping[str, Tensor]) -> tuple[PretrainMethod, Tensor]:
    """Build anew and do one backward pass; the seed covers dropout as well."""
    method = build()
    loss = _loss(method, batch)
    _expect(loss.requires_grad, "the sum of the losses has no gradient")
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own backward has no types
    for name, parameter in method.named_parameters():
        if parameter.grad is not None:
            _expect(bool(torch.isfinite(parameter.grad).all()), f"the gradient of {name} holds NaN or infinity")
    return method, loss.detach()


def _check_losses(build: Callable[[], PretrainMethod], size: int) -> None:
    batch = example_batch(build(), size=size)
    kept = {key: value.clone() for key, value in batch.items()}
    method, loss = _step(build, batch)
    _expect(_same(batch, kept), "losses() changed the batch it was given")
    first = next(name for name, value in method.backbone.named_parameters() if value.ndim == 4)
    gradient = method.backbone.get_parameter(first).grad
    reached = gradient is not None and bool(gradient.abs().sum() > 0)
    _expect(reached, f"no gradient reaches the trunk's first convolution ({first}): the trunk would not be trained")
    again, loss_again = _step(build, batch)
    _expect(torch.equal(loss, loss_again), f"the same seed gives two losses: {float(loss)} and {float(loss_again)}")
    grads = ({n: p.grad for n, p in m.named_parameters() if p.grad is not None} for m in (method, again))
    _expect(_same(*grads), "the same seed gives two gradients")
    single = {key: value[:1] for key, value in example_batch(build(), ("moving", "still"), size=size).items()}
    with torch.no_grad():
        _loss(build().eval(), single)


def _check_hard_samples(build: Callable[[], PretrainMethod], size: int) -> None:
    for kinds in (("still", "still"), ("unknown", "unknown"), ("moving", "unknown")):
        try:
            _step(build, example_batch(build(), kinds, size=size))
        except ContractError as error:
            raise ContractError(f"with {kinds[0]} and {kinds[1]} samples: {error}") from error


def _check_half_precision(build: Callable[[], PretrainMethod], size: int) -> None:
    batch = example_batch(build(), size=size)
    _, full = _step(build, batch)
    with torch.autocast("cpu", torch.bfloat16):
        _, half = _step(build, batch)
    close = abs(float(half - full)) <= 0.05 * abs(float(full)) + 0.05
    _expect(close, f"under bf16 autocast the loss is {float(half):.4g}, in fp32 {float(full):.4g}")


def _check_state(build: Callable[[], PretrainMethod], size: int) -> None:
    method = build().eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.mul_(1.01)
    own = {f"backbone.{name}" for name in method.backbone.state_dict()}
    _expect(own <= method.state_dict().keys(), "the trunk handed in is not kept as self.backbone")
    copy = build().eval()
    copy.load_state_dict(method.state_dict())
    batch = example_batch(method, size=size)
    with torch.no_grad():
        torch.manual_seed(1)
        first = _loss(method, batch)
        torch.manual_seed(1)
        second = _loss(copy, batch)
    _expect(
        torch.equal(first, second), "a model rebuilt from its state_dict gives another loss: some state is not in it"
    )


def _check_figures(method: PretrainMethod, size: int) -> None:
    method.eval()
    samples = [example_sample(size=size, seed=index) for index in range(2)]
    for kinds in (("moving", "moving"), ("unknown", "unknown")):
        sample = example_sample(kinds[0], size=size)
        for key, figure in method.describe_sample(method.config, sample, generator(0, "describe")).items():
            _expect(bool(np.isfinite(figure)), f"describe_sample()[{key!r}] of a {kinds[0]} sample is {figure}")
        batch = example_batch(method, kinds, size=size)
        for key, value in method.evaluate(batch).items():
            fine = value.ndim == 0 and not value.requires_grad and bool(torch.isfinite(value))
            _expect(fine, f"evaluate()[{key!r}] with {kinds[0]} samples: expected a finite scalar without gradient")
        panels = method.preview(batch, [sample.image for sample in samples])
        _expect(len(panels) in (0, len(samples)), f"preview() drew {len(panels)} panels for {len(samples)} images")
        for panel in panels:
            fine = panel.dtype == np.uint8 and panel.ndim == 3 and panel.shape[2] == 3
            _expect(fine, f"preview() drew {panel.dtype} {panel.shape}; expected uint8 [h, w, 3]")
