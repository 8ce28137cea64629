"""What the fine-tuning recipes are made of: random crops of labelled images, a classifier, and its metric.

Importing this registers them with MMEngine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseDataPreprocessor, BaseModel, BaseModule
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from ssl_motion.data.sample import UInt8Array
from ssl_motion.frozen.views import read_image
from ssl_motion.ranking import Rule, mean_present
from ssl_motion.seeding import generator
from ssl_motion_benchmarks.voc07.devkit import IMAGES, read_labels, voc_root
from ssl_motion_benchmarks.voc07.scores import average_precisions, single


def random_crop(
    image: UInt8Array, rng: np.random.Generator, side: int, scale: tuple[float, float], mirror: bool
) -> UInt8Array:
    """Scale an image at random, cut out a square at a random place, and mirror it with a chance of one half.

    Args:
        image: uint8 [H, W, 3].
        rng: draws scale, place and mirroring.
        side: of the square, in pixels of the result.
        scale: range of the factor (uniform). A factor at which the square would not fit is raised until it does.
        mirror: whether to mirror.

    Returns:
        uint8 [side, side, 3].
    """
    height, width = image.shape[:2]
    factor = max(float(rng.uniform(*scale)), side / min(height, width))
    window = min(round(side / factor), height, width)
    top, left = int(rng.integers(height - window + 1)), int(rng.integers(width - window + 1))
    cut = image[top : top + window, left : left + window]
    # Averaging where it shrinks: picking pixels would alias.
    how = cv2.INTER_AREA if window > side else cv2.INTER_LINEAR
    cut = cv2.resize(cut, (side, side), interpolation=how)
    return np.ascontiguousarray(cut[:, ::-1] if mirror and rng.random() < 0.5 else cut)


@DATASETS.register_module(force=True)
class Voc07Crops(Dataset[Any]):
    """Random crops of the images of a split of VOC 2007's devkit, with their class labels.

    In training an item is asked for by (image, number of the draw) and is one crop that depends on these and the seed
    alone. In testing it is asked for by the image and is several crops that depend on the image's place alone, so that
    they are the same in every run.

    Args:
        data_root: of the devkit, as `voc_root` takes it.
        split: such as "trainval".
        classes: names.
        crop_size: height and width of a crop, which are equal.
        scale: range of scaling (see `random_crop`).
        mirror: whether to mirror at random.
        crops: per image in testing; None in training.
        seed: of the crops in training.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        classes: Sequence[str],
        crop_size: tuple[int, int],
        scale: tuple[float, float],
        mirror: bool = True,
        crops: int | None = None,
        seed: int = 0,
    ) -> None:
        folder = voc_root(Path(data_root))
        self.known = read_labels(folder, split, classes)
        self.paths = [folder / IMAGES / f"{name}.jpg" for name in self.known.names]
        self.side, self.scale, self.mirror, self.crops, self.seed = crop_size[0], scale, mirror, crops, seed
        self.metainfo = {"classes": list(classes)}
        self.pipeline: Any = lambda paths: read_image(Path(paths["img_path"]))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, wanted: Any) -> dict[str, Any]:
        """Return "inputs" uint8 [3, h, w] ([crops, 3, h, w] in testing), "labels" int8 [K] and "names"."""
        index, draw = (wanted, None) if self.crops is not None else wanted
        image = self.pipeline({"img_path": str(self.paths[index])})
        if draw is None:
            rngs = [generator(0, "test crops", index, number) for number in range(self.crops or 0)]
        else:
            rngs = [generator(self.seed, "transfer augmentation", draw)]
        cut = np.stack([random_crop(image, rng, self.side, self.scale, self.mirror) for rng in rngs])
        tensor = torch.from_numpy(cut).permute(0, 3, 1, 2).contiguous()
        return {
            "inputs": tensor if draw is None else tensor[0],
            "labels": torch.from_numpy(self.known.labels[index]),
            "names": self.known.names[index],
        }


