"""Predictions of a finished network for single images: of segmentors, and of detectors."""

import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from PIL import Image

from ssl_motion.engine.environment import resolve_device
from ssl_motion.errors import UsageError
from ssl_motion.objects import Objects
from ssl_motion.openmmlab.averaging import last_state
from ssl_motion.openmmlab.recipes import Recipe, read_saved
from ssl_motion.openmmlab.running import RECIPE
from ssl_motion.protocols import ImagePrediction, ObjectPrediction

Library = Literal["mmseg", "mmdet"]


def predict_images(recipe: Recipe, member: Path, images: Sequence[str], device: str) -> list[ImagePrediction]:
    """Predict some images of the split that a segmentation recipe is scored on.

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
    return [
        ImagePrediction(
            name=name,
            image=_pixels(sample.img_path),
            label=sample.gt_sem_seg.data.squeeze(0).cpu().numpy(),
            prediction=sample.pred_sem_seg.data.squeeze(0).cpu().numpy(),
            classes=tuple(metainfo["classes"]),
            palette=_palette(metainfo),
        )
        for name, _, sample, metainfo in _predicted(recipe, member, images, device, "mmseg")
    ]


def predict_objects(recipe: Recipe, member: Path, images: Sequence[str], device: str) -> list[ObjectPrediction]:
    """Do the same with a detector; arguments, result and errors as for `predict_images`."""
    found = []
    for name, info, sample, metainfo in _predicted(recipe, member, images, device, "mmdet"):
        image = _pixels(info["img_path"])
        things = [thing for thing in info["instances"] if not thing.get("ignore_flag")]
        masks = [_mask(thing["mask"], image.shape[:2]) for thing in things if "mask" in thing]
        instances = sample.pred_instances.cpu().numpy()
        found.append(
            ObjectPrediction(
                name=name,
                image=image,
                truth=Objects(
                    boxes=np.array([thing["bbox"] for thing in things], dtype=np.float32).reshape(-1, 4),
                    labels=np.array([thing["bbox_label"] for thing in things], dtype=np.int64),
                    scores=np.ones(len(things), dtype=np.float32),
                    masks=np.array(masks) if masks and len(masks) == len(things) else None,
                ),
                prediction=Objects(
                    boxes=instances.bboxes,
                    labels=instances.labels,
                    scores=instances.scores,
                    masks=instances.masks if "masks" in instances else None,
                ),
                classes=tuple(metainfo["classes"]),
            )
        )
    return found


def _predicted(
    recipe: Recipe, member: Path, images: Sequence[str], device: str, library: Library
) -> Iterator[tuple[str, dict[str, Any], Any, dict[str, Any]]]:
    """Yield of each image its name, the data set's entry, the library's sample with the prediction, and the classes."""
    with warnings.catch_warnings(), DefaultScope.overwrite_default_scope(library):
        # Remarks of the libraries on their own defaults and deprecations: nothing that a user could act on.
        warnings.filterwarnings("ignore", module=r"mm(seg|det|engine|cv)\.")
        registry = import_module(f"{library}.registry")
        # They read settings as attributes.
        network = registry.MODELS.build(Config({"model": read_saved(member / RECIPE)["model"]}).model)
        network.load_state_dict(last_state(member / "checkpoints", network))
        network = network.to(resolve_device(device)).eval()
        dataset = registry.DATASETS.build(dict(recipe["test_dataloader"]["dataset"]))
        places: dict[str, int] = {}
        for place in range(len(dataset)):
            path = Path(dataset.get_data_info(place)["img_path"])
            # Statistics name images by their files, with the ending (COCO) or without.
            places[path.stem] = places[path.name] = place
        missing = [name for name in images if name not in places]
        if missing:
            raise UsageError(f"{missing[0]} is not among the {len(dataset)} images that {member.name} is scored on")
        for name in images:
            with torch.no_grad():
                (sample,) = network.test_step(pseudo_collate([dataset[places[name]]]))
            yield name, dataset.get_data_info(places[name]), sample, dataset.metainfo


def _pixels(path: str) -> npt.NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.uint8)


def _palette(metainfo: dict[str, Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(part) for part in colour) for colour in metainfo["palette"])


def _mask(segmentation: Any, size: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Turn COCO's polygons or run lengths into a mask [H, W]."""
    from pycocotools import mask

    coded = segmentation
    if isinstance(segmentation, list):
        coded = mask.merge(mask.frPyObjects(segmentation, *size))
    elif isinstance(segmentation["counts"], list):
        coded = mask.frPyObjects(segmentation, *size)
    drawn: npt.NDArray[np.bool_] = mask.decode(coded).astype(bool)
    return drawn
