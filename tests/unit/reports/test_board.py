"""Ranks: only inside one protocol fingerprint, and never between a full protocol and a small one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.record import MetricValue
from ssl_motion_reports.board import build_board
from ssl_motion_reports.formatting import fact


def _ranks(group):
    return [(entry.rank, entry.label) for entry in group.entries]


def test_the_best_mean_ranks_first_and_equal_means_share_a_rank(make_record):
    values = {"a": (50.0, 40.0), "b": (45.0, 45.0), "c": (60.0, 60.0), "d": (1.0, 2.0)}
    records = [make_record(method, seed, pair[seed]) for method, pair in values.items() for seed in (0, 1)]
    (group,) = build_board(records).groups
    assert _ranks(group) == [(1, "c"), (2, "a"), (2, "b"), (4, "d")]
    assert group.ranked
    assert group.mark == "built-in world"


def test_where_less_is_better_the_smallest_ranks_first(make_record):
    def error(method, value):
        return make_record(method, metrics=[MetricValue(name="EPE", value=value, unit="px", higher_is_better=False)])

    (group,) = build_board([error("a", 3.0), error("b", 1.5)]).groups
    assert _ranks(group) == [(1, "b"), (2, "a")]


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": {"head": "hypercolumn"}},
        {"scale": "reduced"},
        {"scale": "full"},
        {"backbone": "r"},
        {"task": "lip"},
    ],
)
def test_another_fingerprint_is_another_group(make_record, change):
    board = build_board([make_record("a"), make_record("b"), make_record("a", **change), make_record("b", **change)])
    assert len(board.groups) == 2
    assert all([rank for rank, _ in _ranks(group)] == [1, 1] for group in board.groups)
    assert len({group.fingerprint for group in board.groups}) == 2
    assert len({(group.task, group.title) for group in board.groups}) == 2


def test_reproduced_and_published_share_a_group_where_the_whole_protocol_agrees(make_record, make_reported):
    mine = make_record("cmp", value=44.0, scale="full")
    joined = make_reported("walker", 44.5)
    assert joined.protocol_fingerprint == mine.protocol_fingerprint
    other = make_reported("pathak", 99.0, protocol={"dataset": "puppets", "head": "unknown"})
    board = build_board([other, joined, mine])
    first, second = board.groups
    assert _ranks(first) == [(1, "walker"), (2, "cmp")]
    assert first.reproduced
    assert _ranks(second) == [(None, "pathak")]  # alone: nothing to rank
    assert not second.reproduced


def test_numbers_from_many_papers_are_listed_but_not_ranked(make_reported):
    protocol = {"setup": "unknown", "head": "unknown"}
    (group,) = build_board([make_reported(str(n), n, protocol=protocol) for n in (10.0, 30.0, 20.0)]).groups
    assert _ranks(group) == [(None, "30.0"), (None, "20.0"), (None, "10.0")]
    assert not group.ranked
    assert "not ranked" in group.remarks[0]


def test_confounds_are_said(make_record, make_reported):
    records = [make_record("cmp", seed=0), make_record("walker", seed=0, pairs=4000), make_record("random", seed=0)]
    (group,) = build_board(records).groups
    assert group.remarks == ("data amounts differ: 4,000 to 8,000 pairs",)
    assert all("one seed: no spread" in entry.remarks for entry in group.entries)
    (group,) = build_board([make_reported(of={"confounds": "twice the data", "reimplemented_by": "others"})]).groups
    assert group.entries[0].remarks == ("run by others", "twice the data")


def test_a_spread_of_fine_tuning_alone_is_called_so(make_record):
    first = make_record(seed=0)
    second = make_record(seed=1).model_copy(update={"pretraining": first.pretraining})
    (group,) = build_board([first, second]).groups
    (entry,) = group.entries
    assert (entry.pretrainings, entry.seeds) == (1, (0, 1))
    assert any("fine-tuning alone" in remark for remark in entry.remarks)
    (group,) = build_board([make_record(seed=0), make_record(seed=1)]).groups
    assert group.entries[0].pretrainings == 2
    assert group.entries[0].remarks == ()


def test_variants_of_one_method_are_told_apart_by_their_settings(make_record):
    few = make_record(spec={"method_config": {"points": 0}}, value=1.0)
    many = make_record(spec={"method_config": {"points": 9}}, value=2.0)
    (group,) = build_board([few, many]).groups
    assert [entry.label for entry in group.entries] == ["cmp (points=9)", "cmp (points=0)"]


def test_what_most_variants_have_in_common_is_left_unsaid(make_record):
    configs = [{"points": 9}, {"points": 0}, {"points": 9, "strides": [1]}, {"points": 9, "strides": [1, 2]}]
    records = [make_record(spec={"method_config": each}, value=-float(place)) for place, each in enumerate(configs)]
    (group,) = build_board(records).groups
    labels = ["cmp", "cmp (points=0)", "cmp (strides=[1])", "cmp (strides=[1, 2])"]
    assert [entry.label for entry in group.entries] == labels


def test_guidance_by_no_strategy_is_called_none(make_record):
    shared = {"kernel_size": 15, "grid_stride": 32}
    guidances = [{"strategies": [], "kernel_size": 81, "grid_stride": 200}, {"strategies": ["grid"], **shared}]
    guidances.append({"strategies": ["grid", "watershed"], **shared})
    records = [
        make_record(spec={"method_config": {"guidance": each}}, value=-float(place))
        for place, each in enumerate(guidances)
    ]
    (group,) = build_board(records).groups
    labels = ["cmp (guidance=none)", "cmp (strategies=['grid'])", "cmp (strategies=['grid', 'watershed'])"]
    assert [entry.label for entry in group.entries] == labels


def test_two_versions_of_a_recipe_are_told_apart(make_record):
    records = [make_record(seed=seed, value=float(seed)) for seed in (0, 1)]
    newer = records[1].pretraining.model_copy(update={"recipe_version": 2})
    (group,) = build_board([records[0], records[1].model_copy(update={"pretraining": newer})]).groups
    assert [entry.label for entry in group.entries] == ["cmp (recipe_version=2)", "cmp (recipe_version=1)"]


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_reading_does_not_matter(make_record, random):
    records = [make_record(method, seed, 10.0 * seed) for method in "abc" for seed in (0, 1, 2)]
    records += [make_record("a", 0, 5.0, scale="full"), make_record("a", 0, 5.0, task="lip")]
    shuffled = list(records)
    random.shuffle(shuffled)
    assert build_board(shuffled) == build_board(records)


def test_an_empty_board_is_no_error():
    assert build_board([]).groups == []


def test_groups_of_one_name_are_told_apart(make_record):
    protocols = [{"head": {"type": "FCN", "width": width}, "crop": crop} for width, crop in ((1, 96), (1, 64), (2, 64))]
    groups = build_board([make_record(protocol=protocol) for protocol in protocols]).groups
    assert len({group.title for group in groups}) == 3
    assert any("crop 96" in group.title for group in groups)
    # Two differ deep inside a fact alone: their fingerprint tells them apart.
    assert sum("#" in group.detail for group in groups) == 2


def test_titles_say_what_was_changed_in_a_preset(make_record):
    def changed(**settings):
        spec = {"task_config": {"preset": "puppets_fcn", "lr": None, "backbone": {"arch": "a"}, **settings}}
        protocol = {"head": "fcn", **settings}
        return make_record(protocol=protocol, protocol_name="puppets_fcn (changed)", spec_of_task=spec)

    long, short = changed(iterations=60), changed(iterations=9, shuffled=False)
    titles = {group.title for group in build_board([long, short]).groups}
    assert {title.partition(", alexnet")[0] for title in titles} == {
        "puppets_fcn (iterations=60)",
        f"puppets_fcn (iterations=9, shuffled={fact(False)})",
    }
    overridden = make_record(protocol_name="p (changed)", spec_of_task={"recipe_overrides": {"a.b": 3}})
    assert build_board([overridden]).groups[0].title.startswith("p (a.b=3), ")


def test_the_hash_of_the_data_is_shown_only_where_nothing_else_tells_groups_apart(make_record):
    def on(data, **facts):
        return make_record(protocol={"head": "fcn", "dataset_hash": data, **facts}, scale="full")

    first, second = build_board([on("0123456789abcdef"), on("fedcba9876543210")]).groups
    assert {first.detail, second.detail} == {"data #012345", "data #fedcba"}
    groups = build_board([on("0123456789abcdef", crop=512), on("fedcba9876543210", crop=256)]).groups
    assert {group.detail for group in groups} == {"crop 512", "crop 256"}


def test_remarks_of_records_are_said_once_of_their_protocol(make_record):
    records = [make_record(seed=seed, remarks=["tested on training images"]) for seed in (0, 1)]
    (group,) = build_board([*records, make_record("walker")]).groups
    assert group.remarks.count("tested on training images") == 1
    (other,) = build_board([make_record("walker")]).groups
    assert "tested on training images" not in other.remarks
