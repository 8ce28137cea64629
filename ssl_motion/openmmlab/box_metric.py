"""COCO's average precision of boxes and masks, by pycocotools called directly, with its inputs kept per image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from ssl_motion.per_image.coco_detections import PerImageDetections, figures

KINDS = ("bbox", "segm")


@METRICS.register_module(force=True)
class InstanceAPMetric(BaseMetric):  # type: ignore[misc]  # mmengine ships no types
    """AP, AP50, AP75, APS, APM and APL in percent, and every image's detections with their matches in a file.

    Figures are not rounded; one without any object to find is left out. Boxes' figures are named "bbox_AP", ...,
    masks' "segm_AP", ...

    Args:
        ann_file: COCO json of the split that is tested.
        path: where the per-image file goes (main process only).
        kinds: what is evaluated: "bbox", "segm" or both.
        collect_device: device that processes exchange results on.
    """

    # Not None, which MMEngine complains about; empty, so that figures keep their plain names.
    default_prefix = ""

    def __init__(self, ann_file: str, path: str, kinds: Sequence[str] = KINDS, collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device)
        self.ann_file, self.path, self.kinds = ann_file, Path(path), list(kinds)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of a batch; masks as run lengths."""
        del data_batch
        for sample in data_samples:
            found = sample["pred_instances"]
            masks = _encode(found["masks"].cpu().numpy()) if "segm" in self.kinds else None
            boxes, scores, labels = (found[key].cpu().numpy() for key in ("bboxes", "scores", "labels"))
            self.results.append((int(sample["img_id"]), boxes, scores, labels, masks))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Evaluate the split and write the file; called in the main process with the results of all."""
        from pycocotools.coco import COCO

        truth = COCO(self.ann_file)
        categories = truth.getCatIds(catNms=list(self.dataset_meta["classes"]))
        evaluations = {
            kind: evaluate(truth, _detections(truth, results, categories, kind), kind, categories)
            for kind in self.kinds
        }
        kept = keep(truth, evaluations)
        kept.save(self.path)
        return {
            f"{kind}_{name}": value
            for kind, evaluation in evaluations.items()
            for name, value in figures(evaluation.eval["precision"][..., -1], kept.thresholds, kept.areas).items()
            if value == value
        }


def _encode(masks: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """Run lengths of boolean masks [D, H, W]."""
    from pycocotools import mask

    return [mask.encode(np.asfortranarray(each, dtype=np.uint8)) for each in masks]


def _detections(truth: Any, results: Sequence[Any], categories: Sequence[int], kind: str) -> Any:
    """pycocotools' object of the detections of a split."""
    from pycocotools.coco import COCO

    listed: list[dict[str, Any]] = []
    for image, boxes, scores, labels, masks in results:
        for index, (box, score, label) in enumerate(zip(boxes, scores, labels, strict=True)):
            one = {"image_id": image, "category_id": categories[int(label)], "score": float(score)}
            if kind == "bbox":
                left, top, right, bottom = (float(each) for each in box)
                one["bbox"] = [left, top, right - left, bottom - top]
            else:
                # Without the box: pycocotools would take its area for the mask's.
                one["segmentation"] = masks[index]
            listed.append(one)
    if listed:
        return truth.loadRes(listed)
    nothing = COCO()
    nothing.dataset = {"images": truth.dataset["images"], "categories": truth.dataset["categories"], "annotations": []}
    nothing.createIndex()
    return nothing


def evaluate(truth: Any, detections: Any, kind: str, categories: Sequence[int]) -> Any:
    """Run pycocotools' evaluation over the whole split, with its own settings.

    Args:
        truth: pycocotools' object of the annotations.
        detections: and of the detections.
        kind: "bbox" or "segm".
        categories: numbers of the categories, by class.

    Returns:
        The accumulated `COCOeval`.
    """
    from pycocotools.cocoeval import COCOeval

    evaluation = COCOeval(truth, detections, kind)
    evaluation.params.catIds = list(categories)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def keep(truth: Any, evaluations: Mapping[str, Any]) -> PerImageDetections:
    """Take what AP needs out of evaluations of the same detections.

    Args:
        truth: pycocotools' object of the annotations.
        evaluations: kind -> what `evaluate` returned.
    """
    params = next(iter(evaluations.values())).params
    images, categories = [int(each) for each in params.imgIds], [int(each) for each in params.catIds]
    areas, thresholds = len(params.areaRng), len(params.iouThrs)
    bit = (1 << np.arange(thresholds, dtype=np.uint16))[:, None]
    found: list[tuple[int, int, Any]] = []
    objects: list[tuple[int, int, list[int]]] = []
    hits: dict[str, list[Any]] = {kind: [] for kind in evaluations}
    ignored: dict[str, list[Any]] = {kind: [] for kind in evaluations}
    for i in range(len(images)):
        for k in range(len(categories)):
            # pycocotools lists categories, then ranges of area, then images.
            places = [(k * areas + a) * len(images) + i for a in range(areas)]
            parts = {kind: [each.evalImgs[place] for place in places] for kind, each in evaluations.items()}
            first = next(iter(parts.values()))
            if first[0] is None:
                continue
            counts = [int((np.asarray(part["gtIgnore"]) == 0).sum()) for part in first]
            if any(counts):
                objects.append((i, k, counts))
            if not first[0]["dtScores"]:
                continue
            found.append((i, k, np.asarray(first[0]["dtScores"], dtype=np.float32)))
            for kind, each in parts.items():
                hits[kind].append(np.stack([((part["dtMatches"] != 0) * bit).sum(axis=0) for part in each]))
                ignored[kind].append(np.stack([(part["dtIgnore"] * bit).sum(axis=0) for part in each]))
    lengths = [len(scores) for _, _, scores in found]
    names = {int(image["id"]): str(image["file_name"]) for image in truth.dataset["images"]}
    return PerImageDetections(
        names=[names[image] for image in images],
        classes=[str(truth.cats[category]["name"]) for category in categories],
        kinds=list(evaluations),
        thresholds=np.asarray(params.iouThrs, dtype=np.float64),
        areas=list(params.areaRngLbl),
        image=np.repeat([i for i, _, _ in found], lengths).astype(np.int32),
        label=np.repeat([k for _, k, _ in found], lengths).astype(np.int16),
        score=np.concatenate([np.empty(0, np.float32), *(scores for _, _, scores in found)]),
        hit=_joined(hits, areas),
        ignored=_joined(ignored, areas),
        object_image=np.array([i for i, _, _ in objects], dtype=np.int32),
        object_label=np.array([k for _, k, _ in objects], dtype=np.int16),
        object_count=np.array([counts for _, _, counts in objects], dtype=np.int32).reshape(-1, areas).T,
    )


def _joined(parts: Mapping[str, list[Any]], areas: int) -> npt.NDArray[np.uint16]:
    """Bits [A, D] of all pairs, by kind, as [S, A, M]."""
    none = np.empty((areas, 0), np.uint16)
    return np.stack([np.concatenate([none, *each], axis=1) for each in parts.values()]).astype(np.uint16)
