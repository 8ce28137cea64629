"""The motion probe: questions against the scenes they are about, measures against loops and planted predictions."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import DataError
from ssl_motion.models import save_model
from ssl_motion.per_image.resampling import read_any
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.protocols import PER_IMAGE, RunContext
from ssl_motion.puppets import Articulation, articulation, ensure_dataset
from ssl_motion.spec import BackboneSpec, PuppetsSpec
from ssl_motion.sweep import load_suite, plan
from ssl_motion_benchmarks.motion_probe import MotionProbe
from ssl_motion_benchmarks.motion_probe.baselines import copy_arrow, fading_arrow, nearest_guidance
from ssl_motion_benchmarks.motion_probe.measures import QUARTERS, auc, averages, details, measure
from ssl_motion_benchmarks.motion_probe.queries import LEAST_LEVER, LEAST_SEEN, LENGTH, Query, queries
from ssl_motion_benchmarks.motion_probe.task import FIGURE
from ssl_motion_methods.cmp import CMP, CMPConfig

SCENES = 25
WORLD = PuppetsSpec(size=64, train_images=1, val_images=2, test_images=12)


@pytest.fixture(scope="module")
def asked() -> list[tuple[Articulation, Query]]:
    scenes = [articulation(PuppetsSpec(), "test", index) for index in range(SCENES)]
    return [(scene, query) for index, scene in enumerate(scenes) for query in queries(scene, index, still=True)]


def test_an_arrow_stands_on_its_part_and_is_the_true_motion_there(asked: list[tuple[Articulation, Query]]) -> None:
    assert {query.kind for _, query in asked} == {"turn", "shift"}
    assert len({(query.kind, query.owner) for _, query in asked}) >= 6
    for scene, query in asked:
        ((x, y, *vector),) = query.guidance.arrows
        assert query.group[int(y), int(x)]
        assert math.hypot(*vector) == pytest.approx(LENGTH, rel=1e-6)
        np.testing.assert_allclose(query.truth[int(y), int(x)], vector, rtol=1e-12)
        assert query.group.sum() >= LEAST_SEEN
        ((still_x, still_y),) = query.guidance.stills
        stays = query.rest if query.kind == "turn" else query.fixed
        assert stays[int(still_y), int(still_x)]
        assert not query.truth[~query.moving].any()
        assert not query.truth[stays].any()
        # Every pixel moves, or stays with its figure, or belongs to another, or can never move.
        kinds = np.stack([query.moving, query.rest, query.others, query.fixed & ~query.rest])
        np.testing.assert_array_equal(kinds.sum(axis=0), 1)
        assert scene.shown.shape == query.reach.shape


def test_a_turn_keeps_distances_and_fades_towards_the_joint(asked: list[tuple[Articulation, Query]]) -> None:
    turns = [(scene, query) for scene, query in asked if query.kind == "turn"]
    assert len(turns) > 10
    for scene, query in turns:
        speed = np.linalg.norm(query.truth, axis=-1)[query.moving]
        np.testing.assert_allclose(speed, LENGTH * query.reach[query.moving], atol=1e-6)
        rows, columns = np.nonzero(query.moving)
        before = np.stack([columns, rows], axis=1).astype(float)
        after = before + query.truth[query.moving]
        np.testing.assert_allclose(
            np.linalg.norm(after - after[0], axis=1), np.linalg.norm(before - before[0], axis=1), atol=1e-6
        )
        ((x, y, _, _),) = query.guidance.arrows
        joint = scene.groups[int(scene.shown[int(y), int(x)])].joint
        assert joint is not None
        assert math.hypot(x - joint[0], y - joint[1]) >= LEAST_LEVER
        assert query.reach[int(y), int(x)] == pytest.approx(1)


def test_a_shift_is_of_the_whole_figure(asked: list[tuple[Articulation, Query]]) -> None:
    for scene, query in asked:
        if query.kind == "shift":
            assert len(np.unique(query.truth[query.moving], axis=0)) == 1
            shown = {scene.groups[number].instance for number in np.unique(scene.shown[query.moving])}
            assert len(shown) == 1
            assert query.owner != "windmill", "it stands where it stands"
            assert not query.rest.any()


def test_questions_are_the_same_for_everybody_and_grow_with_the_side() -> None:
    large = PuppetsSpec(size=192)
    for index in range(8):
        small = queries(articulation(PuppetsSpec(), "test", index), index, still=False)
        again = queries(articulation(PuppetsSpec(), "test", index), index, still=False)
        assert [query.guidance for query in small] == [query.guidance for query in again]
        for query in queries(articulation(large, "test", index), index, still=False):
            assert math.hypot(*query.guidance.arrows[0][2:]) == pytest.approx(2 * LENGTH, rel=1e-6)
            assert not query.guidance.stills


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=20),
    st.lists(st.integers(0, 6), min_size=1, max_size=20),
)
def test_the_area_is_that_of_scikit_learn_ties_included(inside: list[int], outside: list[int]) -> None:
    labels = [1] * len(inside) + [0] * len(outside)
    expected = roc_auc_score(labels, inside + outside) * 100
    assert auc(np.array(inside, float), np.array(outside, float)) == pytest.approx(expected)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=20),
)
def test_in_rings_the_area_is_over_pairs_of_one_ring(
    inside: list[tuple[int, int]], outside: list[tuple[int, int]]
) -> None:
    (one, ring), (other, around) = (np.array(each).T for each in (inside, outside))
    found = auc(one / 7, other / 7, (ring, around))
    pairs = [(a > b) + 0.5 * (a == b) for a, i in inside for b, j in outside if i == j]
    assert found == (pytest.approx(100 * np.mean(pairs)) if pairs else None)


def test_the_truth_is_perfect_and_extremes_are_at_chance(asked: list[tuple[Articulation, Query]]) -> None:
    for _, query in asked:
        zeros = np.zeros_like(query.truth, np.float32)
        true = measure(query, query.truth.astype(np.float32))
        assert true["kinematic_error"] == pytest.approx(0, abs=1e-6)
        assert true["fixed_motion"] == 0
        halved = measure(query, (-0.5 * query.truth).astype(np.float32))
        assert (true["kinematic_cosine"], halved["kinematic_cosine"]) == (pytest.approx(1), pytest.approx(-1))
        assert true["response"] == pytest.approx(1, rel=1e-5)
        assert true["separation"] > 99.5, "a pixel on the joint itself stays, and nothing else"
        assert true["rigidity"] > 99
        nothing, copied = (
            measure(query, zeros),
            measure(query, zeros + query.guidance.vectors[0, 2:].astype(np.float32)),
        )
        for name in ("rigidity", "separation"):
            assert nothing[name] == copied[name] == 50
        assert (nothing["fixed_motion"], nothing["response"], nothing["kinematic_cosine"]) == (0, 0, 0)
        assert copied["fixed_motion"] == pytest.approx(1, rel=1e-5)
        if query.kind == "shift":
            assert nothing["kinematic_error"] == pytest.approx(1, rel=1e-5)
            assert copied["kinematic_error"] == pytest.approx(0, abs=1e-5)
            assert copied["kinematic_cosine"] == pytest.approx(1)
        else:
            assert copied["kinematic_error"] > 0.5
            assert copied["kinematic_cosine"] < 0.9
            for number, quarter in enumerate(QUARTERS):
                found = true.get(f"response by distance from the joint: {quarter}")
                assert found is None or number / 4 <= found <= (number + 1) / 4


def test_measures_are_those_of_a_loop_over_pixels(asked: list[tuple[Articulation, Query]]) -> None:
    rng = np.random.default_rng(3)
    of_kind = [[query for _, query in asked if query.kind == kind] for kind in ("turn", "shift")]
    for query in (query for kind in of_kind for query in kind[:2]):
        flow = (0.6 * query.truth + rng.normal(0, 1, query.truth.shape)).astype(np.float32)
        found = measure(query, flow)
        errors: dict[str, list[float]] = {"moving": [], "rest": []}
        products = np.zeros(3)
        speeds: dict[str, list[float]] = {"group": [], "rest": [], "others": [], "ground": [], "fixed": []}
        for row, column in np.ndindex(query.group.shape):
            u, v = (float(each) for each in flow[row, column])
            du, dv = u - query.truth[row, column, 0], v - query.truth[row, column, 1]
            if query.moving[row, column] or query.rest[row, column]:
                true_u, true_v = query.truth[row, column]
                products += (u * true_u + v * true_v, u * u + v * v, true_u**2 + true_v**2)
            for name in errors:
                if getattr(query, name)[row, column]:
                    errors[name].append(math.hypot(du, dv) / LENGTH)
            is_ground = query.fixed[row, column] and not query.rest[row, column]
            for name in speeds:
                if is_ground if name == "ground" else getattr(query, name)[row, column]:
                    speeds[name].append(math.hypot(u, v))
        expected = np.mean([np.mean(values) for values in errors.values() if values])
        assert found["kinematic_error"] == pytest.approx(expected, rel=1e-6)
        assert found["fixed_motion"] == pytest.approx(np.mean(speeds["fixed"]) / LENGTH, rel=1e-6)
        assert found["kinematic_cosine"] == pytest.approx(products[0] / math.sqrt(products[1] * products[2]), rel=1e-6)
        inside = np.array(speeds["group"])[:, None]
        areas = [
            100 * np.mean((inside > outside) + 0.5 * (inside == outside))
            for outside in (np.array(speeds[name]) for name in ("rest", "others", "ground"))
            if outside.size
        ]
        assert found["separation"] == pytest.approx(np.mean(areas), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 6)), min_size=1, max_size=4, unique=True))
def test_nearest_guidance_is_a_search_over_all_points(points: list[tuple[int, int]]) -> None:
    (first, *others) = points
    guidance = Guidance(arrows=[(*first, 2.0, -1.0)], stills=others)
    (flow,) = nearest_guidance(np.zeros((7, 9, 3), np.uint8), [guidance])
    for row, column in np.ndindex(7, 9):
        near = [(column - x) ** 2 + (row - y) ** 2 for x, y in points]
        expected = (2.0, -1.0) if near[0] == min(near) else (0.0, 0.0)
        assert tuple(flow[row, column]) == expected


def test_copying_gives_the_arrow_everywhere() -> None:
    given_ = [Guidance(arrows=[(1, 1, 2.5, -1)]), Guidance(arrows=[(0, 0, 0, 3)], stills=[(2, 2)])]
    flows = copy_arrow(np.zeros((4, 5, 3), np.uint8), given_)
    assert flows.shape == (2, 4, 5, 2)
    assert np.unique(flows[0].reshape(-1, 2), axis=0).tolist() == [[2.5, -1]]
    assert np.unique(flows[1].reshape(-1, 2), axis=0).tolist() == [[0, 3]]


def test_a_fading_arrow_separates_but_knows_nothing_of_parts(asked: list[tuple[Articulation, Query]]) -> None:
    kept = []
    for _, query in asked:
        ((x, y, dx, dy),) = query.guidance.arrows
        (flow,) = fading_arrow(np.zeros((96, 96, 3), np.uint8), [query.guidance])
        rows, columns = np.indices((96, 96))
        near = np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 40**2)[..., None] * np.array([dx, dy])
        found, otherwise = measure(query, flow), measure(query, near.astype(np.float32))
        assert found["separation"] == pytest.approx(otherwise["separation"], abs=0.01), "however it fades"
        assert found["response"] == pytest.approx(1)
        kept.append(found["separation"])
        assert found["rigidity"] == 50
    assert np.mean(kept) > 80
    (flow,) = fading_arrow(np.zeros((1, 9, 3), np.uint8), [Guidance(arrows=[(2, 0, 0, -4)])])
    np.testing.assert_allclose(flow[0, :, 1], [-4 / (1 + abs(column - 2) / 4) for column in range(9)], rtol=1e-6)


def test_averages_are_over_queries_and_then_over_images() -> None:
    kept = averages(["a", "b", "c"], [[{"x": 1.0, "x: y": 4.0}, {"x": 3.0}], [], [{"x": 8.0}]])
    assert kept.mean("x") == 5
    assert kept.mean("x: y") == 4
    assert details(kept) == {"x": {"y": 4.0}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_dataset(WORLD, tmp_path_factory.mktemp("data"), ["voc"])


def context(folder: Path, world: Path, **start: object) -> RunContext:
    folder.mkdir(parents=True)
    return RunContext(folder, None, world, seed=0, device="cpu", **start)  # type: ignore[arg-type]


def test_a_model_is_judged_and_its_images_can_be_drawn_anew(tmp_path: Path, world: Path) -> None:
    spec = BackboneSpec(arch="alexnet_mini", width=6)
    torch.manual_seed(0)
    model = CMP(CMPConfig(bins=21, boundary=10.5, decoder_width=8, strides=(1,)), build_backbone(spec))
    save_model(tmp_path / "model", model, method="cmp", spec=spec, source="a test")
    task = MotionProbe(MotionProbe.Config(preset="puppets_motion_probe_still"))
    first = task.run(context(tmp_path / "a", world, model=tmp_path / "model"))
    again = task.run(context(tmp_path / "b", world, model=tmp_path / "model"))
    assert first.metrics == again.metrics
    assert first.metrics.keys() == {metric.name for metric in task.metrics}
    kept = read_any(tmp_path / "a" / PER_IMAGE)
    assert len(kept.names) == WORLD.test_images
    for metric, value in first.metrics.items():
        (drawn,) = kept.of_draws(metric, np.ones((1, len(kept.names)), np.int64))
        assert drawn[0] == pytest.approx(value)
    assert (tmp_path / "a" / FIGURE).read_bytes()[:4] == b"\x89PNG"
    assert {"turn", "shift", "against what is fixed"} <= first.details["rigidity"].keys()


def test_baselines_of_one_arrow_are_at_chance_and_a_still_point_helps(tmp_path: Path, world: Path) -> None:
    plain = MotionProbe(MotionProbe.Config())
    still = MotionProbe(MotionProbe.Config(preset="puppets_motion_probe_still"))
    copied = plain.run(context(tmp_path / "copy", world, baseline="copy_arrow"))
    nearest = plain.run(context(tmp_path / "nearest", world, baseline="nearest_guidance"))
    assert copied.metrics == nearest.metrics, "of one point all pixels are nearest to it"
    assert copied.metrics["rigidity"] == pytest.approx(50)
    assert copied.metrics["fixed_motion"] == pytest.approx(1, rel=1e-5)
    helped = still.run(context(tmp_path / "still", world, baseline="nearest_guidance"))
    assert helped.metrics["separation"] > 60
    assert helped.metrics["rigidity"] > 52
    assert helped.metrics["fixed_motion"] < 0.9


def test_the_suite_pretrains_nothing_that_others_do_not() -> None:
    def pretrainings(name: str) -> set[str]:
        return {job.spec.model_dump_json() for job in plan(load_suite(name)) if job.verb == "pretrain"}

    assert pretrainings("motion_probe") < pretrainings("ablation_guidance_puppets") | pretrainings("puppets_methods")


def test_what_is_no_world_of_this_version_is_refused(tmp_path: Path, world: Path) -> None:
    task = MotionProbe(MotionProbe.Config())
    assert not task.check_data(world).missing
    other = tmp_path / "other"
    other.mkdir()
    content = json.loads((world / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps({**content, "generator_version": 1}))
    assert "version 1 of the generator" in task.check_data(other).missing[0]
    with pytest.raises(DataError, match="of version 1"):
        task.run(context(tmp_path / "run", other, baseline="copy_arrow"))
