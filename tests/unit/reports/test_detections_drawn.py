"""Pictures of detections: which are right is what pycocotools says, and what is drawn is what was found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.objects import Objects, right_ones
from ssl_motion_reports.compare import Detected, compare, draw_detections, find_sides
from ssl_motion_reports.compare.detected import LEAST_SCORE, MOST, shown


def objects(rows, masks=None):
    """Objects from rows of (left, top, right, bottom, class, score)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return Objects(table[:, :4], table[:, 4].astype(int), table[:, 5], masks)


def _pycocotools(found, truth):
    """Which detections pycocotools matches at an IoU of 0.5."""
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    def listed(part, with_score):
        return [
            {
                "id": place + 1,
                "image_id": 1,
                "category_id": int(label) + 1,
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "area": (box[2] - box[0]) * (box[3] - box[1]),
                "iscrowd": 0,
                **({"score": float(score)} if with_score else {}),
            }
            for place, (box, label, score) in enumerate(zip(part.boxes, part.labels, part.scores, strict=True))
        ]

    right = np.zeros(len(found.labels), bool)
    for category in (1, 2):
        sides = []
        for part, with_score in ((truth, False), (found, True)):
            side = coco.COCO()
            side.dataset = {"images": [{"id": 1}], "categories": [{"id": 1}, {"id": 2}], "annotations": []}
            side.dataset["annotations"] = listed(part, with_score)
            side.createIndex()
            sides.append(side)
        judge = COCOeval(*sides, "bbox")
        judge.params.catIds, judge.params.iouThrs = [category], np.array([0.5])
        judge.evaluate()
        image = judge.evalImgs[0]
        if image is not None:
            for identity, match in zip(image["dtIds"], image["dtMatches"][0], strict=True):
                right[identity - 1] = match > 0
    return right


_ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1)), max_size=6
)


@given(_ROWS, _ROWS, st.randoms(use_true_random=False))
def test_right_ones_are_those_of_pycocotools(found, truth, random):
    scores = random.sample(range(1, 100), len(found))
    one = objects(
        [(x, y, x + w, y + h, label, score / 100) for (x, y, w, h, label), score in zip(found, scores, strict=True)]
    )
    other = objects([(x, y, x + w, y + h, label, 1) for x, y, w, h, label in truth])
    np.testing.assert_array_equal(right_ones(one, other), _pycocotools(one, other))


def test_an_object_is_found_once():
    truth = objects([(0, 0, 10, 10, 0, 1)])
    found = objects([(0, 0, 10, 9, 0, 0.5), (0, 0, 10, 10, 0, 0.9), (0, 0, 10, 10, 1, 0.8)])
    assert right_ones(found, truth).tolist() == [False, True, False]
    assert right_ones(found, objects([])).tolist() == [False] * 3


def test_the_best_are_drawn():
    found = shown(objects([(0, 0, 1, 1, 0, score) for score in np.linspace(0, 1, 41)]))
    assert len(found.labels) == MOST
    assert found.scores[0] == 1
    assert shown(objects([(0, 0, 1, 1, 0, LEAST_SCORE), (0, 0, 1, 1, 0, LEAST_SCORE - 0.01)])).scores.tolist() == [
        LEAST_SCORE
    ]


def test_boxes_and_masks_are_drawn_where_they_are(make_record, tmp_path, drawn_axes, drawn_texts):
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    records = [make_record(method, 0, value) for method, value in (("good", 50.0), ("plain", 40.0))]
    first, second, sources = find_sides("good", "plain", records, {})
    comparison = compare(first, second, sources)
    mask = np.zeros((1, 40, 60), bool)
    mask[0, 10:20, 5:25] = True
    truth = objects([(5, 10, 25, 20, 0, 1)], mask)
    one = objects([(6, 10, 25, 20, 0, 0.91)], mask)
    other = objects([(40, 5, 55, 15, 1, 0.75), (0, 0, 5, 5, 0, 0.1)], np.zeros((2, 40, 60), bool))
    picture = Detected("image 7", np.full((40, 60, 3), 200, np.uint8), truth, one, other)
    empty = Detected("image 8", picture.image, objects([]), objects([]), one)
    files = [
        draw_detections(comparison, [picture, empty], ["cat", "dog"], tmp_path / name, "by runs")
        for name in ("a.png", "b.png")
    ]
    assert files[0][0].read_bytes() == files[1][0].read_bytes()
    axes = drawn_axes()
    assert len(axes) == 6
    boxes = [[each for each in side.patches if isinstance(each, Rectangle)] for side in axes]
    places = [
        [(each.get_x() + 0.5, each.get_y() + 0.5, each.get_width(), each.get_height()) for each in side]
        for side in boxes
    ]
    assert places == [[(5, 10, 20, 10)], [(6, 10, 19, 10)], [(40, 5, 15, 10)], [], [], [(6, 10, 19, 10)]]
    assert [side[0].get_linestyle() for side in boxes[:3]] == ["-", "-", (0, (3, 1.6))]
    shown_pixels = axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown_pixels[0, 0], [200] * 3)
    expected = 0.5 * 200 + 0.5 * 255 * np.array(to_rgb(boxes[0][0].get_edgecolor()))
    np.testing.assert_allclose(shown_pixels[15, 10], expected, atol=1)
    texts = list(drawn_texts)
    assert {"cat", "cat 0.91", "dog 0.75", "image 7"} <= set(texts)
    assert "cat 0.10" not in texts
    assert {"image 8 (nothing found)", "(nothing found)"} <= set(texts)
    assert draw_detections(comparison, [], ["cat"], tmp_path / "a.png", "") == []
    assert not (tmp_path / "a.png").exists()
