"""Where `propagate`, `animate` and `annotate` write: never over what they read, nor over what was there unasked."""

import json
import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssl_motion.annotation.export import decode_mask
from ssl_motion.annotation.procedure import AnnotationSettings, annotate
from ssl_motion.cli import animate_verb, annotate_verb, propagate_verb
from ssl_motion.errors import UsageError

TESTS = Path(__file__).resolve().parents[1]
bench = runpy.run_path(str(TESTS / "verbs.py"))["bench"]
planted = runpy.run_path(str(TESTS / "planted_motion.py"))["planted"]
POINT = {"propagate": ["--arrow", "15,20,4,0"], "annotate": ["--positive", "15,20"], "animate": ["--script", "m.json"]}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture and a script of three frames, for a model that moves by colour."""
    monkeypatch.chdir(tmp_path)
    for verb in (animate_verb, annotate_verb, propagate_verb):
        monkeypatch.setattr(verb, "open_predictor", lambda **_: planted(64))
    picture(tmp_path / "dog.png")
    keys = [{"frame": 0, "arrows": [[15, 20, 0, 0]]}, {"frame": 2, "arrows": [[15, 20, 8, 0]]}]
    (tmp_path / "m.json").write_text(json.dumps({"keys": keys}))
    return tmp_path


def picture(path: Path) -> Path:
    """A red box on a grey ground."""
    path.parent.mkdir(exist_ok=True)
    image = np.full((64, 96, 3), 90, np.uint8)
    image[10:30, 8:28] = (200, 30, 30)
    Image.fromarray(image).save(path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(work: Path, *arguments: Any) -> str:
    """What is said of arguments that are refused with exit code 2, before anything is written."""
    before = contents(work)
    with pytest.raises(UsageError) as caught:
        bench(*arguments)
    assert contents(work) == before
    return str(caught.value)


@pytest.mark.parametrize(("verb", "ending"), [("propagate", "flow"), ("annotate", "annotation")])
def test_default_names_that_are_taken_are_numbered(work: Path, verb: str, ending: str) -> None:
    for number in ("", "-2", "-3"):
        before = contents(work)
        said = bench(verb, "dog.png", *POINT[verb])
        assert f"wrote dog-{ending}{number}: " in said.stdout
        assert {name: content for name, content in contents(work).items() if name in before} == before
    bench(verb, "dog.png", *POINT[verb], "--force")
    assert not (work / f"dog-{ending}-4").exists(), "with --force the default name itself is taken"


@pytest.mark.parametrize("verb", ["propagate", "annotate", "animate"])
def test_a_folder_that_holds_something_is_replaced_by_force_alone(work: Path, verb: str) -> None:
    command = [verb, "dog.png", *POINT[verb], "--out", "out"]
    (work / "out").mkdir()
    bench(*command)  # an empty folder is free
    (work / "out" / "notes.txt").write_text("mine")
    assert "out is not empty" in (said := refused(work, *command))
    assert "--force" in said
    bench(*command, "--force")
    assert (work / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_a_clip_is_replaced_by_force_alone(work: Path, suffix: str) -> None:
    (work / f"clip.{suffix}").write_text("mine")
    command = ["animate", "dog.png", *POINT["animate"], "--out", f"clip.{suffix}"]
    assert "exists already: name another --out, or add --force" in refused(work, *command)
    bench(*command, "--force")
    assert (work / f"clip.{suffix}").stat().st_size > 300


def test_what_is_read_is_never_replaced(work: Path) -> None:
    picture(work / "dog.gif")
    (work / "seq").mkdir()
    picture(work / "seq" / "frame_00001.png")
    picture(work / "seq" / "overlay.png")
    os.link(work / "dog.gif", work / "other.gif")
    (work / "pairs" / "a").mkdir(parents=True)
    picture(work / "pairs" / "flow.png")
    (work / "pairs" / "flow.json").write_text('{"arrows": [[15, 20, 4, 0]]}')
    os.link(work / "pairs" / "flow.png", work / "pairs" / "a" / "overlay.png")
    os.rename(work / "pairs" / "a", work / "pairs" / "flow")
    for command in (
        ["animate", "dog.gif", *POINT["animate"], "--out", "dog.gif"],
        ["animate", "dog.gif", *POINT["animate"], "--out", "other.gif"],
        ["animate", "seq/frame_00001.png", *POINT["animate"], "--out", "seq"],
        ["annotate", "seq/overlay.png", *POINT["annotate"], "--out", "seq"],
        ["propagate", "seq/overlay.png", *POINT["propagate"], "--out", "seq"],
        ["propagate", "pairs", "--out", "pairs"],
    ):
        assert "is read, and what is written" in refused(work, *command) or command[1].startswith("seq/frame")
        refused(work, *command, "--force")


def test_a_script_is_never_replaced(work: Path) -> None:
    bench("animate", "dog.png", *POINT["animate"], "--out", "seq")
    (work / "m.json").rename(work / "seq" / "clip.json")
    command = ["animate", "dog.png", "--script", "seq/clip.json", "--out", "seq", "--force"]
    refused(work, *command)


def test_frames_of_others_are_never_replaced(work: Path) -> None:
    command = ["animate", "dog.png", *POINT["animate"], "--out", "seq", "--force"]
    (work / "seq").mkdir()
    (work / "seq" / "frame_00007.png").write_text("mine")
    assert "frame_00007.png" in refused(work, *command)
    (work / "seq" / "frame_00007.png").rename(work / "mine.png")
    bench(*command)
    (work / "m.json").write_text(json.dumps({"keys": [{"frame": 0, "arrows": [[15, 20, 8, 0]]}]}))
    (work / "mine.png").rename(work / "seq" / "frame_00003.png")  # the clip there has three
    assert "frame_00003.png" in refused(work, *command)
    (work / "seq" / "frame_00003.png").unlink()
    bench(*command)
    assert sorted(path.name for path in (work / "seq").iterdir()) == ["clip.json", "frame_00000.png"]
    for foreign in ("[]", '{"frames": 1}', "no json", '{"writer": "ssl-bench animate", "frames": -1}'):
        (work / "seq" / "clip.json").write_text(foreign)
        refused(work, *command)


def test_a_mask_can_be_made_again_from_the_json(work: Path) -> None:
    options = ["--negative", "60,50", "--label", "box", "--threshold", "0.4", "--json"]
    said = json.loads(bench("annotate", "dog.png", *POINT["annotate"], *options).stdout)
    assert said["label"] == "box"
    again = annotate(
        planted(said["size"]),
        np.asarray(Image.open(work / said["image"])),
        said["clicks"]["positive"],
        said["clicks"]["negative"],
        AnnotationSettings(**said["settings"]),
    )
    assert again.mask.any()
    assert said["settings"]["threshold"] == 0.4
    assert (again.mask == decode_mask(said["segmentation"], (64, 96))).all()
