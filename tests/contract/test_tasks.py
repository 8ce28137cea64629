"""Every installed task of this repository keeps the contract and brings what belongs to one, found by entry point."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ssl_motion.plugins import BENCHMARKS, available, load
from ssl_motion.spec import PuppetsSpec
from ssl_motion.testing import SMALL_WORLD, check_task

NAMES = [plugin.name for plugin in available(BENCHMARKS) if plugin.target.startswith("ssl_motion_benchmarks.")]
TRUNK = {"arch": "alexnet_mini", "width": 6}
SHORT = {"backbone": TRUNK, "iterations": 2, "batch_size": 4}
# What is run: built-in presets, made small. The second of a task goes another way through it.
QUICK: list[tuple[str, dict[str, Any]]] = [
    ("voc_fcn", {**SHORT, "preset": "puppets_linear"}),
    ("dense_linear", SHORT),
    ("annotation", {"objects": 2}),
]
LONGER: list[tuple[str, dict[str, Any]]] = [
    ("voc_fcn", SHORT),
    ("voc_hypercolumn", SHORT),
    ("coco", SHORT),
    ("lip", SHORT),
    ("lip", {**SHORT, "preset": "puppets_cihp"}),
    ("voc07_cls", SHORT),
    ("voc07_cls", {"preset": "puppets_svm", "backbone": TRUNK}),
    ("voc07_det", SHORT),
    ("imagenet_linear", SHORT),
    ("imagenet_linear", {**SHORT, "augmented": True}),
    ("dense_linear", {**SHORT, "preset": "puppets_dense_lip"}),
]
RUNS = [*QUICK, *(pytest.param(*each, marks=pytest.mark.slow) for each in LONGER)]
# Boxes need some room, and classifiers every class.
ROOMY = PuppetsSpec(size=96, train_images=8, val_images=4, test_images=4)
MANY = PuppetsSpec(size=64, train_images=60, val_images=24, test_images=12)
WORLDS = {"coco": ROOMY, "voc07_det": ROOMY, "lip": ROOMY, "voc07_cls": MANY, "imagenet_linear": MANY}

PLANNING = """
import json, sys
from ssl_motion.plugins import BENCHMARKS, load
for name in json.loads(sys.argv[1]):
    task = load(BENCHMARKS, name)
    for preset in task.presets:
        task(task.Config(preset=preset)).protocol()
print(json.dumps([name for name in ("mmcv", "mmseg", "mmdet", "sklearn", "pycocotools") if name in sys.modules]))
"""


def test_the_tasks_are_found() -> None:
    assert set(NAMES) == {name for name, _ in (*QUICK, *LONGER)}, "every task is run here"


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_keeps_the_contract(name: str) -> None:
    check_task(load(BENCHMARKS, name), run=False)


@pytest.mark.parametrize(("name", "settings"), RUNS)
def test_what_it_does_keeps_the_contract(name: str, settings: dict[str, Any]) -> None:
    check_task(load(BENCHMARKS, name), settings, puppets=WORLDS.get(name, SMALL_WORLD))


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_the_built_in_world_by_default_and_states_its_protocol(name: str) -> None:
    task = load(BENCHMARKS, name)
    assert task(task.Config()).uses_puppets
    module = import_module(next(plugin.target for plugin in available(BENCHMARKS) if plugin.name == name).split(":")[0])
    assert module.__file__ is not None
    page = Path(module.__file__).parent / "protocol.md"
    assert page.is_file(), f"{page} should list every setting with its source"
    text = page.read_text(encoding="utf-8")
    missing = [preset for preset in task.presets if f"`{preset}`" not in text and f"## {preset}" not in text]
    assert not missing, f"{page} says nothing of {', '.join(missing)}"


def test_planning_imports_no_library_of_openmmlab_but_its_configs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLANNING, json.dumps(NAMES)], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == []
