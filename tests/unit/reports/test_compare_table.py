"""A comparison of two says what its interval holds for and what the table of all says, and claims no zero spread."""

import math

import pytest
from scipy import stats

from ssl_motion_reports.compare import compare, find_sides, to_csv, to_markdown, verdict

MEANS = {"a": 40.0, "b": 38.8, "c": 30.0, "d": 25.0, "e": 22.0, "f": 20.0}


@pytest.fixture
def records(make_record):
    """Three seeds of six methods, half a point apart: enough to tell a from b alone, too little among all pairs."""
    return [
        make_record(
            method, seed, mean + 0.5 * (seed - 1), details={"IoU": {"person": mean + 0.5 * (seed - 1), "fish": 0.0}}
        )
        for method, mean in MEANS.items()
        for seed in (0, 1, 2)
    ]


def _verdict(records, one, other, table):
    first, second, sources = find_sides(one, other, records, {})
    return verdict(compare(first, second, sources, None, table))


def test_what_the_table_of_all_pairs_says_stands_beside_the_interval_of_the_pair(records):
    alone = stats.t.ppf(0.975, 4) * 0.5 * math.sqrt(2 / 3)
    among_all = stats.studentized_range.ppf(0.95, 6, 12) * 0.5 / math.sqrt(3)
    assert alone < 1.2 < among_all
    said = _verdict(records, "a", "b", records)
    assert said.startswith("a is better than b: ")
    assert f"{1.2 - alone:.2f} to {1.2 + alone:.2f} (95%, over seeds)" in said
    assert "one pair that was chosen before its results were seen" in said
    assert said.endswith(
        "In the table of all 6 rows, which allows for all its pairs at once, the two are not told apart: "
        f"{1.2 - among_all:.2f} to {1.2 + among_all:.2f} (Tukey's HSD over seeds, family-wise 95 %; letters "
        "a and a)."
    )
    said = _verdict(records, "b", "c", records)
    assert "the two are told apart: " in said
    assert "letters a and b)" in said


def test_where_there_is_no_table_the_caveat_stands_alone(records):
    first, second = (next(record for record in records if record.method == method) for method in "ab")
    assert "In the table" not in _verdict(records, "a", "b", [])
    assert "one pair that was chosen before" in _verdict(records, "a", "b", [])
    said = _verdict(records, first.identity, second.identity, records)
    assert said.endswith("whether that is more than chance cannot be said.")


def test_a_class_that_every_seed_misses_has_no_interval_of_no_width(records):
    first, second, sources = find_sides("a", "b", records, {})
    found = compare(first, second, sources)
    rows = {row.name: row for row in found.classes["IoU"]}
    assert rows["person"].interval is not None
    assert rows["fish"].interval is None
    text = to_markdown(found, [])
    assert "0.00 to 0.00" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("| fish")]
    assert line.endswith("| no interval: every seed of a side has the same value |")
    (line,) = [line for line in to_csv(found).splitlines() if ",fish," in line]
    assert line.endswith(",0.0,0.0,0.0,,,,")
