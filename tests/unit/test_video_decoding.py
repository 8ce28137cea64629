"""Videos: every frame once, seeking, damage, and files that are refused. They are made here with PyAV."""

import os
import runpy
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from ssl_motion.video import Clip, ClipError, PairRule, find_clips, read_pairs, reader, scan_clip, select_pairs
from ssl_motion.video.decode import VideoFile

_clips = runpy.run_path(str(Path(__file__).parents[1] / "numbered_clips.py"))
NO_CUTS, numbered_frame, numbered_video, read_number, same, scan_of, write_video = (
    _clips[name]
    for name in ("NO_CUTS", "numbered_frame", "numbered_video", "read_number", "same", "scan_of", "write_video")
)


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
