"""A classifier of several labels an image, its loss and its metric, for MMEngine. Importing this registers them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseDataPreprocessor, BaseModel, BaseModule
from mmengine.registry import METRICS, MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from ssl_motion.per_image.multilabel import average_precisions, single
from ssl_motion.ranking import Rule, mean_present


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
