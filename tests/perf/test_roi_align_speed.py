"""RoIAlign in plain torch beside a loop over boxes, in the same run: values and gradients of a training step."""

import runpy
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ssl_motion.openmmlab import plain_ops

pytestmark = pytest.mark.perf
roi_align_loop = runpy.run_path(str(Path(__file__).parents[1] / "roi_align_loop.py"))["roi_align_loop"]
ROUNDS = 5


def least(work: Callable[[], object]) -> float:
    """Least processor time of one thread over some rounds: other programs at work hardly count."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append(time.process_time() - start)
    return min(rounds)


# A level of the pyramid of a 1333 x 800 image, and that of the built-in world's detector.
@pytest.mark.parametrize(
    ("shape", "scale", "size"),
    [((2, 256, 200, 334), 0.25, 7), ((2, 256, 100, 168), 0.125, 14), ((8, 64, 24, 24), 0.25, 7)],
)
def test_plain_torch_is_twice_as_fast_as_a_loop(
    shape: tuple[int, int, int, int], scale: float, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = torch.Generator().manual_seed(0)
    height, width = shape[2] / scale, shape[3] / scale
    corners = torch.rand(256, 2, generator=generator) * torch.tensor([width, height]) * 0.8
    sides = torch.rand(256, 2, generator=generator) * 0.2 * torch.tensor([width, height]) + 8
    images = torch.randint(shape[0], (256, 1), generator=generator)
    rois = torch.cat([images, corners, corners + sides], dim=1)
    features = torch.randn(shape, generator=generator)
    gradient = torch.randn(256, shape[1], size, size, generator=generator)

    def plain() -> Tensor:
        plain_ops.roi_align(features, rois, (size, size), scale, 2, True)
        return plain_ops.roi_align_backward(gradient, rois, shape, scale, 2, True)

    def loop() -> Tensor:
        inputs = features.clone().requires_grad_()
        roi_align_loop(inputs, rois, (size, size), scale, 2, True).backward(gradient)
        assert inputs.grad is not None
        return inputs.grad

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.testing.assert_close(plain(), loop(), atol=1e-3, rtol=0)
        ours, theirs = least(plain), least(loop)
    finally:
        torch.set_num_threads(threads)
    with capsys.disabled():
        print(f"\n{shape} to {size}x{size}: plain {1e3 * ours:.0f} ms, loop {1e3 * theirs:.0f} ms: {theirs / ours:.1f}")
    assert theirs >= 2 * ours
