"""`ssl-bench animate`: frames of a known motion, each from the original image."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from ssl_motion.animation.render import render, warp_frame
from ssl_motion.animation.script import MotionScript
from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.flow.formats import read_flo
from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.whole_models import load_whole_model

TESTS = Path(__file__).resolve().parents[1]
bench = runpy.run_path(str(TESTS / "verbs.py"))["bench"]
save_published = runpy.run_path(str(TESTS / "cmp_network_reference.py"))["save_published"]
_copied = runpy.run_path(str(TESTS / "copied_vectors.py"))
SCRIPT = {"fps": 8, "keys": [{"frame": 1, "arrows": [[9, 9, 0, 0]]}, {"frame": 5, "arrows": [[9, 9, 12, -8]]}]}
SHIFTS = [(0, 0), (0, 0), (3, -2), (6, -4), (9, -6), (12, -8)]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[UInt8Array, list[Any]]:
    """An image, and the command that animates it by a model that copies the given vector to every pixel."""
    model = _copied["announce"](monkeypatch, tmp_path / "model")
    image = np.random.default_rng(0).integers(1, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "picture.png")
    (tmp_path / "motion.json").write_text(json.dumps(SCRIPT))
    common = ["--script", tmp_path / "motion.json", "--weights", model, "--size", 48]
    return image, ["animate", tmp_path / "picture.png", *common]


def shifted(image: UInt8Array, dx: int, dy: int) -> UInt8Array:
    """The image moved; black where nothing comes to lie."""
    height, width = image.shape[:2]
    moved = np.zeros_like(image)
    for row, column in np.ndindex(height, width):
        if 0 <= row - dy < height and 0 <= column - dx < width:
            moved[row, column] = image[row - dy, column - dx]
    return moved


def test_every_frame_is_the_image_moved_by_the_vector_of_its_time(
    scene: tuple[UInt8Array, list[Any]], tmp_path: Path
) -> None:
    image, command = scene
    said = bench(*command, "--out", tmp_path / "clip", "--fill", "black", "--json")
    facts = json.loads(said.stdout)
    first, last = facts.pop("keys")
    assert (first["frame"], first["points"][0]["share"], last["frame"]) == (1, None, 5)
    (point,) = last["points"]
    assert (point["foot"], point["asked"], facts.pop("warnings")) == ([9, 9], [12, -8], [])
    assert point["predicted"] == pytest.approx([12, -8], abs=1e-4)
    assert point["share"] == pytest.approx(1, abs=1e-4)
    assert facts == {
        "path": str(tmp_path / "clip"),
        "frames": 6,
        "fps": 8,
        "fps_asked": 8,
        "warp": "forward",
        "fill": "black",
        "height": 48,
        "width": 64,
    }
    files = sorted((tmp_path / "clip").glob("frame_*.png"))
    assert len(files) == 6
    for path, (dx, dy) in zip(files, SHIFTS, strict=True):
        assert (np.asarray(Image.open(path)) == shifted(image, dx, dy)).all()


@pytest.mark.parametrize("options", [["--warp", "backward"], ["--fill", "lookup"], []])
def test_other_warps_and_fills_agree_where_nothing_is_vacated(
    scene: tuple[UInt8Array, list[Any]], tmp_path: Path, options: list[str]
) -> None:
    image, command = scene
    bench(*command, "--out", tmp_path / "clip", *options)
    for path, (dx, dy) in zip(sorted((tmp_path / "clip").glob("*.png")), SHIFTS, strict=True):
        frame, expected = np.asarray(Image.open(path)), shifted(image, dx, dy)
        known = expected.max(axis=2) > 0
        assert (frame[known] == expected[known]).all()
        assert (frame[~known].max(axis=1) > 0).all(), "what was vacated is filled"


@pytest.mark.parametrize(
    ("name", "fps", "words"),
    [
        ("clip.mp4", 8, "8 a second\n"),
        ("clip.gif", 10, "10 a second\n"),
        ("clip.gif", 100, "50 a second (asked for 100;"),
        ("clip.gif", 12, "12.5 a second (asked for 12;"),
    ],
)
def test_clips_are_written_and_their_true_rate_is_said(
    scene: tuple[UInt8Array, list[Any]], tmp_path: Path, name: str, fps: int, words: str
) -> None:
    (tmp_path / "motion.json").write_text(json.dumps({**SCRIPT, "fps": fps}))
    said = bench(*scene[1], "--out", tmp_path / name)
    assert f"wrote {tmp_path / name}: 6 frames at {words}" in said.stdout
    assert "followed along the arrows in frame 5, where they are longest: arrow 1 100 %" in said.stdout
    if name == "clip.gif":
        with Image.open(tmp_path / name) as clip:
            whole = sum(frame.info["duration"] for frame in ImageSequence.Iterator(clip))  # like frames are one
        assert f"at {6000 / whole:.4g} a second" in said.stdout
    assert (tmp_path / name).stat().st_size > 1000


def test_what_the_model_does_not_follow_is_said_with_its_frame(
    scene: tuple[UInt8Array, list[Any]], tmp_path: Path
) -> None:
    _, command = scene
    (tmp_path / "motion.json").write_text(
        json.dumps({"keys": [{"frame": at, "arrows": [[9, 9, 60 + 30 * at, 0]]} for at in (0, 2, 3)]})
    )
    said = bench(*command, "--out", tmp_path / "clip")
    assert "warning: frame 2, 3: the prediction falls far short of arrow 1" in said.stderr
    assert said.stderr.count("warning") == 1


@pytest.mark.parametrize("warp", ["forward", "backward"])
def test_at_rest_nothing_moves_whatever_the_model_predicts(warp: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    seen: Any = SimpleNamespace(
        stages={"one": torch.zeros(1)}, flow=lambda guidances: np.full((len(guidances), 20, 30, 2), 3.3, np.float32)
    )

    def first(**key: Any) -> UInt8Array:
        return next(render(seen, image, MotionScript.model_validate({"keys": [{"frame": 0, **key}]}), warp))

    assert (first(arrows=[[1, 2, 0, 0]]) == image).all()
    assert (first(arrows=[[1, 2, 0, 0], [3, 4, 0, 0]], stills=[[5, 6]]) == image).all()
    assert (first(stills=[[5, 6]]) == image).all()
    assert (first(arrows=[[1, 2, 0, 0], [3, 4, 0, 1]]) != image).any()
    assert (first() != image).any(), "without any point the image alone decides"


def test_frames_do_not_depend_on_each_other(scene: tuple[UInt8Array, list[Any]], tmp_path: Path) -> None:
    image, _ = scene
    seen = MotionPredictor.of(load_whole_model(tmp_path / "model"), "cpu", 48).look(image)
    script = MotionScript.model_validate(SCRIPT)
    alone = MotionScript.model_validate({"keys": [{"frame": 0, "arrows": script.guidance_at(3).arrows}]})
    (frame,) = render(seen, image, alone)
    assert (frame == list(render(seen, image, script))[3]).all()


@pytest.mark.parametrize(
    ("content", "out", "words"),
    [
        (SCRIPT, "clip.avi", "ends in .mp4 or .gif"),
        ({"keys": [{"frame": 0, "arrows": [[99, 9, 0, 0]]}]}, "clip", r"motion.json: keys.0 \(frame 0\): the point"),
        ({"keys": [{"frame": 0, "arow": []}]}, "clip", "motion.json: .*\n.*keys.0.arow"),
    ],
)
def test_wrong_usage_is_said_before_a_model_is_looked_for(
    scene: tuple[UInt8Array, list[Any]], tmp_path: Path, content: Any, out: str, words: str
) -> None:
    (tmp_path / "motion.json").write_text(json.dumps(content))
    command = [*scene[1]]
    command[command.index("--weights") + 1] = "no such model"
    with pytest.raises(UsageError, match=words):
        bench(*command, "--out", tmp_path / out)
    assert not (tmp_path / out).exists()


def test_published_weights_with_skip_layers_animate(tmp_path: Path) -> None:
    """Frames of a narrow model in the authors' format are the image warped by the flow that `propagate` writes."""
    save_published(tmp_path / "demo.pth.tar")
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "picture.png")
    (tmp_path / "motion.json").write_text(json.dumps({"keys": [{"frame": 0, "arrows": [[20, 30, 15, -4]]}]}))
    common = [tmp_path / "picture.png", "--weights", tmp_path / "demo.pth.tar", "--size", 64]
    bench("animate", *common, "--script", tmp_path / "motion.json", "--out", tmp_path / "clip")
    bench("propagate", *common, "--arrow", "20,30,15,-4", "--out", tmp_path / "flow")
    flow = read_flo(tmp_path / "flow" / "flow.flo")[0]
    assert np.abs(flow).max() > 1, "a model that moves nothing would prove nothing"
    frame = np.asarray(Image.open(tmp_path / "clip" / "frame_00000.png"))
    assert (frame == warp_frame(image, flow)).all()
