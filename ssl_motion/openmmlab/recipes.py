"""Reading, changing and keeping recipes: native MMEngine Python configs.

A recipe is a plain .py file without imports of ours, so that OpenMMLab's own tools read it too. What
a run changes in it (data folder, trunk, iterations, ...) is done on the
loaded tree, and the result is kept in the run folder as `recipe.py`.
"""

import ast
import pprint
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ssl_motion.backbones import outline_backbone
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_text
from ssl_motion.paths import find_config
from ssl_motion.plugins import did_you_mean
from ssl_motion.spec import BackboneSpec

Recipe = dict[str, Any]


def load_recipe(name: str) -> Recipe:
    """Read a recipe by file or shipped name, as plain dicts and lists.

    Raises:
        UsageError: It does not exist, or is no valid config.
    """
    path = find_config("transfer", name, suffix=".py")
    try:
        # Registering what the recipe imports is left to the run: it takes seconds.
        config = Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is Python: anything can go wrong in it
        raise UsageError(f"{path}: not a valid MMEngine config: {type(error).__name__}: {error}") from error
    return _plain(config.to_dict())  # type: ignore[no-any-return]  # of a dict it makes a dict


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        # mmcv's transforms insist on tuples for sizes.
        return type(value)(_plain(item) for item in value)
    return value


