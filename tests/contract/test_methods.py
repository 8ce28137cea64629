"""Every installed method of this repository keeps the contract and brings what belongs to one, found by entry point."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ssl_motion.paths import config_root
from ssl_motion.plugins import METHODS, available, load
from ssl_motion.spec import BackboneSpec, PretrainSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion.testing import check_method

NAMES = [plugin.name for plugin in available(METHODS) if plugin.target.startswith("ssl_motion_methods.")]
TRUNKS = {
    "alexnet_mini": BackboneSpec(arch="alexnet_mini", width=12),
    "resnet18": BackboneSpec(arch="resnet18", width=8, output_stride=8),
}
# What is only made smaller, so that checks are quick; all else is as in the method's own config.
SMALLER: dict[str, dict[str, Any]] = {
    "cmp": {"decoder_width": 16, "image_channels": 24},
    "pathak": {"channels": 8, "rank": 16},
    "walker": {"decoder_width": 16, "image_channels": 24},
}


def puppets_config(name: str) -> dict[str, Any]:
    return load_yaml(config_root() / "pretrain" / f"{name}_puppets.yaml")


def test_the_methods_are_found() -> None:
    assert {"cmp", "walker", "walker2015", "pathak", "mahendran", "mahendran_direct", "supervised"} <= set(NAMES)


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract(name: str, trunk: str) -> None:
    settings = puppets_config(name).get("method_config", {})
    check_method(load(METHODS, name), {**settings, **SMALLER.get(name, {})}, backbone=TRUNKS[trunk], size=96)


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_with_a_config_for_the_built_in_world_and_a_readme(name: str) -> None:
    spec = parse_spec(PretrainSpec, puppets_config(name), name)
    assert spec.method == name
    assert spec.data.puppets is not None
    method = load(METHODS, name)
    parse_spec(method.Config, spec.method_config, name)
    module = import_module(next(plugin.target for plugin in available(METHODS) if plugin.name == name).split(":")[0])
    assert module.__file__ is not None
    readme = Path(module.__file__).parent / "README.md"
    assert readme.is_file(), f"{readme} should tell paper, choices and cost"


def test_methods_import_only_the_public_names_of_each_other() -> None:
    import ssl_motion_methods

    root = Path(ssl_motion_methods.__path__[0])
    deep = []
    for file in root.rglob("*.py"):
        own = file.relative_to(root).parts[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            parts = [name.split(".") for name in names if name and name.startswith("ssl_motion_methods.")]
            deep += [f"{file}: {'.'.join(part)}" for part in parts if part[1] != own and len(part) > 2]
    assert not deep
