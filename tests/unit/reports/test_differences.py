"""Tukey's test over seeds: planted differences are found, absent ones seldom, and letters say what the pairs say."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import tukey_hsd

from ssl_motion_reports.differences import differences, letter_display


def _draw(random, means, seeds=3, spread=1.0):
    return {f"e{number}": list(mean + spread * random.standard_normal(seeds)) for number, mean in enumerate(means)}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(2, 5), st.floats(0, 5)), min_size=2, max_size=5))
def test_decisions_are_those_of_scipy(seed, groups):
    random = np.random.default_rng(seed)
    values = {f"e{number}": list(mean + random.standard_normal(seeds)) for number, (seeds, mean) in enumerate(groups)}
    found = differences(values)
    compared = tukey_hsd(*values.values())
    reference, intervals = compared.pvalue, compared.confidence_interval(0.95)
    for (row, one), (column, other) in itertools.permutations(enumerate(values), 2):
        p = reference[row, column]
        half = (intervals.high[row, column] - intervals.low[row, column]) / 2
        assert found.margin(one, other) == pytest.approx(half, rel=1e-4)
        if abs(p - 0.05) > 1e-6:
            assert ((one, other) in found.resolved) == (p < 0.05)


def test_planted_differences_are_found_and_equal_entries_share_a_letter():
    random = np.random.default_rng(1)
    found = differences(_draw(random, [60, 60, 40, 40.2, 20], spread=0.5))
    letters = {key: "".join(each) for key, each in found.letters.items()}
    assert letters == {"e0": "a", "e1": "a", "e2": "b", "e3": "b", "e4": "c"}
    assert found.freedom == 10
    assert found.spread == pytest.approx(0.5, rel=0.5)


@pytest.mark.parametrize("seeds", [3, 5])
def test_among_equal_entries_a_difference_is_found_one_time_in_twenty(seeds):
    random = np.random.default_rng(7)
    rounds = 3000
    false = sum(bool(differences(_draw(random, [30.0] * 8, seeds)).resolved) for _ in range(rounds))
    # Four standard errors of a proportion of 0.05.
    assert false / rounds == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / rounds) ** 0.5)


def test_unequal_numbers_of_seeds_raise_no_more_false_alarms():
    random = np.random.default_rng(8)
    rounds, false = 2000, 0
    for _ in range(rounds):
        values = {f"e{number}": list(random.standard_normal(2 + number)) for number in range(4)}
        false += bool(differences(values).resolved)
    # Kramer's form keeps the level, or stays below it.
    assert 0.02 < false / rounds < 0.05 + 4 * (0.05 * 0.95 / rounds) ** 0.5


def test_a_difference_just_above_the_smallest_is_resolved_and_one_just_below_is_not():
    base = np.array([-1.0, 0.0, 1.0])
    least = differences({"one": list(base), "other": list(base)}).smallest
    for shift, expected in ((least * 1.001, True), (least * 0.999, False)):
        assert bool(differences({"one": list(base), "other": list(base + shift)}).resolved) is expected


def test_without_spread_whatever_differs_is_resolved():
    found = differences({"a": [2.0, 2.0], "b": [2.0, 2.0], "c": [1.0, 1.0]})
    assert found.letters == {"a": ("a",), "b": ("a",), "c": ("b",)}


def test_one_seed_says_nothing():
    assert differences({"a": [1.0], "b": [5.0, 5.1]}) is None
    assert differences({"a": [float("nan"), 1.0], "b": [5.0, 5.1]}) is None
    found = differences({"a": [9.0], "b": [5.0, 5.1], "c": [1.0, 1.1]})
    assert set(found.letters) == {"b", "c"}
    alone = differences({"b": [5.0, 5.1], "c": [1.0, 1.1]})
    assert (found.resolved, found.smallest) == (alone.resolved, alone.smallest)


@settings(deadline=None)
@given(st.integers(1, 9), st.randoms(use_true_random=False), st.floats(0, 1))
def test_two_keys_share_a_letter_exactly_where_they_are_not_told_apart(count, random, density):
    keys = [f"k{number}" for number in range(count)]
    pairs = [pair for pair in itertools.combinations(keys, 2) if random.random() < density]
    resolved = frozenset([*pairs, *((other, one) for one, other in pairs)])
    letters = letter_display(keys, resolved)
    assert all(letters[key] for key in keys)
    for one, other in itertools.combinations(keys, 2):
        assert bool(set(letters[one]) & set(letters[other])) == ((one, other) not in resolved)
    assert "a" in letters[keys[0]], "letters are given in the order of the keys"


def test_many_letters_stay_apart():
    keys = [f"k{number}" for number in range(30)]
    letters = letter_display(keys, frozenset(itertools.permutations(keys, 2)))
    assert [letters[key] for key in (keys[0], keys[25], keys[26])] == [("a",), ("z",), ("a2",)]
