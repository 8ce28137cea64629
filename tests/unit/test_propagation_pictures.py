"""Pictures of guidance and flow, photographs as people bring them, and how far a prediction follows."""

import io
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.flow.colour import colour_wheel_legend, flow_to_colour
from ssl_motion.flow.formats import read_flo, read_kitti
from ssl_motion.propagation.drawing import enlargement, flow_picture, overlay, speed_at_full_colour, with_legend
from ssl_motion.propagation.explanation import draw_explanation
from ssl_motion.propagation.following import followed, warnings
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.propagation.outputs import write_propagation
from ssl_motion.propagation.photographs import read_photograph

DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "coordinates.png"
GREY = np.full((400, 500, 3), 128, np.uint8)


def is_red(pixel: UInt8Array) -> bool:
    return bool(pixel[0] > 200 and pixel[1] < 80 and pixel[2] < 80)


class TestOverlay:
    def test_arrows_lie_from_foot_to_head(self) -> None:
        picture = overlay(GREY, Guidance(arrows=[(100, 80, 60, 40)]))
        for share in (0, 0.25, 0.5, 0.75):
            assert is_red(picture[round(80 + 40 * share), round(100 + 60 * share)])
        far = np.ones(GREY.shape[:2], bool)
        far[60:140, 80:180] = False
        assert (picture[far] == 128).all(), "nothing is drawn elsewhere"
        assert is_red(picture[119, 158])
        assert not is_red(picture[80 + 50, 100 + 75]), "it ends at its head"

    def test_stills_are_blue_and_the_image_is_left_alone(self) -> None:
        image = GREY.copy()
        picture = overlay(image, Guidance(stills=[(300, 200)]))
        assert picture[200, 300, 2] > 200 > picture[200, 300, 0] + 100
        assert (image == 128).all()

    def test_small_images_are_enlarged_by_a_whole_number(self) -> None:
        small = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
        assert enlargement(small.shape[:2]) == 4
        picture = overlay(small, Guidance())
        assert (picture == np.kron(small, np.ones((4, 4, 1), np.uint8))).all()
        # The middle of the block of pixel (10, 20) is the foot.
        assert is_red(overlay(small, Guidance(arrows=[(10, 20, 9, 0)]))[82, 42])

    def test_flow_lies_over_the_image_where_there_is_some(self) -> None:
        flow = np.zeros((400, 500, 2), np.float32)
        flow[:200] = (8, 0)
        picture = overlay(GREY, Guidance(), flow)
        assert (picture[200:] == 128).all()
        assert (picture[:200, :, 0] > picture[:200, :, 1]).all(), "to the right is red"

    def test_one_direction_has_one_hue_and_the_faster_has_more_of_it(self) -> None:
        speeds = np.random.default_rng(5).uniform(0.1, 9, 500)
        flow = np.broadcast_to(speeds[:, None] * np.float64([0.28, -0.96]), (400, 500, 2)).astype(np.float32)
        difference = overlay(GREY, Guidance(), flow)[0].astype(int) - 128  # from the image, by channel
        slowest_first = difference[speeds.argsort()]
        assert (np.abs(np.diff(slowest_first, axis=0)).max(axis=1) <= 3).all(), "no jumps on the way to full colour"
        assert (np.diff(np.abs(slowest_first), axis=0) >= 0).all()

    def test_points_outside_are_refused(self) -> None:
        with pytest.raises(UsageError, match="outside"):
            overlay(GREY, Guidance(stills=[(500, 3)]))


class TestFlowPicture:
    def test_the_scale_is_the_fastest_pixel_or_five(self) -> None:
        flow = np.zeros((8, 9, 2), np.float32)
        flow[2, 3] = (3, 0)
        assert speed_at_full_colour(flow) == 5
        flow[4, 4] = (6, -8)
        assert speed_at_full_colour(flow) == 10
        assert (flow_picture(flow) == flow_to_colour(flow, 10)).all()
        assert (flow_picture(flow, 20) == flow_to_colour(flow, 20)).all()

    def test_the_legend_stands_beside_the_picture(self) -> None:
        picture = flow_picture(np.full((400, 500, 2), 3, np.float32))
        sheet = with_legend(picture, 5)
        assert (sheet[:400, :500] == picture).all()
        wheel = colour_wheel_legend(112)
        assert (sheet[12:124, 512:624] == wheel).all()
        assert (sheet[140:, 500:] < 100).any(), "words below it"


