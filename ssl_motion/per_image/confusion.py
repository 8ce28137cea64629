"""Segmentation figures from confusion matrices, and matrices per image in a compact file.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): non-zero cells only, image by image,

    names    text [N]      image names, sorted
    classes  text [K]      class names
    offsets  int64 [N+1]   cells offsets[i]:offsets[i+1] belong to image i
    cells    int32 [M]     true class * K + predicted class
    counts   int64 [M]     pixels

Pixels labelled 255 are in no cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, text_array, texts
from ssl_motion.ranking import mean_present, mean_present_in_rows, present_by_name

IGNORED = 255
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """Figures of a confusion matrix, in percent.

    Attributes:
        miou: mean IoU over the classes that occur in labels or predictions.
        accuracy: share of labelled pixels that are right.
        mean_accuracy: mean over the classes that occur in labels of the share of their pixels that are right.
        iou: float [K]; NaN for a class that occurs in neither.
        class_accuracy: float [K]; NaN for a class without labelled pixels.
    """

    miou: float
    accuracy: float
    mean_accuracy: float
    iou: Float64Array
    class_accuracy: Float64Array

    @property
    def metrics(self) -> dict[str, float]:
        """The figures over all classes, by the names that tasks report them under."""
        return {"mIoU": self.miou, "aAcc": self.accuracy, "mAcc": self.mean_accuracy}

    def details(self, classes: Sequence[str]) -> dict[str, dict[str, float]]:
        """The figures of every class, for `TaskResult.details`."""
        return {"IoU": present_by_name(classes, self.iou), "accuracy": present_by_name(classes, self.class_accuracy)}


def confusion_cells(
    label: npt.NDArray[np.integer], prediction: npt.NDArray[np.integer], classes: int, name: str
) -> tuple[npt.NDArray[np.int32], Int64Array]:
    """Count an image's (true, predicted) pairs of classes.

    Args:
        label: [H, W], true classes, 255 for unlabelled pixels.
        prediction: [H, W], predicted classes.
        classes: number of classes K.
        name: of the image, for messages.

    Returns:
        Non-zero cells as true * K + predicted, and their numbers of pixels.

    Raises:
        DataError: The sizes differ, or a label is neither 255 nor below K.
    """
    if label.shape != prediction.shape:
        raise DataError(f"{name}: the label is {label.shape}, the prediction {prediction.shape} (height, width)")
    known = label != IGNORED
    true = label[known].astype(np.int64)
    if true.size and not 0 <= int(true.max()) < classes:
        raise DataError(f"{name}: label value {int(true.max())}, but there are {classes} classes (and 255 for unknown)")
    counts = np.bincount(true * classes + prediction[known], minlength=classes * classes)
    cells = np.flatnonzero(counts)
    return cells.astype(np.int32), counts[cells].astype(np.int64)


def scores(confusion_KK: Int64Array) -> Scores:
    """Compute the figures of one confusion matrix (rows: true, columns: predicted) over a whole split."""
    hits = np.diagonal(confusion_KK).astype(np.float64)
    labelled = confusion_KK.sum(axis=1).astype(np.float64)
    union = labelled + confusion_KK.sum(axis=0) - hits
    iou, accuracy = _share(hits, union), _share(hits, labelled)
    return Scores(
        miou=mean_present(iou),
        accuracy=float(hits.sum() / labelled.sum() * 100) if labelled.sum() else float("nan"),
        mean_accuracy=mean_present(accuracy),
        iou=iou,
        class_accuracy=accuracy,
    )


def _share(part: Float64Array, whole: Float64Array) -> Float64Array:
    """Percentage; NaN of nothing."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0) * 100


@dataclass(frozen=True)
class PerImageConfusion:
    """Confusion matrices of all images of a split; see the format above."""

    names: list[str]
    classes: list[str]
    offsets: Int64Array
    cells: npt.NDArray[np.int32]
    counts: Int64Array

    @classmethod
    def collect(
        cls, images: Mapping[str, tuple[npt.NDArray[np.int32], Int64Array]], classes: Sequence[str]
    ) -> "PerImageConfusion":
        """Put the cells of single images together, by name."""
        names = sorted(images)
        lengths = [len(images[name][0]) for name in names]
        return cls(
            names=names,
            classes=list(classes),
            offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
            cells=np.concatenate([np.empty(0, np.int32), *(images[name][0] for name in names)]),
            counts=np.concatenate([np.empty(0, np.int64), *(images[name][1] for name in names)]),
        )

    def total(self) -> Int64Array:
        """The confusion matrix of the whole split, int64 [K, K]."""
        size = len(self.classes)
        flat = np.zeros(size * size, dtype=np.int64)
        np.add.at(flat, self.cells, self.counts)
        return flat.reshape(size, size)

    def of_image(self, index: int) -> Int64Array:
        """The confusion matrix of one image, int64 [K, K]."""
        size = len(self.classes)
        flat = np.zeros(size * size, dtype=np.int64)
        span = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        flat[self.cells[span]] = self.counts[span]
        return flat.reshape(size, size)

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Compute "mIoU", "aAcc" or "mAcc" for images that count `times` [B, N]: one array [B]; none for others."""
        from scipy.sparse import csr_array

        if metric not in ("mIoU", "aAcc", "mAcc"):
            return []
        size = len(self.classes)
        image = np.repeat(np.arange(len(self.names)), np.diff(self.offsets))
        # Counts of pixels stay below 2^53, so that sums of them are exact.
        by_cell = csr_array((self.counts.astype(np.float64), (self.cells, image)), (size * size, len(self.names)))
        matrices = (by_cell @ times.T.astype(np.float64)).reshape(size, size, len(times))
        hits = np.diagonal(matrices)  # [B, K]
        labelled, predicted = matrices.sum(axis=1).T, matrices.sum(axis=0).T
        if metric == "aAcc":
            return [_share(hits.sum(axis=1), labelled.sum(axis=1))]
        return [mean_present_in_rows(_share(hits, labelled + predicted - hits if metric == "mIoU" else labelled))]

    def save(self, path: Path) -> None:
        """Write the file."""
        save(
            path,
            names=text_array(self.names),
            classes=text_array(self.classes),
            offsets=self.offsets,
            cells=self.cells,
            counts=self.counts,
        )


def read_per_image(path: Path) -> PerImageConfusion:
    """Read a file of per-image confusion matrices.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "per-image confusion matrices")
    try:
        return PerImageConfusion(
            names=texts(content["names"]),
            classes=texts(content["classes"]),
            offsets=content["offsets"],
            cells=content["cells"],
            counts=content["counts"],
        )
    except KeyError as error:
        raise DataError(f"{path}: not a file of per-image confusion matrices: no array {error}") from error
