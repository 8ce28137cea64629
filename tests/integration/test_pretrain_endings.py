"""How pretraining begins and ends where a method or a spec asks for more: fitting, early stopping, export, controls."""

import importlib
import json
import runpy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ssl_motion import plugins
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.engine.environment import StopRequest
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.engine.validation import Validation, Validator
from ssl_motion.errors import DataError, RunError, StoppedBySignal, UsageError
from ssl_motion.models import load_model, save_model
from ssl_motion.protocols import Backbone, PretrainMethod
from ssl_motion.spec import BackboneSpec, PretrainSpec, RuntimeSpec, Strict
from ssl_motion.starts import resolve_start
from ssl_motion.store import RunFolder, Store
from ssl_motion.weights import read_weights

TESTS = Path(__file__).resolve().parents[1]
_tiny_runs = runpy.run_path(str(TESTS / "tiny_runs.py"))
write_pairs, tiny_spec, log, same_weights = (
    _tiny_runs[name] for name in ("write_pairs", "tiny_spec", "log", "same_weights")
)
RunTiny = Callable[..., RunFolder]
PATIENT = {"schedule": {"type": "constant"}, "iterations": 20, "validate_every": 2, "early_stopping": 2}
LOSSES = {2: 3.0, 4: 2.0, 6: 2.5, 8: float("nan"), 10: 1.0, 20: 0.5}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_pairs(tmp_path_factory.mktemp("pairs")))


