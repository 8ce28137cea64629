"""Codebooks of flow vectors: planted motions, frame sizes, files, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow.codebook import Codebook, CodebookSettings, fit_codebook, load_codebook, save_codebook
from ssl_motion.testing import example_sample

MOTIONS = np.array([[0, 0], [3, 1], [-4, 2], [6, -6], [-1, -8]], np.float32)
SETTINGS = CodebookSettings(clusters=5, frame_side=64, pixels=200)


def striped(seed: int, *, size: tuple[int, int] = (64, 80), zoom: float = 1.0) -> FlowSample:
    """A sample whose flow has the planted motions in stripes of unequal width, times `zoom`."""
    height, width = size
    bounds = np.linspace(0, 1, width, endpoint=False) ** 2
    flow = np.broadcast_to(MOTIONS[(bounds * 5).astype(int)], (height, width, 2)) * np.float32(zoom)
    image = np.full((height, width, 3), seed, np.uint8)
    return FlowSample(image, flow.astype(np.float32), np.ones(size, np.bool_), "striped", seed, 1).checked()


def as_set(codebook: Codebook) -> set[tuple[float, float]]:
    return {(round(u, 2), round(v, 2)) for u, v in codebook.vectors}


def planted(scale: float = 1.0) -> set[tuple[float, float]]:
    return {(round(float(u) * scale, 2), round(float(v) * scale, 2)) for u, v in MOTIONS}


def test_planted_motions_are_found_with_their_shares() -> None:
    codebook = fit_codebook([striped(seed) for seed in range(10)], SETTINGS, ["planted"])
    assert as_set(codebook) == planted()
    assert codebook.error == 0
    assert sum(codebook.counts) == 2000
    width = dict(zip(codebook.vectors, codebook.shares, strict=True))
    # Stripe k ends at sqrt((k + 1) / 5) of the width.
    for number, motion in enumerate(MOTIONS.tolist()):
        assert width[tuple(motion)] == pytest.approx(np.sqrt((number + 1) / 5) - np.sqrt(number / 5), abs=0.04)
    assert codebook.data == ("planted",)


def test_the_slowest_vector_is_the_first() -> None:
    codebook = fit_codebook([striped(0)], SETTINGS, ["planted"])
    assert codebook.vectors[0] == (0, 0)
    assert np.hypot(*codebook.array.T).tolist() == sorted(np.hypot(*codebook.array.T).tolist())


@pytest.mark.parametrize(("size", "zoom"), [((64, 80), 1.0), ((128, 160), 2.0), ((32, 40), 0.5), ((128, 128), 2.0)])
def test_the_size_of_the_images_does_not_matter(size: tuple[int, int], zoom: float) -> None:
    sample = striped(0, size=size, zoom=zoom)
    codebook = fit_codebook([sample], SETTINGS, ["planted"])
    assert as_set(codebook) == planted()
    larger = fit_codebook([sample], SETTINGS.model_copy(update={"frame_side": 192}), ["planted"])
    assert as_set(larger) == planted(3)
    # And back: labels are those of the stripes, and flow comes out in pixels of the image.
    for each in (codebook, larger):
        labels = each.label_map(sample.flow, sample.valid)
        back = each.expected_flow(np.eye(5)[labels], sample.size)
        np.testing.assert_allclose(back, sample.flow, atol=1e-4)


def test_unknown_flow_is_neither_read_nor_labelled() -> None:
    sample = striped(0)
    valid = sample.valid.copy()
    valid[:, 40:] = False  # leaves the first two motions
    half = FlowSample(sample.image, np.where(valid[..., None], sample.flow, 99), valid, "half", 0, 1)
    codebook = fit_codebook([half] * 3, SETTINGS.model_copy(update={"clusters": 2}), ["half"])
    assert as_set(codebook) == {(0, 0), (3, 1)}
    labels = codebook.label_map(half.flow, half.valid)
    assert labels.dtype == np.uint8
    assert set(labels[:, :40].ravel().tolist()) == {0, 1}
    assert (labels[:, 40:] == UNKNOWN_LABEL).all()


def test_expected_flow_of_one_vector_and_of_all() -> None:
    codebook = fit_codebook([striped(0)], SETTINGS, ["planted"])
    size = (128, 200)  # flow of the frame is half of that of the image
    one = np.zeros((2, 3, 5))
    one[..., 3] = 1
    np.testing.assert_allclose(codebook.expected_flow(one, size), np.broadcast_to(2 * codebook.array[3], (2, 3, 2)))
    even = codebook.expected_flow(np.full((1, 1, 5), 0.2), size)
    np.testing.assert_allclose(even[0, 0], 2 * codebook.array.mean(axis=0), rtol=1e-6)


class Counted(Sequence[FlowSample]):
    """Many samples, of which few are ever made; remembers which."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, number: Any) -> Any:
        self.read.append(number)
        return striped(number % 200)


