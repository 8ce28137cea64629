"""Settings that a task's protocol leaves out are found, whatever their type; values that say nothing new are not."""

import runpy
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, create_model

from ssl_motion.backbones import outline_backbone
from ssl_motion.spec import BackboneSpec, Strict
from ssl_motion.task_settings import changed, changes, settings_of, unstated
from ssl_motion.testing import ContractError, check_task

Sound = runpy.run_path(str(Path(__file__).parents[1] / "plain_task.py"))["Sound"]


class Solver(Enum):
    EXACT = "exact"
    STEPWISE = "stepwise"


class Training(Strict):
    ridge: Annotated[float, Field(gt=0, lt=1)] = 0.25
    passes: Annotated[int, Field(ge=40, multiple_of=20)] | None = None


class Crop(Strict):
    side: int = 64


class Settings(Strict):
    preset: Literal["short", "long"] = "short"
    backbone: BackboneSpec = BackboneSpec(arch="alexnet_mini", width=6)
    training: Training = Training()
    mirrored: bool = False
    crop: Crop | None = None
    solver: Solver = Solver.EXACT
    rule: Literal["step", "envelope"] | None = None
    stage: str | None = None
    sizes: tuple[int, int] = (32, 48)
    scales: list[float] = []
    weights: dict[str, float] = {"cat": 1.0}
    word_list: str = "words.txt"


class Learned(Sound):
    """Says all of its settings, but for the one in `left_out`."""

    Config = Settings
    data_settings = ("word_list",)
    scale = "reduced"
    left_out = ""

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        if (stage := self.config.stage) is not None:
            outline_backbone(self.config.backbone).require_stage(stage, "stage")

    def backbone(self) -> dict[str, Any]:
        trunk = BackboneSpec(arch="alexnet_mini", width=6) if self.left_out == "backbone" else self.config.backbone
        return trunk.model_dump()

    def protocol(self) -> dict[str, Any]:
        content = self.config.model_dump(mode="json", exclude={"word_list"})
        node, (*above, last) = content, self.left_out.split(".")
        for name in above:
            node = node[name]
        node.pop(last, None)
        return content


NAMES = [each.name for each in settings_of(Settings()) if each.name not in ("preset", "word_list")]
BY_HAND = {
    "backbone": {"arch": "resnet18"},
    "training": {"ridge": 0.5, "passes": 60},
    "mirrored": True,
    "crop": {"side": 48},
    "solver": "stepwise",
    "rule": "step",
    "stage": "layer1",
    "sizes": [32, 64],
    "scales": [0.5],
    "weights": {"cat": 2.0},
    "word_list": "others.txt",
}


def leaving_out(name: str) -> Any:
    return type("LeavingOut", (Learned,), {"left_out": name})


def test_a_task_that_says_everything_passes() -> None:
    check_task(Learned, run=False)
    assert unstated(Learned, Settings.model_validate(BY_HAND)) == []


def test_these_are_all_settings() -> None:
    assert [name.split(".")[0] for name in NAMES if name != "training.passes"] == [*BY_HAND][:-1]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_left_out_is_named(name: str) -> None:
    with pytest.raises(ContractError, match=rf"preset short: {name} changed from .* leaves no trace"):
        check_task(leaving_out(name), run=False)
    everything = Settings.model_validate(BY_HAND)
    assert [each.name.removesuffix(".side") for each in unstated(leaving_out(name), everything)] == [name]
    assert unstated(leaving_out(name), Settings()) == [], "nothing was set by hand"


def test_what_says_which_data_are_read_is_left_to_their_fingerprint() -> None:
    unaware = type("Unaware", (Learned,), {"data_settings": ()})
    with pytest.raises(
        ContractError, match=r"word_list changed from words\.txt to conv1, conv2, conv3 leaves no trace"
    ):
        check_task(unaware, run=False)


class Rounding(Learned):
    """The protocol knows coarse steps alone, so that near values are the same, and others are not."""

    def protocol(self) -> dict[str, Any]:
        content = super().protocol()
        content["training"]["ridge"] = round(4 * content["training"]["ridge"])
        return content


def test_a_value_that_changes_nothing_is_none_that_is_left_out() -> None:
    assert unstated(Rounding, Settings(training=Training(ridge=0.3))) == []


class Dropping(Settings):
    """Settings that hold whatever is given, as those of presets that say it anyway."""

    def __init__(self, **content: Any) -> None:
        super().__init__(**{**content, "mirrored": False})


def test_a_setting_that_is_dropped_and_one_that_is_refused_say_nothing() -> None:
    task = type("Deaf", (leaving_out("mirrored"),), {"Config": Dropping})
    mirrored = next(each for each in settings_of(Dropping()) if each.name == "mirrored")
    assert list(changes(task, Dropping(), mirrored)) == []
    narrow = create_model("Narrow", __base__=Settings, mirrored=(Literal[False], False))
    mirrored = next(each for each in settings_of(narrow()) if each.name == "mirrored")
    with pytest.raises(ValidationError):
        changed(narrow(), mirrored, True)
    task = type("Narrowed", (leaving_out("mirrored"),), {"Config": narrow})
    assert list(changes(task, narrow(), mirrored)) == []
