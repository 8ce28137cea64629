"""RoIAlign in plain torch beside a loop over boxes, in the same run: and its gradient."""

import runpy
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ssl_motion.openmmlab import plain_ops

pytestmark = pytest.mark.perf
roi_align_loop = runpy.run_path(str(Path(__file__).parents[1] / "roi_align_loop.py"))["roi_align_loop"]
ROUNDS = 3
REGIONS = 128


def least(work: Callable[[], object]) -> float:
    """Least processor time of one thread over some rounds: other programs at work hardly count."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append(time.process_time() - start)
    return min(rounds)


def regions(shape: tuple[int, int, int, int], scale: float) -> Tensor:
    """Boxes of up to a fifth of the image's sides: float [REGIONS, 5]."""
    generator = torch.Generator().manual_seed(0)
    sides = torch.tensor([shape[3] / scale, shape[2] / scale])
    corners = torch.rand(REGIONS, 2, generator=generator) * sides * 0.8
    far = corners + torch.rand(REGIONS, 2, generator=generator) * sides * 0.2
    return torch.cat([torch.randint(shape[0], (REGIONS, 1), generator=generator), corners, far], dim=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Two levels of the pyramid of a 1333 x 800 image, and the finest of the built-in world's detector.
@pytest.mark.parametrize(
    ("shape", "scale", "size"),
    [((1, 256, 200, 334), 0.25, 7), ((1, 256, 100, 168), 0.125, 14), ((8, 64, 24, 24), 0.25, 7)],
)
def test_plain_torch_is_twice_as_fast_as_a_loop(
    shape: tuple[int, int, int, int], scale: float, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rois = regions(shape, scale)
    arguments = (features, rois, (size, size), scale, 2, True)
    torch.testing.assert_close(plain_ops.roi_align(*arguments), roi_align_loop(*arguments), atol=1e-3, rtol=0)
    plain, loop = least(lambda: plain_ops.roi_align(*arguments)), least(lambda: roi_align_loop(*arguments))
    with capsys.disabled():
        print(f"\n{shape} to {size}x{size}: plain {1e3 * plain:.0f} ms, loop {1e3 * loop:.0f} ms: {loop / plain:.1f}")
    assert loop >= 2 * plain


def test_so_is_its_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    # On a small map, since autograd's gradient of a loop makes a map for every box.
    shape, scale, size = (8, 64, 24, 24), 0.25, 7
    rois, gradient = regions(shape, scale), torch.ones(REGIONS, shape[1], size, size)
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)

    def slope() -> Tensor:
        values = roi_align_loop(features, rois, (size, size), scale, 2, True)
        return torch.autograd.grad(values, features, gradient)[0]

    def ours() -> Tensor:
        plain_ops.roi_align(features.detach(), rois, (size, size), scale, 2, True)
        return plain_ops.roi_align_backward(gradient, rois, shape, scale, 2, True)

    torch.testing.assert_close(ours(), slope(), atol=1e-3, rtol=0)
    plain, loop = least(ours), least(slope)
    with capsys.disabled():
        print(f"\nvalues and gradient: plain {1e3 * plain:.0f} ms, loop {1e3 * loop:.0f} ms: {loop / plain:.1f}")
    assert loop >= 2 * plain
