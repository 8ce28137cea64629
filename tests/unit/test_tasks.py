"""Tasks of other packages: what is wrong with one is said at planning; what it returns at the end is never lost."""

import json
import os
import runpy
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import model_validator

from ssl_motion import plugins
from ssl_motion.cli import cli
from ssl_motion.errors import RunError, UsageError
from ssl_motion.protocols import DataReport, Metric, RunContext, TaskResult
from ssl_motion.record import read_record
from ssl_motion.spec import BackboneSpec, RuntimeSpec, Strict, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.tasks import make_task, parse_settings
from ssl_motion.transfer import make_plan, transfer

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "plain_task.py"))
Sound = PLAIN["Sound"]
Announce = Callable[[Any], None]


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Announce:
    """Put a class under the name "mine" beside the tasks of this repository."""
    real = plugins.entry_points

    def install(task: Any) -> None:
        monkeypatch.setitem(globals(), "Announced", task)
        point = EntryPoint("mine", f"{__name__}:Announced", plugins.BENCHMARKS)
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: [*real(group=group), *([point] if group == point.group else [])]
        )

    return install


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    (tmp_path / "numbers").mkdir()
    (tmp_path / "numbers" / "numbers.txt").write_text("1 2 3")
    return tmp_path / "numbers"


def spec(**settings: Any) -> TransferSpec:
    return TransferSpec(task="mine", task_config=settings)


def run(numbers: Path, **settings: Any) -> RunFolder:
    return transfer(spec(**settings), RuntimeSpec(device="cpu"), Store(numbers.parent / "runs"), numbers)


def breaking(name: str, value: Any) -> Any:
    """A task of which one attribute is replaced, or one hook returns something else."""
    hook = callable(getattr(Sound, name)) and name != "Config"
    return type("Broken", (Sound,), {name: (lambda self, *_: value) if hook else value})


class Needy(Strict):
    preset: str = "short"
    lr: float


class Ridge(Strict):
    preset: str = "short"
    lr: float = 0.1
    ridge: float = 0.5


class Unsaid(Sound):
    Config = Ridge

    def protocol(self) -> dict[str, Any]:
        return {"lr": self.config.lr, "preset": self.config.preset}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "metrics",
            (Metric("a", primary=True), Metric("b", primary=True)),
            "exactly one must be primary; it is a and b",
        ),
        ("metrics", (Metric("a"),), "exactly one must be primary; it is none"),
        ("metrics", ("mIoU",), "expected Metric objects"),
        ("metrics", (Metric("a", primary=True), Metric("a")), "metrics has a name twice"),
        ("presets", {}, "presets is empty"),
        ("presets", {"other": "its default preset is called otherwise"}, "default preset 'short' is not among presets"),
        ("Config", Needy, "every field must have a default"),
        ("Config", BackboneSpec, "Config has no field `preset`"),
        ("scale", "complete", "scale is 'complete'; expected one of full, reduced, builtin"),
        ("scale", "builtin", '"builtin" means the built-in world'),
        ("backbone", None, "backbone\\(\\) describes no trunk: it returned None"),
        ("backbone", {"arch": "resnet18", "stride": 8}, "stride: unknown key. .*Valid keys: arch"),
        ("backbone", {"arch": "resnet19"}, "unknown .*'resnet19'"),
        ("protocol", None, "states no facts: it returned None"),
        ("protocol", {"list": Path("train.txt")}, "not plain JSON: .*Path is not JSON serializable"),
        ("protocol", {"lr": float("nan")}, "not plain JSON: Out of range"),
        ("protocol", {"dataset_hash": "mine"}, "'dataset_hash', which the harness adds itself"),
        ("check_data", None, "returned a NoneType; expected a DataReport"),
        ("check_data", DataReport(["all"]), "gives no fingerprint"),
    ],
)
def test_faults_are_found_before_any_work(
    announce: Announce, numbers: Path, name: str, value: Any, message: str
) -> None:
    announce(breaking(name, value))
    with pytest.raises(UsageError, match=f"(?s){message}"):
        run(numbers)
    assert not (numbers.parent / "runs").exists()


