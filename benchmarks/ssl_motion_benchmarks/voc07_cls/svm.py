"""Linear SVMs on frozen features, as fair_self_supervision_benchmark trains them; scikit-learn does the work.

Features are brought to length 1. One SVM a class: squared hinge loss, L2 penalty, the dual problem, at most 2,000
passes, positives weighted twice. Images in which a class is only difficult take no part in its SVM.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ssl_motion.errors import DataError
from ssl_motion.progress import Progress
from ssl_motion.ranking import average_precision

FOLDS = 3
Float64Array = npt.NDArray[np.float64]
Int8Array = npt.NDArray[np.int8]


def normalise(features: npt.NDArray[np.floating]) -> Float64Array:
    """Bring every row of features [N, D] to length 1."""
    rows = np.asarray(features, dtype=np.float64)
    scaled: Float64Array = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-5)
    return scaled


def rotate(train_ND: Float64Array, test_MD: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Express features in an orthonormal basis of the training features, where that is smaller; no SVM changes by it.

    A linear SVM's weights are a sum of training features, so only inner products with these matter. With fewer
    images than numbers an image, training is faster by their ratio.
    """
    if len(train_ND) >= train_ND.shape[1]:
        return train_ND, test_MD
    _, _, basis_ND = np.linalg.svd(train_ND, full_matrices=False)
    return train_ND @ basis_ND.T, test_MD @ basis_ND.T


def fit(features_ND: Float64Array, labels_N: Int8Array, cost: float) -> tuple[Float64Array, float]:
    """Train one SVM; returns its weights [D] and its bias. Deterministic.

    Args:
        features_ND: of length 1.
        labels_N: 1 or -1, or 0 for images that take no part.
        cost: of the loss against the penalty.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    known = labels_N != 0
    machine = LinearSVC(
        C=cost,
        class_weight={1: 2, -1: 1},
        intercept_scaling=1.0,
        penalty="l2",
        loss="squared_hinge",
        tol=1e-4,
        dual=True,
        max_iter=2000,
        random_state=0,
    )
    with warnings.catch_warnings():
        # The number of passes is the protocol's, whether it suffices or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(features_ND[known], labels_N[known])
    return machine.coef_[0], float(machine.intercept_[0])


def cross_validated(features_ND: Float64Array, labels_N: Int8Array, cost: float) -> float:
    """Average precision (scikit-learn's rule) over three stratified folds, each scored by an SVM of the other two."""
    from sklearn.model_selection import StratifiedKFold

    known = np.flatnonzero(labels_N != 0)
    values = []
    for train, held_out in StratifiedKFold(FOLDS).split(known, labels_N[known]):
        weights, bias = fit(features_ND[known[train]], labels_N[known[train]], cost)
        scores = features_ND[known[held_out]] @ weights + bias
        values.append(average_precision(labels_N[known[held_out]] == 1, scores))
    return float(np.mean(values))


def svm_scores(
    train_ND: Float64Array,
    labels_NK: Int8Array,
    test_MD: Float64Array,
    classes: Sequence[str],
    costs: Sequence[float],
) -> tuple[Float64Array, list[float]]:
    """Train one SVM a class on all labels and score the test images.

    Args:
        train_ND: features of length 1.
        labels_NK: 1, -1 or 0.
        test_MD: features of length 1.
        classes: names.
        costs: to choose from by cross-validation, for every class; of equals, the smallest is taken.

    Returns:
        Scores [M, K], and the cost of each class.

    Raises:
        DataError: A class has fewer images with or without it than there are folds.
    """
    train_ND, test_MD = rotate(train_ND, test_MD)
    columns, chosen = [], []
    with Progress("linear SVMs", len(classes), "classes") as progress:
        for label, labels_N in zip(classes, labels_NK.T, strict=True):
            rarest = min(int((labels_N == 1).sum()), int((labels_N == -1).sum()))
            if rarest < FOLDS:
                raise DataError(
                    f"class {label}: {rarest} training image(s) with it or without it; choosing the cost takes at "
                    f"least {FOLDS}. Use more images."
                )
            found = {cost: cross_validated(train_ND, labels_N, cost) for cost in sorted(costs)}
            best = max(found, key=lambda cost: found[cost])
            weights, bias = fit(train_ND, labels_N, best)
            columns.append(test_MD @ weights + bias)
            chosen.append(best)
            progress.advance(1)
    return np.stack(columns, axis=1), chosen
