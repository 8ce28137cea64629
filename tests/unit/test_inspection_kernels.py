"""Kernel rows against the paper's formulas in float64, and the pixels they are drawn for."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.backbones import build_backbone
from ssl_motion.data.sample import FlowSample
from ssl_motion.errors import UsageError
from ssl_motion.inspection.figures import kernel_figure
from ssl_motion.inspection.kernels import chosen_points, embedding_row, flow_row, heat
from ssl_motion.inspection.models import EMBEDDING, Inspected
from ssl_motion.inspection.pictures import Shown, from_files
from ssl_motion.similarity import FlowKernel
from ssl_motion.spec import BackboneSpec
from ssl_motion.testing import example_sample
from ssl_motion_methods.mahendran import Mahendran, MahendranConfig

LinearTrunk = runpy.run_path(str(Path(__file__).parents[1] / "linear_trunk.py"))["LinearTrunk"]
RNG = np.random.default_rng(7)


def planted(height: int = 12, width: int = 17) -> FlowSample:
    """Flow of several speeds, some of it slow, some beyond saturation, some of it unknown."""
    flow = (RNG.standard_normal((height, width, 2)) * np.exp(RNG.uniform(-3, 4, (height, width, 1)))).astype(np.float32)
    valid = RNG.random((height, width)) > 0.2
    valid[3, 5] = True
    flow[~valid] = 0
    image = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return FlowSample(image, flow, valid, "planted", 0, 1).checked()


def normalised(value: float, saturation: float) -> float:
    return math.copysign(min(1.0, math.log(abs(value) + 1) / math.log(saturation + 1)), value)


@pytest.mark.parametrize("kernel", [FlowKernel(0.06, 24.0, ""), FlowKernel(0.5, 4.0, "")])
def test_the_flow_row_is_the_formula_pixel_by_pixel(kernel: FlowKernel) -> None:
    sample = planted()
    found = flow_row(sample, (5.2, 2.8), kernel)
    assert found is not None
    own = [normalised(float(part), kernel.saturation) for part in sample.flow[3, 5]]
    for (row, column), value in np.ndenumerate(found):
        if not sample.valid[row, column]:
            assert math.isnan(value)
            continue
        other = [normalised(float(part), kernel.saturation) for part in sample.flow[row, column]]
        distance = sum((a - b) ** 2 for a, b in zip(own, other, strict=True))
        assert value == pytest.approx(math.exp(-distance / (2 * kernel.sigma**2)), abs=3e-5)
    assert found[3, 5] == 1


def test_no_flow_row_without_the_flow_of_the_pixel() -> None:
    sample = planted()
    row, column = np.argwhere(~sample.valid)[0]
    assert flow_row(sample, (float(column), float(row)), FlowKernel(0.1, 24.0, "")) is None


def test_the_embedding_row_is_the_cosine_by_four_of_planted_features() -> None:
    mixing = RNG.standard_normal((6, 3))
    model = Inspected("planted", LinearTrunk(torch.from_numpy(mixing).float()[..., None, None], stride=2))
    image = planted(12, 16).image
    found = embedding_row(model.look(image, "filters"), (6.0, 4.0), (12, 16))
    features = ((image - np.array(model.mean)) / np.array(model.std)) @ mixing.T
    own = features[4, 6]
    for row in range(0, 12, 2):
        for column in range(0, 16, 2):
            other = features[row, column]
            cosine = own @ other / np.linalg.norm(own) / np.linalg.norm(other)
            assert found[row, column] == pytest.approx(cosine / 4, abs=1e-5)
    assert found[4, 6] == pytest.approx(0.25, abs=1e-6)


def mahendran() -> Mahendran:
    torch.manual_seed(0)
    method = Mahendran(
        MahendranConfig(hidden=16, saturation=12.0, sigma=0.3), build_backbone(BackboneSpec(arch="alexnet_mini"))
    )
    return method.eval().requires_grad_(False)


def test_the_embedding_and_the_kernel_of_the_method_are_what_it_is_trained_on() -> None:
    method = mahendran()
    image = torch.randn(2, 3, 40, 48)
    points = torch.rand(2, 9, 2) * 39
    embedded = method.embed(method.backbone(image), points)
    read = method.read({"image": image}, points)
    torch.testing.assert_close(embedded, read / read.norm(dim=-1, keepdim=True))
    kernel = method.flow_kernel()
    assert (kernel.sigma, kernel.saturation) == (pytest.approx(0.3), 12.0)


def test_the_figure_puts_motion_beside_features() -> None:
    method = mahendran()
    sample = example_sample(size=48)
    image = Shown("disc", sample, sample.size)
    model = Inspected("mahendran", method.backbone, method=method)
    sheet = kernel_figure([model], [image], EMBEDDING, [(24, 24), (45, 3)])
    assert [row.heading for row in sheet.rows] == ["pixel (24, 24)", "pixel (45, 3)"]
    for row in sheet.rows:
        captions = [cell.caption for cell in row.cells]
        assert captions[0] == "disc"
        assert captions[1].startswith("K_f: sigma 0.3 (learned), saturation 12 px")
        assert captions[2].startswith("K_phi, mahendran: embedding; ")
    plain = Inspected("trunk", method.backbone)
    (row,) = kernel_figure([plain, plain], [image], "conv3", [(24, 24)]).rows
    assert "sigma 0.06 (Mahendran et al.'s), saturation 12 px" in row.cells[1].caption  # a quarter of 48 px
    assert [cell.caption.split(";")[0] for cell in row.cells[2:]] == ["K_phi, trunk: conv3"] * 2


def still_image(path: Path, width: int, height: int) -> Shown:
    import cv2

    assert cv2.imwrite(str(path), RNG.integers(0, 256, (height, width, 3)).astype(np.uint8))
    (image,) = from_files([path], 1, side=24)
    return image


def test_photographs_have_no_flow_row_and_their_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    image = still_image(tmp_path / "photo.png", width=96, height=48)
    assert image.sample.size == (24, 48)
    assert not image.sample.valid.any()
    ((original, inner),) = chosen_points(image, [(95, 47)])
    assert original == (95, 47)
    assert inner == (47.25, 23.25)
    assert image.outside(inner) == (95, 47)
    (row,) = kernel_figure([Inspected("eye", LinearTrunk(torch.eye(3)[..., None, None]))], [image], None).rows
    assert row.heading == "pixel (48, 24)"  # the middle
    assert [cell.caption.split(",")[0] for cell in row.cells] == ["photo.png", "K_phi"]
    with pytest.raises(UsageError, match=r"photo.png: the point \(96, 3\) lies outside the image, which is 96 x 48"):
        chosen_points(image, [(96, 3)])


def test_without_a_named_pixel_the_fastest_known_one_is_taken() -> None:
    sample = planted()
    speed = np.hypot(sample.flow[..., 0], sample.flow[..., 1])
    ((original, inner),) = chosen_points(Shown("planted", sample, sample.size), [])
    assert original == inner
    assert speed[int(inner[1]), int(inner[0])] == speed[sample.valid].max()


@given(st.floats(-0.25, 0.2), st.floats(0.001, 0.3))
def test_heat_goes_from_dark_blue_to_yellow_and_nothing_is_grey(low: float, span: float) -> None:
    picture = heat(np.array([[low, low + span, np.nan]], np.float32), low, low + span)
    dark, bright, nothing = picture[0].astype(int)
    assert dark.sum() < 200 < bright.sum()
    assert bright[0] > 200 > bright[2]
    assert nothing.tolist() == [160, 160, 160]
