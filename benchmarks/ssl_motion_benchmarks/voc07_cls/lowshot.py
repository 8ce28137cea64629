"""Linear SVMs on few labels: independent draws of k images with a class and (K - 1) k without it.

The draws are fixed by (class, k, number of the draw) and the list of images: the same for every run, whatever its seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.per_image.multilabel import average_precisions
from ssl_motion.progress import Progress
from ssl_motion.ranking import mean_present
from ssl_motion.seeding import generator
from ssl_motion_benchmarks.voc07_cls.svm import Float64Array, Int8Array, fit, rotate

DRAWS = 5


@dataclass(frozen=True)
class LowShot:
    """What was found for one number of images of every class.

    Attributes:
        shots: k.
        cost: chosen on training images outside the draws.
        mean: mAP in percent, averaged over the draws.
        spread: standard deviation over the draws (of the sample).
        best_on_test: mean mAP with the cost that is best on the test images; optimistic, but what was published.
        scores: float16 [draws, M, K] of the test images at `cost`.
    """

    shots: int
    cost: float
    mean: float
    spread: float
    best_on_test: float
    scores: npt.NDArray[np.float16]


def draw(labels_N: Int8Array, shots: int, classes: int, column: int, number: int) -> npt.NDArray[np.int64]:
    """Draw images for one class: `shots` with it, and (classes - 1) times as many, or all there are, without it.

    Args:
        labels_N: 1, -1 or 0 (never drawn).
        shots: k.
        classes: K.
        column: number of the class.
        number: of the draw.

    Raises:
        DataError: There are fewer than `shots` images with the class.
    """
    rng = generator(0, "voc07 low shot", column, shots, number)
    there, absent = np.flatnonzero(labels_N == 1), np.flatnonzero(labels_N == -1)
    if len(there) < shots:
        raise DataError(f"{shots} shots: only {len(there)} training images have class number {column}; ask for fewer")
    kept = rng.choice(absent, min((classes - 1) * shots, len(absent)), replace=False)
    return np.sort(np.concatenate([rng.choice(there, shots, replace=False), kept]))


def describe_draws(shots: Sequence[int], images: int, classes: int) -> str:
    """Say what is trained on.

    Args:
        shots: numbers k.
        images: number of training images.
        classes: K.
    """
    numbers = ", ".join(map(str, shots))
    others = f"up to {classes - 1} times as many without it"
    return f"each class is learned from {numbers} of {images} images with it and {others}, in {DRAWS} draws each"


def low_shot(
    train_ND: Float64Array,
    train_labels_NK: Int8Array,
    test_MD: Float64Array,
    test_labels_MK: Int8Array,
    shots: Sequence[int],
    costs: Sequence[float],
) -> list[LowShot]:
    """Train and score SVMs on every draw of every number of images.

    Args:
        train_ND: features of length 1.
        train_labels_NK: 1, -1 or 0.
        test_MD: features of length 1.
        test_labels_MK: likewise.
        shots: numbers k.
        costs: to choose from, once for every k.

    Raises:
        DataError: A class has too few images for a k.
    """
    train_ND, test_MD = rotate(train_ND, test_MD)
    classes = train_labels_NK.shape[1]
    found = []
    with Progress("few-shot SVMs", len(shots) * DRAWS, "draws") as progress:
        for k in shots:
            scores: dict[float, list[Any]] = {cost: [] for cost in sorted(costs)}
            held_out: dict[float, list[float]] = {cost: [] for cost in scores}
            for number in range(DRAWS):
                drawn = [draw(train_labels_NK[:, c], k, classes, c, number) for c in range(classes)]
                rest_NK = train_labels_NK.copy()
                for column, images in enumerate(drawn):
                    rest_NK[images, column] = 0
                for cost in scores:
                    machines = [
                        fit(train_ND[images], train_labels_NK[images, column], cost)
                        for column, images in enumerate(drawn)
                    ]
                    weights_DK = np.stack([weights for weights, _ in machines], axis=1)
                    biases_K = np.array([bias for _, bias in machines])
                    scores[cost].append(test_MD @ weights_DK + biases_K)
                    rest = average_precisions(rest_NK, train_ND @ weights_DK + biases_K, "envelope")
                    held_out[cost].append(mean_present(rest))
                progress.advance(1)
            found.append(_summary(k, scores, held_out, test_labels_MK))
    return found


def _summary(
    shots: int, scores: dict[float, list[Any]], held_out: dict[float, list[float]], labels_MK: Int8Array
) -> LowShot:
    tested = {
        cost: [mean_present(average_precisions(labels_MK, each, "envelope")) for each in draws]
        for cost, draws in scores.items()
    }
    cost = max(held_out, key=lambda each: float(np.mean(held_out[each])))
    return LowShot(
        shots=shots,
        cost=cost,
        mean=float(np.mean(tested[cost])),
        spread=float(np.std(tested[cost], ddof=1)),
        best_on_test=max(float(np.mean(values)) for values in tested.values()),
        scores=np.stack(scores[cost]).astype(np.float16),
    )
