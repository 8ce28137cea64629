"""Masks of real videos against annotated objects: prints the table of docs/masks.md.

pytest -n 0 -m slow -s tests/integration/test_masks_davis.py
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssl_motion.data.sample import BoolArray, FlowSample
from ssl_motion.flow.background import BACKGROUND_MODELS
from ssl_motion.flow.estimators import DISFlow
from ssl_motion.masks import MaskSettings, make_mask, motion_votes

pytestmark = pytest.mark.slow
NO_PRUNING = {"min_foreground": 0, "max_foreground": 1, "max_border": 1, "min_inliers": 0, "max_scale": 1}


@pytest.fixture(scope="module")
def davis(sample_data: Path) -> Path:
    folder = sample_data / "davis"
    if not folder.is_dir():
        pytest.skip(f"needs sequences of DAVIS; {folder} is not there")
    return folder


def pairs(frames: Path, objects: Path) -> Iterator[tuple[FlowSample, BoolArray]]:
    """Consecutive frames of a sequence, with what is annotated in the first."""
    images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(frames.glob("*.jpg"))]
    labels = [np.asarray(Image.open(path)) > 0 for path in sorted(objects.glob("*.png"))]
    estimator = DISFlow()
    for number, (first, second) in enumerate(pairwise(images)):
        flow = estimator.estimate(first, second)
        yield FlowSample(first, flow, np.ones(flow.shape[:2], bool), frames.name, number, 1), labels[number]


def test_masks_of_real_videos_find_the_annotated_objects(davis: Path) -> None:
    table: dict[str, dict[str, list[float]]] = {}
    told: dict[str, int] = dict.fromkeys(BACKGROUND_MODELS, 0)
    kept = dict.fromkeys(BACKGROUND_MODELS, 0)
    for frames in sorted((davis / "JPEGImages" / "480p").iterdir()):
        rows = table.setdefault(frames.name, {model: [] for model in BACKGROUND_MODELS})
        for sample, truth in pairs(frames, davis / "Annotations" / "480p" / frames.name):
            for model in BACKGROUND_MODELS:
                votes = motion_votes(sample, MaskSettings(background=model, **NO_PRUNING)).map
                found = np.zeros_like(truth) if votes is None else votes >= 0.7
                told[model] += votes is not None
                kept[model] += bool(make_mask(sample, MaskSettings(background=model)).facts["kept"])
                rows[model].append(float((found & truth).sum() / (found | truth).sum()))
    means = {model: {name: float(np.mean(rows[model])) for name, rows in table.items()} for model in BACKGROUND_MODELS}
    print("\nsequence".ljust(18), *(model.rjust(11) for model in BACKGROUND_MODELS))
    for name in table:
        print(name.ljust(17), *(f"{means[model][name]:11.3f}" for model in BACKGROUND_MODELS))
    overall = {model: float(np.mean(list(means[model].values()))) for model in BACKGROUND_MODELS}
    print("mean".ljust(17), *(f"{overall[model]:11.3f}" for model in BACKGROUND_MODELS))
    print("pairs with votes".ljust(17), *(f"{told[model]:11d}" for model in BACKGROUND_MODELS))
    print("pairs kept".ljust(17), *(f"{kept[model]:11d}" for model in BACKGROUND_MODELS))
    assert overall["quadratic"] >= 0.65
    assert min(means["quadratic"].values()) >= 0.4
    assert overall["quadratic"] >= overall["translate"] + 0.2
