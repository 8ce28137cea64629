"""Simulated clicks against exact distances, and a course of clicks against masks that are planted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from ssl_motion.annotation.clicks import Click, intersection_over_union, next_click
from ssl_motion.annotation.export import AnnotatedImage, AnnotatedObject, coco_document, decode_mask, encode_mask
from ssl_motion.errors import DataError
from ssl_motion_benchmarks.annotation import shapes
from ssl_motion_benchmarks.annotation.simulation import LEAST, MOST, simulate

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def box(top: int, left: int, bottom: int, right: int, size: int = 20) -> Any:
    mask = np.zeros((size, size), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def exact_depth(region: Any) -> Any:
    return ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]


@given(st.data())
def test_the_next_click_is_at_the_deepest_error(data: Any) -> None:
    truth = data.draw(MASKS)
    others = arrays.arrays(np.bool_, truth.shape)
    mask, counted = data.draw(others), data.draw(others)
    earlier: list[Click] = []
    while (click := next_click(truth, mask, counted, earlier)) is not None:
        wrong = {True: truth & ~mask & counted, False: mask & ~truth & counted}
        depth = {kind: exact_depth(region) for kind, region in wrong.items()}
        for before in earlier:
            depth[True][before.y, before.x] = depth[False][before.y, before.x] = 0
        assert wrong[click.positive][click.y, click.x]
        deepest = max(depth[True].max(), depth[False].max())
        assert depth[click.positive][click.y, click.x] == pytest.approx(deepest, abs=1e-5)
        assert click not in earlier
        earlier.append(click)
    assert len(earlier) == int(((truth ^ mask) & counted).sum()), "every wrong pixel is clicked in the end"


def test_clicks_are_where_people_would_click() -> None:
    nothing = np.zeros((20, 20), np.bool_)
    assert next_click(box(4, 6, 9, 15), nothing) == Click(8, 6, True)
    assert next_click(box(4, 6, 9, 15), box(4, 6, 9, 20)) == Click(17, 6, False), "too much, in the middle of it"
    assert next_click(box(0, 0, 7, 20), nothing) == Click(3, 3, True), "the picture's border is a border"
    void = ~box(0, 0, 7, 16)
    assert next_click(box(0, 0, 7, 20), nothing, void) is not None
    assert next_click(box(2, 2, 9, 9), box(2, 2, 9, 9)) is None


@given(st.data())
def test_intersection_over_union_by_counting(data: Any) -> None:
    truth = data.draw(MASKS)
    mask, counted = (data.draw(arrays.arrays(np.bool_, truth.shape)) for _ in range(2))
    places = list(np.ndindex(truth.shape))
    either = sum(bool((truth[p] or mask[p]) and counted[p]) for p in places)
    both = sum(bool(truth[p] and mask[p] and counted[p]) for p in places)
    assert intersection_over_union(truth, mask, counted) == (100 * both / either if either else 100)


def test_a_course_of_clicks() -> None:
    truth = box(2, 2, 18, 18)
    bad, good, best = box(2, 2, 10, 18), box(2, 2, 17, 18), truth
    heard: list[Any] = []

    def answer(positive: Any, negative: Any) -> Any:
        heard.append((list(positive), list(negative)))
        return [bad, bad, good, box(0, 0, 20, 20), good, best][len(heard) - 1]

    course = simulate(truth, None, answer)
    assert len(heard) == LEAST, "good enough before, but the IoU after five clicks is asked for"
    iou = [50.0, 50.0, 93.75, 64.0, 93.75]
    assert course.ious == pytest.approx(iou + [93.75] * (MOST - LEAST))
    assert [each.positive for each in course.clicks] == [True, True, True, True, False]
    assert heard[-1] == ([(each.x, each.y) for each in course.clicks[:4]], [(course.clicks[4].x, course.clicks[4].y)])
    assert len(course.seconds) == LEAST


def test_patience_ends_and_so_do_clicks_where_nothing_is_wrong() -> None:
    truth = box(2, 2, 18, 18)
    useless = simulate(truth, None, lambda positive, negative: np.zeros_like(truth))
    assert len(useless.clicks) == MOST
    assert len(set(useless.clicks)) == MOST
    assert useless.ious == [0.0] * MOST
    at_once = simulate(truth, None, lambda positive, negative: truth)
    assert len(at_once.clicks) == 1
    assert at_once.ious == [100.0] * MOST


def test_pieces_and_holes() -> None:
    ring = box(2, 2, 18, 18) & ~box(6, 6, 12, 12)
    assert (shapes.count_pieces(ring), shapes.count_holes(ring)) == (1, 1)
    cut = ring & ~box(0, 13, 20, 15)
    assert (shapes.count_pieces(cut), shapes.count_holes(cut)) == (2, 1)
    diagonal = box(2, 2, 6, 6) | box(6, 6, 10, 10)
    assert shapes.count_pieces(diagonal) == 1, "corners that touch hold a piece together"
    speck = box(2, 2, 18, 16) | box(0, 19, 1, 20)
    assert shapes.count_pieces(speck) == 1, "too small"
    pinhole = box(2, 2, 18, 18) & ~box(6, 6, 8, 7)
    assert shapes.count_holes(pinhole) == 0, "too small"
    bay = box(0, 0, 20, 20) & ~box(0, 5, 9, 12)
    assert shapes.count_holes(bay) == 0, "open to the picture's border"
    assert (shapes.count_pieces(box(5, 5, 6, 7)), shapes.count_holes(box(0, 0, 20, 20))) == (1, 0)


@given(MASKS)
def test_run_lengths_say_what_the_mask_is(mask: Any) -> None:
    encoded = encode_mask(mask)
    assert encoded["size"] == list(mask.shape)
    assert isinstance(encoded["counts"], str)
    assert np.array_equal(decode_mask(encoded, mask.shape), mask)
    # The same in COCO's plain form, column by column, from the definition.
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flat, [not flat[-1]]])))
    plain = {"size": list(mask.shape), "counts": np.diff(np.concatenate([[0], changes])).tolist()}
    assert np.array_equal(decode_mask(plain, mask.shape), mask)


def test_polygons_and_what_is_no_segmentation() -> None:
    found = decode_mask([[4, 2, 10, 2, 10, 8, 4, 8]], (20, 20))
    assert np.array_equal(found, box(2, 4, 8, 10))
    for wrong in (3, {"size": [20, 20]}, [["a"]], {"size": [2, 2], "counts": [1, 3]}):
        with pytest.raises(DataError):
            decode_mask(wrong, (20, 20))


def test_cocos_own_reader_takes_the_document(tmp_path: Any) -> None:
    import json

    from pycocotools.coco import COCO

    dog, cat = box(3, 2, 9, 15), box(10, 10, 12, 13)
    first = AnnotatedImage("a.jpg", (20, 20), [AnnotatedObject("dog", dog), AnnotatedObject("cat", cat)])
    second = AnnotatedImage("b.jpg", (20, 20), [AnnotatedObject("dog", cat), AnnotatedObject("dog", cat & ~cat)])
    (tmp_path / "x.json").write_text(json.dumps(coco_document([first, second])))
    read = COCO(str(tmp_path / "x.json"))
    (number,) = read.getAnnIds(catIds=read.getCatIds(["cat"]))
    assert np.array_equal(read.annToMask(read.anns[number]), cat)
    assert (read.anns[number]["bbox"], read.anns[number]["area"]) == ([10, 10, 3, 2], 6)
    assert {read.imgs[each["image_id"]]["file_name"] for each in read.anns.values()} == {"a.jpg", "b.jpg"}
    assert read.anns[4]["bbox"] == [0, 0, 0, 0]
    assert len(read.anns) == 4
