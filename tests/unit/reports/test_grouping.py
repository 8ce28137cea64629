"""Mean and spread over replicates, and what counts as one."""

import statistics

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssl_motion.record import MetricValue
from ssl_motion_reports.board import build_board
from ssl_motion_reports.grouping import entries, replicate_key, unique


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
@example([0.0, 2.052580435238692e-83])
def test_mean_and_spread_are_those_of_the_textbook(make_record, values):
    records = [make_record(seed=seed, value=value) for seed, value in enumerate(values)]
    (entry,) = build_board(records).groups[0].entries
    found = entry.values["mIoU"]
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-12)
    assert found.values == tuple(values)
    assert entry.seeds == tuple(range(len(values)))
    if len(values) == 1:
        assert found.std is None
    else:
        assert found.std == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-9)


def test_what_replicates_share_and_cost(make_record, make_reported):
    slow = make_record(seed=1)
    slow = slow.model_copy(update={"pretraining": slow.pretraining.model_copy(update={"wall_seconds": 201.0})})
    board = build_board([make_record(seed=0), slow, make_record("random"), make_reported(value=44.5)])
    own, random, reported = (
        next(entry for group in board.groups for entry in group.entries if (entry.method, entry.origin) == each)
        for each in (("cmp", "reproduced"), ("random", "reproduced"), ("cmp", "reported"))
    )
    assert (own.data, own.pairs, own.flow_supervision) == ("puppets-still", 8000, "exact flow")
    assert (own.pretrainings, own.pretraining_seconds, own.transfer_seconds) == (2, 150.5, 60.0)
    assert (random.data, random.pairs, random.flow_supervision) == ("none", None, "not used")
    assert (random.pretrainings, random.pretraining_seconds, random.transfer_seconds) == (0, None, 60.0)
    assert (reported.data, reported.seeds, reported.transfer_seconds) == ("YFCC", (), None)
    assert build_board([]).groups == []


def test_a_metric_that_a_seed_lacks_is_averaged_over_the_others(make_record):
    two = [MetricValue(name="mIoU", value=30.0, primary=True), MetricValue(name="aAcc", value=70.0)]
    (entry,) = build_board([make_record(seed=0, metrics=two), make_record(seed=1, metrics=two[:1])]).groups[0].entries
    assert {name: each.values for name, each in entry.values.items()} == {"mIoU": (30.0, 30.0), "aAcc": (70.0,)}
    assert entry.seeds == (0, 1)


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
    (group,) = build_board(twice).groups
    assert sorted(entry.values["mIoU"].mean for entry in group.entries) == [42.9, 44.5]
