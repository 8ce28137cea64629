"""Clips that are found below folders, and folders of images as clips."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.errors import UsageError
from ssl_motion.video import Clip, ClipError, PairRule, find_clips, read_pairs, scan_clip, select_pairs
from ssl_motion.video.clip import natural_key
from ssl_motion.video.folder import FrameFolder, read_image

_clips = runpy.run_path(str(Path(__file__).parents[1] / "numbered_clips.py"))
NO_CUTS, numbered_frame, read_number, same = (
    _clips[name] for name in ("NO_CUTS", "numbered_frame", "read_number", "same")
)


class TestFolders:
    def test_natural_order_and_broken_images(self, tmp_path: Path) -> None:
        for number in range(12):
            cv2.imwrite(str(tmp_path / f"frame{number}.png"), numbered_frame(number))
        broken = tmp_path / "frame5.png"
        broken.write_bytes(broken.read_bytes()[:60])
        clip = Clip("frames", tmp_path, "frames")
        with FrameFolder(tmp_path) as folder:
            numbers = [read_number(frame.rgb()) for frame in folder.frames()]
            assert len(folder.damage) == 1
            assert "frame5.png" in folder.damage[0]
        assert numbers == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
        scan = scan_clip(clip)
        plan = select_pairs(scan, PairRule(gap=1, cut=NO_CUTS))
        pairs = [(read_number(a), read_number(b)) for _, _, a, b in read_pairs(clip, scan, plan.pairs, same)]
        assert pairs == [(0, 1), (1, 2), (2, 3), (3, 4), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11)]
        assert plan.across_damage == 1

    def test_a_change_of_size_ends_a_segment(self, tmp_path: Path) -> None:
        for number in range(6):
            size = (64, 96) if number < 3 else (32, 48)
            cv2.imwrite(str(tmp_path / f"{number}.png"), numbered_frame(number, *size))
        scan = scan_clip(Clip("frames", tmp_path, "frames"))
        rule = PairRule(gap=1, cut=NO_CUTS)
        assert select_pairs(scan, rule).pairs.tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]

    @pytest.mark.parametrize(
        ("content", "words"), [(b"", "empty image"), (b"no image at all", "cannot be read"), (None, "no such image")]
    )
    def test_unreadable_images(self, tmp_path: Path, content: bytes | None, words: str) -> None:
        path = tmp_path / "a.jpg"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ClipError, match=words):
            read_image(path)

    def test_sixteen_bit_images_are_refused(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8), 4000, np.uint16))
        with pytest.raises(ClipError, match="8 bits"):
            read_image(tmp_path / "a.png")


class TestDiscovery:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        for name in ("b/clip10.mp4", "b/clip2.mp4", "a/clip2.mp4", "b/.hidden.mp4", "b/notes.txt", "b/song.mp3"):
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for folder in ("davis/JPEGImages/480p/dog", "davis/Annotations/480p/dog", "single"):
            path = tmp_path / "data" / folder
            path.mkdir(parents=True)
            for number in range(1 if folder == "single" else 3):
                cv2.imwrite(str(path / f"{number:05d}.png"), numbered_frame(number))
        return tmp_path / "data"

    def test_a_folder_is_searched(self, tree: Path) -> None:
        found = find_clips([tree])
        assert [(clip.name, clip.kind) for clip in found.clips] == [
            ("a/clip2.mp4", "video"),
            ("b/clip2.mp4", "video"),
            ("b/clip10.mp4", "video"),
            ("davis/JPEGImages/480p/dog", "frames"),
        ]
        assert {line.clip: line.reason.split(";")[0] for line in found.rejected} == {
            "davis/Annotations": "looks like label images",
            "single": "a folder with one image has no pair of frames",
        }

    def test_the_same_clip_twice_is_one(self, tree: Path) -> None:
        found = find_clips([tree / "b", tree / "b" / "clip2.mp4", f"{tree}/b/*.mp4"])
        assert sorted(clip.name for clip in found.clips) == ["clip10.mp4", "clip2.mp4"]

    def test_equal_names_are_told_apart(self, tree: Path) -> None:
        found = find_clips([tree / "a", tree / "b"])
        assert sorted(clip.name for clip in found.clips) == ["a/clip2.mp4", "b/clip2.mp4", "clip10.mp4"]

    def test_label_folders_can_be_named(self, tree: Path) -> None:
        (clip,) = find_clips([tree / "davis" / "Annotations"]).clips
        assert clip.name == "480p/dog"

    def test_globs_and_files_with_glob_characters(self, tree: Path) -> None:
        (tree / "odd[1].mp4").touch()
        assert [clip.name for clip in find_clips([f"{tree}/**/clip2.mp4"]).clips] == ["a/clip2.mp4", "b/clip2.mp4"]
        assert [clip.name for clip in find_clips([tree / "odd[1].mp4"]).clips] == ["odd[1].mp4"]

    def test_a_circle_of_links_ends(self, tree: Path) -> None:
        (tree / "b" / "again").symlink_to(tree)
        assert len(find_clips([tree]).clips) == 4

    def test_the_output_folder_is_left_out(self, tree: Path) -> None:
        assert {clip.name for clip in find_clips([tree / "a", tree], exclude=tree / "b").clips} == {
            "clip2.mp4",
            "davis/JPEGImages/480p/dog",
        }

    @pytest.mark.parametrize(("name", "words"), [("nope", "no such file"), ("*.xyz", "nothing matches")])
    def test_what_is_not_there(self, tree: Path, name: str, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            find_clips([tree / name])

    def test_nothing_usable(self, tree: Path) -> None:
        with pytest.raises(UsageError, match="one image"):
            find_clips([tree / "single"])

    @given(st.lists(st.integers(0, 10**6), max_size=20))
    def test_natural_order_is_the_order_of_numbers(self, numbers: list[int]) -> None:
        names = [f"frame{number}.jpg" for number in numbers]
        assert sorted(names, key=natural_key) == [f"frame{number}.jpg" for number in sorted(numbers)]
