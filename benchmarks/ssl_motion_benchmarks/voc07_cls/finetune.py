"""The fine-tuning recipes: a task's settings filled in, and the facts that make results comparable."""

import json
from collections.abc import Sequence
from typing import Any

from torch import device as torch_device

from ssl_motion.backbones import build_backbone
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.facts import frozen_part
from ssl_motion.protocols import RunContext
from ssl_motion.weights import read_card
from ssl_motion_benchmarks.voc07.devkit import voc_root
from ssl_motion_benchmarks.voc07.scores import PER_IMAGE
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
        with torch_device("meta"):
            stage, channels = list(build_backbone(trunk).channels.items())[-1]
        model["backbone"].update(spec=trunk.model_dump(exclude_none=True), out_stages=[stage])
        model["head"]["in_channels"] = channels
    if settings.freeze_to is not None:
        recipes.set_frozen_to(recipe, settings.freeze_to, trunk)
    if settings.iterations is not None:
        recipes.set_iterations(recipe, settings.iterations)
    if settings.batch_size is not None:
        recipes.set_total_batch(recipe, settings.batch_size)
    if settings.lr is not None:
        recipes.set_learning_rate(recipe, settings.lr)
    if settings.crop is not None:
        recipes.set_crop(recipe, settings.crop)
    return recipe


def resolve(recipe: recipes.Recipe, context: RunContext) -> recipes.Recipe:
    """Fill in one run's data, seed and weights, and the user's overrides."""
    from ssl_motion.engine.environment import launched_processes

    recipes.set_data_root(recipe, voc_root(context.data_root).resolve())
    recipes.set_seed(recipe, context.seed)
    recipe["train_dataloader"]["dataset"]["seed"] = context.seed
    recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
    if context.weights is not None:
        card = read_card(context.weights)
        recipe["model"]["backbone"]["weights"] = str(context.weights)
        recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
    recipe["test_evaluator"]["path"] = str(context.run_dir / PER_IMAGE)
    return recipes.override(recipe, context.recipe_overrides)


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
