"""The two sentences of the home page say what the records resolve, and no more."""

import pytest

from ssl_motion_reports.board import build_board
from ssl_motion_reports.site.answer import all_evidence, answer

WORLDS = ("still", "weak_pan")


@pytest.fixture
def make_lines(make_record):
    """Make three seeds around a mean for every method: lines(world, {method: mean}, spread=..., **changes)."""

    def make(world, means, spread=0.5, **changes):
        return [
            make_record(
                method,
                seed,
                mean + (seed - 1) * spread,
                protocol={"dataset": "puppets", "world": world, "val_split": "test"},
                **changes,
            )
            for method, mean in means.items()
            for seed in (0, 1, 2)
        ]

    return make


def said(records):
    return answer(all_evidence(build_board(records)))


def test_a_method_that_is_resolved_everywhere_is_named(make_lines):
    records = [
        record
        for world in WORLDS
        for record in make_lines(world, {"cmp": 40.0, "walker": 30.0, "pathak": 25.0, "random": 20.0})
    ]
    first, second = said(records)
    assert first == (
        "Of 3 ways of learning from motion, cmp gives the best features: it is told apart from all the others "
        "under each of 2 protocols."
    )
    assert second == (
        "The leader is better than a random start under 2 of 2 protocols, by 20.0 in mIoU (%); all of it was "
        "measured in the built-in world, not on photographs."
    )


def test_tasks_that_judge_whole_models_say_nothing_of_features(make_lines):
    features = make_lines("still", {"cmp": 40.0, "walker": 30.0})
    models = make_lines("weak_pan", {"cmp": 10.0, "walker": 30.0}, backbone="whole model")
    assert said([*features, *models]) == said(features)
    assert said(models)[0] == "The records here do not answer this yet."


def test_what_is_within_the_spread_is_said_to_be(make_lines):
    first, second = said(make_lines("still", {"cmp": 30.2, "walker": 30.0, "random": 30.1}))
    assert first == (
        "No single way is resolved as the best: of 2 ways of learning from motion, cmp has the highest mean under "
        "the one protocol, but no leader is told apart from all the others."
    )
    assert second.startswith("The leader is better than a random start under 0 of 1 protocol; all of it")


def test_a_leader_that_is_resolved_in_one_place_alone_is_no_winner(make_lines):
    records = make_lines("still", {"cmp": 40.0, "walker": 30.0}) + make_lines("weak_pan", {"cmp": 29.8, "walker": 30.0})
    first, second = said(records)
    assert first == (
        "No single way is resolved as the best: of 2 ways of learning from motion, cmp and walker each have "
        "the highest mean under 1 of 2 protocols, but the only leader told apart from all the others is cmp, under one."
    )
    assert second.startswith("Nothing is said against a random start")


def test_two_winners_depend_on_the_protocol(make_lines):
    records = make_lines("still", {"cmp": 40.0, "walker": 30.0}) + make_lines("weak_pan", {"cmp": 20.0, "walker": 30.0})
    assert said(records)[0] == (
        "It depends on the protocol: of 2 ways of learning from motion, cmp under 1 and walker under 1 of 2 "
        "protocols is told apart from all others."
    )


def test_upper_lines_controls_ensembles_and_published_rows_are_not_ways_of_learning(make_lines, make_reported):
    others = ("supervised", "imagenet", "cmp, shuffled flow", "cmp + walker", "random (xavier)")
    records = make_lines("still", {"cmp": 40.0, "walker": 30.0, **dict.fromkeys(others, 60.0)})
    records += [make_reported("moco", 90.0), make_reported("byol", 80.0)]
    assert said(records)[0].startswith("Of 2 ways of learning from motion, cmp gives the best features")


def test_methods_are_compared_on_the_same_data_and_budget(make_lines):
    # Twice as many images seen: no match for the others, however good.
    records = make_lines("still", {"cmp": 30.0, "walker": 25.0, "pathak": 20.0})
    rich = [
        record.model_copy(
            update={
                "identity": f"rich{record.seed}",
                "pretraining": record.pretraining.model_copy(update={"images_seen": 99, "run": f"r{record.seed}"}),
            }
        )
        for record in make_lines("still", {"mahendran": 90.0})
    ]
    (found,) = all_evidence(build_board(records + rich))
    assert (found.best.method, found.second.method, found.rivals) == ("cmp", "walker", 3)


def test_a_variant_that_is_close_does_not_count_as_a_rival_but_another_method_does(make_lines):
    records = make_lines("still", {"cmp": 40.0, "walker": 30.0})
    records += make_lines("still", {"cmp": 40.1}, spec={"lr": 0.5})
    (found,) = all_evidence(build_board(records))
    assert found.apart
    assert found.second.method == "walker"


@pytest.mark.parametrize("lacking", ["methods", "seeds", "everything"])
def test_too_little_is_said_to_be_too_little(make_lines, make_record, make_reported, lacking):
    records = {
        "methods": make_lines("still", {"cmp": 40.0, "random": 30.0}),
        "seeds": [make_record("cmp", 0, 40.0), make_record("walker", 0, 30.0)],
        "everything": [make_reported()],
    }[lacking]
    assert said(records)[0] == "The records here do not answer this yet."


def test_full_protocols_are_worth_more_than_small_ones(make_lines):
    small = make_lines("still", {"cmp": 40.0, "walker": 30.0, "random": 20.0})
    full = make_lines("still", {"cmp": 30.0, "walker": 40.0, "random": 20.0}, scale="full")
    first, second = said(small + full)
    assert "walker gives the best features" in first
    assert second.endswith("all of it was measured with full protocols.")
