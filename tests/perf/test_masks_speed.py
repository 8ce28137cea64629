"""Time of one mask beside the time of the flow that it is made from, in the same run."""

import runpy
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ssl_motion.flow.estimators import DISFlow
from ssl_motion.masks import MaskSettings, make_mask

pytestmark = pytest.mark.perf
cameras = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "puppet_cameras.py")))
ROUNDS = 3


def milliseconds(work: Callable[[], object], calls: int) -> float:
    """Least processor time of all threads over some rounds, by call: other programs at work hardly count."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append(1e3 * (time.process_time() - start) / calls)
    return min(rounds)


@pytest.mark.parametrize(("side", "scenes", "bound"), [(96, 10, 10.0), (384, 2, 3.2)])
def test_a_mask_beside_its_flow(side: int, scenes: int, bound: float, capsys: pytest.CaptureFixture[str]) -> None:
    truths = cameras.scenes(scenes, side)
    samples = [cameras.filmed(truth, cameras.camera(name, side)) for truth in truths for name in cameras.CAMERAS]
    nexts = [np.roll(sample.image, (3, 2), axis=(0, 1)) for sample in samples]
    estimator, before = DISFlow(), cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        mask = milliseconds(lambda: [make_mask(sample, MaskSettings()) for sample in samples], len(samples))
        flow = milliseconds(
            lambda: [estimator.estimate(a.image, b) for a, b in zip(samples, nexts, strict=True)], len(samples)
        )
    finally:
        cv2.setNumThreads(before)
    with capsys.disabled():
        print(f"\nside {side}: mask {mask:.1f} ms, DIS flow {flow:.1f} ms, ratio {mask / flow:.2f} (at most {bound})")
    assert mask <= bound * flow
