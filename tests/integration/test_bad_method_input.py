"""What a method cannot work with, as a user meets it at the command line: a clear error, or a run that stays sound."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from pydantic import BaseModel
from torch import Tensor, nn

from ssl_motion import plugins
from ssl_motion.cli import cli
from ssl_motion.data.layer_shards import LayerMap, LayerSpec, write_layer_shard
from ssl_motion.data.layers import write_layer_index
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import ShardSet, shard_name, write_dataset_index, write_shard
from ssl_motion.errors import DataError, SSLMotionError, UsageError
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import Strict
from ssl_motion.testing import example_sample

NAMES = [plugin.name for plugin in plugins.available(plugins.METHODS) if plugin.target.startswith("ssl_motion_")]
HERE = ["--device=cpu", "--threads=1", "--iterations=2"]
WHOLE = ["--backbone=alexnet_mini", "--set=data.crop=null", "--set=data.short_side=null", "--set=batch_size=4"]
WORLD = ["--set=data.puppets.pairs=8", "--set=data.puppets.val_pairs=4", "--set=data.puppets.size=32"]

Pretrain = Callable[..., Result]


class Settings(Strict):
    stage: str = "last"


class Probe(PretrainMethod):
    """Regresses the mean flow from one stage; as little as a method can be."""

    Config: type[BaseModel] = Settings
    recipe_version = 1
    citation = "none"

    def __init__(self, config: BaseModel, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        assert isinstance(config, Settings)
        self.stage = backbone.last_stage if config.stage == "last" else config.stage
        if self.stage not in backbone.channels:
            raise UsageError(f"method_config.stage: {backbone.arch} has no stage {self.stage!r}")
        self.out = nn.Linear(backbone.channels[self.stage], 2)

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, Tensor]:
        return {"mean": torch.from_numpy(sample.flow.mean(axis=(0, 1)))}

    def losses(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        features = self.backbone(batch["image"])[self.stage].mean(dim=(2, 3))
        return {"loss": (self.out(features) - batch["mean"]).square().mean()}


class ReadsMasks(Probe):
    @classmethod
    def layers(cls, config: BaseModel) -> tuple[str, ...]:
        return ("masks",)


class Shrinking(Probe):
    def view(self, sample: FlowSample, rng: np.random.Generator | None) -> FlowSample:
        part = np.s_[:4, :4]
        return replace(sample, image=sample.image[part].copy(), flow=sample.flow[part], valid=sample.valid[part])


PROBES = (Probe, ReadsMasks, Shrinking)


@pytest.fixture
def pretrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretrain:
    """`ssl-bench pretrain`, with the methods above installed; fails with the class of error that is expected."""
    real = plugins.entry_points

    def entry_points(group: str) -> list[EntryPoint]:
        added = [EntryPoint(each.__name__, f"{__name__}:{each.__name__}", group) for each in PROBES]
        return [*real(group=group), *(added if group == plugins.METHODS else [])]

    monkeypatch.setattr(plugins, "entry_points", entry_points)

    def run(*arguments: str, fails: type[SSLMotionError] | None = None, may_fail: bool = False) -> Result:
        typed = ["pretrain", *arguments, *HERE, "--runs", str(tmp_path / "runs")]
        result = CliRunner().invoke(cli, typed)
        if fails is None and not (may_fail and isinstance(result.exception, SSLMotionError)):
            assert result.exit_code == 0, (result.output, result.exception)
        elif fails is not None:
            assert isinstance(result.exception, fails), (result.output, repr(result.exception))
        return result

    return run


def write_pairs(folder: Path, kind: str = "moving", size: int = 96, seed: int = 0) -> str:
    for split, seeds in (("train", range(seed, seed + 8)), ("val", range(seed + 100, seed + 104))):
        samples = (replace(example_sample(kind, size=size, seed=seed), clip=f"c{seed}", frame=0) for seed in seeds)
        write_shard(folder / shard_name(split, 0), samples)
    write_dataset_index(
        folder, name=folder.name, flow_estimator="exact", flow_version="1", flow_supervision="none", extra={}
    )
    return str(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--method=Probe", "--set=method_config.stage=layer9", "--backbone=resnet18"],
        ["--method=cmp", "--backbone=alexnet_32x", "--set=method_config={decoder: skip, strides: [1, 2, 4, 8]}"],
    ],
    ids=["probe", "cmp"],
)
def test_a_trunk_without_the_stages_is_refused_before_anything_is_rendered(
    arguments: list[str], pretrain: Pretrain, tmp_path: Path
) -> None:
    error = str(pretrain(*arguments, fails=UsageError).exception)
    assert "method_config." in error
    assert "stage" in error
    assert not (tmp_path / "runs").exists()
    pretrain(*arguments, "--dry-run", fails=UsageError)


def test_a_batch_of_one_that_batch_norm_cannot_take_is_explained(pretrain: Pretrain) -> None:
    alone = ["--method=Probe", *WORLD, "--set=batch_size=1"]
    error = str(pretrain(*alone, "--backbone=resnet18", fails=UsageError).exception)
    assert "a batch of 1 image(s) of 32x32 pixels is [1, 512, 1, 1]" in error
    assert "batch_size of 2 or more" in error
    pretrain(*alone, "--backbone=alexnet_mini")  # 4x4 cells: one image is enough


def test_images_smaller_than_the_stride_are_refused(pretrain: Pretrain, tmp_path: Path) -> None:
    # By the spec alone: before anything is rendered.
    error = str(pretrain("--method=Probe", "--backbone=resnet18", "--set=data.crop=16", fails=UsageError).exception)
    assert "16x16 pixels are smaller than the stride 32 of resnet18's last stage (layer4)" in error
    assert not (tmp_path / "runs").exists()
    # By the stored images, and by what the method looks at.
    data = write_pairs(tmp_path / "pairs", size=24)
    whole = [argument for argument in WHOLE if "backbone" not in argument]
    error = str(
        pretrain("--method=Probe", "--data", data, *whole, "--backbone=alexnet_32x", fails=UsageError).exception
    )
    assert "24x24 pixels are smaller than the stride 32" in error
    error = str(pretrain("--method=Shrinking", "--data", data, *WHOLE, fails=UsageError).exception)
    assert "4x4 pixels are smaller than the stride 8" in error


@pytest.mark.parametrize("name", NAMES)
def test_data_without_any_known_flow_give_finite_figures_or_a_clear_error(
    name: str, pretrain: Pretrain, tmp_path: Path
) -> None:
    """A pair of which nothing is known adds nothing, or (as CMP's authors have it) counts as motionless."""
    data = write_pairs(tmp_path / "pairs", "unknown")
    method = plugins.load(plugins.METHODS, name)
    typed = ["--method", name, "--data", data, *WHOLE, "--json"]
    if method.layers(method.Config()):
        assert "does not have" in str(pretrain(*typed, fails=UsageError).exception)
        return
    result = pretrain(*typed, may_fail=True)
    if result.exception is not None:  # such as a codebook, which cannot be fitted to nothing
        assert "no pixel" in str(result.exception) or "known" in str(result.exception)
        return
    outcome = json.loads(result.stdout)
    assert None not in outcome["figures"].values()  # what is not finite is written as null
    assert outcome["uses_image"] is not True


def test_statistics_of_data_without_any_known_flow_say_so(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs", "unknown", size=32)
    result = CliRunner().invoke(cli, ["prepare", "--stats", data])
    assert result.exit_code == 0, result.exception
    assert "the flow of no pixel is known" in result.output


def test_flow_that_is_not_finite_names_pair_and_cure(
    pretrain: Pretrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = example_sample(seed=3)
    broken.flow[5, 7] = np.nan
    with pytest.raises(DataError, match="NaN or infinity; mark such pixels invalid"):
        write_shard(tmp_path / "never" / shard_name("train", 0), [broken])
    data = write_pairs(tmp_path / "pairs")
    monkeypatch.setattr("ssl_motion.data.shard_pairs.read_pair", lambda *place: broken)  # as from another writer
    error = str(pretrain("--method=Probe", "--data", data, *WHOLE, fails=DataError).exception)
    assert "training pair" in error
    assert "clip 'example-moving', frame 3: flow holds NaN or infinity" in error


def test_a_layer_that_is_missing_or_keeps_nothing_says_what_to_do(pretrain: Pretrain, tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs")
    typed = ["--method=ReadsMasks", "--data", data, *WHOLE]
    assert "the layer 'masks'" in str(pretrain(*typed, fails=UsageError).exception)
    layer = LayerSpec("masks", {}, 1)
    for split, pairs in (("train", 8), ("val", 4)):
        empty = LayerMap(np.zeros((96, 96), np.uint8), {"kept": False, "reason": "nothing moves"})
        write_layer_shard(Path(data) / shard_name(split, 0), layer, [empty] * pairs)
    write_layer_index(ShardSet(Path(data)), layer)
    error = str(pretrain(*typed, fails=UsageError).exception)
    assert "masks" in error
    assert "nothing moves" in error or "kept" in error or "keep" in error


@pytest.mark.skipif("walker2015" not in NAMES, reason="the method walker2015 is not installed")
def test_a_codebook_from_other_data_is_refused(pretrain: Pretrain, tmp_path: Path) -> None:
    mine = write_pairs(tmp_path / "mine")
    others = write_pairs(tmp_path / "others", seed=50)
    fitted = CliRunner().invoke(cli, ["codebook", others, "--out", str(tmp_path / "codebook.json"), "--clusters=4"])
    assert fitted.exit_code == 0, (fitted.output, fitted.exception)
    given = f"--set=method_config.codebook={tmp_path / 'codebook.json'}"
    typed = ["--method=walker2015", *WHOLE, given, "--set=method_config.clusters=4"]
    error = str(pretrain(*typed, "--data", mine, fails=UsageError).exception)
    assert "codebook was fitted to other data" in error
    pretrain(*typed, "--data", others)
