"""Preparing data sets end to end: videos and imported flow into shards, and everything that may go wrong on the way."""

import errno
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import RunError, UsageError
from ssl_motion.flow.formats import write_flo, write_jpeg_pair, write_kitti
from ssl_motion.prepare import ImportSource, ImportSpec, PrepareSpec, describe, import_flow, prepare, statistics
from ssl_motion.prepare.folder import OutputFolder
from ssl_motion.prepare.resize import shrink_flow, target_size
from ssl_motion.prepare.split import held_out, split_clips, split_position
from ssl_motion.spec_text import parse_spec


def texture(seed: int, height: int = 200, width: int = 300) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 2)


def panning_video(path: Path, frames: int = 13, seed: int = 0, step: tuple[int, int] = (4, -2)) -> Path:
    """A 160 x 96 window over a texture: everything in it moves by `step` = (right, down) pixels a frame."""
    big = texture(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.options = {"crf": "12", "preset": "ultrafast"}
        for number in range(frames):
            left, top = 70 - step[0] * number, 50 - step[1] * number
            window = np.ascontiguousarray(big[top % 100 :][:96, left % 140 :][:, :160])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(window, format="rgb24")))
        file.mux(stream.encode())
    return path


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for number in range(4):
        panning_video(tmp_path / "videos" / f"clip{number}.mkv", seed=number)
    return tmp_path / "videos"


