"""VOC's average precision of boxes: planted detections, the devkit's loops and mmdetection's function; proposals."""

from pathlib import Path

import numpy as np
import pytest

from ssl_motion.errors import DataError, UsageError
from ssl_motion.per_image.voc_boxes import read_boxes
from ssl_motion_benchmarks.voc07.detections import collect, match, overlaps
from ssl_motion_benchmarks.voc07.devkit import Objects
from ssl_motion_benchmarks.voc07_det.proposals import missing, read_proposals

CLASSES = ("cat", "dog", "cow")
NONE = (np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))


def objects(boxes: list[list[float]], labels: list[int], difficult: list[bool]) -> Objects:
    return Objects(
        (100, 100), np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64), np.array(difficult, bool)
    )


def scene(rng: np.random.Generator) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], Objects]:
    """Objects, and detections of which some are near them."""
    count, found = int(rng.integers(0, 5)), int(rng.integers(0, 9))
    corners = rng.integers(0, 60, (count, 2))
    truth = np.concatenate([corners, corners + rng.integers(5, 40, (count, 2))], axis=1).astype(np.float32)
    labels = rng.integers(0, 3, count)
    boxes = rng.integers(0, 50, (found, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2] + 1
    kinds = rng.integers(0, 3, found)
    for place in range(found):
        if count and rng.random() < 0.7:
            near = int(rng.integers(count))
            boxes[place] = truth[near] + rng.integers(-3, 4, 4)
            kinds[place] = labels[near] if rng.random() < 0.8 else kinds[place]
    scores = rng.random(found).astype(np.float32)
    return (boxes, scores, kinds), Objects((100, 100), truth, labels, rng.random(count) < 0.25)


def test_overlaps_against_counted_pixels() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 30, (12, 2))
    boxes = np.concatenate([corners, corners + rng.integers(0, 20, (12, 2))], axis=1).astype(np.float32)
    masks = np.zeros((12, 50, 50), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[y1:y2, x1:x2] = True
    shared = (masks[:, None] & masks[None]).sum(axis=(2, 3))
    union = (masks[:, None] | masks[None]).sum(axis=(2, 3))
    np.testing.assert_allclose(overlaps(boxes, boxes), shared / np.maximum(union, 1))


def test_matching_follows_the_devkit() -> None:
    truth = objects([[0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 10]], [0, 0, 1], [False, True, False])
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [50, 50, 60, 61], [0, 5, 10, 10], [0, 6, 10, 10]]
    found = (np.array(boxes, np.float32), np.array([0.8, 0.9, 0.7, 0.6, 0.5, 0.4], np.float32), np.zeros(6, np.int64))
    # The higher score takes the object; the difficult one may be found again and again; half of the area is enough.
    assert match(found, truth).tolist() == [0, 1, -1, -1, 0, 0]
    alone = (found[0][4:], found[1][4:], found[2][4:])
    assert match(alone, truth).tolist() == [1, 0]
    assert match((found[0], found[1], np.full(6, 2)), truth).tolist() == [0] * 6
    assert match(NONE, truth).tolist() == []
    assert match(found, objects([], [], [])).tolist() == [0] * 6


def devkit_ap(images: dict[str, tuple[tuple[np.ndarray, ...], Objects]], kind: int, eleven: bool) -> float:
    """VOCevaldet.m for one class, loop by loop, over all images at once."""
    listed = sorted(
        (
            (-float(score), name, boxes[place])
            for name, ((boxes, scores, labels), _) in images.items()
            for place, score in enumerate(scores)
            if labels[place] == kind
        ),
        key=lambda each: each[0],
    )
    taken: set[tuple[str, int]] = set()
    positives = sum(int(((o.labels == kind) & ~o.difficult).sum()) for _, o in images.values())
    right, wrong, curve = 0, 0, []
    for _, name, box in listed:
        truth, best, where = images[name][1], -1.0, -1
        for index in np.flatnonzero(truth.labels == kind):
            other = truth.boxes[index]
            w = min(box[2], other[2]) - max(box[0], other[0])
            h = min(box[3], other[3]) - max(box[1], other[1])
            if w > 0 and h > 0:
                areas = (box[2] - box[0]) * (box[3] - box[1]) + (other[2] - other[0]) * (other[3] - other[1])
                if w * h / (areas - w * h) > best:
                    best, where = w * h / (areas - w * h), int(index)
        if best >= 0.5 and truth.difficult[where]:
            continue
        if best >= 0.5 and (name, where) not in taken:
            taken.add((name, where))
            right += 1
        else:
            wrong += 1
        curve.append((right, right / (right + wrong)))
    if eleven:
        levels = [max((p for hits, p in curve if 10 * hits >= t * positives), default=0.0) for t in range(11)]
        return 100 * float(np.mean(levels))
    total, before = 0.0, 0
    for place, (hits, _) in enumerate(curve):
        total += (hits - before) / positives * max(p for _, p in curve[place:])
        before = hits
    return 100 * total


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_against_the_devkits_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = {f"{index:03d}": scene(rng) for index in range(12)}
    kept = collect(images, CLASSES)
    for kind in range(3):
        assert kept.average_precisions("envelope")[kind] == pytest.approx(devkit_ap(images, kind, eleven=False))
        assert kept.average_precisions("11-point")[kind] == pytest.approx(devkit_ap(images, kind, eleven=True))


