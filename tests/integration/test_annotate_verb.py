"""`ssl-bench annotate`: files that other tools read, published models, settings, what is missing."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from ssl_motion.annotation.export import decode_mask
from ssl_motion.annotation.procedure import AnnotationSettings, annotate
from ssl_motion.cli import annotate_verb
from ssl_motion.errors import UsageError
from ssl_motion.propagation.photographs import read_photograph
from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.whole_models import load_whole_model

TESTS = Path(__file__).resolve().parents[1]
bench = runpy.run_path(str(TESTS / "verbs.py"))["bench"]
save_published = runpy.run_path(str(TESTS / "cmp_network_reference.py"))["save_published"]
planted = runpy.run_path(str(TESTS / "planted_motion.py"))["planted"]


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture of a red box and a green one, for a model that moves by colour."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(annotate_verb, "open_predictor", lambda **_: planted(64))
    image = np.full((64, 96, 3), 90, np.uint8)
    image[10:30, 8:28], image[10:30, 28:50] = (200, 30, 30), (30, 200, 30)
    Image.fromarray(image).save(tmp_path / "boxes.png")
    return tmp_path / "boxes.png"


def test_what_is_written_is_the_object(boxes: Path) -> None:
    clicks = ["--positive", "15,20", "--negative", "60,40", "--label", "box"]
    said = bench("annotate", boxes, *clicks)
    folder = boxes.with_name("boxes-annotation")
    assert "wrote boxes-annotation: mask.png, score.png, annotation.json, overlay.png" in said.stdout
    truth = np.zeros((64, 96), np.bool_)
    truth[10:30, 8:28] = True
    mask = np.asarray(Image.open(folder / "mask.png"))
    assert np.array_equal(mask, 255 * truth)
    assert np.array_equal(np.asarray(Image.open(folder / "score.png")), 255 * truth)
    read = COCO(str(folder / "annotation.json"))
    (each,) = read.anns.values()
    assert np.array_equal(read.annToMask(each), truth)
    assert (read.cats[1]["name"], read.imgs[1]["file_name"], each["bbox"]) == ("box", "boxes.png", [8, 10, 20, 20])
    drawn = np.asarray(Image.open(folder / "overlay.png"))
    assert drawn.shape == (64 * 4, 96 * 4, 3)
    assert drawn[20 * 4 + 2, 15 * 4 + 2].tolist() == [30, 170, 60], "a green disc where it was clicked"
    assert drawn[40 * 4 + 2, 60 * 4 + 2].tolist() == [220, 40, 40], "a red square where it was not to be"
    assert drawn[0, 0].tolist() == [90, 90, 90]
    outcome = json.loads(bench("annotate", boxes, *clicks, "--json").stdout)
    assert np.array_equal(decode_mask(outcome["segmentation"], (64, 96)), truth)
    assert outcome["window"] == [0, 0, 87, 64] or outcome["window"][2:] == [96, 64]


def test_every_constant_is_an_option(boxes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[AnnotationSettings] = []

    def spy(predictor: Any, image: Any, positive: Any, negative: Any, settings: AnnotationSettings) -> Any:
        asked.append(settings)
        return annotate(predictor, image, positive, negative, settings)

    monkeypatch.setattr("ssl_motion.annotation.procedure.annotate", spy)
    bench("annotate", boxes, "--positive", "15,20")
    assert asked.pop() == AnnotationSettings()
    options = ["--motion", 30, "--directions", 8, "--threshold", 0.3]
    bench("annotate", boxes, "--positive", "15,20", *options, "--zoom-factor", 2)
    assert asked.pop() == AnnotationSettings(motion=30, directions=8, threshold=0.3, zoom_factor=2)
    bench("annotate", boxes, "--positive", "15,20", "--no-zoom")
    assert asked.pop() == AnnotationSettings(zoom_factor=None)


def test_nothing_found_is_said(boxes: Path) -> None:
    said = bench("annotate", boxes, "--positive", "15,20", "--negative", "16,20", "--no-zoom")
    assert "warning: nothing moves with these points" in said.stderr
    assert not np.asarray(Image.open(boxes.with_name("boxes-annotation") / "mask.png")).any()


def test_published_weights_with_skip_layers(tmp_path: Path) -> None:
    """A narrow model in the authors' format; what it predicts is held to formulas in test_propagate_verb.py."""
    save_published(tmp_path / "demo.pth.tar")
    image = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)).save(image)
    options = ["--weights", tmp_path / "demo.pth.tar", "--size", 64, "--out", tmp_path / "out"]
    bench("annotate", image, "--positive", "20,30", "--negative", "5,50", "--no-zoom", *options)
    predictor = MotionPredictor.of(load_whole_model(tmp_path / "demo.pth.tar"), "cpu", 64)
    found = annotate(predictor, read_photograph(image), [(20, 30)], [(5, 50)], AnnotationSettings(zoom_factor=None))
    mask = np.asarray(Image.open(tmp_path / "out" / "mask.png"))
    assert 0 < found.mask.mean() < 1
    assert np.array_equal(mask > 0, found.mask)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no point on the object"),
        (["--negative", "1,1"], "no point on the object"),
        (["--positive", "1"], "--positive '1': expected x,y"),
        (["--positive", "1,1", "--negative", "a,b"], "--negative 'a,b': expected x,y"),
        (
            ["--positive", "7,8", "--negative", "1,1", "--negative", "6.6,8.4"],
            "7,8 and --negative 6.6,8.4 are one pixel",
        ),
        (["--positive", "1,1", "--label", " "], "--label is empty"),
        (["--positive", "96,1"], r"boxes.png: the point \(96, 1\) lies outside"),
        (["--positive", "1,1", "--threshold", "1"], "threshold"),
        (["--positive", "1,1", "--no-zoom", "--zoom-factor", "2"], "exclude each other"),
    ],
)
def test_wrong_usage_is_said_before_a_model_is_looked_for(
    boxes: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.undo()
    before = sorted(boxes.parent.rglob("*"))
    with pytest.raises(UsageError, match=words):
        bench("annotate", boxes, *options, "--weights", "no such model")
    with pytest.raises(UsageError, match="no such image"):
        bench("annotate", boxes.with_name("none.png"), "--positive", "1,1", "--weights", "no such model")
    assert sorted(boxes.parent.rglob("*")) == before