class TestFiles:
    def test_all_files_say_the_same(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(3)
        image = rng.integers(0, 256, (40, 52, 3), dtype=np.uint8)
        flow = rng.normal(0, 6, (40, 52, 2)).astype(np.float32)
        guidance = Guidance(arrows=[(3, 4, 5, 6)])
        files = write_propagation(tmp_path / "new" / "folder", image, guidance, flow)
        assert (read_flo(files["flo"])[0] == flow).all()
        assert np.abs(read_kitti(files["kitti"])[0] - flow).max() <= 1 / 128
        radius = float(np.linalg.norm(flow, axis=2).max())
        shown = np.asarray(Image.open(files["picture"]))
        assert (shown == with_legend(flow_to_colour(flow, radius), radius)).all()
        assert (np.asarray(Image.open(files["overlay"])) == overlay(image, guidance, flow)).all()
        assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {p.name for p in files.values()}


class TestFollowing:
    def test_the_prediction_is_read_at_the_nearest_pixel(self) -> None:
        flow = np.random.default_rng(1).normal(0, 9, (10, 12, 2)).astype(np.float32)
        guidance = Guidance(arrows=[(3.4, 4.6, 8, 0), (-0.5, 9.4, 0, -2)], stills=[(11.49, 0)])
        points = followed(flow, guidance)
        for point, (row, column) in zip(points, [(5, 3), (9, 0), (0, 11)], strict=True):
            assert point.predicted == tuple(flow[row, column].tolist())
        assert points[0].share == pytest.approx(float(flow[5, 3, 0]) / 8)
        assert points[1].share == pytest.approx(float(flow[9, 0, 1]) / -2)
        assert points[2].share is None

    @pytest.mark.parametrize(
        ("arrow", "predicted", "short"),
        [
            ((8, 6), (4.1, 3.1), False),
            ((8, 6), (3.9, 2.9), True),
            ((8, 6), (-8, -6), True),
            ((8, 6), (6 * 3, -8 * 3), True),  # fast, but to the side
            ((0.5, 0), (0, 0), False),  # too short to say
        ],
    )
    def test_far_short_is_less_than_half_along_the_arrow(
        self, arrow: tuple[float, float], predicted: tuple[float, float], short: bool
    ) -> None:
        flow = np.full((5, 5, 2), predicted, np.float32)
        points = followed(flow, Guidance(arrows=[(2, 2, *arrow)], stills=[(1, 1)]))
        assert points[0].falls_short is short
        assert not points[1].falls_short
        assert [("arrow 1:" in line) for line in warnings(points)] == [True] * short


class TestPhotographs:
    def test_pictures_are_turned_as_viewers_show_them(self, tmp_path: Path) -> None:
        upright = np.zeros((20, 30, 3), np.uint8)
        upright[:10, :15] = 255  # the upper left quarter is white
        exif = Image.Exif()
        exif[0x0112] = 6  # stored lying, shown after a quarter turn clockwise
        Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(tmp_path / "a.png", exif=exif)
        assert (read_photograph(tmp_path / "a.png") == upright).all()

    @pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
    def test_any_eight_bit_kind_becomes_rgb(self, tmp_path: Path, mode: str) -> None:
        Image.fromarray(GREY).convert(mode).save(tmp_path / "a.tif")
        assert read_photograph(tmp_path / "a.tif").shape == (400, 500, 3)

    def test_sixteen_bits_a_channel_are_scaled_grey_or_colour(self, tmp_path: Path) -> None:
        deep = np.random.default_rng(0).integers(0, 2**16, (20, 30, 3), dtype=np.uint16)
        exif = Image.Exif()
        exif[0x0112] = 6
        cv2.imwrite(str(tmp_path / "colour.png"), deep[..., ::-1])
        Image.fromarray(deep[..., 0]).save(tmp_path / "grey.png")
        Image.fromarray(deep[..., 0]).save(tmp_path / "turned.png", exif=exif)
        cv2.imwrite(str(tmp_path / "grey.pgm"), deep[..., 0])
        cv2.imwrite(str(tmp_path / "grey.tif"), deep[..., 0])
        assert (read_photograph(tmp_path / "colour.png") == deep // 256).all()
        grey = np.repeat(deep[..., :1] // 256, 3, axis=2)
        for name in ("grey.png", "grey.pgm", "grey.tif"):
            assert (read_photograph(tmp_path / name) == grey).all()
        assert (read_photograph(tmp_path / "turned.png") == np.rot90(grey, -1)).all()

    def test_what_is_no_photograph_is_refused_by_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        buffer = io.BytesIO()
        Image.fromarray(GREY).save(buffer, "JPEG")
        hostile = {
            "empty.jpg": b"",
            "cut.jpg": buffer.getvalue()[:900],
            "text.png": b"no picture at all",
            "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        }
        for name, content in hostile.items():
            (tmp_path / name).write_bytes(content)
        Image.fromarray(np.full((9, 9), 4000, np.float32)).save(tmp_path / "deep.tif")
        (tmp_path / "folder.png").mkdir()
        for name in [*hostile, "deep.tif", "folder.png", "missing.png"]:
            with pytest.raises(UsageError, match=name) as caught:
                read_photograph(tmp_path / name)
            assert not re.search(r"Errno|<_io|Reader", str(caught.value)), "words, not Python's"
        Image.fromarray(GREY).save(tmp_path / "huge.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        with pytest.raises(UsageError, match="too large"):
            read_photograph(tmp_path / "huge.png")


def test_the_picture_in_the_documentation_is_the_one_that_is_drawn(tmp_path: Path) -> None:
    draw_explanation(tmp_path / "new" / "coordinates.png")
    with Image.open(tmp_path / "new" / "coordinates.png") as drawn, Image.open(DOCUMENTED) as documented:
        assert drawn.size == documented.size
        pixels = [np.asarray(picture.convert("RGB")).astype(int) for picture in (drawn, documented)]
    # Versions of matplotlib set letters a little differently.
    assert (np.abs(pixels[0] - pixels[1]).max(axis=2) > 40).mean() < 0.02
