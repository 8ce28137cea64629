"""Controls: what is taken away from the pairs, what stays, and which combinations are refused."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.data.controls import check_control, control_label, controlled, exchange
from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import UsageError


def pair(number: int, height: int = 20, width: int = 24) -> FlowSample:
    """A pair in which the image, the flow and both layers tell the pair's number."""
    flow = np.full((height, width, 2), number, np.float32)
    valid = np.ones((height, width), bool)
    valid[number % height, :3] = False
    flow[~valid] = 0
    layers = {name: np.full((height, width), number, np.uint8) for name in ("masks", "semantic")}
    image = np.full((height, width, 3), number, np.uint8)
    return FlowSample(image, flow, valid, f"clip{number}", number, 1, layers)


@given(st.integers(2, 200), st.integers(0, 3))
def test_the_exchange_is_one_cycle_over_all_pairs(count: int, seed: int) -> None:
    """So every image is used once, and none stays where it was."""
    partners = exchange(count, seed)
    place, visited = 0, []
    for _ in range(count):
        visited.append(place)
        place = int(partners[place])
    assert place == 0
    assert sorted(visited) == list(range(count))
    assert np.array_equal(partners, exchange(count, seed))


def test_shuffled_flow_exchanges_images_and_what_describes_them() -> None:
    pairs = [pair(number) for number in range(9)]
    shuffled = controlled(pairs, "shuffled_flow")
    assert len(shuffled) == 9
    images = []
    for number, sample in enumerate(shuffled):
        stored = pairs[number]
        assert np.array_equal(sample.flow, stored.flow)
        assert np.array_equal(sample.valid, stored.valid)
        assert (sample.clip, sample.frame) == (stored.clip, stored.frame)
        image = int(sample.image[0, 0, 0])
        assert image != number
        assert (sample.layers["masks"] == number).all()
        assert (sample.layers["semantic"] == image).all()
        images.append(image)
    assert sorted(images) == list(range(9))
    assert [int(sample.image[0, 0, 0]) for sample in shuffled[:9]] == images  # again, and as a slice
    other = [int(sample.image[0, 0, 0]) for sample in controlled(pairs, "shuffled_flow", seed=1)]
    assert other != images
    with pytest.raises(UsageError, match="only one"):
        controlled(pairs[:1], "shuffled_flow")


def test_exchanged_images_take_the_size_of_the_flow() -> None:
    pairs = [pair(1, 20, 24), pair(2, 32, 16)]
    first, second = controlled(pairs, "shuffled_flow")
    assert (first.size, second.size) == ((20, 24), (32, 16))
    assert (first.image == 2).all()
    assert (first.layers["semantic"] == 2).all()
    first.checked()
    second.checked()


def test_reversed_flow_is_negated_and_nothing_else_changes() -> None:
    (sample,) = controlled([pair(3)], "reversed_flow")
    stored = pair(3)
    assert np.array_equal(sample.flow, -stored.flow)
    for name in ("image", "valid"):
        assert np.array_equal(getattr(sample, name), getattr(stored, name))
    assert np.array_equal(sample.layers["masks"], stored.layers["masks"])


def test_camera_flow_leaves_the_planted_camera_and_no_object() -> None:
    """A turning and panning camera, and a disc that moves on its own over a strip of unknown flow."""
    rows, columns = np.mgrid[:80, :96].astype(np.float32)
    camera = np.stack([2 - 0.05 * (rows - 40), -1 + 0.05 * (columns - 48)], axis=-1).astype(np.float32)
    disc = np.zeros((80, 96), np.uint8)
    cv2.circle(disc, (60, 30), 14, 1, -1)
    flow, valid = camera.copy(), np.ones((80, 96), bool)
    flow[disc > 0] += (6, 4)
    valid[:, :5] = False
    flow[~valid] = 0
    stored = FlowSample(np.zeros((80, 96, 3), np.uint8), flow, valid, "c", 0, 1)
    (sample,) = controlled([stored], "camera_flow")
    assert sample.checked().valid.all()
    assert np.abs(sample.flow - camera).max() < 0.1
    assert np.array_equal(sample.image, stored.image)
    unknown = replace(stored, valid=np.zeros_like(valid), flow=np.zeros_like(flow))
    (sample,) = controlled([unknown], "camera_flow")
    assert not sample.checked().valid.any()
    assert not sample.flow.any()


def test_without_a_control_the_pairs_are_the_same_object() -> None:
    pairs = [pair(0)]
    assert controlled(pairs, "none") is pairs
    assert (control_label("none"), control_label("shuffled_flow")) == ("", "shuffled flow")


def test_controls_that_control_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="camera_flow leaves no object"):
        check_control("camera_flow", ("masks",))
    for control in ("shuffled_flow", "reversed_flow"):
        check_control(control, ("masks",))
        with pytest.raises(UsageError, match="'semantic', which describes the image"):
            check_control(control, ("semantic",))
    for control in ("none", "shuffled_flow", "camera_flow", "reversed_flow"):
        check_control(control, ())
    check_control("none", ("masks", "semantic"))
