"""Scripts of key frames: what lies between them, and what is wrong with one."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.animation.script import MotionScript, read_script
from ssl_motion.errors import UsageError
from ssl_motion.propagation.guidance import read_guidance

numbers = st.integers(-400, 400).map(lambda number: number / 8)


@st.composite
def scripts(draw: st.DrawFn) -> MotionScript:
    frames = sorted(draw(st.sets(st.integers(0, 60), min_size=1, max_size=5)))
    arrows, stills = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    keys = [
        {
            "frame": frame,
            "arrows": [[draw(numbers) for _ in range(4)] for _ in range(arrows)],
            "stills": [[draw(numbers) for _ in range(2)] for _ in range(stills)],
        }
        for frame in frames
    ]
    return MotionScript.model_validate({"keys": keys})


@given(scripts(), st.floats(-5, 70))
def test_every_number_goes_over_linearly_and_holds_at_the_ends(script: MotionScript, frame: float) -> None:
    times = [key.frame for key in script.keys]
    found = script.guidance_at(frame)
    for what in ("arrows", "stills"):
        series = np.array([getattr(key, what) for key in script.keys])  # [keys, points, numbers]
        wanted = np.empty(series.shape[1:])
        for place in np.ndindex(*wanted.shape):
            wanted[place] = np.interp(frame, times, series[(slice(None), *place)])
        np.testing.assert_allclose(np.array(getattr(found, what)).reshape(wanted.shape), wanted, rtol=0, atol=1e-9)


@given(scripts())
def test_key_frames_are_met_exactly(script: MotionScript) -> None:
    assert script.frames == script.keys[-1].frame + 1
    for key in script.keys:
        found = script.guidance_at(key.frame)
        assert (found.arrows, found.stills) == (key.arrows, key.stills)


def test_what_holds_still_between_key_frames_is_the_same_number() -> None:
    key = {"arrows": [[0.1, 0.7, 0.3, 1e-3]], "stills": [[1 / 3, 0.1]]}
    script = MotionScript.model_validate({"keys": [{"frame": 0, **key}, {"frame": 7, **key}]})
    assert all(script.guidance_at(frame) == script.guidance_at(0) for frame in range(8))


def key(frame: int, arrows: int = 1, stills: int = 0) -> dict[str, Any]:
    return {"frame": frame, "arrows": [[5, 5, 1, 0]] * arrows, "stills": [[1, 1]] * stills}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"keys": [key(0), key(9), key(9)]}, "keys.2 is of frame 9, and the key before it of frame 9"),
        ({"keys": [key(4), key(0)]}, "keys.1 is of frame 0"),
        ({"keys": [key(0), key(3), key(9, arrows=2)]}, r"keys.2 \(frame 9\) has 2 arrows, keys.0 has 1"),
        ({"keys": [key(0, stills=1), key(3)]}, r"keys.1 \(frame 3\) has 0 stills, keys.0 has 1"),
        ({"keys": [key(0), {**key(5), "arrows": [[5, 5, 1]]}]}, r"keys.1.arrows.0"),
        ({"keys": [key(0), {**key(5), "arrows": [[5, 5, 1, "far"]]}]}, r"keys.1.arrows.0.3"),
        ({"keys": [key(0), {**key(5), "arow": []}]}, r"keys.1.arow: unknown key. Did you mean 'arrows'"),
        ({"keys": [{"arrows": []}]}, "keys.0.frame: is missing"),
        ({"keys": [key(-1)]}, "keys.0.frame"),
        ({"keys": []}, "keys"),
        ({}, "keys: is missing"),
        ({"keys": [key(0)], "fps": 0}, "fps"),
        ([key(0)], "expected"),
    ],
)
def test_faults_name_the_key_frame(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "motion.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=words) as caught:
        read_script(path)
    assert str(path) in str(caught.value)
    assert not re.search(r"Value error|top level|'keys':", str(caught.value)), "plain words"


def test_what_is_no_json_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "motion.json").write_text('{"keys": [')
    (tmp_path / "list.json").write_text("[1, 2]")
    for name in ("motion.json", "list.json", "none.json"):
        with pytest.raises(UsageError, match=rf'{name}: cannot be read as a motion script .*expected {{"fps"'):
            read_script(tmp_path / name)
        with pytest.raises(UsageError, match=rf'{name}: cannot be read as guidance .*expected {{"arrows"'):
            read_guidance(tmp_path / name)
    with pytest.raises(UsageError, match=r"\(JSON\): there is no such file; expected"):
        read_script(tmp_path / "none.json")
    with pytest.raises(UsageError, match=r"\(JSON\): it is a folder; expected"):
        read_script(tmp_path)


def test_a_point_outside_the_image_is_named_with_its_key_frame() -> None:
    script = MotionScript.model_validate({"keys": [key(0), {**key(6), "arrows": [[31, 5, 0, 0]]}]})
    assert script.checked((20, 32)) is script
    with pytest.raises(UsageError, match=r"keys.1 \(frame 6\): the point \(31, 5\) lies outside"):
        script.checked((20, 31))


def test_the_readmes_script_begins_and_ends_with_the_photograph_itself() -> None:
    script = read_script(Path(__file__).parents[2] / "docs" / "chelsea_motion.json")
    for frame in (0, script.frames - 1):
        assert all((dx, dy) == (0, 0) for _, _, dx, dy in script.guidance_at(frame).arrows)
    assert all(dx > 0 for _, _, dx, _ in script.guidance_at(script.frames // 2).arrows)
