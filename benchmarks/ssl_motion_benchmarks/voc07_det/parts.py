"""VOC 2007's boxes as mmdetection trains on them, and their metric. Importing this registers them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS

from ssl_motion.errors import DataError
from ssl_motion.per_image.voc_boxes import RULES
from ssl_motion.ranking import mean_present
from ssl_motion_benchmarks.voc07.detections import collect
from ssl_motion_benchmarks.voc07.devkit import IMAGES, read_list, read_objects, voc_root
from ssl_motion_benchmarks.voc07_det.proposals import read_proposals


@DATASETS.register_module(force=True)
class Voc07Objects(BaseDetDataset):  # type: ignore[misc]  # mmdet ships no types
    """Images of a split of VOC 2007's devkit with their boxes; difficult objects are neither trained on nor against.

    mmdetection's own VOC data set takes 1 from every coordinate, which makes boxes a pixel too small; here they reach
    from edge to edge.

    Args:
        data_root: of the devkit, as `voc_root` takes it.
        split: such as "trainval".
        proposals: files of proposed boxes, for detectors that propose none themselves.
        **settings: of mmdetection's data sets.
    """

    def __init__(self, data_root: str, split: str, proposals: Sequence[str] = (), **settings: Any) -> None:
        self.folder, self.split = voc_root(Path(data_root)), split
        self.proposed = read_proposals(proposals)
        super().__init__(**settings)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images with their objects."""
        listed = []
        for name in read_list(self.folder, self.split):
            objects = read_objects(self.folder, name, self.metainfo["classes"])
            rows = zip(objects.boxes.tolist(), objects.labels.tolist(), objects.difficult.tolist(), strict=True)
            listed.append(
                {
                    "img_id": name,
                    "img_path": str(self.folder / IMAGES / f"{name}.jpg"),
                    "height": objects.size[0],
                    "width": objects.size[1],
                    "instances": [
                        {"bbox": box, "bbox_label": label, "ignore_flag": int(difficult)}
                        for box, label, difficult in rows
                    ],
                }
            )
        return listed

    def filter_data(self) -> list[dict[str, Any]]:
        """Leave out training images without an object that is not difficult, where `filter_cfg` says so."""
        listed: list[dict[str, Any]] = self.data_list
        if self.test_mode or not (self.filter_cfg or {}).get("filter_empty_gt"):
            return listed
        return [each for each in listed if any(not thing["ignore_flag"] for thing in each["instances"])]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return an image's entry, with the boxes proposed for it where there are files of them."""
        content: dict[str, Any] = super().get_data_info(idx)
        if self.proposed:
            name = content["img_id"]
            if name not in self.proposed:
                raise DataError(f"the files of proposals have no boxes for image {name}")
            content["proposals"] = {"bboxes": self.proposed[name]}
        return content


@METRICS.register_module(force=True)
class Voc07APMetric(BaseMetric):  # type: ignore[misc]  # mmengine ships no types
    """Mean average precision by the area and by the 11-point rule; every image's detections in a file.

    Args:
        data_root: of the devkit.
        path: where the detections go (main process only).
        collect_device: device that processes exchange results on.
    """

    # Not None, which MMEngine complains about; empty, so that figures keep their plain names.
    default_prefix = ""

    def __init__(self, data_root: str, path: str, collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device)
        self.folder, self.path = voc_root(Path(data_root)), Path(path)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of a batch."""
        del data_batch
        for sample in data_samples:
            found = sample["pred_instances"]
            arrays = [found[key].detach().cpu().numpy() for key in ("bboxes", "scores", "labels")]
            self.results.append((sample["img_id"], *arrays))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Evaluate the split and write the file; called in the main process with the results of all."""
        classes = list(self.dataset_meta["classes"])
        images = {
            name: (
                (boxes.astype(np.float32).reshape(-1, 4), scores.astype(np.float32), labels.astype(np.int64)),
                read_objects(self.folder, name, classes),
            )
            for name, boxes, scores, labels in results
        }
        kept = collect(images, classes)
        kept.save(self.path)
        return {name: mean_present(kept.average_precisions(rule)) for name, rule in RULES.items()}