class Demanding(Strict):
    preset: Literal["short", "long"] = "short"
    lr: float = 0.1

    @model_validator(mode="after")
    def _long_ones_need_a_rate(self) -> "Demanding":
        if self.preset == "long" and self.lr == 0.1:
            raise ValueError("long needs another lr")
        return self


class Homeless(Sound):
    def __init__(self, config: Any) -> None:
        self.lr = config.lr


def test_a_task_keeps_its_settings(announce: Announce, numbers: Path) -> None:
    announce(Homeless)
    with pytest.raises(UsageError, match=r"it has no config; its __init__ must call super\(\)"):
        make_plan(spec(), Store(numbers.parent), numbers)


def test_a_preset_stands_alone(announce: Announce, numbers: Path) -> None:
    announce(breaking("Config", Demanding))
    make_plan(spec(), Store(numbers.parent), numbers)
    with pytest.raises(UsageError, match=r"(?s)preset long is refused without further settings: .*long needs"):
        make_plan(spec(preset="long", lr=0.3), Store(numbers.parent), numbers)


def test_a_setting_that_the_protocol_leaves_out_is_refused_where_it_is_set(announce: Announce, numbers: Path) -> None:
    announce(Unsaid)
    make_plan(spec(), Store(numbers.parent), numbers)
    make_plan(spec(lr=0.3, ridge=0.5), Store(numbers.parent), numbers)
    with pytest.raises(UsageError, match=r"ridge \(0\.25\) would leave no trace"):
        make_plan(spec(lr=0.3, ridge=0.25), Store(numbers.parent), numbers)


def test_overrides_of_a_recipe_need_one(announce: Announce, numbers: Path) -> None:
    announce(Sound)
    changed = spec().model_copy(update={"recipe_overrides": {"optim_wrapper.optimizer.lr": 1}})
    with pytest.raises(
        UsageError, match=r"--cfg-options optim_wrapper.optimizer.lr: task mine, preset short, has no MM"
    ):
        make_plan(changed, Store(numbers.parent), numbers)
    announce(type("WithRecipe", (Sound,), {"has_recipe": True}))
    assert make_plan(changed, Store(numbers.parent), numbers).protocol["recipe_overrides"]


@pytest.mark.parametrize(
    ("task", "preset", "recipe"),
    [
        ("voc_fcn", "puppets_fcn", True),
        ("voc07_cls", "puppets_cls", True),
        ("voc07_cls", "puppets_svm", False),
        ("dense_linear", "puppets_dense", False),
        ("imagenet_linear", "puppets_imagenet_linear", False),
    ],
)
def test_which_tasks_of_this_repository_have_a_recipe(task: str, preset: str, recipe: bool) -> None:
    assert make_task(task, {"preset": preset}).has_recipe == recipe
    if not recipe:
        with pytest.raises(UsageError, match=f"task {task}, preset {preset}, has no MMEngine recipe"):
            make_task(task, {"preset": preset}, {"a.b": 1})


def _with_result(**changes: Any) -> Any:
    def answer(self: Any, context: RunContext) -> TaskResult:
        return replace(Sound.run(self, context), **changes)

    return type("Answering", (Sound,), {"run": answer})


