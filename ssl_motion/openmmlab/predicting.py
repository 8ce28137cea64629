"""Predictions of a finished segmentation network for single images."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from ssl_motion.engine.environment import resolve_device
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab.averaging import last_state
from ssl_motion.openmmlab.recipes import Recipe, read_saved
from ssl_motion.openmmlab.running import RECIPE
from ssl_motion.protocols import ImagePrediction


def predict_images(recipe: Recipe, member: Path, images: Sequence[str], device: str) -> list[ImagePrediction]:
    """Predict some images of the split that a recipe is scored on.

    Args:
        recipe: of the run's protocol, with the data folder filled in.
        member: the run's folder: its network is described by `recipe.py` and lies in `checkpoints`.
        images: names, as the per-image statistics have them.
        device: as in `RunContext`.

    Returns:
        One for each image, in that order.

    Raises:
        UsageError: The run holds no network, or an image is not in the split.
        DataError: The run's files are damaged.
    """
    with warnings.catch_warnings(), DefaultScope.overwrite_default_scope("mmseg"):
        # Remarks of mmseg on its own defaults and deprecations: nothing that a user could act on.
        warnings.filterwarnings("ignore", module=r"mm(seg|engine|cv)\.")
        # mmseg reads settings as attributes.
        network = MODELS.build(Config({"model": read_saved(member / RECIPE)["model"]}).model)
        network.load_state_dict(last_state(member / "checkpoints", network))
        network = network.to(resolve_device(device)).eval()
        dataset = DATASETS.build(dict(recipe["test_dataloader"]["dataset"]))
        places = {Path(dataset.get_data_info(place)["img_path"]).stem: place for place in range(len(dataset))}
        missing = [name for name in images if name not in places]
        if missing:
            raise UsageError(f"{missing[0]} is not among the {len(places)} images that {member.name} is scored on")
        found = []
        for name in images:
            with torch.no_grad():
                (sample,) = network.test_step(pseudo_collate([dataset[places[name]]]))
            with Image.open(sample.img_path) as picture:
                pixels = np.asarray(picture.convert("RGB"), dtype=np.uint8)
            found.append(
                ImagePrediction(
                    name=name,
                    image=pixels,
                    label=sample.gt_sem_seg.data.squeeze(0).cpu().numpy(),
                    prediction=sample.pred_sem_seg.data.squeeze(0).cpu().numpy(),
                    classes=tuple(dataset.metainfo["classes"]),
                    palette=tuple(tuple(int(part) for part in colour) for colour in dataset.metainfo["palette"]),
                )
            )
    return found
