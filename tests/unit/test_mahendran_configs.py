"""The shipped configs say what the paper says, where it does."""

from typing import Any

import pytest

from ssl_motion.backbones import build_backbone
from ssl_motion.paths import config_root
from ssl_motion.plugins import METHODS, load
from ssl_motion.spec import OptimizerSpec, PretrainSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion_methods.mahendran.config import HypercolumnConfig

FOLDER = config_root() / "pretrain"
BOTH = pytest.mark.parametrize("method", ["mahendran", "mahendran_direct"])


def read(name: str) -> tuple[PretrainSpec, Any]:
    spec = parse_spec(PretrainSpec, load_yaml(FOLDER / f"{name}.yaml"), name)
    config = parse_spec(load(METHODS, spec.method).Config, spec.method_config, f"{name}: method_config")
    assert isinstance(config, HypercolumnConfig)
    return spec, config


@BOTH
def test_the_papers_settings(method: str) -> None:
    spec, config = read(f"{method}_alexnet_yfcc")
    assert spec.method == method
    assert (spec.batch_size * spec.accumulate * spec.processes, spec.data.crop, spec.data.flip) == (96, 224, True)
    rate = 1e-4 if method == "mahendran" else 0.01
    assert spec.optimizer == OptimizerSpec(type="adam", lr=rate, weight_decay=0.0)
    assert spec.early_stopping is not None
    assert config.stages == ("conv1", "pool1", "conv3", "pool5", "fc7")
    assert (config.points, config.saturation) == (512, 56)
    assert (config.batch_norm, config.absorb_batch_norm) == ("affine_free", True)
    assert (config.dimensions if method == "mahendran" else config.bins) == 16
    assert "our choice" in (FOLDER / f"{method}_alexnet_yfcc.yaml").read_text(encoding="utf-8")


@BOTH
@pytest.mark.parametrize(("kind", "side"), [("puppets", 96), ("videos", 192)])
def test_the_saturation_follows_the_image_and_the_trunk_stays_as_it_is(method: str, kind: str, side: int) -> None:
    spec, config = read(f"{method}_{kind}")
    assert (spec.data.puppets.size if spec.data.puppets else spec.data.crop) == side
    assert config.saturation == 56 * side / 224
    assert (config.batch_norm, config.absorb_batch_norm) == ("as_given", False)
    load(METHODS, method)(config, build_backbone(spec.backbone))  # its stages are there


@BOTH
def test_the_built_in_world_is_trained_on_as_by_cmp(method: str) -> None:
    theirs = parse_spec(PretrainSpec, load_yaml(FOLDER / "cmp_puppets.yaml"), "cmp_puppets")
    own = {"method": method, "method_config": read(f"{method}_puppets")[0].method_config}
    assert read(f"{method}_puppets")[0] == theirs.model_copy(update=own)
