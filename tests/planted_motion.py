"""A method with known predictions: what has the colour of a pixel that moves, moves with it (read with `runpy`)."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor

from ssl_motion.propagation.predictor import MotionPredictor
from ssl_motion.protocols import Backbone, PretrainMethod


class Pixels(Backbone):
    arch = "pixels"
    channels = {"image": 3}
    strides = {"image": 1}

    def forward(self, image_BCHW: Tensor) -> dict[str, Tensor]:
        return {"image": image_BCHW}


class NoSettings(BaseModel):
    """Nothing to set."""


class MovesByColour(PretrainMethod):
    """Still points stop their colour. `asked` keeps what it was asked, `looks` how often an image was looked at."""

    Config = NoSettings
    recipe_version = 1
    citation = "none"

    def __init__(self) -> None:
        super().__init__(NoSettings(), Pixels())
        self.asked: list[Tensor] = []
        self.looks = 0
        self.backbone.register_forward_hook(self._count)

    def _count(self, *_: Any) -> None:
        self.looks += 1

    def targets(self, *_: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def losses(self, *_: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def propagate(self, stages: Mapping[str, Tensor], sparse_B2HW: Tensor, mask_B1HW: Tensor) -> Tensor:
        self.asked.append(sparse_B2HW.clone())
        image_3HW = stages["image"][0]
        flow = torch.zeros_like(sparse_B2HW)
        for number, row, column in mask_B1HW[:, 0].nonzero():
            same = (image_3HW == image_3HW[:, row, column, None, None]).all(dim=0)
            flow[number, :, same] = sparse_B2HW[number, :, row, column, None]
        for number, row, column in mask_B1HW[:, 0].nonzero():
            if not sparse_B2HW[number, :, row, column].any():
                same = (image_3HW == image_3HW[:, row, column, None, None]).all(dim=0)
                flow[number, :, same] = 0
        return flow


def planted(side: int) -> MotionPredictor:
    return MotionPredictor(MovesByColour(), side, "cpu")
