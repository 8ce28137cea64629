"""Checks of training: losses, gradients, determinism, hard samples, low precision, and whether anything is learned."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ssl_motion.protocols import PretrainMethod
from ssl_motion.testing.promise import ContractError, expect, same
from ssl_motion.testing.samples import example_batch

Build = Callable[[], PretrainMethod]

STEPS = 20
RATES = (0.003, 0.0003, 0.03)
"""Learning rates at which the losses may fall; methods differ in the scale of their losses."""


def loss_of(method: PretrainMethod, batch: Mapping[str, Tensor]) -> Tensor:
    """Sum a batch's losses as the harness does, and check their form."""
    losses = method.losses(batch)
    parts = [value for key, value in losses.items() if "loss" in key]
    expect(bool(parts), f'losses() returned {sorted(losses)}: no key contains "loss", so nothing would be minimised')
    for key, value in losses.items():
        expect(value.ndim == 0, f"losses()[{key!r}] has shape {tuple(value.shape)}; expected a scalar")
        expect(bool(torch.isfinite(value)), f"losses()[{key!r}] is {float(value.detach())}")
    return torch.stack([part.float() for part in parts]).sum()


def _step(build: Build, batch: Mapping[str, Tensor]) -> tuple[PretrainMethod, Tensor]:
    """Build anew and do one backward pass; the seed covers dropout as well."""
    method = build()
    loss = loss_of(method, batch)
    expect(loss.requires_grad, "the sum of the losses has no gradient")
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own backward has no types
    for name, parameter in method.named_parameters():
        if parameter.grad is not None:
            expect(bool(torch.isfinite(parameter.grad).all()), f"the gradient of {name} holds NaN or infinity")
    return method, loss.detach()


def check_losses(build: Build, size: int) -> None:
    """Check that the losses reach the trunk, are the same under one seed, and work for one image in evaluation."""
    batch = example_batch(build(), size=size)
    kept = {key: value.clone() for key, value in batch.items()}
    method, loss = _step(build, batch)
    expect(same(batch, kept), "losses() changed the batch it was given")
    first = next(name for name, value in method.backbone.named_parameters() if value.ndim == 4)
    gradient = method.backbone.get_parameter(first).grad
    reached = gradient is not None and bool(gradient.abs().sum() > 0)
    expect(reached, f"no gradient reaches the trunk's first convolution ({first}): the trunk would not be trained")
    again, loss_again = _step(build, batch)
    expect(torch.equal(loss, loss_again), f"the same seed gives two losses: {float(loss)} and {float(loss_again)}")
    grads = ({n: p.grad for n, p in m.named_parameters() if p.grad is not None} for m in (method, again))
    expect(same(*grads), "the same seed gives two gradients")
    single = {key: value[:1] for key, value in example_batch(build(), ("moving", "still"), size=size).items()}
    with torch.no_grad():
        loss_of(build().eval(), single)


def check_hard_samples(build: Build, size: int) -> None:
    """Check that batches in which nothing moves, or nothing is known, give finite losses and gradients."""
    for kinds in (("still", "still"), ("unknown", "unknown"), ("moving", "unknown")):
        try:
            _step(build, example_batch(build(), kinds, size=size))
        except ContractError as error:
            raise ContractError(f"with {kinds[0]} and {kinds[1]} samples: {error}") from error


def check_half_precision(build: Build, size: int) -> None:
    """Check that bf16 autocast gives about the loss of full precision."""
    batch = example_batch(build(), size=size)
    _, full = _step(build, batch)
    with torch.autocast("cpu", torch.bfloat16):
        _, half = _step(build, batch)
    close = abs(float(half - full)) <= 0.05 * abs(float(full)) + 0.05
    expect(close, f"under bf16 autocast the loss is {float(half):.4g}, in fp32 {float(full):.4g}")


def check_learning(build: Build, size: int) -> None:
    """Check that a few steps of Adam on one batch lower its loss: a method that cannot overfit has a fault."""
    batch = example_batch(build(), ("moving",) * 4, size=size)
    courses = []
    for rate in RATES:
        method = build()
        optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=rate)
        course = []
        for _ in range(STEPS):
            loss = loss_of(method, batch)
            course.append(float(loss.detach()))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # as above
            optimizer.step()
        # Means, since dropout and sampled losses are noisy.
        start, end = sum(course[:3]) / 3, sum(course[-5:]) / 5
        if end < start:
            return
        courses.append(f"{start:.4g} to {end:.4g} at a rate of {rate:g}")
    raise ContractError(f"{STEPS} steps of Adam on one batch do not lower its loss: from {', '.join(courses)}")