def test_mmdetections_function_agrees() -> None:
    from ssl_motion.openmmlab.libraries import use_mmdet

    use_mmdet()
    from mmdet.evaluation import eval_map

    rng = np.random.default_rng(1)
    images = {f"{index:03d}": scene(rng) for index in range(25)}
    detections, annotations = [], []
    for (boxes, scores, labels), truth in images.values():
        rows = np.concatenate([boxes, scores[:, None]], axis=1)
        detections.append([rows[labels == kind] for kind in range(3)])
        hard = truth.difficult
        annotations.append(
            {
                "bboxes": truth.boxes[~hard],
                "labels": truth.labels[~hard],
                "bboxes_ignore": truth.boxes[hard],
                "labels_ignore": truth.labels[hard],
            }
        )
    _, theirs = eval_map(detections, annotations, iou_thr=0.5, eval_mode="area", nproc=1, logger="silent")
    ours = collect(images, CLASSES).average_precisions("envelope")
    np.testing.assert_allclose(ours, [100 * float(each["ap"]) for each in theirs], atol=1e-3)


def test_planted_detections_and_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    truths = [scene(rng)[1] for _ in range(10)]
    perfect = {
        f"{index}": ((each.boxes, np.full(len(each.labels), 0.5, np.float32), each.labels), each)
        for index, each in enumerate(truths)
    }
    moved = {
        name: ((boxes + (boxes[:, 2:3] - boxes[:, :1]) * [0.4, 0, 0.4, 0], *rest), each)
        for name, ((boxes, *rest), each) in perfect.items()
    }
    kept = collect(perfect, CLASSES)
    for rule in ("envelope", "11-point"):
        assert kept.average_precisions(rule).tolist() == [100, 100, 100]
        # Moved by 0.4 of the width, boxes overlap by 0.6 / 1.4 < 0.5.
        assert collect(moved, CLASSES).average_precisions(rule).tolist() == [0, 0, 0]
    nothing = collect({name: (NONE, each) for name, (_, each) in perfect.items()}, CLASSES)
    assert nothing.average_precisions("envelope").tolist() == [0, 0, 0]
    kept.save(tmp_path / "boxes.npz")
    again = read_boxes(tmp_path / "boxes.npz")
    assert (again.names, again.classes) == (kept.names, kept.classes)
    assert again.average_precisions("11-point").tolist() == [100, 100, 100]
    (tmp_path / "boxes.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="not a file of per-image detections"):
        read_boxes(tmp_path / "boxes.npz")


def test_proposals_in_both_kinds_of_file(tmp_path: Path) -> None:
    from scipy.io import savemat

    boxes = np.array([[0, 0, 96, 72], [4, 8, 20, 30]], np.float32)
    np.savez(tmp_path / "mine.npz", **{"000005": boxes})
    cells, names = np.empty((1, 1), object), np.empty((1, 1), object)
    cells[0, 0], names[0, 0] = boxes[:, [1, 0, 3, 2]] + [1, 1, 0, 0], "000007"
    savemat(tmp_path / "theirs.mat", {"boxes": cells, "images": names})
    found = read_proposals([str(tmp_path / "mine.npz"), str(tmp_path / "theirs.mat")])
    assert found.keys() == {"000005", "000007"}
    for each in found.values():
        np.testing.assert_array_equal(each, boxes)
    assert missing([str(tmp_path / "mine.npz")], ["000005", "000006"]) == ["000006"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": np.zeros((3, 5))}, r"expected boxes \[P, 4\]"),
        ({"a": np.array([[5.0, 5, 5, 9]])}, "without an area"),
        ({"a": np.array([[0.0, 0, np.nan, 9]])}, "finite"),
        ({"a": np.array([None], dtype=object)}, "not an .npz file of boxes"),
    ],
)
def test_wrong_proposals_are_named(tmp_path: Path, content: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "p.npz", **content)
    with pytest.raises(DataError, match=message):
        read_proposals([str(tmp_path / "p.npz")])


def test_files_of_proposals_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_proposals([str(tmp_path / "p.npz")])
    with pytest.raises(UsageError, match=r"expected \.npz or \.mat"):
        read_proposals([str(tmp_path / "p.pkl")])
    (tmp_path / "p.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a MATLAB file"):
        read_proposals([str(tmp_path / "p.mat")])