def override(recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    """Return the recipe with dotted keys (list positions included) set to values.

    A list in place of a tuple becomes one: YAML has no tuples, and mmcv's transforms insist on them for sizes.

    Raises:
        UsageError: A key's parents do not exist in the recipe.
    """
    values = dict(overrides)
    for key, value in overrides.items():
        node: Any = recipe
        *parents, last = key.split(".")
        for depth, part in enumerate(parents):
            place = ".".join(parents[: depth + 1])
            node = _child(node, part, place)
        if not isinstance(node, (dict, list)):
            raise UsageError(f"--cfg-options {key}: {'.'.join(parents)} holds {node!r}, not a group of keys")
        old = _child(node, last, key) if isinstance(node, list) else node.get(last)
        if isinstance(old, tuple) and isinstance(value, list):
            values[key] = tuple(value)
    config = Config(recipe)
    config.merge_from_dict(values, allow_list_keys=True)
    return _plain(config.to_dict())  # type: ignore[no-any-return]  # of a dict it makes a dict


def added_keys(recipe: Recipe, overrides: Mapping[str, Any]) -> list[str]:
    """Say which overrides change nothing that is there, but add a key: a wrong name, perhaps.

    Args:
        recipe: as `override` takes it; every key has its parents there.
        overrides: dotted keys -> values.
    """
    remarks = []
    for key in overrides:
        *parents, last = key.split(".")
        node: Any = recipe
        for part in parents:
            node = _child(node, part, key)
        if isinstance(node, dict) and last not in node:
            hint = did_you_mean(last, list(node))
            remarks.append(f"--cfg-options {key} adds a key that the recipe does not have.{hint}")
    return remarks


def _child(node: Any, part: str, place: str) -> Any:
    if isinstance(node, list):
        if part.isdigit() and int(part) < len(node):
            return node[int(part)]
        raise UsageError(f"--cfg-options {place}: the recipe has {len(node)} entries there, counted from 0")
    if isinstance(node, dict) and part in node:
        return node[part]
    known = ", ".join(sorted(node)) if isinstance(node, dict) else repr(node)
    raise UsageError(f"--cfg-options: the recipe has no {place!r}; there is: {known}")


def save_recipe(path: Path, recipe: Mapping[str, Any], title: str) -> None:
    """Write the resolved recipe as a .py file that MMEngine's `Config.fromfile` reads back to the same tree."""
    lines = [f"# {line}".rstrip() for line in title.splitlines()]
    lines += [f"{key} = {pprint.pformat(value, width=110, sort_dicts=False)}" for key, value in recipe.items()]
    write_text(path, "\n".join(lines) + "\n")


def read_saved(path: Path) -> Recipe:
    """Read what `save_recipe` wrote, as data: nothing in the file is executed.

    Raises:
        DataError: The file cannot be read, or holds more than plain values.
    """
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        pairs = [(part.targets[0], part.value) for part in body if isinstance(part, ast.Assign)]
        return {target.id: ast.literal_eval(value) for target, value in pairs if isinstance(target, ast.Name)}
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not a resolved recipe: {error}") from error


def nodes(tree: Any, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """Walk over all dicts below `tree` that are wanted, outermost first."""
    if isinstance(tree, dict):
        if wanted(tree):
            yield tree
        for value in list(tree.values()):
            yield from nodes(value, wanted)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from nodes(value, wanted)


def set_data_root(recipe: Recipe, root: Path) -> None:
    """Point every data set of the recipe to `root`."""
    for node in nodes(recipe, lambda node: "data_root" in node):
        node["data_root"] = str(root)


def set_seed(recipe: Recipe, seed: int) -> None:
    """Seed order and augmentation of the training data."""
    for node in nodes(recipe["train_dataloader"], lambda node: node.get("type") in ("DrawSampler", "SeededDataset")):
        node["seed"] = seed


def set_iterations(recipe: Recipe, iterations: int) -> None:
    """Change the length of training; the schedule is stretched with it."""
    before = recipe["train_cfg"]["max_iters"]
    recipe["iterations"] = recipe["train_cfg"]["max_iters"] = iterations
    for scheduler in recipe["param_scheduler"]:
        for key in ("begin", "end", "total_steps", "T_max", "step_size"):
            if isinstance(scheduler.get(key), int):
                # A step of no iterations would divide by zero.
                scheduler[key] = max(round(scheduler[key] * iterations / before), int(key == "step_size"))
        if "milestones" in scheduler:
            scheduler["milestones"] = [round(step * iterations / before) for step in scheduler["milestones"]]


def set_learning_rate(recipe: Recipe, lr: float) -> None:
    """Change the peak learning rate; the schedule's shape stays."""
    before = recipe["optim_wrapper"]["optimizer"]["lr"]
    recipe["optim_wrapper"]["optimizer"]["lr"] = lr
    for scheduler in recipe["param_scheduler"]:
        for key in ("eta_max", "eta_min"):
            if key in scheduler:
                scheduler[key] = scheduler[key] * lr / before


def total_batch(recipe: Mapping[str, Any]) -> int:
    """Images per optimiser step, over all backward passes."""
    size: int = recipe["train_dataloader"]["batch_size"] * recipe["train_cfg"].get("passes", 1)
    return size


def set_total_batch(recipe: Recipe, batch: int, processes: int = 1) -> None:
    """Share `batch` images per optimiser step among backward passes and processes.

    Raises:
        UsageError: It does not divide.
    """
    shares = recipe["train_cfg"].get("passes", 1) * processes
    if batch % shares:
        raise UsageError(
            f"a batch of {batch} cannot be shared among {processes} process(es) x {shares // processes} backward "
            "passes; choose a multiple"
        )
    recipe["train_dataloader"]["batch_size"] = batch // shares


def set_crop(recipe: Recipe, side: int) -> None:
    """Change the side of the square training crop, wherever the recipe's crop is used as a size.

    Raises:
        UsageError: The recipe has no crop.
    """
    if "crop_size" not in recipe:
        raise UsageError("this preset trains on whole images and has no crop")
    before = recipe["crop_size"]
    for node in nodes(recipe, lambda node: bool(node.keys() & {"crop_size", "size"})):
        for key in ("crop_size", "size"):
            if node.get(key) == before:
                node[key] = (side, side)


def set_train_images(recipe: Recipe, images: int) -> None:
    """Train on the first so many images of the list."""
    recipe["train_dataloader"]["dataset"]["images"] = images


def set_number_of_classes(recipe: Recipe, classes: int) -> None:
    """Change how many classes every head of the network tells apart."""
    for node in nodes(recipe["model"], lambda node: "num_classes" in node):
        node["num_classes"] = classes


def set_frozen_to(recipe: Recipe, stage: str, spec: BackboneSpec) -> None:
    """Keep the trunk up to and including a stage as it starts, batch norms with their stored statistics.

    Args:
        recipe: with its trunk filled in.
        stage: one of the trunk's.
        spec: the trunk.

    Raises:
        UsageError: The trunk has no such stage, or the recipe freezes all of it anyway.
    """
    trunk = outline_backbone(spec)
    trunk.require_stage(stage, "freeze_to")
    backbone = recipe["model"]["backbone"]
    if backbone.get("frozen") is True:
        raise UsageError(f"freeze_to {stage}: this preset keeps the whole trunk as it starts")
    if backbone["type"] == "SSLMotionBackbone":
        backbone["frozen"] = stage
    else:
        # OpenMMLab's own ResNet counts: 0 is the stem, 1 to 4 are the stages after it.
        backbone["frozen_stages"] = list(trunk.channels).index(stage)


def set_backbone(recipe: Recipe, spec: BackboneSpec) -> None:
    """Put one of our trunks in, and fit the heads to its channels.

    The decode head reads the last stage, an auxiliary head the one before it.
    """
    channels = outline_backbone(spec).channels
    model = recipe["model"]
    stages = list(channels)[-2:] if "auxiliary_head" in model else list(channels)[-1:]
    frozen = {"frozen": True} if model["backbone"].get("frozen") else {}
    model["backbone"] = {
        "type": "SSLMotionBackbone",
        "spec": spec.model_dump(exclude_none=True),
        "out_stages": stages,
        "weights": None,
        **frozen,
    }
    head = model["decode_head"]
    head.update(in_index=len(stages) - 1, in_channels=channels[stages[-1]])
    if head.get("num_convs") == 0:
        # Without convolutions the head is the score layer alone.
        head["channels"] = head["in_channels"]
    if "auxiliary_head" in model:
        model["auxiliary_head"].update(in_index=0, in_channels=channels[stages[0]])
