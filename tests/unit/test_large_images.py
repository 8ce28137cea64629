"""Large images: a limit that is stated, and work in parts that gives what the whole gives."""

import runpy
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_motion.annotation.procedure import AnnotationSettings, annotate
from ssl_motion.data.sample import Float32Array
from ssl_motion.errors import UsageError
from ssl_motion.flow import colour
from ssl_motion.propagation.drawing import overlay
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.propagation.predictor import Seen
from ssl_motion.propagation.requests import Request

planted = runpy.run_path(str(Path(__file__).resolve().parents[1] / "planted_motion.py"))["planted"]


@pytest.mark.parametrize("size", [(5001, 5000), (12000, 9000), (30000, 30000)])
def test_larger_images_are_refused_before_they_are_decoded_without_pillows_words(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("1", (8, 8)).save(tmp_path / "a.bmp")
    header = bytearray((tmp_path / "a.bmp").read_bytes())
    header[18:26] = np.array(size, "<i4").tobytes()  # the size that the file claims
    (tmp_path / "a.bmp").write_bytes(header)
    request = Request(tmp_path / "a.bmp", Guidance(), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match=r"too large.*at most 25 megapixels\. Reduce"):
            request.read_image()


def test_pictures_of_flow_are_the_same_in_bands_of_any_height(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    flow = generator.normal(0, 20, (37, 400, 2)).astype(np.float32)
    flow[5, 6] = np.nan
    image = generator.integers(0, 256, (37, 400, 3), dtype=np.uint8)
    valid = generator.random((37, 400)) < 0.8
    finite = np.nan_to_num(flow)
    drawn = []
    for pixels in (2**20, 400, 2999):
        monkeypatch.setattr(colour, "_BAND_PIXELS", pixels)
        whole, known = colour.flow_to_colour(flow), colour.flow_to_colour(flow, 30.0, valid)
        drawn.append((whole, known, overlay(image, Guidance(), finite)))
    for other in drawn[1:]:
        assert all((a == b).all() for a, b in zip(drawn[0], other, strict=True))


@pytest.mark.parametrize("directions", [1, 3, 4, 7])
def test_directions_one_by_one_are_the_mean_of_all_bit_by_bit(directions: int) -> None:
    image = np.random.default_rng(0).integers(0, 4, (61, 95, 3), dtype=np.uint8) * np.uint8(60)
    settings = AnnotationSettings(directions=directions, zoom_factor=None)
    kept: list[Float32Array] = []

    class Spy(Seen):
        def flows(
            self, guidances: Sequence[Guidance], sampled: tuple[int, int] | None = None
        ) -> Iterator[Float32Array]:
            for flow in super().flows(guidances, sampled):
                kept.append(flow)
                yield flow

    predictor = planted(48)
    look = predictor.look
    predictor.look = lambda image: Spy(**vars(look(image)))
    score = annotate(predictor, image, [(20, 30), (70, 11)], settings=settings).score
    response = np.abs(np.stack(kept)).mean(axis=(0, 3))
    assert len(kept) == directions
    assert (score == response / response.max()).all()
