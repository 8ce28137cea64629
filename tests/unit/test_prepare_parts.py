"""Parts of preparing a data set: which clips are held out, and how images and flow are shrunk."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.prepare.resize import shrink_flow, target_size
from ssl_motion.prepare.split import held_out, split_clips, split_position


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
