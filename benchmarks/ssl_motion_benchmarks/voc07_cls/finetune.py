"""The fine-tuning recipes: a task's settings filled in, and the facts that make results comparable."""

import json
from collections.abc import Sequence
from typing import Any

from ssl_motion.backbones import outline_backbone
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.facts import frozen_part
from ssl_motion.openmmlab.recipe_task import change_recipe, complete_recipe
from ssl_motion.protocols import RunContext
from ssl_motion_benchmarks.voc07.devkit import voc_root
from ssl_motion_benchmarks.voc07_cls.presets import PRESETS, Voc07ClsConfig


def make_recipe(settings: Voc07ClsConfig, classes: Sequence[str], train: str, test: str) -> recipes.Recipe:
    """Read the preset's recipe and change it by the settings; without paths, seed and weights.

    Args:
        settings: of the task.
        classes: names.
        train: split that is trained on.
        test: split that is scored.
    """
    recipe, own = recipes.load_recipe(settings.preset), PRESETS[settings.preset].backbone
    recipe["classes"] = list(classes)
    for node in recipes.nodes(recipe, lambda node: node.get("type") == "Voc07Crops"):
        node["classes"] = list(classes)
    recipe["train_dataloader"]["dataset"]["split"] = train
    recipe["test_dataloader"]["dataset"]["split"] = test
    model, trunk = recipe["model"], settings.backbone or own
    model["head"]["num_classes"] = len(classes)
    if trunk != own:
        stage, channels = list(outline_backbone(trunk).channels.items())[-1]
        model["backbone"].update(spec=trunk.model_dump(exclude_none=True), out_stages=[stage])
        model["head"]["in_channels"] = channels
    change_recipe(recipe, settings, trunk)
    return recipe


def resolve(recipe: recipes.Recipe, context: RunContext) -> recipes.Recipe:
    """Fill in one run's data, seed and weights, and the user's overrides."""
    recipes.set_data_root(recipe, voc_root(context.data_root).resolve())
    recipe["train_dataloader"]["dataset"]["seed"] = context.seed
    return complete_recipe(recipe, context)


def facts(recipe: recipes.Recipe) -> dict[str, Any]:
    """State network, data treatment, optimisation and test, read off the resolved recipe."""
    model, optim = recipe["model"], recipe["optim_wrapper"]
    train, test = (recipe[loader]["dataset"] for loader in ("train_dataloader", "test_dataloader"))
    frozen, policy = frozen_part(model["backbone"])
    content = {
        "backbone": {key: value for key, value in model["backbone"].items() if key != "weights"},
        "bn_policy": policy + (", shared between processes" if "sync_bn" in recipe else ""),
        "frozen_stages": "none" if frozen == -1 else frozen,
        "head": model["head"],
        "rescaled": False,
        "augmentation": {key: train[key] for key in ("crop_size", "scale", "mirror")},
        "effective_batch": recipes.total_batch(recipe),
        "loss": "sigmoid cross-entropy, summed over classes; difficult ignored",
        "optimiser": {
            **optim["optimizer"],
            "paramwise": optim.get("paramwise_cfg"),
            "clip_grad": optim.get("clip_grad"),
        },
        "schedule": recipe["param_scheduler"],
        "iterations": recipe["train_cfg"]["max_iters"],
        "test_mode": {key: test[key] for key in ("crops", "crop_size", "scale", "mirror")},
        "ap_rule": recipe["test_evaluator"]["rule"],
    }
    # As they read in a record: tuples become lists.
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain
