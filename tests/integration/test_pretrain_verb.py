"""`ssl-bench pretrain`: what is typed becomes a spec, and the answer is readable by people and programs."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml
from click.testing import CliRunner, Result

from ssl_motion.cli import cli
from ssl_motion.cli.pretrain_verb import build_spec
from ssl_motion.errors import SSLMotionError, UsageError

SMALL = ["puppets.pairs=12", "puppets.val_pairs=4", "puppets.size=32"]
SMALL_WORLD = [f"--set=data.{setting}" for setting in SMALL]


def ssl_bench(*arguments: str, fails_with: type[SSLMotionError] | None = None) -> Result:
    result = CliRunner().invoke(cli, ["pretrain", *arguments])
    if fails_with is None:
        assert result.exit_code == 0, (result.output, result.exception)
    else:
        assert isinstance(result.exception, fails_with), (result.output, result.exception)
    return result


def spec_of(*arguments: Any, **changes: Any) -> Any:
    values = {"config": None, "method": None, "data": (), "backbone": None, "assignments": (), "seed": None}
    return build_spec(**{**values, "iterations": None, **changes})


def test_a_method_alone_means_the_built_in_world() -> None:
    spec = spec_of(method="cmp")
    assert spec == spec_of(config="cmp_puppets")
    assert spec.data.puppets is not None
    assert spec.data.puppets.world == "still"


def test_options_change_the_config() -> None:
    spec = spec_of(
        method="cmp",
        backbone="resnet18",
        seed=4,
        iterations=9,
        assignments=("optimizer.lr=0.5", "method_config.bins=31"),
    )
    assert (spec.backbone.arch, spec.backbone.width, spec.seed, spec.iterations) == ("resnet18", None, 4, 9)
    assert (spec.optimizer.lr, spec.method_config["bins"], spec.method_config["boundary"]) == (0.5, 31, 10.5)


def test_own_data_take_the_config_for_videos() -> None:
    spec = spec_of(method="cmp", data=("a", "b"))
    assert (spec.data.shards, spec.data.puppets, spec.data.crop) == (["a", "b"], None, 192)
    assert (spec.backbone.arch, spec.backbone.output_stride) == ("resnet18", 8)
    chosen = spec_of(method="cmp", data=("a",), assignments=("data.crop=64", "data.short_side=null")).data
    assert (chosen.crop, chosen.short_side) == (64, None)


def test_own_data_have_a_config_of_their_own() -> None:
    spec = spec_of(method="cmp", data=("a", "b"))
    assert spec == spec_of(config="cmp_videos", data=("a", "b"))
    data = spec.data
    assert (data.shards, data.puppets) == (["a", "b"], None)
    assert data.crop is not None  # videos differ in size
    assert data.short_side is not None


def test_a_method_without_a_config_gets_the_generic_one() -> None:
    own, generic = spec_of(method="cmp"), spec_of(config="_default_puppets", method="cmp")
    assert generic == own.model_copy(update={"method_config": {}})  # so that results compare
    videos = spec_of(config="_default_videos", method="cmp", data=("a",))
    assert videos == spec_of(method="cmp", data=("a",)).model_copy(update={"method_config": {}})
    with pytest.raises(UsageError, match="method: is missing"):
        spec_of(config="_default_puppets")


def test_own_data_take_the_place_of_the_world_of_a_named_config() -> None:
    assignments = ("data.crop=64", "data.flip=true")
    data = spec_of(config="cmp_puppets", data=("a",), assignments=assignments).data
    assert (data.shards, data.puppets, data.crop, data.flip) == (["a"], None, 64, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "say what to train"),
        ({"method": "cpm"}, "Did you mean 'cmp'"),
        ({"config": "cmp_pupets"}, "Did you mean 'cmp_puppets'"),
        ({"config": "cmp_puppets", "method": "other"}, "contradicts"),
        ({"method": "cmp", "assignments": ("optimzer.lr=1",)}, "optimzer: unknown key. Did you mean 'optimizer'"),
        ({"method": "cmp", "assignments": ("optimizer.lr=fast",)}, "optimizer.lr"),
        ({"method": "cmp", "assignments": ("nonsense",)}, "expected KEY=VALUE"),
    ],
)
def test_wrong_requests_are_answered(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        spec_of(**arguments)
    assert message in str(caught.value)


def test_every_shipped_config_can_be_planned_or_says_what_is_missing() -> None:
    from ssl_motion.paths import config_root

    names = sorted(path.stem for path in (config_root() / "pretrain").glob("[!_]*.yaml"))
    assert "cmp_puppets" in names
    for name in names:
        spec = spec_of(config=name)
        assert spec.data.puppets is not None or spec.data.shards


def test_dry_run_train_and_reuse(tmp_path: Path) -> None:
    """CMP on a small world of its own, as typed; the folder's name is known before."""
    runs = str(tmp_path / "all runs")
    typed = ["--method", "cmp", *SMALL_WORLD, "--iterations", "4", "--set", "batch_size=4", "--runs", runs]
    run_options = ["--device", "cpu", "--threads", "1"]

    planned = json.loads(ssl_bench(*typed, "--dry-run", "--json").stdout)
    assert (planned["state"], planned["cached"], planned["images_seen"]) == ("new", False, 16)
    assert planned["data"]["pairs"] == 12
    assert planned["spec"]["method_config"]["guidance_channels"] == 4  # the method's defaults are filled in
    assert not Path(runs).exists()

    result = ssl_bench(*typed, *run_options, "--json")
    done = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert (done["path"], done["identity"], done["cached"]) == (planned["path"], planned["identity"], False)
    folder = Path(done["path"])
    assert yaml.safe_load((folder / "spec.yaml").read_text()) == planned["spec"]
    inputs = {"guidance_points", "guidance_points_moving_more_than_0_5_px"}
    assert set(done["figures"]) == {"val/loss", "val/loss_blind", "val/gap", "val/epe", *inputs}
    assert cv2.imread(str(next((folder / "previews").iterdir()))).shape[1] > 64

    # The written spec is a spec: the same run by the file.
    again = ssl_bench(str(folder / "spec.yaml"), "--runs", runs, *run_options)
    assert "finished and was reused" in again.stdout
    assert f"ssl-bench transfer --init {folder}" in again.stdout
    text = ssl_bench(*typed, "--dry-run").stdout
    assert planned["identity"] in text
    assert "finished: would be reused" in text


def test_what_cannot_run_is_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    common = ["--method", "cmp", "--runs", str(runs), "--device", "cpu"]
    for setting, message in (("precision=fp16", "fp16 needs a CUDA device"), ("processes=4", "--nproc_per_node 4")):
        result = ssl_bench(*common, "--set", setting, fails_with=UsageError)
        assert message in str(result.exception)
    assert not runs.exists()
    # Planning for another machine is fine.
    ssl_bench(*common, "--set", "processes=4", "--dry-run")
