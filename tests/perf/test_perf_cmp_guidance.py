"""Guidance sampling against the plain SciPy reference, in the same run: `pytest -m perf tests/perf -s`."""

import runpy
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssl_motion_methods.cmp.guidance import GuidanceConfig, grid_points, sample_guidance

REFERENCE = runpy.run_path(str(Path(__file__).resolve().parents[1] / "cmp_reference.py"))

FLOWS = {
    "pieces": lambda: REFERENCE["pieces_flow"](384, 384, 0),
    "collapsed": lambda: REFERENCE["collapsed_flow"](384, 384, 0, sigma=3.0),
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def reference_guidance(flow, config, seed):
    rng = np.random.default_rng(seed)
    found = REFERENCE["candidates"](flow, config.kernel_size)
    kept = REFERENCE["thin"](found, config.kernel_size, rng.integers(0, 2, size=len(found)))
    return np.concatenate([grid_points(*flow.shape[:2], config.grid_stride), kept])


def cpu_time(function, repeats):
    """Least CPU time of a call: other load on the machine only adds to it."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.perf
@pytest.mark.parametrize(("kernel_size", "stride", "cap"), [(81, 200, 150), (15, 80, None)])
@pytest.mark.parametrize("kind", FLOWS)
def test_guidance_takes_a_third_of_the_reference(kind, kernel_size, stride, cap, benchmark, capsys):
    flow = FLOWS[kind]()
    config = GuidanceConfig(kernel_size=kernel_size, grid_stride=stride, max_points=cap)
    _, mask = sample_guidance(flow, np.random.default_rng(5), config.model_copy(update={"max_points": None}))
    points = reference_guidance(flow, config, 5)
    assert {tuple(p) for p in points.tolist()} == {tuple(p) for p in np.argwhere(mask)[:, ::-1].tolist()}

    ours = cpu_time(lambda: sample_guidance(flow, np.random.default_rng(5), config), 40)
    plain = cpu_time(lambda: reference_guidance(flow, config, 5), 5)
    benchmark.extra_info["ratio to the SciPy reference"] = ours / plain
    benchmark(lambda: sample_guidance(flow, np.random.default_rng(5), config))
    with capsys.disabled():
        print(
            f"\nguidance, 384x384 {kind}, K {kernel_size}, G {stride}: {ours * 1e3:.2f} ms, reference "
            f"{plain * 1e3:.2f} ms, ratio {ours / plain:.3f}"
        )
    assert ours <= 0.34 * plain
