"""The generator is fast enough to feed a loader directly."""

import time

import pytest

from ssl_motion.puppets import WORLDS, render
from ssl_motion.spec import PuppetsSpec

pytestmark = pytest.mark.perf


@pytest.mark.parametrize("world", list(WORLDS))
def test_at_least_80_pairs_of_128_pixels_a_second_on_one_core(world):
    spec = PuppetsSpec(world=world, size=128)
    render(spec, "pairs", 0)
    # Time of this process, so that busy neighbours do not count.
    began = time.process_time()
    for index in range(100):
        render(spec, "pairs", index)
    rate = 100 / (time.process_time() - began)
    print(f"puppets, world {world}, 128 px: {rate:.0f} pairs a second on one core")
    assert rate >= 80
