"""Ensembles: averages against a reference, names and parents, what is refused, and the verb."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config
from PIL import Image
from torch.nn import functional as F

from ssl_motion.backbones import build_backbone
from ssl_motion.cli.ensemble_verb import command
from ssl_motion.ensemble import ensemble, plan_ensemble
from ssl_motion.errors import DataError, UsageError
from ssl_motion.listing import show_run
from ssl_motion.openmmlab.recipes import read_saved
from ssl_motion.per_image.confusion import read_per_image, scores
from ssl_motion.protocols import RunContext
from ssl_motion.record import Pretraining, Reproduced, ResultRecord, read_record
from ssl_motion.spec import BackboneSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion.weights import save_weights
from ssl_motion_reports.grouping import entries

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
TRUNK = {"arch": "alexnet_mini", "width": 6}
TASK = {"preset": "voc12_fcn_small", "backbone": TRUNK, "iterations": 4, "batch_size": 4, "crop": 48, "lr": 0.01}
CPU = RuntimeSpec(device="cpu")
VOC = "VOCdevkit/VOC2012"


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_devkit(tmp_path_factory.mktemp("data"), train=8, val=4))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, devkit: Path) -> Store:
    """Runs from a random start and from weights called "cmp", of two seeds each."""
    root = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        spec = BackboneSpec.model_validate(TRUNK)
        torch.manual_seed(seed + 5)
        save_weights(
            root / "start" / f"cmp-{seed}", build_backbone(spec), spec=spec, method="cmp", run=f"{seed}" * 16,
            pretraining=Pretraining(data="clips", pairs=12, run=f"{seed}" * 16, spec={"method": "cmp", "seed": seed}),
            source="a test",
        )  # fmt: skip
        for init in ("random", str(root / "start" / f"cmp-{seed}")):
            one(root, devkit, init, seed)
    return Store(root)


def one(root: Path, devkit: Path, init: str, seed: int, **changes: Any) -> RunFolder:
    spec = TransferSpec(task="voc_fcn", task_config={**TASK, **changes}, init=init, seed=seed)
    return transfer(spec, CPU, Store(root), devkit)


def run_of(store: Store, method: str, seed: int) -> RunFolder:
    """Find a run among those of the fixture."""
    for run in store.runs("transfer"):
        record = read_record(run.path / "record.json")
        if (record.method, record.seed, "ensemble" in record.spec) == (method, seed, False):
            return run
    raise AssertionError


def pair(store: Store, seed: int = 0) -> list[str]:
    return [run_of(store, method, seed).identity for method in ("random", "cmp")]


def reference_prediction(run: RunFolder, image: Path) -> torch.Tensor:
    """Class probabilities [K, H, W] of a run's network, worked out from its weights step by step."""
    from mmseg.registry import MODELS

    settings = read_saved(run.path / "recipe.py")["model"]
    with MODELS.switch_scope_and_registry("mmseg"):
        network = MODELS.build(Config({"model": settings}).model)
    content = torch.load(max((run.path / "checkpoints").glob("iter_*.pth")), weights_only=True)
    network.load_state_dict(content["state_dict"])
    network.eval()
    from mmcv.transforms import Resize

    pixels = np.array(Image.open(image))[:, :, ::-1]
    resized = Resize(scale=(1024, 192), keep_ratio=True)({"img": np.ascontiguousarray(pixels)})["img"][
        :, :, ::-1
    ].copy()
    mean, std = (torch.tensor(settings["data_preprocessor"][name])[:, None, None] for name in ("mean", "std"))
    batch = ((torch.from_numpy(resized).permute(2, 0, 1).float() - mean) / std)[None]
    with torch.no_grad():
        logits = network._forward(batch)
        for size in (batch.shape[2:], pixels.shape[:2]):
            logits = F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)
    return logits[0].softmax(0)


def test_it_is_the_average_of_the_class_probabilities(store: Store, devkit: Path) -> None:
    done = ensemble(pair(store), CPU, store)
    matrices = read_per_image(done.path / "per_image.npz")
    members = [run_of(store, method, 0) for method in ("random", "cmp")]
    alone = [read_per_image(member.path / "per_image.npz") for member in members]
    assert matrices.names == [f"val_{index:03d}" for index in range(4)]
    differs = False
    for index, name in enumerate(matrices.names):
        label = np.array(Image.open(devkit / VOC / "SegmentationClass" / f"{name}.png")).astype(int)
        image = devkit / VOC / "JPEGImages" / f"{name}.jpg"
        mean = sum(reference_prediction(member, image) for member in members) / 2
        guess = torch.as_tensor(mean).argmax(0).numpy()
        known = label != 255
        expected = np.bincount(label[known] * 21 + guess[known], minlength=441).reshape(21, 21)
        # Rounding may turn a pixel or two over whose classes tie.
        assert abs(expected - matrices.of_image(index)).sum() <= 6
        differs |= any((part.of_image(index) != matrices.of_image(index)).any() for part in alone)
    assert differs, "the test needs networks that do not agree"


