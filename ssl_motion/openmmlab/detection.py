"""The facts of a detection protocol, read off the resolved recipe; as `facts` does for segmentation."""

import json
from collections.abc import Mapping
from typing import Any

from ssl_motion.openmmlab.recipes import nodes, total_batch

# Transforms that load, pack or only bring things into a form: no part of the augmentation.
_PLUMBING = ("LoadImageFromFile", "LoadAnnotations", "LoadProposals", "PackDetInputs")


def detection_facts(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """State what makes results comparable: network, head, data treatment, optimisation, test mode.

    Left out are paths, seeds, workers and the start weights. The metric is the task's to state.
    """
    model, train = recipe["model"], recipe["train_dataloader"]["dataset"]
    optim, backbone = recipe["optim_wrapper"], recipe["model"]["backbone"]
    facts = {
        "backbone": {key: value for key, value in backbone.items() if key != "weights"},
        "bn_policy": _norm_policy(backbone) + (", shared between processes" if recipe.get("sync_bn") else ""),
        "frozen_stages": "all" if backbone.get("frozen") is True else backbone.get("frozen") or "none",
        "neck": model.get("neck"),
        "rpn_head": model.get("rpn_head"),
        "roi_head": model["roi_head"],
        "assignment_and_sampling": model["train_cfg"],
        "augmentation": _pipeline(train),
        "training_filter": next(nodes(train, lambda node: "filter_cfg" in node), {}).get("filter_cfg"),
        "padded_to_multiples_of": model["data_preprocessor"].get("pad_size_divisor", 1),
        "train_images": train.get("images"),
        "batches": recipe["train_dataloader"]["sampler"]["type"],
        "effective_batch": total_batch(recipe),
        "optimiser": {
            **optim["optimizer"],
            "paramwise": optim.get("paramwise_cfg"),
            "clip_grad": optim.get("clip_grad"),
        },
        "schedule": recipe["param_scheduler"],
        "iterations": recipe["train_cfg"]["max_iters"],
        "test_mode": model["test_cfg"],
        "test_resize": _pipeline(recipe["test_dataloader"]["dataset"]),
    }
    # As they read in a record: tuples become lists.
    content: dict[str, Any] = json.loads(json.dumps(facts))
    return content


def _norm_policy(backbone: Mapping[str, Any]) -> str:
    if backbone.get("frozen") is True:
        return "stored statistics"
    return "stored statistics, affine trained" if backbone.get("norm_eval") else "batch statistics, affine trained"


def _pipeline(dataset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The transforms of the (first) data set inside, without the plumbing."""
    inner = next(nodes(dataset, lambda node: "pipeline" in node))
    return [step for step in inner["pipeline"] if step["type"] not in _PLUMBING]
