"""Mean and spread over replicates, and what counts as one."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion_reports.frame import COLUMNS, entries, replicate_key, summarise, tidy, unique


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_mean_and_spread_are_those_of_the_textbook(make_record, values):
    records = [make_record(seed=seed, value=value) for seed, value in enumerate(values)]
    line = summarise(tidy(records)).query("metric == 'mIoU'").iloc[0]
    assert line["mean"] == pytest.approx(math.fsum(values) / len(values), rel=1e-12, abs=1e-12)
    assert line["n"] == len(values)
    assert line["seeds"] == tuple(range(len(values)))
    assert line["values"] == tuple(values)
    if len(values) == 1:
        assert math.isnan(line["std"])
    else:
        assert line["std"] == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-9)


def test_a_line_for_each_record_and_metric(make_record, make_reported):
    frame = tidy([make_record(seed=0), make_record(seed=1), make_reported(value=44.5)])
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 5
    assert set(frame["origin"]) == {"reproduced", "reported"}
    own = frame[frame["origin"] == "reproduced"]
    assert own["pairs"].tolist() == [8000] * 4
    assert own["transfer_seconds"].tolist() == [60.0] * 4
    assert own["flow_supervision"].unique().tolist() == ["exact flow"]
    assert len(tidy([])) == 0


def test_only_seeds_are_averaged_over(make_record):
    base = make_record(seed=0)
    assert replicate_key(make_record(seed=1)) == replicate_key(base)
    others = [
        make_record(seed=1, method="walker"),
        make_record(seed=1, spec={"method_config": {"guidance": 0}}),
        make_record(seed=1, pairs=4000),
        make_record(seed=1, protocol={"head": "hypercolumn"}),
        make_record(seed=1, scale="reduced"),
        make_record(seed=1, backbone="resnet18"),
        make_record(seed=1, task="lip"),
        make_record(seed=1, spec={"data": {"crop": 96}}),
        make_record(seed=1).model_copy(update={"spec": {"task": "voc_fcn", "recipe_overrides": {"lr": 1}, "seed": 1}}),
    ]
    assert len({replicate_key(record) for record in [base, *others]}) == len(others) + 1


@pytest.mark.parametrize("change", [{"recipe_version": 2}, {"data_fingerprint": "other data of the same name"}])
def test_seeds_of_two_recipes_or_data_sets_are_not_averaged(make_record, change):
    old = [make_record(seed=seed) for seed in (0, 1)]
    new = [
        record.model_copy(update={"pretraining": record.pretraining.model_copy(update=change)})
        for record in (make_record(seed=2), make_record(seed=3))
    ]
    groups = entries([*old, *new]).values()
    assert sorted([record.seed for record in group] for group in groups) == [[0, 1], [2, 3]]


def test_where_shards_lie_does_not_separate_replicates(make_record):
    keys = {
        replicate_key(make_record(seed=seed, spec={"data": {"shards": [f"/disk{seed}/pairs"], "crop": 96}}))
        for seed in (0, 1)
    }
    assert len(keys) == 1


def test_weights_of_other_origin_are_told_apart_by_file(make_record):
    def imported(file, seed):
        record = make_record(seed=seed)
        learned = record.pretraining.model_copy(update={"run": None, "spec": {}})
        return record.model_copy(update={"pretraining": learned, "spec": {**record.spec, "init": file}})

    assert replicate_key(imported("a.pth", 0)) == replicate_key(imported("a.pth", 1))
    assert replicate_key(imported("a.pth", 0)) != replicate_key(imported("b.pth", 0))


def test_a_seed_that_occurs_twice_is_never_averaged(make_record):
    # Same spec, other identity: an older version of the code, for instance.
    old, new = (make_record(seed=0, value=value, identity=name * 16) for value, name in ((30.0, "a"), (40.0, "b")))
    groups = entries([old, new, make_record(seed=1, value=41.0)])
    assert all(len({record.seed for record in group}) == len(group) for group in groups.values())
    assert sorted(len(group) for group in groups.values()) == [1, 1, 1]


def test_of_one_identity_the_latest_record_stays(make_record):
    record = make_record()
    origin = record.origin.model_copy(
        update={"provenance": record.origin.provenance.model_copy(update={"finished": "2027-01-01T00:00:00+00:00"})}
    )
    later = record.model_copy(update={"origin": origin})
    assert unique([record, later, record]) == [later]


def test_published_numbers_are_never_averaged(make_reported):
    twice = [make_reported(value=44.5), make_reported(value=42.9)]
    assert sorted(summarise(tidy(twice))["mean"]) == [42.9, 44.5]