@pytest.fixture
def run(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunTiny:
    """Pretrain the small method; keyword arguments change the spec."""
    monkeypatch.syspath_prepend(str(TESTS / "tiny_plugin"))
    importlib.invalidate_caches()

    def run(runs: str = "runs", **changes: Any) -> RunFolder:
        spec: PretrainSpec = tiny_spec(pairs, **changes)
        return pretrain(spec, RuntimeSpec(device="cpu", threads=1), Store(tmp_path / runs))

    return run


@pytest.fixture
def planted_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation losses that are known beforehand, by iteration: the lowest that patience finds is at 4."""
    monkeypatch.setattr(Validator, "run", lambda self, done, tick=None: Validation({"val/loss": LOSSES[done]}, None))


@pytest.mark.usefixtures("planted_losses")
def test_early_stopping_keeps_the_weights_of_the_lowest_loss(run: RunTiny, capfd: pytest.CaptureFixture[str]) -> None:
    folder = run(**PATIENT)
    summary = folder.summary
    assert "stopped early, after 8 of 20 iterations" in capfd.readouterr().err
    assert summary["early_stopping"] == {
        "stopped": True,
        "iterations_planned": 20,
        "best_iteration": 4,
        "images_seen_by_weights": 16,
    }
    assert (summary["iterations"], summary["images_seen"], summary["figures"]) == (8, 32, {"val/loss": 2.0})
    seen = read_weights(folder.path)[0].pretraining
    assert seen is not None
    assert (seen.images_seen, seen.images_seen_by_weights) == (32, 16)
    ends = [line for line in log(folder) if "early_stopping/stopped" in line]
    assert [(line["iteration"], line["early_stopping/best_iteration"]) for line in ends] == [(8, 4)]
    four = run(schedule={"type": "constant"}, iterations=4)
    assert same_weights(folder, four)
    assert (folder.path / "backbone.safetensors").read_bytes() == (four.path / "backbone.safetensors").read_bytes()


@pytest.mark.usefixtures("planted_losses")
def test_a_run_that_is_not_stopped_may_end_on_earlier_weights(run: RunTiny) -> None:
    short = run(**{**PATIENT, "iterations": 6})
    assert short.summary["early_stopping"]["stopped"] is False
    assert short.summary["early_stopping"]["best_iteration"] == 4
    last_straw = run(**{**PATIENT, "iterations": 6, "early_stopping": 1})
    assert last_straw.summary["early_stopping"]["stopped"] is False, "patience ran out when training was over anyway"
    assert [line["early_stopping/stopped"] for line in log(last_straw) if "early_stopping/stopped" in line] == [0.0]
    best_last = run(**{**PATIENT, "iterations": 4})
    assert best_last.summary["early_stopping"]["best_iteration"] == 4
    assert read_weights(best_last.path)[0].pretraining.images_seen_by_weights is None
    assert same_weights(short, best_last)


def full_disk(*args: Any, **kwargs: Any) -> None:
    raise RunError("cannot write: No space left on device")


@pytest.mark.usefixtures("planted_losses")
@pytest.mark.parametrize("every", [1, 3, 100])
@pytest.mark.parametrize("moment", [5, 8, "end"])
def test_early_stopping_is_the_same_after_an_interruption(
    run: RunTiny, monkeypatch: pytest.MonkeyPatch, moment: int | str, every: int
) -> None:
    """Asked to stop between validations, at the very iteration that ends the run, and killed before the export."""
    whole = run(**PATIENT, checkpoint_every=every)
    with monkeypatch.context() as patch:
        if moment == "end":
            patch.setattr("ssl_motion.engine.finish.save_weights", full_disk)
        else:
            calls = iter(range(100))

            def asked(self: StopRequest, device: str) -> bool:
                self.signal_name = "SIGTERM"
                return next(calls) == int(moment) - 1

            patch.setattr(StopRequest, "seen_by_any", asked)
        with pytest.raises(RunError if moment == "end" else StoppedBySignal):
            run("others", **PATIENT, checkpoint_every=every)
    parts = run("others", **PATIENT, checkpoint_every=every)
    assert same_weights(whole, parts)
    assert parts.summary["early_stopping"] == whole.summary["early_stopping"]
    times = ("train/seconds_per_iteration", "train/data_seconds_per_iteration")
    plain = [
        [json.dumps({key: value for key, value in line.items() if key not in times}) for line in log(each)]
        for each in (whole, parts)
    ]
    assert plain[0] == plain[1]


def test_early_stopping_needs_validations_and_makes_their_rhythm_matter(run: RunTiny, tmp_path: Path) -> None:
    lonely = write_pairs(tmp_path / "only train", val=0)
    with pytest.raises(UsageError, match="early_stopping needs validation pairs"):
        run(**PATIENT, data={"shards": [str(lonely)]})
    with pytest.raises(UsageError, match="set validate_every too"):
        run(early_stopping=2)
    patient = [run(early_stopping=9, validate_every=every).identity for every in (2, 4)]
    assert patient[0] != patient[1]
    assert run(validate_every=2).identity == run(validate_every=4).identity


class MeanConfig(Strict):
    """Settings of `Means`."""

    mean: tuple[float, float] | None = None


class Means(PretrainMethod):
    """Predicts the flow that it was told to be the mean; exports its trunk with the first weights doubled."""

    Config, recipe_version, citation = MeanConfig, 1, "none"
    fitted = 0

    def __init__(self, config: MeanConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        assert config.mean is not None, "built before it was fitted"
        self.register_buffer("mean", torch.tensor(config.mean, dtype=torch.float64))

    @classmethod
    def fit(cls, config: Any, samples: Sequence[FlowSample], fingerprint: str) -> MeanConfig:
        cls.fitted += 1
        assert len(fingerprint) == 16
        u, v = np.mean([sample.flow for sample in samples], axis=(0, 1, 2), dtype=np.float64)
        return MeanConfig(mean=(float(u), float(v)))

    def targets(self, sample: FlowSample, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        return {}

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"loss": self.backbone(batch["image"])[self.backbone.last_stage].float().square().mean()}

    def export(self, spec: BackboneSpec) -> tuple[Backbone, BackboneSpec]:
        with torch.no_grad():
            next(self.backbone.parameters()).mul_(2)
        return self.backbone, spec.model_copy(update={"output_stride": 8})


@pytest.fixture
def means(monkeypatch: pytest.MonkeyPatch) -> type[Means]:
    """The method `Means`, under any name."""
    monkeypatch.setattr(plugins, "load", lambda group, name: Means)
    monkeypatch.setattr("ssl_motion.models.load", lambda group, name: Means)
    monkeypatch.setattr(Means, "fitted", 0)
    return Means


def test_settings_are_fitted_once_to_what_the_run_reads(
    run: RunTiny, pairs: Path, means: type[Means], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    true = np.mean([sample.flow for sample in ShardPairs([pairs], "train")], axis=(0, 1, 2), dtype=np.float64)
    with monkeypatch.context() as patch:
        patch.setattr("ssl_motion.engine.pretrain.build_backbone", lambda spec: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # interrupted after fitting
            run()
    folder = run()
    assert means.fitted == 1
    fitted = json.loads((folder.path / "fitted.json").read_text())
    assert fitted["mean"] == pytest.approx(true.tolist(), rel=1e-12)
    state = torch.load(folder.path / "checkpoints" / "last.pth", weights_only=True)["state_dict"]
    assert state["method.mean"].tolist() == fitted["mean"]
    seen = read_weights(folder.path)[0].pretraining
    assert seen is not None
    assert seen.spec["method_config"] == {"mean": None}  # what was asked for is the identity

    backwards = run(data={"shards": [str(pairs)], "control": "reversed_flow"})
    opposite = json.loads((backwards.path / "fitted.json").read_text())["mean"]
    assert opposite == pytest.approx((-true).tolist(), rel=1e-12)

    given = run(method_config={"mean": [1.0, 2.0]})
    assert given.identity != folder.identity

    from ssl_motion.backbones import build_backbone

    trunk = BackboneSpec(arch="alexnet_mini", width=6)
    save_model(tmp_path / "m", Means(MeanConfig(**fitted), build_backbone(trunk)), method="m", spec=trunk, source="")
    assert load_model(tmp_path / "m").config == MeanConfig(**fitted)


@pytest.mark.usefixtures("means")
def test_damaged_fitted_settings_are_named(run: RunTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssl_motion.engine.pretrain.build_backbone", lambda spec: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run()
    (file,) = tmp_path.glob("runs/pretrain/*/fitted.json")
    file.write_text('{"mean": [1,')
    with pytest.raises(DataError, match=r"fitted\.json is damaged.*--force"):
        run()


@pytest.mark.usefixtures("means")
def test_the_exported_trunk_is_what_the_method_hands_over(run: RunTiny, monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = run()
    card, tensors = read_weights(doubled.path)
    assert card.backbone.output_stride == 8
    monkeypatch.setattr(Means, "export", PretrainMethod.export)
    card, plain = read_weights(run("others").path)
    assert card.backbone.output_stride is None
    assert torch.equal(tensors["conv1.0.weight"], 2 * plain["conv1.0.weight"])
    assert torch.equal(tensors["conv2.0.weight"], plain["conv2.0.weight"])


def test_a_control_is_named_wherever_its_run_is(run: RunTiny, pairs: Path, tmp_path: Path) -> None:
    plain = run()
    folder = run(data={"shards": [str(pairs)], "control": "shuffled_flow"})
    assert folder.identity != plain.identity
    assert not same_weights(plain, folder)
    assert "tiny-shuffled-flow-shapes" in folder.path.name
    assert folder.summary["method"] == "tiny, shuffled flow"
    start = resolve_start(folder.identity, BackboneSpec(arch="alexnet_mini", width=6), Store(tmp_path / "runs"))
    assert start.method == "tiny, shuffled flow"
    assert start.pretraining is not None
    assert start.pretraining.spec["data"]["control"] == "shuffled_flow"


def test_what_a_run_cost_is_in_its_record(run: RunTiny) -> None:
    folder = run()
    seen = read_weights(folder.path)[0].pretraining
    assert seen is not None
    assert seen.images_seen is not None
    assert seen.wall_seconds is not None
    assert seen.peak_memory_mib is not None
    assert seen.images_per_second == pytest.approx(seen.images_seen / seen.wall_seconds)
    assert seen.peak_memory_mib > 50
    assert seen.device == "cpu"