@pytest.mark.parametrize(
    ("task", "message", "kept"),
    [
        (breaking("run", None), "run\\(\\) returned None; expected a TaskResult", None),
        (breaking("run", {"right": 1.5}), "returned a dict; expected a TaskResult", {"right": 1.5}),
        (_with_result(metrics={"right": 12.5}), "gave no error, which its metrics promise", {"right": 12.5}),
        (
            _with_result(metrics={"right": float("nan"), "error": 1.0}),
            "right = nan; expected a finite",
            {"right": "nan"},
        ),
        (_with_result(metrics={"right": "12.5", "error": 1.0}), "right = '12.5'; expected a", {"right": "12.5"}),
        (_with_result(details={"IoU": {"cat": float("inf")}}), r"details\['IoU'\]\['cat'\] is inf", {"cat": "inf"}),
        (_with_result(details={"IoU": 3.5}), r"details\['IoU'\] is 3.5; expected figures by name", {"IoU": 3.5}),
        (_with_result(per_image="lost.npz"), "per_image is 'lost.npz', which is no file", {"per_image": "lost.npz"}),
        (_with_result(wall_seconds=float("nan")), "says it took nan s", {"wall_seconds": "nan"}),
    ],
)
def test_a_result_that_makes_no_record_is_kept_and_its_place_is_said(
    announce: Announce, numbers: Path, task: Any, message: str, kept: Any
) -> None:
    announce(task)
    with pytest.raises(RunError, match=message) as caught:
        run(numbers)
    (path,) = numbers.parent.rglob("returned.json")
    assert str(path) in str(caught.value)
    content = json.loads(path.read_text())
    assert _holds(content["returned"], kept)
    assert content["fault"] in str(caught.value)
    assert not list(numbers.parent.rglob("done.json"))
    announce(Sound)  # mended
    done = run(numbers)
    assert done.path == path.parent
    assert read_record(done.path / "record.json").primary.name == "right"
    assert not path.exists()


def _holds(content: Any, part: Any) -> bool:
    """Whether a part is somewhere in nested mappings."""
    if not isinstance(part, dict):
        return bool(content == part)
    found = isinstance(content, dict) and part.items() <= content.items()
    return found or (isinstance(content, dict) and any(_holds(each, part) for each in content.values()))


def test_figures_of_other_number_types_are_recorded(announce: Announce, numbers: Path) -> None:
    metrics = {"right": np.float32(12.5), "error": 3, "more": "than was promised"}
    announce(_with_result(metrics=metrics, details={"per class": {"cat": np.float32(0.25)}}))
    record = read_record(run(numbers).path / "record.json")
    assert {metric.name: metric.value for metric in record.metrics} == {"right": 12.5, "error": 3.0}
    assert record.details == {"per class": {"cat": 0.25}}


class Wandering(Sound):
    """Names a file of the run folder to a tool that works elsewhere."""

    def run(self, context: RunContext) -> TaskResult:
        folders = (context.run_dir, context.data_root, context.weights)
        here = Path.cwd()
        os.chdir(context.run_dir.anchor)
        try:
            assert all(folder.is_dir() for folder in folders if folder is not None)
            return super().run(context)
        finally:
            os.chdir(here)


@pytest.mark.parametrize("init", ["random", "random:xavier"])
def test_a_task_may_change_the_working_folder(
    announce: Announce, numbers: Path, monkeypatch: pytest.MonkeyPatch, init: str
) -> None:
    announce(Wandering)
    monkeypatch.chdir(numbers.parent)
    store, wanted = Store(Path("runs")), spec().model_copy(update={"init": init})
    done = transfer(wanted, RuntimeSpec(device="cpu"), store, Path("numbers"))
    assert (numbers.parent / done.path / "images.npz").is_file()


class OneOf(Strict):
    preset: Literal["short", "long"] = "short"
    lr: float = 0.1


@pytest.mark.parametrize("config", [PLAIN["Settings"], OneOf], ids=["text", "literal"])
def test_a_preset_that_does_not_exist_gets_the_nearest(announce: Announce, config: Any) -> None:
    announce(type("Task", (Sound,), {"Config": config}))
    with pytest.raises(UsageError, match=r"preset: .*'shrt'.* Did you mean 'short'\?"):
        parse_settings("mine", {"preset": "shrt"})
    with pytest.raises(UsageError, match="puppets_coco is a preset of --task coco"):
        parse_settings("mine", {"preset": "puppets_coco"})


def test_a_setting_of_another_task_says_whose_it_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["transfer", "--task", "lip", "--shots", "3", "--runs", str(tmp_path), "--dry-run"]
    )
    assert isinstance(result.exception, UsageError)
    assert "shots is a setting of --task voc07_cls or voc_fcn or voc_hypercolumn" in str(result.exception)
    with pytest.raises(UsageError, match="Did you mean 'iterations'") as caught:
        parse_settings("lip", {"iteration": 3})
    assert "--task" not in str(caught.value)
