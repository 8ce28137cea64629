"""The stored form of flow and image gives back what went in."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ssl_motion.data import codec
from ssl_motion.errors import DataError

CODES = ("delta", "plain")


@st.composite
def stored_flows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Any flow on the grid of 1/64 px, extremes included, with any validity."""
    shape = (draw(st.integers(1, 19)), draw(st.integers(1, 23)))
    steps = draw(hnp.arrays(np.int16, (*shape, 2), elements=st.integers(-(2**15), 2**15 - 1)))
    valid = draw(hnp.arrays(np.bool_, shape))
    return np.where(valid[..., None], steps, 0).astype(np.float32) / 64, valid


@pytest.mark.parametrize("code", CODES)
@settings(max_examples=80, deadline=None)
@given(case=stored_flows())
def test_every_representable_flow_comes_back_exactly(code: codec.FlowCode, case: tuple[np.ndarray, np.ndarray]) -> None:
    flow, valid = case
    back, back_valid = codec.decode_flow(codec.encode_flow(flow, valid, code))
    np.testing.assert_array_equal(back, flow)
    np.testing.assert_array_equal(back_valid, valid)
    assert back.dtype == np.float32
    assert back_valid.dtype == np.bool_


@pytest.mark.parametrize("code", CODES)
@settings(max_examples=40, deadline=None)
@given(
    flow=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(2)),
        elements=st.floats(-2000, 2000, width=32, allow_subnormal=False) | st.sampled_from([np.nan, np.inf, -np.inf]),
    )
)
def test_any_flow_is_rounded_to_a_64th_or_marked_invalid(code: codec.FlowCode, flow: np.ndarray) -> None:
    back, valid = codec.decode_flow(codec.encode_flow(flow, np.ones(flow.shape[:2], bool), code))
    wanted = flow.astype(np.float64)
    with np.errstate(invalid="ignore"):
        representable = ((np.rint(wanted * 64) >= -32768) & (np.rint(wanted * 64) <= 32767)).all(axis=2)
    np.testing.assert_array_equal(valid, representable)
    assert np.abs(back.astype(np.float64) - wanted)[valid].max(initial=0) <= 1 / 128
    assert not back[~valid].any()


def test_plain_code_is_what_any_png_reader_sees() -> None:
    flow = np.zeros((2, 3, 2), np.float32)
    flow[0, 1] = (1.5, -2.25)
    valid = np.ones((2, 3), bool)
    valid[1, 2] = False
    pixels = cv2.imdecode(np.frombuffer(codec.encode_flow(flow, valid, "plain"), np.uint8), cv2.IMREAD_UNCHANGED)
    blue_green_red = pixels[0, 1].tolist()
    assert blue_green_red == [1, 2**15 - 144, 2**15 + 96]
    assert pixels[1, 2, 0] == 0


def test_delta_code_is_the_smaller_one_on_smooth_flow() -> None:
    y, x = np.mgrid[:120, :160].astype(np.float32)
    flow = np.stack([3 * np.sin(x / 30 + y / 50), 2 * np.cos(y / 20)], axis=2).astype(np.float32)
    valid = np.ones((120, 160), bool)
    delta, plain = (len(codec.encode_flow(flow, valid, code)) for code in CODES)
    assert delta < 0.75 * plain


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3), (0, 4, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected \\[H, W, 2\\]"):
        codec.encode_flow(np.zeros(shape, np.float32), np.ones(shape[:2], bool))


def test_bytes_that_are_no_stored_flow_are_refused() -> None:
    colour_png = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    odd_rows = cv2.imencode(".png", np.zeros((6, 8), np.uint8))[1].tobytes()
    whole = codec.encode_flow(np.ones((20, 30, 2), np.float32), np.ones((20, 30), bool))
    for data, message in (
        (b"", "not a readable"),
        (b"not a png", "not a readable"),
        (colour_png, "expected 8-bit grey"),
    ):
        with pytest.raises(DataError, match=message):
            codec.decode_flow(data)
    with pytest.raises(DataError, match="no whole number of flow rows"):
        codec.decode_flow(odd_rows)
    with pytest.raises(DataError):
        codec.decode_flow(whole[:20])


def test_image_keeps_its_channel_order_and_its_look() -> None:
    y, x = np.mgrid[:48, :64]
    image = np.stack([x * 4, y * 5, np.full_like(x, 40)], axis=2).astype(np.uint8)
    back = codec.decode_image(codec.encode_image(image))
    assert back.shape == image.shape
    assert np.abs(back.astype(int) - image).mean() < 2
    with pytest.raises(DataError, match="cannot be read"):
        codec.decode_image(b"\xff\xd8 no jpeg")
