"""Forward warping against a plain loop over pixels, and against frames that are known beforehand."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ssl_motion.animation.render import warp_frame
from ssl_motion.animation.splat import fill, forward_warp, sources
from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.errors import UsageError


def texture(height: int, width: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def by_loop(flow: Float32Array) -> npt.NDArray[np.int64]:
    """The rules of `sources`, pixel by pixel in float64."""
    height, width = flow.shape[:2]
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for row in range(height):
        for column in range(width):
            u, v = (float(each) for each in flow[row, column])
            target = row + round(v), column + round(u)  # Python rounds halves to even too
            if 0 <= target[0] < height and 0 <= target[1] < width:
                number = row * width + column
                before = best.get(target)
                if before is None or u * u + v * v > before[0]:  # equally fast ones come later in reading order
                    best[target] = (u * u + v * v, number)
    found = np.full((height, width), -1, np.int64)
    for place, (_, number) in best.items():
        found[place] = number
    return found


steps = st.one_of(  # halves and whole numbers make ties; the large leave the image, or overflow careless integers
    st.integers(-8, 8).map(lambda number: number / 2),
    st.floats(-4, 4, width=32),
    st.sampled_from([1e9, -1e20, 3.4e38]),
)
flows = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.just(2)),
    elements=steps,
    fill=st.nothing(),
)


@given(flows)
def test_the_loop_finds_the_same(flow: Float32Array) -> None:
    assert sources(torch.from_numpy(flow)).numpy().tolist() == by_loop(flow).tolist()


@given(flows)
def test_frame_and_holes_follow_from_the_sources(flow: Float32Array) -> None:
    image = texture(*flow.shape[:2])
    frame, holes = forward_warp(image, flow)
    found = by_loop(flow)
    assert holes.tolist() == (found < 0).tolist()
    for row, column in np.ndindex(*found.shape):
        source = divmod(int(found[row, column]), image.shape[1])
        assert frame[row, column].tolist() == ([0, 0, 0] if found[row, column] < 0 else image[source].tolist())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_the_same() -> None:
    for seed in range(20):
        flow = np.random.default_rng(seed).normal(0, 9, (311, 257, 2)).astype(np.float32)
        flow[::2] = np.rint(flow[::2])  # ties
        on_cpu = sources(torch.from_numpy(flow))
        assert torch.equal(sources(torch.from_numpy(flow).cuda()).cpu(), on_cpu)


def test_the_fastest_wins_and_of_equally_fast_ones_the_first() -> None:
    image = texture(1, 5)
    flow = np.zeros((1, 5, 2), np.float32)
    flow[0, 0, 0], flow[0, 1, 0], flow[0, 4, 0] = 2, 1, -2  # all three land on column 2, which stays too
    assert forward_warp(image, flow)[0][0, 2].tolist() == image[0, 0].tolist()
    flow[0, 0, 0] = 0
    assert forward_warp(image, flow)[0][0, 2].tolist() == image[0, 4].tolist()


@pytest.mark.parametrize("warp", ["forward", "backward"])
@pytest.mark.parametrize("how", ["inpaint", "lookup", "black"])
def test_no_motion_returns_the_image(warp: str, how: str) -> None:
    image = texture(23, 31)
    assert (warp_frame(image, np.zeros((23, 31, 2), np.float32), warp, how) == image).all()  # type: ignore[arg-type]


@given(hnp.arrays(np.float32, (6, 5, 2), elements=st.floats(-0.5, 0.5, width=32)))
def test_what_moves_by_less_than_half_a_pixel_stays(flow: Float32Array) -> None:
    image = texture(6, 5)
    assert (warp_frame(image, flow) == image).all()


def planted(dx: int, dy: int) -> tuple[UInt8Array, UInt8Array, Float32Array, npt.NDArray[np.bool_]]:
    """A textured rectangle on a plain ground, the frame after its move, the flow, and what it vacates."""
    image = np.full((40, 50, 3), (90, 120, 60), np.uint8)
    after = image.copy()
    piece = texture(8, 10)
    image[12:20, 15:25] = piece
    after[12 + dy : 20 + dy, 15 + dx : 25 + dx] = piece
    flow = np.zeros((40, 50, 2), np.float32)
    flow[12:20, 15:25] = dx, dy
    vacated = np.zeros((40, 50), np.bool_)
    vacated[12:20, 15:25] = True
    vacated[12 + dy : 20 + dy, 15 + dx : 25 + dx] = False
    return image, after, flow, vacated


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-4, 2), (0, -5), (20, 15), (-13, -11)])
def test_a_planted_translation_gives_the_planted_frame(dx: int, dy: int) -> None:
    image, after, flow, vacated = planted(dx, dy)
    frame, holes = forward_warp(image, flow)
    assert (holes == vacated).all()
    assert (frame[~holes] == after[~holes]).all()
    assert (frame[holes] == 0).all()


@pytest.mark.parametrize(("dx", "dy"), [(20, 15), (-15, -12)])  # clear of its own place, by more than is looked at
def test_a_hole_in_a_plain_ground_is_filled_with_the_ground(dx: int, dy: int) -> None:
    image, after, flow, _ = planted(dx, dy)
    assert (warp_frame(image, flow, how="inpaint") == after).all()


def test_lookup_takes_the_image_one_step_back_along_the_flow() -> None:
    image, _, flow, vacated = planted(6, -3)
    frame, holes = forward_warp(image, flow)
    filled = fill(frame, holes, image, flow, "lookup")
    for row, column in zip(*np.nonzero(vacated), strict=True):
        assert filled[row, column].tolist() == image[row + 3, column - 6].tolist()
    assert (filled[~holes] == frame[~holes]).all()
    # At the border: the nearest pixel of the image.
    everything = np.full((4, 5, 2), (2, 0), np.float32)
    corner = warp_frame(image[:4, :5], everything, how="lookup")
    assert (corner == image[:4, [0, 0, 0, 1, 2]]).all()


def test_filling_leaves_all_else_and_black_leaves_all() -> None:
    image, _, flow, vacated = planted(4, 4)
    frame, holes = forward_warp(image, flow)
    inpainted = fill(frame, holes, image, flow, "inpaint")
    assert (inpainted[~vacated] == frame[~vacated]).all()
    assert (inpainted[vacated].max(axis=1) > 0).all()
    assert (fill(frame, holes, image, flow, "black") == frame).all()


@pytest.mark.parametrize(("dx", "dy"), [(3, -2), (-5, 4)])
def test_backward_warping_moves_along_the_flow_too(dx: int, dy: int) -> None:
    image = texture(20, 24)
    frame = warp_frame(image, np.full((20, 24, 2), (dx, dy), np.float32), "backward")
    for row, column in np.ndindex(20, 24):
        source = min(max(row - dy, 0), 19), min(max(column - dx, 0), 23)
        assert frame[row, column].tolist() == image[source].tolist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="must agree"):
        forward_warp(texture(4, 5), np.zeros((5, 4, 2), np.float32))
    with pytest.raises(UsageError, match="NaN or infinity"):
        forward_warp(texture(4, 5), np.full((4, 5, 2), np.nan, np.float32))
