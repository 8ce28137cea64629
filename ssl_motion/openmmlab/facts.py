"""The facts of a segmentation protocol, read off the resolved recipe.

Reading them off, rather than stating them twice, means that no change of a recipe can go
unnoticed: results are ranked against each other only where all of these agree.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ssl_motion.openmmlab.recipes import total_batch

# Transforms that load, pack or only bring things into a form: no part of the augmentation.
_PLUMBING = ("LoadImageFromFile", "LoadAnnotations", "PackSegInputs")


def segmentation_facts(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """State what makes results comparable: network, head, data treatment, optimisation, test mode.

    Left out are paths, seeds, workers and the start weights.
    """
    model, train = recipe["model"], _innermost(recipe["train_dataloader"]["dataset"])
    optim = recipe["optim_wrapper"]
    frozen, policy = frozen_part(model["backbone"])
    facts = {
        "backbone": _without(model["backbone"], "weights"),
        "bn_policy": policy + (", shared between processes" if "sync_bn" in recipe else ""),
        "frozen_stages": frozen,
        "head": _without(model["decode_head"], "in_index"),
        "auxiliary_head": _without(model["auxiliary_head"], "in_index") if "auxiliary_head" in model else None,
        "augmentation": [step for step in train["pipeline"] if step["type"] not in _PLUMBING],
        "padded_to": model["data_preprocessor"].get("size"),
        "label_swap": _swapped(train["pipeline"]),
        "train_images": recipe["train_dataloader"]["dataset"].get("images"),
        "effective_batch": total_batch(recipe),
        "optimiser": {**optim["optimizer"], "paramwise": optim.get("paramwise_cfg")},
        "schedule": recipe["param_scheduler"],
        "iterations": recipe["train_cfg"]["max_iters"],
        "test_mode": model["test_cfg"]["mode"],
        "test_resize": [
            step for step in recipe["test_dataloader"]["dataset"]["pipeline"] if step["type"] not in _PLUMBING
        ],
        "eval_mask_resolution": "original image",
        "metric": "mIoU of one confusion matrix over the split; 255 ignored; classes that occur in neither left out",
    }
    # As they read in a record: tuples become lists.
    content: dict[str, Any] = json.loads(json.dumps(facts))
    return content


def frozen_part(backbone: Mapping[str, Any]) -> tuple[str | int, str]:
    """Say what of a trunk is kept as it starts, and what its batch norms do.

    Args:
        backbone: settings of one of our trunks, or of OpenMMLab's ResNet (there "frozen_stages" counts from the stem).
    """
    trained, kept = "batch statistics, affine trained", "stored statistics"
    if backbone.get("frozen") is True:
        return "all", kept
    last = backbone.get("frozen") or backbone.get("frozen_stages", -1)
    if last == -1:
        return -1, trained
    return (f"up to {last}" if isinstance(last, str) else last), f"{kept} in the frozen stages; {trained} in the others"


def _swapped(pipeline: Sequence[Mapping[str, Any]]) -> list[Any] | str:
    """Pairs of classes that change places when an image is mirrored."""
    pairs = [pair for step in pipeline if step["type"] == "RandomFlip" for pair in step.get("swap_seg_labels") or ()]
    return pairs or "none (classes are not sided)"


def _innermost(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    while "dataset" in dataset or "datasets" in dataset:
        dataset = dataset["dataset"] if "dataset" in dataset else dataset["datasets"][0]
    return dataset


def _without(settings: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in keys}