def test_few_samples_are_read_spread_over_all() -> None:
    samples = Counted()
    codebook = fit_codebook(samples, SETTINGS.model_copy(update={"pairs": 8}), ["many"])
    assert samples.read == [125_000 * step for step in range(8)]
    assert codebook.pairs == 8


MAKE = """
import numpy as np
from ssl_motion.data.sample import FlowSample
from ssl_motion.flow.codebook import CodebookSettings, fit_codebook, save_codebook
def make(seed):
    flow = np.random.default_rng(0).normal(0, 5, (8, 32, 32, 2)).astype(np.float32)
    samples = [FlowSample(np.zeros((32, 32, 3), np.uint8), each, each[..., 0] < 6, "", 0, 1) for each in flow]
    return fit_codebook(samples, CodebookSettings(clusters=30, seed=seed), ["x"])
"""


def test_the_same_data_and_settings_give_the_same_file_in_every_process(tmp_path: Path) -> None:
    code = MAKE + (
        "import sys, pathlib; save_codebook(pathlib.Path(sys.argv[1]), make(0))\n"
        "assert 'torch' not in sys.modules, 'a codebook needs no torch'"
    )
    for number, threads in enumerate(("1", "2")):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": str(number)}
        subprocess.run([sys.executable, "-c", code, tmp_path / f"{number}.json"], check=True, env=environment)
    first, second = (tmp_path / f"{number}.json" for number in range(2))
    assert first.read_bytes() == second.read_bytes()
    scope: dict[str, Any] = {}
    exec(MAKE, scope)
    assert load_codebook(first) == scope["make"](0)
    assert load_codebook(first).vectors != scope["make"](1).vectors


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (("still",), "30 clusters of only 1 different"),
        (("unknown",) * 2, r"only 0 different .*known flow at 0 pixels of 2"),
    ],
)
def test_data_without_enough_motion_are_refused(kinds: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        fit_codebook([example_sample(kind) for kind in kinds], CodebookSettings(clusters=30), ["x"])
    assert "fewer clusters" in str(caught.value)


def test_a_bad_sample_is_named() -> None:
    good = striped(0)
    bad = FlowSample(good.image, np.full_like(good.flow, np.nan), good.valid, "broken clip", 7, 1)
    with pytest.raises(DataError, match="broken clip"):
        fit_codebook([bad], SETTINGS, ["x"])


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    codebook = fit_codebook([example_sample(seed=seed) for seed in range(6)], CodebookSettings(), ["one", "two"])
    save_codebook(tmp_path / "deep" / "c.json", codebook)
    again = load_codebook(tmp_path / "deep" / "c.json")
    assert again == codebook
    assert again.array.tobytes() == codebook.array.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version"),
        ({"vectors": [[0, 0]] * 5}, "1 different vectors, but the settings say 5 clusters"),
        ({"vectors": [[float(n), 0.0] for n in range(4)]}, "4 different vectors"),
        ({"counts": [1, 1, 1, 1, 0]}, "counts.4"),
        ({"counts": [1, 1, 1, 1, 96]}, "the shares are not those of the counts"),
        ({"vectors": [[float(n), 1e300 * (n == 3)] for n in range(5)]}, "more than ten times the frame's side"),
        ({"error": -1}, "error"),
        ({"extra": 1}, "extra: unknown key"),
        ({"data": None}, "data"),
    ],
)
def test_an_altered_file_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    codebook = fit_codebook([striped(0)], SETTINGS, ["planted"])
    path = tmp_path / "c.json"
    path.write_text(json.dumps({**codebook.model_dump(mode="json"), **change}))
    with pytest.raises(UsageError, match=message) as caught:
        load_codebook(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "[1, 2]", '{"a": ', "\x89PNG"])
def test_what_is_no_codebook_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="ssl-bench codebook"):
        load_codebook(path)
