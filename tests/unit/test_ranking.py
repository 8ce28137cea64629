"""Average precision: scikit-learn, the devkit's own text and mmdet's function as references; planted rankings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.ranking import Rule, average_precision, mean_present, precision_recall

RULES: tuple[Rule, ...] = ("step", "envelope", "11-point")


def ranking(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 60))
    right = rng.random(size) < rng.uniform(0.1, 0.9)
    right[rng.integers(size)] = True
    scores = rng.integers(0, 6, size).astype(float) if ties else rng.normal(size=size)
    return right, scores + right * rng.uniform(0, 2) * (not ties)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.booleans())
def test_steps_are_those_of_scikit_learn(seed: int, ties: bool) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    right, scores = ranking(seed, ties)
    assert average_precision(right, scores) == pytest.approx(100 * sklearn.average_precision_score(right, scores))


def devkit(right: np.ndarray, scores: np.ndarray, positives: int, rule: str) -> float:
    """The loops of VOCevaldet.m, in exact fractions of integers where it compares."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(order) + 1)
    if rule == "11-point":
        values = []
        for tenth in range(11):
            reached = [precision[n] for n in range(len(order)) if 10 * int(hits[n]) >= tenth * positives]
            values.append(max(reached, default=0.0))
        return 100 * float(np.mean(values))
    recalls = [0.0, *(hits / positives), 1.0]
    envelope = [0.0, *precision, 0.0]
    for n in range(len(envelope) - 2, -1, -1):
        envelope[n] = max(envelope[n], envelope[n + 1])
    return 100 * sum((recalls[n] - recalls[n - 1]) * envelope[n] for n in range(1, len(recalls)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 5), st.sampled_from(["envelope", "11-point"]))
def test_the_devkits_rules(seed: int, missed: int, rule: Rule) -> None:
    right, scores = ranking(seed, ties=False)
    positives = int(right.sum()) + missed
    assert average_precision(right, scores, rule, positives) == pytest.approx(devkit(right, scores, positives, rule))


@pytest.mark.parametrize("rule", ["envelope", "11-point"])
def test_mmdets_function_agrees(rule: Rule) -> None:
    from ssl_motion.openmmlab.libraries import use_mmdet

    use_mmdet()
    from mmdet.evaluation.functional.mean_ap import average_precision as theirs

    for seed in range(20):
        right, scores = ranking(seed, ties=False)
        hits = np.cumsum(right[np.argsort(-scores)])
        positives = int(right.sum()) + 1
        # It compares rounded tenths: a recall of exactly 3 in 10 does not reach its 0.3.
        positives += next(more for more in range(10) if np.gcd(positives + more, 10) == 1)
        recalls = (hits / positives).astype(np.float32)
        precisions = (hits / np.arange(1, len(right) + 1)).astype(np.float32)
        expected = theirs(recalls, precisions, "area" if rule == "envelope" else "11points")
        assert average_precision(right, scores, rule, positives) == pytest.approx(100 * expected, abs=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_planted_rankings(rule: Rule) -> None:
    right = np.array([True] * 5 + [False] * 15)
    assert average_precision(right, np.arange(20, 0, -1.0), rule) == pytest.approx(100)
    # All wrong first: the k-th of five right ones comes at rank 15 + k; the last has the best precision, 5 / 20.
    worst = average_precision(right, np.arange(20.0), rule)
    expected = {"step": 100 * np.mean([k / (15 + k) for k in range(1, 6)]), "envelope": 25.0, "11-point": 25.0}[rule]
    assert worst == pytest.approx(expected)
    # One score for all: everything is taken in at once.
    assert average_precision(right, np.zeros(20), rule) == pytest.approx(25)
    # Half of what there is was never ranked: recalls 0 to 0.5 are reached.
    half = {"step": 50.0, "envelope": 50.0, "11-point": 100 * 6 / 11}[rule]
    assert average_precision([True] * 5, np.arange(5.0), rule, positives=10) == pytest.approx(half)


@given(st.integers(0, 2**32), st.sampled_from(RULES))
def test_order_and_scale_do_not_matter(seed: int, rule: Rule) -> None:
    right, scores = ranking(seed, ties=True)
    order = np.random.default_rng(seed).permutation(len(right))
    value = average_precision(right, scores, rule)
    assert average_precision(right[order], 3 * scores[order] + 7, rule) == pytest.approx(value)


def test_nothing_to_find_and_nothing_found() -> None:
    assert np.isnan(average_precision([False, False], [1.0, 2.0]))
    assert np.isnan(average_precision([], []))
    for rule in RULES:
        assert average_precision([], [], rule, positives=3) == 0
    precision, recall = precision_recall([True, False], [0.5, 0.5])
    assert (precision.tolist(), recall.tolist()) == ([0.5], [1.0])
    assert mean_present([1.0, np.nan, 3.0]) == 2
    assert np.isnan(mean_present([np.nan]))