def small(**content: Any) -> PrepareSpec:
    return parse_spec(PrepareSpec, {"pairs": {"gap": 2}, "val_fraction": 0.3, "pairs_per_shard": 5, **content}, "test")


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class TestVideos:
    @pytest.mark.parametrize("short_side", [None, 48])
    def test_flow_is_in_pixels_of_the_stored_image(self, tmp_path: Path, short_side: int | None) -> None:
        panning_video(tmp_path / "a.mkv")
        result = prepare([tmp_path / "a.mkv"], small(short_side=short_side), tmp_path / "out")
        pairs = ShardPairs([result.folder], "train")
        assert len(pairs) == 6
        scale = 1.0 if short_side is None else 0.5
        for sample in pairs:
            assert sample.size == ((96, 160) if short_side is None else (48, 80))
            assert sample.gap == 2
            inner = sample.flow[12:-12, 20:-20]
            assert abs(float(np.median(inner[..., 0])) - 8 * scale) < 0.2
            assert abs(float(np.median(inner[..., 1])) + 4 * scale) < 0.2
        assert [sample.frame for sample in pairs] == [0, 2, 4, 6, 8, 10]

    def test_whole_clips_go_to_either_split(self, videos: Path, tmp_path: Path) -> None:
        result = prepare([videos], small(), tmp_path / "out")
        clips = {split: {sample.clip for sample in ShardPairs([result.folder], split)} for split in ("train", "val")}
        assert clips["train"] | clips["val"] == {f"clip{number}.mkv" for number in range(4)}
        assert not clips["train"] & clips["val"]
        assert min(map(len, clips.values())) > 0
        rows = lines(tmp_path / "out" / "clips.jsonl")
        assert {row["clip"]: row["split"] for row in rows} == {
            clip: split for split, names in clips.items() for clip in names
        }
        assert sum(row["pairs"] for row in rows) == sum(result.pairs.values()) == 24

    def test_the_index_says_where_the_flow_came_from(self, videos: Path, tmp_path: Path) -> None:
        result = prepare([videos], small(flow="farneback"), tmp_path / "out", name="mine")
        data = ShardSet(result.folder)
        assert data.fingerprint == result.fingerprint
        assert data.info["name"] == "mine"
        assert (data.info["flow_estimator"], data.info["flow_supervision"]) == ("farneback", "none")
        assert data.info["extra"]["settings"]["pairs"]["gap"] == 2

    def test_still_pairs_and_repeated_frames_are_left_out(self, tmp_path: Path) -> None:
        panning_video(tmp_path / "v" / "moving.mkv")
        panning_video(tmp_path / "v" / "still.mkv", seed=5, step=(0, 0))
        result = prepare([tmp_path / "v"], small(val_fraction=0), tmp_path / "out")
        assert result.still == 6
        assert result.pairs == {"train": 6, "val": 0}
        assert {row["clip"]: row["still"] for row in lines(tmp_path / "out" / "clips.jsonl")} == {
            "moving.mkv": 0,
            "still.mkv": 6,
        }
        kept = prepare([tmp_path / "v"], small(val_fraction=0, still={"min_moving": 0}), tmp_path / "all")
        assert kept.pairs["train"] == 12

    def test_nothing_that_moves_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        panning_video(tmp_path / "still.mkv", step=(0, 0))
        with pytest.raises(RunError, match="6 tried, 6 without motion"):
            prepare([tmp_path / "still.mkv"], small(), tmp_path / "out")
        assert not (tmp_path / "out" / "index.json").exists()

    def test_bad_clips_are_named_and_do_not_stop_the_rest(self, videos: Path, tmp_path: Path) -> None:
        (videos / "empty.mp4").touch()
        (videos / "text.avi").write_text("no video")
        whole = (videos / "clip1.mkv").read_bytes()
        (videos / "clip1.mkv").write_bytes(whole[: len(whole) * 2 // 3])
        panning_video(videos / "short.mkv", frames=2)
        name = os.fsdecode(b"caf\xe9 \xff.mkv")
        (videos / "clip2.mkv").rename(videos / name)
        result = prepare([videos], small(), tmp_path / "out", processes=2)
        reasons = {line["clip"]: (line["scope"], line["reason"]) for line in lines(result.folder / "rejected.jsonl")}
        assert set(reasons) == {"clip1.mkv", "empty.mp4", "short.mkv", "text.avi"}
        assert reasons["empty.mp4"] == ("clip", "empty file (0 bytes)")
        assert reasons["short.mkv"] == ("clip", "2 frames decoded; a gap of 2 needs more")
        assert reasons["text.avi"][1].startswith("not a video")
        assert reasons["clip1.mkv"][0] == "part"
        names = {sample.clip for split in ("train", "val") for sample in ShardPairs([result.folder], split)}
        assert names == {"clip0.mkv", "clip1.mkv", "clip3.mkv", r"caf\xe9 \xff.mkv"}

    def test_a_clip_that_vanishes_between_the_passes_is_named(
        self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ssl_motion.prepare import videos as module

        original = module.run_plan

        def vanish(*args: Any, **options: Any) -> Any:
            (videos / "clip2.mkv").unlink()
            return original(*args, **options)

        monkeypatch.setattr(module, "run_plan", vanish)
        result = prepare([videos], small(), tmp_path / "out")
        assert {line["clip"] for line in lines(result.folder / "rejected.jsonl")} == {"clip2.mkv"}
        assert sum(result.pairs.values()) == 18

    def test_folders_of_frames_and_gaps_in_seconds(self, tmp_path: Path) -> None:
        big = texture(1)
        for number in range(12):
            path = tmp_path / "frames" / f"frame{number}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), np.ascontiguousarray(big[40:136, 60 - 3 * number :][:, :160]))
        by_time = small(pairs={"gap_seconds": 0.25})
        with pytest.raises(UsageError, match="frame rate"):
            prepare([tmp_path / "frames"], by_time, tmp_path / "out")
        by_time = small(pairs={"gap_seconds": 0.25, "frame_rate": 12})
        result = prepare([tmp_path / "frames"], by_time, tmp_path / "out")
        sample = ShardPairs([result.folder], "train")[0]
        assert sample.gap == 3
        assert abs(float(np.median(sample.flow[12:-12, 20:-20, 0])) - 9) < 0.2

    def test_frames_too_small_for_flow(self, tmp_path: Path) -> None:
        for number in range(4):
            path = tmp_path / "tiny" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), texture(number, 40, 40)[:8, :12])
        with pytest.raises(RunError, match="too small"):
            prepare([tmp_path / "tiny"], small(pairs={"gap": 1}), tmp_path / "out")

    def test_an_estimator_that_fails_on_a_clip_does_not_stop_the_rest(
        self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ssl_motion.flow.estimators import DISFlow

        original = DISFlow.estimate
        calls = iter(range(1000))

        def sometimes(self: DISFlow, frame0: Any, frame1: Any) -> Any:
            number = next(calls)
            if number == 3:
                return np.full((*frame0.shape[:2], 2), np.nan, np.float32)
            if number == 7:
                raise cv2.error("planted")
            return original(self, frame0, frame1)

        monkeypatch.setattr(DISFlow, "estimate", sometimes)
        result = prepare([videos], small(), tmp_path / "out")
        rejected = lines(result.folder / "rejected.jsonl")
        assert [line["scope"] for line in rejected] == ["pair", "part"]
        assert "NaN" in rejected[0]["reason"]
        assert "planted" in rejected[1]["reason"]
        assert 15 < sum(result.pairs.values()) < 24


class TestRestart:
    def test_shards_do_not_depend_on_the_number_of_processes(self, videos: Path, tmp_path: Path) -> None:
        one = prepare([videos], small(), tmp_path / "one", processes=1)
        two = prepare([videos], small(), tmp_path / "two", processes=2)
        assert len(hashes(one.folder)) >= 4
        assert hashes(one.folder) == hashes(two.folder)
        assert one.fingerprint == two.fingerprint

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_killed_run_continues_and_ends_the_same(self, videos: Path, tmp_path: Path, processes: int) -> None:
        for number in range(4, 9):
            panning_video(videos / f"clip{number}.mkv", frames=21, seed=number)
        spec = small(flow_options={"preset": "fine"}, pairs_per_shard=4)
        whole = prepare([videos], spec, tmp_path / "whole")
        out = tmp_path / "killed"
        script = (
            "import sys\nfrom pathlib import Path\nfrom ssl_motion.prepare import PrepareSpec, prepare\n"
            "if __name__ == '__main__':\n"
            "    spec = PrepareSpec.model_validate_json(sys.argv[2])\n"
            f"    prepare([sys.argv[1]], spec, Path(sys.argv[3]), processes={processes})\n"
        )
        path = tmp_path / "run.py"
        path.write_text(script)
        child = subprocess.Popen(
            [sys.executable, str(path), str(videos), spec.model_dump_json(), str(out)], stderr=subprocess.DEVNULL
        )
        reports = out / "work" / "shards"
        deadline = time.monotonic() + 60
        while len(list(reports.glob("*.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not (out / "index.json").exists()
        with pytest.raises(UsageError, match="did not finish"):
            ShardSet(out)
        # Workers notice that their parent is gone.
        time.sleep(1.0 if processes > 1 else 0.0)
        done = {report.stem: (out / f"{report.stem}.tar").stat().st_mtime_ns for report in reports.glob("*.json")}
        assert 3 <= len(done) < len(hashes(whole.folder))
        (out / ".train-000099.tar.1.part").write_bytes(b"half")
        result = prepare([videos], spec, out)
        assert result.reused >= len(done)
        assert result.made == len(hashes(whole.folder)) - result.reused
        assert {stem: (out / f"{stem}.tar").stat().st_mtime_ns for stem in done} == done, (
            "finished shards are not redone"
        )
        assert hashes(out) == hashes(whole.folder)
        assert result.fingerprint == whole.fingerprint
        assert (out / "rejected.jsonl").read_bytes() == (whole.folder / "rejected.jsonl").read_bytes()
        assert (out / "clips.jsonl").read_bytes() == (whole.folder / "clips.jsonl").read_bytes()
        assert not list(out.rglob("*.part"))

    def test_a_finished_data_set_is_reused(self, videos: Path, tmp_path: Path) -> None:
        first = prepare([videos], small(), tmp_path / "out")
        again = prepare([videos], small(), tmp_path / "out")
        assert not first.cached
        assert again.cached
        assert again.fingerprint == first.fingerprint

    def test_a_lost_or_cut_shard_is_made_again(self, videos: Path, tmp_path: Path) -> None:
        first = prepare([videos], small(), tmp_path / "out")
        before = hashes(first.folder)
        shard = first.folder / "train-000001.tar"
        shard.write_bytes(shard.read_bytes()[:1000])
        again = prepare([videos], small(), tmp_path / "out")
        assert again.made == 1
        assert hashes(first.folder) == before

    def test_a_broken_scan_is_made_again(self, videos: Path, tmp_path: Path) -> None:
        first = prepare([videos], small(), tmp_path / "out")
        before = hashes(first.folder)
        for scan in (tmp_path / "out" / "work" / "scans").iterdir():
            scan.write_bytes(scan.read_bytes()[:100])
        (first.folder / "train-000000.tar").unlink()
        again = prepare([videos], small(), tmp_path / "out")
        assert again.made == 1
        assert hashes(first.folder) == before

    def test_other_settings_or_input_are_refused(self, videos: Path, tmp_path: Path) -> None:
        prepare([videos], small(), tmp_path / "out")
        with pytest.raises(UsageError, match=r"pairs\.gap was 2, is now 3"):
            prepare([videos], small(pairs={"gap": 3}), tmp_path / "out")
        panning_video(videos / "clip9.mkv", seed=9)
        with pytest.raises(UsageError, match="other clips"):
            prepare([videos], small(), tmp_path / "out")

    @pytest.mark.parametrize("text", ["", "{}", "[]"])
    def test_damaged_settings_are_named(self, videos: Path, tmp_path: Path, text: str) -> None:
        (tmp_path / "prepare.json").write_text(text, encoding="utf-8")
        with pytest.raises(RunError, match=r"prepare\.json is damaged.*another output folder"):
            prepare([videos], PrepareSpec(), tmp_path)

    def test_before_the_first_shard_settings_may_change(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        with pytest.raises(RunError, match="empty file"):
            prepare([tmp_path / "empty.mp4"], small(), tmp_path / "out")
        assert prepare([videos], small(pairs={"gap": 3}), tmp_path / "out").pairs["train"] > 0

    def test_a_full_disk_loses_nothing(self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ssl_motion import fileio

        whole = prepare([videos], small(), tmp_path / "whole")
        calls = iter(range(1000))
        original = os.fsync

        def full(descriptor: int) -> None:
            # Scans, settings and the first shards fit; then the disk is full.
            if next(calls) > 14:
                raise OSError(errno.ENOSPC, "No space left on device")
            original(descriptor)

        monkeypatch.setattr(fileio.os, "fsync", full)
        with pytest.raises(RunError, match="No space left on device"):
            prepare([videos], small(), tmp_path / "out")
        monkeypatch.setattr(fileio.os, "fsync", original)
        result = prepare([videos], small(), tmp_path / "out")
        assert result.reused >= 1
        assert hashes(result.folder) == hashes(whole.folder)

    def test_two_runs_at_once(self, videos: Path, tmp_path: Path) -> None:
        folder = OutputFolder(tmp_path / "out")
        with folder.locked({"kind": "test"}), pytest.raises(RunError, match=rf"in use by process {os.getpid()} on "):
            prepare([videos], small(), tmp_path / "out")

    def test_output_folders_that_are_none(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for out, words in [("file", "is a file"), ("file/below", "below a file"), ("videos", "holds other things")]:
            with pytest.raises(UsageError, match=words):
                prepare([videos], small(), tmp_path / out)
        assert sorted(os.listdir(videos)) == [f"clip{number}.mkv" for number in range(4)]

    def test_a_dry_run_writes_nothing(self, videos: Path, tmp_path: Path) -> None:
        (videos / "empty.mp4").touch()
        plan = describe([videos], small(), tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert not plan["started"]
        assert [clip.get("problem") for clip in plan["clips"]] == [None] * 4 + ["empty file (0 bytes)"]


class TestSplit:
    @given(st.sets(st.text(max_size=12), min_size=2, max_size=40), st.floats(0.01, 0.99))
    def test_neither_split_is_empty(self, names: set[str], fraction: float) -> None:
        ordered = sorted(names)
        chosen = split_clips(ordered, fraction)
        assert any(chosen)
        assert not all(chosen)
        plain = [split_position(name) < fraction for name in ordered]
        if any(plain) and not all(plain):
            assert chosen == plain, "a clip's side depends on its own name alone"

    def test_fraction_zero_and_single_clips(self) -> None:
        assert split_clips(["a", "b"], 0.0) == [False, False]
        assert split_clips(["a"], 0.0) == [False]
        assert held_out(np.array([]), 0.5).tolist() == []

    def test_shares_are_about_right(self) -> None:
        assert abs(np.mean(split_clips([f"clip{number}" for number in range(4000)], 0.1)) - 0.1) < 0.02


class TestShrinking:
    @given(st.integers(1, 3000), st.integers(1, 3000), st.integers(16, 500))
    def test_sizes(self, height: int, width: int, side: int) -> None:
        new = target_size(height, width, side)
        if min(height, width) <= side:
            assert new == (height, width)
        else:
            assert min(new) == side
            assert new == (int(height * side / min(height, width)), int(width * side / min(height, width))) or (
                # floating point may round the exact quotient down
                max(new) == max(height, width) * side // min(height, width)
            )

    @settings(deadline=None, max_examples=25)
    @given(st.integers(0, 1000))
    def test_affine_flow_keeps_its_formula(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        matrix, shift = rng.normal(size=(2, 2)) * 0.1, rng.normal(size=2) * 5
        height, width, side = 90, 130, 40

        def field(rows: int, columns: int) -> np.ndarray:
            y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij")
            points = np.stack([x * width, y * height], axis=-1)
            return points @ matrix.T + shift

        flow = field(height, width).astype(np.float32)
        small_flow, valid = shrink_flow(flow, np.ones((height, width), np.bool_), side)
        rows, columns = valid.shape
        expected = field(rows, columns) * [columns / width, rows / height]
        np.testing.assert_allclose(small_flow[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-4)

    def test_unknown_flow_is_not_mixed_in(self) -> None:
        flow = np.full((80, 80, 2), 8, np.float32)
        valid = np.random.default_rng(0).random((80, 80)) < 0.2
        flow[~valid] = 0
        small_flow, kept = shrink_flow(flow, valid, 40)
        assert 0.1 < kept.mean() < 0.3
        np.testing.assert_array_equal(small_flow[kept], 4)
        np.testing.assert_array_equal(small_flow[~kept], 0)


def write_pair(folder: Path, number: int, size: tuple[int, int] = (60, 80)) -> tuple[Path, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    for offset in (0, 1):
        image = texture(number, 120, 160)[: size[0], offset : offset + size[1]]
        Image.fromarray(image).save(folder / f"{number + offset:04d}.jpg", quality=95)
    flow = np.full((*size, 2), (-1.5 - number, 2.0), np.float32)
    return folder / f"{number:04d}.jpg", flow


class TestImport:
    def spec(self, **content: Any) -> ImportSpec:
        return parse_spec(ImportSpec, {"val_fraction": 0, **content}, "test")

    def test_original_lists_in_both_modes(self, tmp_path: Path) -> None:
        rows = []
        for number in (1, 5, 9):
            image, flow = write_pair(tmp_path / "frames" / f"v{number}", number)
            stem = f"frames/v{number}/{number:04d}"
            second = f"frames/v{number}/{number + 1:04d}.jpg"
            if number == 5:
                write_flo(tmp_path / f"{number}.flo", flow)
                rows.append(f"{stem}.jpg {second} {number}.flo")
            else:
                write_jpeg_pair(tmp_path / f"{number}x.jpg", tmp_path / f"{number}y.jpg", flow)
                rows.append(f"{stem}.jpg {second} {number}x.jpg {number}y.jpg")
            assert image.exists()
        (tmp_path / "train.txt").write_text("\n".join(rows[:2]) + "\n\n")
        (tmp_path / "val.txt").write_text(rows[2] + "\n")
        source = ImportSource(lists=[tmp_path / "train.txt"], val_lists=[tmp_path / "val.txt"], root=tmp_path)
        result = import_flow(
            source, self.spec(flow_name="liteflownet", flow_supervision="synthetic labels"), tmp_path / "o"
        )
        assert result.pairs == {"train": 2, "val": 1}
        first, second = ShardPairs([result.folder], "train")
        np.testing.assert_allclose(first.flow, np.broadcast_to([-2.5, 2.0], first.flow.shape), atol=0.3)
        np.testing.assert_allclose(second.flow, np.broadcast_to([-6.5, 2.0], second.flow.shape), atol=1 / 128)
        assert (first.clip, first.frame, first.gap) == ("frames/v1", 1, 1)
        info = ShardSet(result.folder).info
        assert (info["flow_estimator"], info["flow_supervision"]) == ("liteflownet", "synthetic labels")

    def test_bad_pairs_are_named_and_do_not_stop_the_rest(self, tmp_path: Path) -> None:
        good = write_pair(tmp_path / "a", 1)[1]
        write_flo(tmp_path / "good.flo", good)
        write_flo(tmp_path / "size.flo", good[:-1])
        nan = good.copy()
        nan[3, 4] = np.nan
        nan_bytes = struct.pack("<fii", 202021.25, 80, 60) + nan.astype("<f4").tobytes()
        (tmp_path / "nan.flo").write_bytes(nan_bytes)
        (tmp_path / "cut.flo").write_bytes(nan_bytes[:500])
        write_flo(tmp_path / "unknown.flo", good, np.zeros(good.shape[:2], np.bool_))
        (tmp_path / "broken.jpg").write_bytes(b"none")
        pair = "a/0001.jpg a/0002.jpg"
        bad = {
            f"{pair} size.flo": "agree in size",
            f"{pair} nan.flo": "2 NaN",
            f"{pair} cut.flo": "truncated",
            f"{pair} gone.flo": "gone.flo",
            f"{pair} unknown.flo": "no pixel with known flow",
            "broken.jpg a/0002.jpg good.flo": "broken.jpg",
            "one two": "2 columns",
            "1 2 3 4 5": "5 columns",
            f"{pair} flow.xyz": "xyz",
        }
        (tmp_path / "list.txt").write_text("\n".join([f"{pair} good.flo", *bad]) + "\n")
        result = import_flow(ImportSource(lists=[tmp_path / "list.txt"], root=tmp_path), self.spec(), tmp_path / "o")
        assert result.pairs["train"] == 1
        reasons = [line["reason"] for line in lines(tmp_path / "o" / "rejected.jsonl")]
        assert len(reasons) == len(bad)
        for number, (row, words) in enumerate(bad.items(), start=2):
            (reason,) = [reason for reason in reasons if f"list.txt:{number}:" in reason]
            assert words in reason, (row, reason)

    def test_paths_with_spaces_need_tabs(self, tmp_path: Path) -> None:
        _, flow = write_pair(tmp_path / "my clip", 1)
        write_flo(tmp_path / "my flow.flo", flow)
        (tmp_path / "list.txt").write_text("my clip/0001.jpg\tmy clip/0002.jpg\tmy flow.flo\n")
        result = import_flow(ImportSource(lists=[tmp_path / "list.txt"], root=tmp_path), self.spec(), tmp_path / "o")
        assert result.pairs["train"] == 1

    def test_folders_are_matched_by_name(self, tmp_path: Path) -> None:
        for scene in ("alley", "bamboo"):
            _, flow = write_pair(tmp_path / "clean" / scene, 1)
            (tmp_path / "flow" / scene).mkdir(parents=True)
            write_flo(tmp_path / "flow" / scene / "0001.flo", flow)
        _, flow = write_pair(tmp_path / "clean" / "kitti", 3)
        valid = np.random.default_rng(0).random(flow.shape[:2]) < 0.2
        write_kitti(tmp_path / "flow" / "kitti_0003.png", flow, valid)
        (tmp_path / "flow" / "kitti").mkdir()
        (tmp_path / "flow" / "kitti_0003.png").rename(tmp_path / "flow" / "kitti" / "0003.png")
        write_flo(tmp_path / "flow" / "orphan.flo", flow)
        result = import_flow(
            ImportSource(flow_pairs=[(tmp_path / "clean", tmp_path / "flow")]),
            self.spec(val_fraction=0.5, short_side=30),
            tmp_path / "o",
        )
        samples: list[FlowSample] = [s for split in ("train", "val") for s in ShardPairs([tmp_path / "o"], split)]
        assert result.pairs["val"] > 0
        assert sorted(Path(sample.clip).name for sample in samples) == ["alley", "bamboo", "kitti"]
        kitti = next(sample for sample in samples if sample.clip.endswith("kitti"))
        assert 0.1 < kitti.valid.mean() < 0.3
        np.testing.assert_allclose(
            kitti.flow[kitti.valid], np.broadcast_to([-2.25, 1.0], (kitti.valid.sum(), 2)), atol=0.02
        )
        (rejected,) = lines(tmp_path / "o" / "rejected.jsonl")
        assert "no image of that name" in rejected["reason"]

    def test_flying_chairs_names(self, tmp_path: Path) -> None:
        image, flow = write_pair(tmp_path / "c", 1)
        Image.open(image).save(tmp_path / "c" / "00007_img1.ppm")
        Image.open(image).save(tmp_path / "c" / "00007_img2.ppm")
        for name in ("00007_flow.flo", "00007_flow_10.flo"):
            write_flo(tmp_path / "c" / name, flow)
        source = ImportSource(flow_pairs=[(tmp_path / "c", tmp_path / "c")])
        result = import_flow(source, self.spec(clip="file"), tmp_path / "o")
        (sample,) = ShardPairs([result.folder], "train")
        assert sample.clip.endswith("00007_img1.ppm")
        assert sample.frame == 7

    def test_nothing_to_import(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        for source in (
            ImportSource(flow_pairs=[(tmp_path / "empty", tmp_path / "empty")]),
            ImportSource(lists=[tmp_path / "gone.txt"]),
        ):
            with pytest.raises(UsageError):
                import_flow(source, self.spec(), tmp_path / "o")

    def test_known_figures_of_real_flow(self, sample_data: Path, tmp_path: Path) -> None:
        sintel = sample_data / "flow" / "sintel_alley_1"
        result = import_flow(
            ImportSource(flow_pairs=[(sintel / "frame_0001.png", sintel / "frame_0001.flo")]),
            self.spec(short_side=None),
            tmp_path / "o",
        )
        (sample,) = ShardPairs([result.folder], "train")
        assert float(np.hypot(*np.moveaxis(sample.flow, -1, 0)).mean()) == pytest.approx(2.80, abs=0.01)


class TestStatistics:
    def test_figures_of_planted_motion(self, tmp_path: Path) -> None:
        for number in range(3):
            image, _ = write_pair(tmp_path / f"c{number}", 1)
            flow = np.zeros((60, 80, 2), np.float32)
            flow[:30] = (60, 80)  # half of it moves by 100 px, beyond 50 in both components
            write_flo(tmp_path / f"c{number}" / "0001.flo", flow)
            assert image.exists()
        source = ImportSource(flow_pairs=[(tmp_path / f"c{number}",) * 2 for number in range(3)])
        import_flow(source, parse_spec(ImportSpec, {"val_fraction": 0.4}, "test"), tmp_path / "o")
        summary = statistics(tmp_path / "o")
        assert summary["pairs_read"] == 3
        assert summary["still_share"]["mean"] == pytest.approx(0.5)
        assert summary["share_beyond_50_px"] == pytest.approx(0.5)
        assert summary["magnitude_px"]["p75"] == pytest.approx(100, rel=0.12)
        with Image.open(tmp_path / "o" / "statistics.png") as picture:
            assert picture.width > 1000
        assert json.loads((tmp_path / "o" / "statistics.json").read_text())["fingerprint"] == summary["fingerprint"]

    def test_a_method_is_asked(self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from pydantic import BaseModel

        from ssl_motion.prepare import statistics as module_function

        class Config(BaseModel):
            factor: float = 1.0

        class Method:
            Config = None

            @staticmethod
            def describe_sample(config: Any, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
                return {"side": config.factor * sample.size[0], "square": float(sample.size[0] == sample.size[1])}

        Method.Config = Config  # type: ignore[assignment]
        prepare([videos], small(), tmp_path / "out")
        module = sys.modules[module_function.__module__]
        monkeypatch.setattr(module, "load", lambda group, name: Method)
        summary = statistics(tmp_path / "out", method="anything", method_config={"factor": 2}, out=tmp_path / "drawn")
        assert summary["method"]["figures"]["side"]["mean"] == 2 * 96
        assert summary["method"]["figures"]["square"]["min"] == 1
        assert (tmp_path / "drawn" / "statistics.png").is_file()


class TestCommandLine:
    def run(self, *arguments: object) -> Any:
        from ssl_motion.cli.prepare_verb import command

        return CliRunner().invoke(command, [str(argument) for argument in arguments])

    def test_as_a_user_would(self, videos: Path, tmp_path: Path) -> None:
        options = ("--gap", 2, "--short-side", 64, "--val-fraction", 0.3, "--processes", 1)
        dry = self.run(videos, "--out", tmp_path / "out", *options, "--dry-run")
        assert dry.exit_code == 0, dry.output
        assert "clip3.mkv: video" in dry.output
        made = self.run(f"{videos}/*.mkv", "--out", tmp_path / "out", *options, "--json")
        assert made.exit_code == 0, made.output
        content = json.loads(made.stdout)
        assert content["pairs"]["train"] + content["pairs"]["val"] == 24
        assert content["fingerprint"] == ShardSet(tmp_path / "out").fingerprint
        stats = self.run("--stats", tmp_path / "out", "--json")
        assert stats.exit_code == 0, stats.output
        summary = json.loads(stats.stdout)
        assert summary["pairs_read"] == 24
        # Whole images of 64 x 106 are cropped to 64 x 64; the grid alone gives each of them a guidance point.
        assert summary["method"]["figures"]["guidance points"]["min"] >= 1

    def test_a_damaged_index_is_written_anew(self, videos: Path, tmp_path: Path) -> None:
        arguments = (videos, "--out", tmp_path / "out", "--gap", 2, "--short-side", 64, "--processes", 1)
        assert self.run(*arguments).exit_code == 0
        index = tmp_path / "out" / "index.json"
        whole = index.read_bytes()
        index.write_bytes(whole[:300])
        again = self.run(*arguments)
        assert again.exit_code == 0, again.exception
        assert index.read_bytes() == whole

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--gap", "2"], "--out DIR"),
            (["--out", "o", "--gap", "2", "--gap-seconds", "0.1"], "not both"),
            (["--out", "o", "--flow", "diss"], "Did you mean 'dis'?"),
            (["--out", "o", "--flow-option", "presett=fine"], "presett"),
            (["--out", "o", "--set", "still.distanc=3"], "Did you mean 'distance'?"),
            (["--out", "o", "--import-list", "x"], "two data sets"),
            (["--out", "o", "--flow-name", "x"], "--flow-name does not apply"),
            (["--out", "o", "--val-fraction", "1.5"], "val_fraction"),
        ],
    )
    def test_wrong_usage(
        self, videos: Path, tmp_path: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        result = self.run(videos, *arguments)
        message = result.output + str(result.exception)
        assert words in message
        assert getattr(result.exception, "exit_code", result.exit_code) == 2
        assert not (tmp_path / "o").exists()
