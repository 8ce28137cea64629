"""Quantiles of the studentised range against scipy's, which are integrated by another library, and printed tables."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import studentized_range

from ssl_motion_reports.statistics.studentized_range import studentized_range_quantile


@settings(max_examples=60, deadline=None)
@given(means=st.integers(2, 400), freedom=st.integers(1, 5000), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_it_is_what_the_range_stays_below(means: int, freedom: int, level: float) -> None:
    limit = studentized_range_quantile(level, means, freedom)
    assert studentized_range.cdf(limit, means, freedom) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize(("means", "freedom", "printed"), [(3, 10, 3.877), (10, 20, 5.008), (2, 1, 17.97)])
def test_it_is_as_in_the_tables_of_textbooks(means: int, freedom: int, printed: float) -> None:
    assert studentized_range_quantile(0.95, means, freedom) == pytest.approx(printed, abs=0.005)
