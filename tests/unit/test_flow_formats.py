"""Flow files: planted bytes are read as their formats say, and damage is named."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow import formats


def flo_bytes(width: int, height: int, values: list[float], magic: float = 202021.25) -> bytes:
    return struct.pack(f"<fii{len(values)}f", magic, width, height, *values)


def test_flo_is_width_height_then_interleaved_components(tmp_path: Path) -> None:
    path = tmp_path / "a b.flo"
    path.write_bytes(flo_bytes(3, 2, [float(number) for number in range(12)]))
    flow, valid = formats.read_flo(path)
    assert flow.shape == (2, 3, 2)
    assert flow[1, 0].tolist() == [6.0, 7.0]
    assert valid.all()
    assert flow.flags.writeable


def test_unknown_flow_is_invalid_and_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    values = [1, 2, 1e10, 0, 0, -2e9, np.nan, 1, 1, np.inf, 1e9, -1e9]
    path.write_bytes(flo_bytes(6, 1, values))
    flow, valid = formats.read_flo(path)
    assert valid[0].tolist() == [True, False, False, False, False, True]
    assert not flow[~valid].any()
    assert flow[0, 5].tolist() == [1e9, -1e9]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PIEH", "shorter than the header"),
        (flo_bytes(1, 1, [0, 0], magic=1.5), "begins with 1.5; expected 202021.25"),
        (struct.pack(">fii", 202021.25, 1, 1) + bytes(8), "big-endian"),
        (flo_bytes(0, 4, []), "0 x 4 pixels"),
        (flo_bytes(2**30, 2**30, []), "each side must be"),
        (flo_bytes(2, 2, [0] * 7), "truncated: 40 bytes; 2 x 2 pixels of .flo take 44"),
        (flo_bytes(2, 2, [0] * 9), "longer than its header says"),
    ],
)
def test_damaged_flo_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "damaged.flo"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        formats.read_flo(path)
    assert "damaged.flo" in str(caught.value)


@settings(max_examples=30, deadline=None)
@given(
    flow=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 7), st.integers(1, 7), st.just(2)),
        elements=st.floats(-1e9, 1e9, width=32),
    ),
    data=st.data(),
)
def test_flo_round_trip(tmp_path_factory: pytest.TempPathFactory, flow: np.ndarray, data: st.DataObject) -> None:
    valid = data.draw(hnp.arrays(np.bool_, flow.shape[:2]))
    path = tmp_path_factory.mktemp("flo") / "x.flo"
    formats.write_flo(path, flow, valid)
    back, back_valid = formats.read_flo(path)
    np.testing.assert_array_equal(back_valid, valid)
    np.testing.assert_array_equal(back[valid], flow[valid])


def test_kitti_by_its_formula(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    raw = np.zeros((2, 3, 3), np.uint16)  # blue, green, red, as cv2 writes them
    raw[0, 1] = (1, 2**15 - 640, 2**15 + 32)
    raw[1, 2] = (0, 12345, 54321)
    cv2.imwrite(str(path), raw)
    flow, valid = formats.read_kitti(path)
    assert flow[0, 1].tolist() == [0.5, -10.0]
    assert np.argwhere(valid).tolist() == [[0, 1]]
    assert not flow[1, 2].any()
    formats.write_kitti(path, flow, valid)
    again = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert again[0, 1].tolist() == raw[0, 1].tolist()


def test_other_pngs_are_not_taken_for_kitti(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for pixels in (np.zeros((4, 4, 3), np.uint8), np.zeros((33, 4), np.uint8), np.zeros((4, 4), np.uint16)):
        cv2.imwrite(str(path), pixels)
        with pytest.raises(DataError, match=r"a\.png is no KITTI flow file"):
            formats.read_kitti(path)
    formats.write_kitti(path, np.ones((40, 40, 2), np.float32))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"a\.png: .*truncated"):
        formats.read_kitti(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm_runs_from_bottom_to_top(tmp_path: Path, order: str) -> None:
    path = tmp_path / "a.pfm"
    pixels = np.arange(2 * 3 * 3, dtype=f"{order}f4").reshape(2, 3, 3)
    pixels[0, 0, 1] = np.nan
    scale = b"-1.0" if order == "<" else b"1.0"
    path.write_bytes(b"PF\n3 2\n" + scale + b"\n" + pixels.tobytes())
    flow, valid = formats.read_pfm(path)
    assert flow[0, 0].tolist() == [9.0, 10.0]
    assert np.argwhere(~valid).tolist() == [[1, 0]]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"pixels of \.pfm take"):
        formats.read_pfm(path)
    path.write_bytes(b"Pf\n3 2\n-1\n" + bytes(24))
    with pytest.raises(DataError, match="one-channel"):
        formats.read_pfm(path)
    path.write_bytes(b"PF\nbroken")
    with pytest.raises(DataError, match=r"no \.pfm file"):
        formats.read_pfm(path)


def test_jpeg_pair_by_the_original_formula(tmp_path: Path) -> None:
    for name, level in (("x.jpg", 127), ("y.jpg", 255)):
        cv2.imwrite(str(tmp_path / name), np.full((16, 24), level, np.uint8))
    flow, valid = formats.read_jpeg_pair(tmp_path / "x.jpg", tmp_path / "y.jpg")
    assert flow.shape == (16, 24, 2)
    np.testing.assert_allclose(flow[5, 7], [127 / 255 * 100 - 50, 50], atol=1e-5)
    assert valid.all()


def test_jpeg_pair_keeps_smooth_flow_to_a_step_and_clips_the_rest(tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :96].astype(np.float32)
    flow = np.stack([x / 2 - 20, y - 80], axis=2)
    paths = tmp_path / "fx.jpg", tmp_path / "fy.jpg"
    formats.write_jpeg_pair(*paths, flow)
    back, _ = formats.read_jpeg_pair(*paths)
    assert np.abs(back - np.clip(flow, -50, 50)).mean() < 0.3


def test_jpeg_pairs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    grey, small, colour = tmp_path / "grey.jpg", tmp_path / "small.jpg", tmp_path / "colour.jpg"
    cv2.imwrite(str(grey), np.zeros((16, 24), np.uint8))
    cv2.imwrite(str(small), np.zeros((16, 20), np.uint8))
    cv2.imwrite(str(colour), np.random.default_rng(0).integers(0, 255, (16, 24, 3), dtype=np.uint8))
    with pytest.raises(DataError, match=r"grey\.jpg is 24 x 16, .*small\.jpg is 20 x 16"):
        formats.read_jpeg_pair(grey, small)
    with pytest.raises(DataError, match=r"colour\.jpg: a flow component must be an 8-bit grey image"):
        formats.read_jpeg_pair(grey, colour)
    with pytest.raises(DataError, match=r"cannot read .*none\.jpg: No such file"):
        formats.read_jpeg_pair(grey, tmp_path / "none.jpg")
    grey.write_bytes(b"")
    with pytest.raises(DataError, match=r"grey\.jpg is no readable image"):
        formats.read_jpeg_pair(grey, small)


def test_readers_are_chosen_by_suffix(tmp_path: Path) -> None:
    formats.write_flo(tmp_path / "a.FLO", np.ones((2, 2, 2), np.float32))
    assert formats.read_flow(tmp_path / "a.FLO")[0].sum() == 8
    with pytest.raises(UsageError, match=r"'\.txt'; known: \.flo, \.png, \.pfm"):
        formats.read_flow(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="expected \\[H, W, 2\\]"):
        formats.write_flo(tmp_path / "b.flo", np.ones((2, 2), np.float32))


def test_real_files_are_read(sample_data: Path) -> None:
    folder = sample_data / "flow"
    kitti, kitti_valid = formats.read_flow(folder / "kitti" / "flow_gt.png")
    assert kitti_valid.mean() == pytest.approx(0.16, abs=0.01)
    assert np.hypot(*kitti[kitti_valid].T).mean() == pytest.approx(51, abs=0.5)
    for path in sorted(folder.rglob("*.flo")):
        flow, valid = formats.read_flow(path)
        assert valid.all(), path
        assert np.abs(flow).max() < 200, path
    with pytest.raises(DataError, match="one-channel"):
        formats.read_flow(folder / "mmflow_tiny" / "0000000-occ_weights_01.pfm")
