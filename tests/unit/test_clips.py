"""Clips are read back by other programs' means: Pillow for GIF and PNG, the project's own decoder for MP4."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ssl_motion.animation.clips import save_clip
from ssl_motion.data.sample import UInt8Array
from ssl_motion.errors import UsageError
from ssl_motion.video.decode import VideoFile


def frames(count: int = 6, height: int = 48, width: int = 64) -> list[UInt8Array]:
    """A disc that goes to the right over a smooth ground."""
    rows, columns = np.mgrid[:height, :width]
    ground = np.stack([80 + rows, 60 + columns, 150 - rows], axis=2)
    made = []
    for number in range(count):
        frame = ground.copy()
        frame[(rows - height // 2) ** 2 + (columns - 12 - 5 * number) ** 2 < 64] = (240, 200, 30)
        made.append(frame.astype(np.uint8))
    return made


def test_a_folder_of_frames_is_exact_and_replaces_the_clip_before(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    save_clip(frames(6), folder, 12)
    (folder / "notes.txt").write_text("mine")
    save_clip(frames(4), folder, 12)
    names = sorted(path.name for path in folder.glob("*.png"))
    assert names == [f"frame_{number:05d}.png" for number in range(4)]
    assert (folder / "notes.txt").read_text() == "mine"
    for name, frame in zip(names, frames(4), strict=True):
        assert (np.asarray(Image.open(folder / name)) == frame).all()


@pytest.mark.parametrize(("fps", "duration"), [(12, 80), (25, 40), (10, 100), (60, 20)])
def test_a_gif_has_all_frames_at_their_pace(tmp_path: Path, fps: float, duration: int) -> None:
    save_clip(iter(frames()), tmp_path / "clip.gif", fps)
    with Image.open(tmp_path / "clip.gif") as clip:
        assert clip.info["loop"] == 0
        read = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(clip)]
    assert [pace for _, pace in read] == [duration] * 6
    for (found, _), frame in zip(read, frames(), strict=True):
        assert np.abs(found.astype(int) - frame).mean() < 8


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63)])
def test_an_mp4_has_all_frames_at_their_pace(tmp_path: Path, height: int, width: int) -> None:
    made = frames(9, height, width)
    save_clip(iter(made), tmp_path / "clip.mp4", 12.5)
    with VideoFile(tmp_path / "clip.mp4") as video:
        read = [(frame.seconds, frame.rgb()) for frame in video.frames()]
        assert video.damage == []
    assert [seconds for seconds, _ in read] == pytest.approx([number / 12.5 for number in range(9)])
    for (_, found), frame in zip(read, made, strict=True):
        assert found.shape == (48, 64, 3), "sides are even"
        difference = found[:height, :width].astype(int) - frame
        assert 10 * np.log10(255**2 / (difference**2).mean()) > 27, "peak signal to noise, dB"


def test_a_gif_keeps_strong_colours_of_small_things_and_does_not_flicker(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:120, :160]
    ground = np.stack([90 + rows // 3, 100 + columns // 4, 120 + (rows + columns) // 5], axis=2).astype(np.uint8)
    made = []
    for number in range(4):
        frame = ground.copy()
        frame[10:13, 20:24] = (250, 10, 20)  # a dozen red pixels
        frame[60:80, 30 + 9 * number : 60 + 9 * number] = (20, 30, 40)  # what moves
        made.append(frame)
    save_clip(made, tmp_path / "clip.gif", 10)
    with Image.open(tmp_path / "clip.gif") as clip:
        read = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(clip)]
    still = np.ones((120, 160), bool)
    still[60:80] = False
    for found in read:
        assert np.abs(found[11, 22] - (250, 10, 20)).max() < 25
        assert (found[still] == read[0][still]).all()


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".mp4", ".gif"):
        for name in ("a", "b"):
            save_clip(frames(), tmp_path / f"{name}{suffix}", 12)
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def failing() -> Iterator[UInt8Array]:
    yield from frames(3)
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip"])
def test_a_clip_that_is_interrupted_leaves_the_one_before(tmp_path: Path, name: str) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    save_clip(frames(4), tmp_path / name, 12)
    before = content()
    with pytest.raises(KeyboardInterrupt):
        save_clip(failing(), tmp_path / name, 12)
    assert content() == before


def test_names_that_cannot_be_written_are_refused_before_a_frame_is_made(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("mine")
    for name, words in (("clip.avi", "ends in .mp4 or .gif"), ("folder.mp4", "is a folder"), ("file", "is a file")):
        with pytest.raises(UsageError, match=words):
            save_clip(failing(), tmp_path / name, 12)