@MODELS.register_module(force=True)
class CropPreprocessor(BaseDataPreprocessor):  # type: ignore[misc]  # mmengine ships no types
    """Stacks a batch and normalises its RGB images.

    Args:
        mean: per channel, on the scale 0-255.
        std: likewise.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Turn lists of a batch's tensors into one tensor each, on the network's device."""
        del training
        data = self.cast_data(data)
        inputs = torch.stack(list(data["inputs"])).float()
        return {
            "inputs": (inputs - self.mean) / self.std,
            "labels": torch.stack(list(data["labels"])),
            "names": data["names"],
        }


@MODELS.register_module(force=True)
class AverageThenLinear(BaseModule):  # type: ignore[misc]  # mmengine ships no types
    """Scores classes by one linear layer on the average of the last stage over the image.

    The layer starts as voc-classification's: weights from N(0, 0.01), biases 0.1.

    Args:
        in_channels: of the stage.
        num_classes: K.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        """Draw the start."""
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.constant_(self.score.bias, 0.1)

    def forward(self, stages: tuple[Tensor, ...]) -> Tensor:
        """Map features [B, C, h, w] to logits [B, K]."""
        logits_BK: Tensor = self.score(stages[-1].mean(dim=(2, 3)))
        return logits_BK


@MODELS.register_module(force=True)
class MultiLabelClassifier(BaseModel):  # type: ignore[misc]  # mmengine ships no types
    """A trunk and a head that are trained by sigmoid cross-entropy on labels 1 and -1; label 0 counts nothing.

    Args:
        backbone: MMEngine's dict of the trunk.
        head: of the head.
        data_preprocessor: of the preprocessor.
    """

    def __init__(self, backbone: dict[str, Any], head: dict[str, Any], data_preprocessor: dict[str, Any]) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)

    def forward(self, inputs: Tensor, labels: Tensor, names: Sequence[str], mode: str = "tensor") -> Any:
        """Return losses (mode "loss"), logits [B, K] ("tensor") or, for images in several crops, mean logits.

        Args:
            inputs: [B, 3, h, w], or [B, crops, 3, h, w] in mode "predict".
            labels: int8 [B, K].
            names: of the images.
            mode: see above.
        """
        if mode == "predict":
            images, crops = inputs.shape[:2]
            logits_BNK = self.head(self.backbone(inputs.flatten(0, 1))).view(images, crops, -1)
            scores_BK = logits_BNK.mean(dim=1)
            return [
                {"name": name, "labels": label.cpu().numpy(), "scores": score.float().cpu().numpy()}
                for name, label, score in zip(names, labels, scores_BK, strict=True)
            ]
        logits_BK = self.head(self.backbone(inputs))
        if mode == "tensor":
            return logits_BK
        return {"loss": sigmoid_loss(logits_BK, labels)}


def sigmoid_loss(logits_BK: Tensor, labels_BK: Tensor) -> Tensor:
    """Sum sigmoid cross-entropy over the classes and average it over the images; labels 0 count nothing."""
    terms = F.binary_cross_entropy_with_logits(logits_BK, (labels_BK > 0).to(logits_BK), reduction="none")
    return (terms * (labels_BK != 0)).sum() / len(logits_BK)


@METRICS.register_module(force=True)
class MultiLabelAPMetric(BaseMetric):  # type: ignore[misc]  # mmengine ships no types
    """Mean average precision over the classes by a rule and by the 11-point rule; every image's scores in a file.

    Args:
        path: where the scores go (main process only).
        rule: of `ssl_motion.ranking`, for "mAP".
        collect_device: device that processes exchange results on.
    """

    # Not None, which MMEngine complains about; empty, so that figures keep their plain names.
    default_prefix = ""

    def __init__(self, path: str, rule: Rule = "step", collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device)
        self.path, self.rule = Path(path), rule

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the scores of a batch."""
        del data_batch
        self.results += [(sample["name"], sample["labels"], sample["scores"]) for sample in data_samples]

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Evaluate the split and write the file; called in the main process with the results of all."""
        names, labels, scores = zip(*results, strict=True)
        kept = single(names, self.dataset_meta["classes"], np.stack(labels), np.stack(scores))
        kept.save(self.path)
        rules: dict[str, Rule] = {"mAP": self.rule, "mAP07": "11-point"}
        return {
            name: mean_present(average_precisions(kept.labels, kept.scores[0], rule)) for name, rule in rules.items()
        }
