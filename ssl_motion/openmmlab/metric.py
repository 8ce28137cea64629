"""mmseg's metric interface around `ssl_motion.per_image.confusion`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from ssl_motion.per_image.confusion import PerImageConfusion, confusion_cells, scores


@METRICS.register_module(force=True)
class PerImageConfusionMetric(BaseMetric):  # type: ignore[misc]  # mmengine ships no types
    """mIoU, pixel and mean accuracy over the split, and the confusion matrix of every image in a file.

    Args:
        path: where the matrices go (main process only).
        collect_device: device that processes exchange results on.
    """

    # Not None, which MMEngine complains about; empty, so that figures keep their plain names.
    default_prefix = ""

    def __init__(self, path: str, collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device)
        self.path = Path(path)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Count the pixels of a batch."""
        del data_batch
        classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            prediction = sample["pred_sem_seg"]["data"].squeeze(0).cpu().numpy()
            label = sample["gt_sem_seg"]["data"].squeeze(0).cpu().numpy()
            name = Path(sample["img_path"]).stem
            self.results.append((name, *confusion_cells(label, prediction, classes, sample["seg_map_path"])))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Sum up and write the file; called in the main process with the results of all."""
        matrices = PerImageConfusion.collect(
            {name: (cells, counts) for name, cells, counts in results}, self.dataset_meta["classes"]
        )
        matrices.save(self.path)
        figures = scores(matrices.total())
        return {"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy}
