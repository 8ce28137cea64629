"""The two sentences of the home page say what the records resolve, and no more."""

import math

import pytest
from scipy import stats

from ssl_motion.record import MetricValue
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


def interval(difference, entries, spread=0.5):
    """Tukey's interval for a difference of two means over three seeds each, one of all pairs of so many entries."""
    half = stats.studentized_range.ppf(0.95, entries, 2 * entries) * spread / math.sqrt(3)
    return f"95% interval {difference - half:.2f} to {difference + half:.2f}, all pairs at once over seeds"


def said(records):
    return answer(all_evidence(build_board(records)))


def test_a_method_that_is_resolved_everywhere_is_named(make_lines):
    records = [
        record
        for world, mean in zip(WORLDS, (40.0, 42.5), strict=True)
        for record in make_lines(world, {"cmp": mean, "walker": 30.0, "pathak": 25.0, "random": 20.0})
    ]
    first, second = said(records)
    assert first == (
        "Of 3 ways of learning from motion, cmp gives the best features: it is told apart from all the others "
        "under each of 2 protocols; where it is least clear its lead is 10.00 points of mIoU over walker under "
        f"puppets_fcn, alexnet_mini, built-in world, world still ({interval(10.0, 4)}, 3 seeds each)."
    )
    assert second == (
        "The leader is better than a random start under 2 of 2 protocols, by 20.00 to 22.50 points of mIoU; all of it "
        "was measured in the built-in world, not on photographs."
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
        "the one protocol, but no leader is told apart from all the others; its lead is 0.20 points of mIoU over "
        f"walker under puppets_fcn, alexnet_mini, built-in world ({interval(0.2, 3)}, 3 seeds each)."
    )
    assert second.startswith("The leader is better than a random start under 0 of 1 protocol; all of it")


def test_a_leader_that_is_resolved_in_one_place_alone_is_no_winner(make_lines):
    records = make_lines("still", {"cmp": 40.0, "walker": 30.0}) + make_lines("weak_pan", {"cmp": 29.8, "walker": 30.0})
    first, second = said(records)
    assert first == (
        "No single way is resolved as the best: of 2 ways of learning from motion, cmp and walker each have "
        "the highest mean under 1 of 2 protocols, but the only leader told apart from all the others is cmp, under "
        "one; the clearest lead, of cmp, is 10.00 points of mIoU over walker under puppets_fcn, alexnet_mini, "
        f"built-in world, world still ({interval(10.0, 2)}, 3 seeds each)."
    )
    assert second.startswith("Nothing is said against a random start")


def test_two_winners_depend_on_the_protocol(make_lines):
    records = make_lines("still", {"cmp": 40.0, "walker": 30.0}) + make_lines("weak_pan", {"cmp": 22.0, "walker": 30.0})
    assert said(records)[0].startswith(
        "It depends on the protocol: of 2 ways of learning from motion, cmp under 1 and walker under 1 of 2 "
        "protocols is told apart from all others; the clearest lead, of cmp, is 10.00 points of mIoU over walker under "
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


def test_methods_are_compared_by_their_base_settings_not_by_the_best_of_many(make_lines):
    records = make_lines("still", {"cmp": 30.0, "walker": 35.0, "pathak": 20.0})
    for place, name in enumerate(("lr", "kernel", "bins", "max_pairs")):
        records += make_lines("still", {"cmp": 36.0 + 2 * place}, spec={name: place})
    (found,) = all_evidence(build_board(records))
    assert (found.best.label, found.second.label, found.rivals) == ("walker", "cmp", 3)
    assert found.lead.estimate == pytest.approx(5.0)


def test_where_no_setting_is_plain_the_one_of_most_protocols_counts(make_lines):
    # In the first world neither value of lr is that of most; the second world has tried one of them alone.
    usual, other = {"lr": 0.1}, {"lr": 0.2}
    records = make_lines("still", {"cmp": 30.0}, spec=usual) + make_lines("still", {"cmp": 40.0}, spec=other)
    records += make_lines("still", {"walker": 35.0}) + make_lines("weak_pan", {"walker": 35.0})
    records += make_lines("weak_pan", {"cmp": 33.0}, spec=usual)
    found = all_evidence(build_board(records))
    assert [each.best.method for each in found] == ["walker", "walker"]
    assert sorted(each.lead.estimate for each in found) == pytest.approx([2.0, 5.0])


def test_of_a_figure_that_is_better_low_the_lead_is_how_much_lower_it_is(make_record):
    records = [
        make_record(
            method, seed, metrics=[MetricValue(name="error", value=mean + seed, higher_is_better=False, unit="")]
        )
        for method, mean in {"cmp": 20.0, "walker": 30.0, "random": 45.0}.items()
        for seed in (0, 1, 2)
    ]
    first, second = said(records)
    assert "its lead is 10.00 of error over walker" in first
    assert "by 25.00 of error (95% interval" in second
    (found,) = all_evidence(build_board(records))
    assert found.clearness == pytest.approx(10 / (found.lead.high - found.lead.estimate))


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
