"""Time of one mask on one core."""

import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssl_motion.masks import MaskSettings, make_mask

pytestmark = pytest.mark.perf
cameras = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "puppet_cameras.py")))


@pytest.mark.parametrize(("side", "scenes", "seconds"), [(96, 20, 0.012), (384, 2, 0.3)])
def test_masks_are_made_quickly(side: int, scenes: int, seconds: float) -> None:
    truths = cameras.scenes(scenes, side)
    samples = [cameras.filmed(truth, cameras.camera(name, side)) for truth in truths for name in cameras.CAMERAS]
    make_mask(samples[0], MaskSettings())
    # Processor time of all threads: other programs at work do not count.
    start = time.process_time()
    for sample in samples:
        make_mask(sample, MaskSettings())
    each = (time.process_time() - start) / len(samples)
    print(f"side {side}: {1000 * each:.1f} ms")
    assert each <= seconds
