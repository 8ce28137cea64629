"""Reading frozen features by linear SVMs: features, machines, figures."""

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ssl_motion.engine.environment import resolve_device
from ssl_motion.frozen.cache import FeatureCache
from ssl_motion.frozen.extract import POOLED_TO, Pooled
from ssl_motion.frozen.trunk import build_trunk
from ssl_motion.frozen.views import View
from ssl_motion.per_image.multilabel import PerImageScores, average_precisions, single
from ssl_motion.protocols import PER_IMAGE, RunContext, TaskResult
from ssl_motion.ranking import Rule, mean_present, present_by_name
from ssl_motion.spec import BackboneSpec
from ssl_motion_benchmarks.voc07.devkit import IMAGES, ClassLabels, read_labels, voc_root
from ssl_motion_benchmarks.voc07_cls.lowshot import DRAWS, low_shot
from ssl_motion_benchmarks.voc07_cls.presets import Preset
from ssl_motion_benchmarks.voc07_cls.svm import FOLDS, normalise, svm_scores

RULE: Rule = "envelope"


def facts(preset: Preset, stage: str, shots: Sequence[int]) -> dict[str, object]:
    """State features and classifier, beside the trunk."""
    content: dict[str, object] = {
        "frozen_stages": "all",
        "bn_policy": "stored statistics",
        "features": {"stage": stage, "pooled_to": POOLED_TO, **View(short_side=preset.short_side).facts()},
        "classifier": "linear SVM a class: squared hinge, L2, dual, 2000 passes, positives x 2; features of length 1",
        "costs": list(preset.costs),
        "difficult": "ignored in training, choice and test",
        "ap_rule": RULE,
    }
    if shots:
        content["shots"] = list(shots)
        content["draws"] = DRAWS
        content["cost_chosen_on"] = "training images outside the draws, once for every number of shots"
    else:
        content["cost_chosen_on"] = f"{FOLDS} folds of the training images, for every class"
    return content


def run(
    context: RunContext,
    preset: Preset,
    trunk: BackboneSpec,
    stage: str,
    splits: tuple[str, str],
    classes: Sequence[str],
    shots: Sequence[int],
    fingerprint: str,
) -> TaskResult:
    """Compute the features of both splits (or take them from the cache), train SVMs, score.

    Args:
        context: of the run.
        preset: costs and scaling.
        trunk: what computes the features.
        stage: which features.
        splits: trained on, scored.
        classes: names.
        shots: numbers of images of every class; none for all labels.
        fingerprint: of the data.
    """
    began, folder = time.monotonic(), voc_root(context.data_root)
    device = resolve_device(context.device)
    network = build_trunk(context.weights, trunk, context.seed, device)
    view, cache = View(short_side=preset.short_side), FeatureCache.of(context)
    known: list[ClassLabels] = []
    features: list[npt.NDArray[np.float64]] = []
    for split in splits:
        known.append(read_labels(folder, split, classes))
        paths = [folder / IMAGES / f"{name}.jpg" for name in known[-1].names]
        found = cache.get(
            network, paths, view, Pooled(), (stage,), data=fingerprint, device=device, label=f"features of {split}"
        )
        features.append(normalise(found[stage]))
    result = (_few_labels if shots else _all_labels)(known, features, preset.costs, shots)
    metrics, details, kept = result
    kept.save(context.run_dir / PER_IMAGE)
    return TaskResult(metrics, details, PER_IMAGE, time.monotonic() - began)


_Found = tuple[dict[str, float], dict[str, dict[str, float]], PerImageScores]


def _all_labels(
    known: list[ClassLabels], features: list[npt.NDArray[np.float64]], costs: Sequence[float], shots: Sequence[int]
) -> _Found:
    del shots
    train, test = known
    scores, chosen = svm_scores(features[0], train.labels, features[1], test.classes, costs)
    kept = single(test.names, test.classes, test.labels, scores)
    metrics, details = figures(kept)
    details["cost"] = dict(zip(test.classes, chosen, strict=True))
    return metrics, details, kept


def _few_labels(
    known: list[ClassLabels], features: list[npt.NDArray[np.float64]], costs: Sequence[float], shots: Sequence[int]
) -> _Found:
    train, test = known
    found = low_shot(features[0], train.labels, features[1], test.labels, shots, costs)
    eleven = [
        mean_present(average_precisions(test.labels, scores, "11-point")) for each in found for scores in each.scores
    ]
    metrics = {"mAP": float(np.mean([each.mean for each in found])), "mAP07": float(np.mean(eleven))}
    details = {
        "mAP by shots": {str(each.shots): each.mean for each in found},
        "std over draws": {str(each.shots): each.spread for each in found},
        "mAP with the cost best on test": {str(each.shots): each.best_on_test for each in found},
        "cost": {str(each.shots): each.cost for each in found},
    }
    draws = [f"{each.shots} shots, draw {number}" for each in found for number in range(DRAWS)]
    scores = np.concatenate([each.scores for each in found])
    return metrics, details, PerImageScores(test.names, test.classes, test.labels, draws, scores)


def figures(kept: PerImageScores, rule: Rule = RULE) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Compute metrics and each class's average precision from the scores of one classifier."""
    rules: dict[str, tuple[str, Rule]] = {"mAP": ("AP", rule), "mAP07": ("AP (11-point)", "11-point")}
    metrics, details = {}, {}
    for name, (group, each) in rules.items():
        values = average_precisions(kept.labels, kept.scores[0], each)
        metrics[name] = mean_present(values)
        details[group] = present_by_name(kept.classes, values)
    return metrics, details
