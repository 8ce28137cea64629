"""Preparing a data set from videos: where flow, splits and index come from, and clips that are no good."""

import os
import runpy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import RunError, UsageError
from ssl_motion.prepare import prepare

_clips = runpy.run_path(str(Path(__file__).parents[1] / "panning_clips.py"))
lines, panning_video, small, texture = (_clips[name] for name in ("lines", "panning_video", "small", "texture"))


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