def test_a_network_beside_itself_is_itself(store: Store, devkit: Path, tmp_path: Path) -> None:
    member = run_of(store, "cmp", 1)
    record = read_record(member.path / "record.json")
    task = make_plan(TransferSpec.model_validate({**record.spec, "init": "random"}), store, devkit).task
    context = RunContext(run_dir=tmp_path, weights=None, data_root=devkit, seed=0, device="cpu")
    result = task.ensemble([member.path] * 3, context)
    assert result.metrics == pytest.approx({metric.name: metric.value for metric in record.metrics})
    mine, theirs = (read_per_image(folder / "per_image.npz") for folder in (tmp_path, member.path))
    assert (mine.total() == theirs.total()).all()


def test_probabilities_are_averaged_not_scores() -> None:
    """One network is nearly sure of class 1; two are mildly for class 2 by scores that sum to more."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample
    from torch import nn

    from ssl_motion.openmmlab.libraries import use_mmseg

    use_mmseg()
    from ssl_motion.openmmlab.averaging import AveragedSegmentors

    class Constant(nn.Module):
        def __init__(self, logits: list[float]) -> None:
            super().__init__()
            self.logits = torch.tensor(logits)[:, None, None].expand(-1, 2, 3)

        def test_step(self, data: Any) -> list[Any]:
            data["data_samples"][0].set_data({"seg_logits": PixelData(data=self.logits)})
            return list(data["data_samples"])

    networks = [[0.0, 4.0, 3.0], [0.0, 2.5, 2.0], [-30.0, -3.0, 3.0]]
    model = AveragedSegmentors([], [])
    model.members = nn.ModuleList(Constant(logits) for logits in networks)
    (sample,) = model.test_step({"data_samples": [SegDataSample()]})
    mean = torch.tensor(networks, dtype=torch.float64).softmax(1).mean(0)
    torch.testing.assert_close(sample.seg_logits.data[:, 0, 0].exp().double(), mean, rtol=1e-5, atol=1e-7)
    assert (sample.pred_sem_seg.data == int(mean.argmax())).all()
    sure = [[0.0, 6.0, 0.0], [0.0, -1.0, 0.2], [0.0, -20.0, 0.2]]
    model.members = nn.ModuleList(Constant(logits) for logits in sure)
    (sample,) = model.test_step({"data_samples": [SegDataSample()]})
    shares = torch.tensor(sure).softmax(1).mean(0)
    assert int(shares.argmax()) != int(torch.tensor(sure).mean(0).argmax()), "the planted case tells the two apart"
    assert (sample.pred_sem_seg.data == int(shares.argmax())).all()


def test_the_record_names_both_and_shares_no_rank_with_them(store: Store) -> None:
    done = ensemble(pair(store), CPU, store)
    record = read_record(done.path / "record.json")
    member = read_record(run_of(store, "cmp", 0).path / "record.json")
    assert (record.method, record.seed, record.scale) == ("cmp + random", 0, "reduced")
    assert record.protocol_name == "voc12_fcn_small (changed), 2 networks averaged"
    assert isinstance(record.origin, Reproduced)
    assert sorted(record.origin.provenance.parents) == sorted(pair(store))
    assert record.protocol_fingerprint != member.protocol_fingerprint
    assert {name: record.protocol[name] for name in member.protocol} == member.protocol
    assert record.pretraining == member.pretraining
    figures = scores(read_per_image(done.path / "per_image.npz").total())
    assert record.primary.value == pytest.approx(figures.miou)
    shown = show_run(store.root, done.identity)
    assert shown["state"] == "finished"
    assert shown["again"] == ["ssl-bench", "ensemble", *record.spec["init"], "--runs", str(store.root)]


def test_seeds_of_an_ensemble_are_averaged_together(store: Store) -> None:
    folders = [ensemble(pair(store, seed), CPU, store) for seed in (0, 1)]
    records = [read_record(folder.path / "record.json") for folder in folders]
    (group,) = entries(records).values()
    assert [record.seed for record in group] == [0, 1]
    mixed = plan_ensemble([run_of(store, "cmp", seed).identity for seed in (0, 1)], store)
    assert (mixed.method, mixed.seed) == ("cmp + cmp", None)


def test_what_two_pretrained_networks_had_seen(store: Store) -> None:
    from ssl_motion.ensemble import joint_pretraining

    records: list[ResultRecord] = [read_record(run_of(store, "cmp", seed).path / "record.json") for seed in (0, 1)]
    joint = joint_pretraining(records)
    assert joint is not None
    assert (joint.data, joint.pairs, joint.images_seen) == ("clips", 24, None)
    assert joint.run == "0" * 16 + " + " + "1" * 16
    assert joint.spec["network 1"] == joint.spec["network 2"] == {"method": "cmp"}
    assert joint_pretraining([read_record(run_of(store, "random", 0).path / "record.json")] * 2) is None


def test_what_cannot_be_averaged_is_refused(store: Store, devkit: Path, tmp_path: Path) -> None:
    random, cmp = pair(store)
    with pytest.raises(UsageError, match="at least two runs"):
        plan_ensemble([cmp], store)
    with pytest.raises(UsageError, match=rf"different runs; got {cmp}, {cmp}"):
        plan_ensemble([cmp, cmp], store)
    with pytest.raises(UsageError, match="is no run below"):
        plan_ensemble([cmp, "nothing"], store)
    other = one(store.root, devkit, "random", 0, iterations=5)
    with pytest.raises(UsageError, match=r"not made by the same protocol; they differ in: .*iterations"):
        plan_ensemble([cmp, other.identity], store)
    done = ensemble([random, cmp], CPU, store)
    with pytest.raises(UsageError, match="is an ensemble itself"):
        plan_ensemble([done.identity, cmp], store)
    elsewhere = Path(make_devkit(tmp_path, train=8, val=3))
    with pytest.raises(UsageError, match=r"differ in: dataset_hash\. With other data"):
        plan_ensemble([random, cmp], store, elsewhere)
    half = store.root / "transfer" / "half-fedcba9876543210"
    half.mkdir()
    with pytest.raises(UsageError, match="is not finished"):
        plan_ensemble([cmp, "fedcba98"], store)
    half.rmdir()


def test_networks_that_are_gone_are_named(store: Store, devkit: Path, tmp_path: Path) -> None:
    first, second = (one(tmp_path, devkit, "random", seed, iterations=1) for seed in (0, 1))
    (checkpoint,) = (second.path / "checkpoints").glob("iter_*.pth")
    content = checkpoint.read_bytes()
    checkpoint.unlink()
    with pytest.raises(UsageError, match=r"holds no checkpoint.*--force"):
        ensemble([first.identity, second.identity], CPU, Store(tmp_path))
    checkpoint.write_bytes(content[:-100])
    with pytest.raises(DataError, match="none of the checkpoints"):
        ensemble([first.identity, second.identity], CPU, Store(tmp_path))
    checkpoint.write_bytes(content)
    recipe = second.path / "recipe.py"
    recipe.write_text("import os\nmodel = dict(type=os.getcwd())\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"recipe\.py: not a resolved recipe"):
        ensemble([first.identity, second.identity], CPU, Store(tmp_path))


def test_verb(store: Store) -> None:
    runs = [*pair(store, 1)]
    options = ["--runs", str(store.root), "--device", "cpu"]
    planned = json.loads(CliRunner().invoke(command, [*runs, *options, "--dry-run", "--json"]).stdout)
    assert planned["method"] == "cmp + random"
    ran = json.loads(CliRunner().invoke(command, [*runs, *options, "--json"], catch_exceptions=False).stdout)
    assert (ran["identity"], ran["path"]) == (planned["identity"], planned["path"])
    again = CliRunner().invoke(command, [*reversed(runs), *options], catch_exceptions=False)
    assert "was reused" in again.stdout
    assert f"mIoU   {ran['metrics']['mIoU']:.2f}  (alone: " in again.stdout
    forced = json.loads(CliRunner().invoke(command, [*runs, *options, "--force", "--json"]).stdout)
    assert (forced["cached"], forced["metrics"]) == (False, ran["metrics"])


@pytest.mark.slow
@pytest.mark.parametrize(("task", "preset"), [("lip", "puppets_lip"), ("voc_hypercolumn", "puppets_hypercolumn")])
def test_every_segmentation_task_has_ensembles(tmp_path: Path, task: str, preset: str) -> None:
    store, runs = Store(tmp_path), []
    for seed in (0, 1):
        content = {
            "task": task,
            "task_config": {"preset": preset, "backbone": TRUNK, "iterations": 2, "batch_size": 4},
            "puppets": {"size": 48, "train_images": 6, "val_images": 2, "test_images": 3},
            "seed": seed,
        }
        runs.append(transfer(TransferSpec.model_validate(content), CPU, store).identity)
    record = read_record(ensemble(runs, CPU, store).path / "record.json")
    assert (record.task, record.method, record.scale) == (task, "random + random", "builtin")
    assert 0 <= record.primary.value <= 100
