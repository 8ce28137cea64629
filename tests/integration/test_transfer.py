"""Transfer from spec to record on a tiny devkit: reuse, resume, starts, refusals."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner

from ssl_motion.backbones import build_backbone
from ssl_motion.cli.transfer_verb import command
from ssl_motion.errors import RunError, UsageError
from ssl_motion.per_image.confusion import read_per_image, scores
from ssl_motion.record import Pretraining, Reproduced, read_record
from ssl_motion.spec import BackboneSpec, RuntimeSpec, TransferSpec
from ssl_motion.store import RunFolder, Store
from ssl_motion.transfer import make_plan, transfer
from ssl_motion.weights import save_weights

make_devkit = runpy.run_path(str(Path(__file__).parents[1] / "voc_devkit.py"))["make_devkit"]
TRUNK = {"arch": "alexnet_mini", "width": 6}
TASK = {"preset": "voc12_fcn_small", "backbone": TRUNK, "iterations": 6, "batch_size": 4, "crop": 48}
CPU = RuntimeSpec(device="cpu")


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(make_devkit(tmp_path_factory.mktemp("data")))


def spec(init: str = "random", seed: int = 0, **settings: Any) -> TransferSpec:
    return TransferSpec(task="voc_fcn", task_config={**TASK, **settings}, init=init, seed=seed)


def run(folder: Path, devkit: Path, what: TransferSpec, **options: Any) -> RunFolder:
    return transfer(what, options.pop("runtime", CPU), Store(folder), devkit, **options)


def final_state(folder: RunFolder) -> dict[str, torch.Tensor]:
    last = sorted((folder.path / "checkpoints").glob("iter_*.pth"))[-1]
    content = torch.load(last, weights_only=True)
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


def same(first: RunFolder, second: RunFolder) -> bool:
    one, two = final_state(first), final_state(second)
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, devkit: Path) -> RunFolder:
    return run(tmp_path_factory.mktemp("runs"), devkit, spec())


def test_a_run_leaves_a_record_that_its_files_confirm(finished: RunFolder, devkit: Path) -> None:
    record = read_record(finished.path / "record.json")
    assert (record.method, record.backbone, record.task) == ("random", "alexnet_mini-w6", "voc_fcn")
    assert (record.scale, record.protocol_name, record.seed) == ("reduced", "voc12_fcn_small (changed)", 0)
    assert record.pretraining is None
    assert record.identity == finished.identity
    assert isinstance(record.origin, Reproduced)
    assert record.origin.provenance.wall_seconds > 0
    assert record.primary.name == "mIoU"
    matrices = read_per_image(finished.path / "per_image.npz")
    assert matrices.names == [f"val_{index:03d}" for index in range(5)]
    figures = scores(matrices.total())
    values = {metric.name: metric.value for metric in record.metrics}
    assert values == pytest.approx({"mIoU": figures.miou, "aAcc": figures.accuracy, "mAcc": figures.mean_accuracy})
    assert record.details["IoU"]["background"] == pytest.approx(figures.iou[0])
    # 26x26 labelled square in a border of 255, background around: every labelled pixel was scored, at full size.
    assert matrices.total().sum() == 5 * (64 * 80 - (30 * 30 - 26 * 26))
    again = TransferSpec.model_validate(yaml.safe_load((finished.path / "spec.yaml").read_text(encoding="utf-8")))
    assert make_plan(again, Store(finished.path.parents[1]), devkit).folder == finished
    lines = [json.loads(line) for line in (finished.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["test/mIoU"] == pytest.approx(values["mIoU"])
    assert any("train/loss" in line for line in lines)


def test_it_learns(tmp_path: Path, devkit: Path, finished: RunFolder) -> None:
    longer = run(tmp_path, devkit, spec(iterations=60, batch_size=8, lr=0.003, crop=96))
    values = {metric.name: metric.value for metric in read_record(longer.path / "record.json").metrics}
    # Predicting background alone gives 86 % of the pixels and an mIoU of 12.
    assert values["aAcc"] > 92
    assert values["mIoU"] > 40
    assert read_record(finished.path / "record.json").primary.value < 20


def test_a_finished_run_is_reused_and_force_moves_it_aside(tmp_path: Path, devkit: Path) -> None:
    first = run(tmp_path, devkit, spec(iterations=2))
    stamp = (first.path / "record.json").stat().st_mtime_ns
    assert run(tmp_path, devkit, spec(iterations=2)) == first
    assert (first.path / "record.json").stat().st_mtime_ns == stamp
    state = final_state(first)
    second = run(tmp_path, devkit, spec(iterations=2), force=True)
    assert second == first
    assert (first.path / "record.json").stat().st_mtime_ns != stamp
    assert len(list(tmp_path.glob("transfer/*.old-*"))) == 1
    assert all(torch.equal(final_state(second)[name], state[name]) for name in state)


def test_loader_processes_change_nothing(tmp_path: Path, devkit: Path, finished: RunFolder) -> None:
    parallel = run(tmp_path, devkit, spec(), runtime=RuntimeSpec(device="cpu", workers=2))
    assert parallel.identity == finished.identity
    assert same(parallel, finished)


def test_identity_follows_what_matters(devkit: Path, tmp_path: Path, finished: RunFolder) -> None:
    store = Store(tmp_path)
    assert make_plan(spec(), store, devkit).folder.identity == finished.identity
    others = [spec(seed=1), spec(iterations=7), spec(lr=0.01), spec(train_images=5)]
    others.append(spec().model_copy(update={"recipe_overrides": {"model.decode_head.dropout_ratio": 0.2}}))
    plans = [make_plan(other, store, devkit) for other in others]
    assert len({finished.identity, *(plan.folder.identity for plan in plans)}) == 6
    protocol = make_plan(spec(), store, devkit).protocol
    assert plans[0].protocol == protocol
    assert all(plan.protocol != protocol for plan in plans[1:])
    assert make_plan(spec(), store, devkit / "VOCdevkit").folder.identity == finished.identity


KILLED = """
import sys
from pathlib import Path
from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import transfer
content = Path(sys.argv[1]).read_text(encoding="utf-8")
spec = TransferSpec.model_validate_json(content)
transfer(spec, RuntimeSpec(device="cpu", threads=1), Store(Path(sys.argv[2])), Path(sys.argv[3]))
"""


INTERRUPTED = spec(iterations=24).model_copy(
    update={"recipe_overrides": {"checkpoint_every": 4, "model.decode_head.dropout_ratio": 0.4}}
)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over threads are rounded differently from sums in one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_ends_as_if_it_had_not_been(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, devkit: Path, how: signal.Signals
) -> None:
    (tmp_path / "spec.json").write_text(INTERRUPTED.model_dump_json(), encoding="utf-8")
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "spec.json"), str(tmp_path / "killed"), str(devkit)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("killed/transfer/*/checkpoints/iter_*.pth")):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if how is signal.SIGTERM:
        assert b"the same command again" in errors
    folder = make_plan(INTERRUPTED, Store(tmp_path / "killed"), devkit).folder
    assert not folder.is_finished
    resumed = run(tmp_path / "killed", devkit, INTERRUPTED)
    whole = run(tmp_path_factory.getbasetemp() / "uninterrupted", devkit, INTERRUPTED)  # once for both signals
    assert resumed.path == folder.path
    assert same(resumed, whole)
    values = [read_record(each.path / "record.json").metrics for each in (resumed, whole)]
    assert values[0] == values[1]
    logs = [
        [json.loads(line)["iteration"] for line in (each.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        for each in (resumed, whole)
    ]
    assert logs[0] == logs[1]


def trunk_folder(folder: Path, content: dict[str, Any], run_identity: str | None) -> Path:
    trunk_spec = BackboneSpec.model_validate(content)
    torch.manual_seed(3)
    save_weights(
        folder,
        build_backbone(trunk_spec),
        spec=trunk_spec,
        method="cmp",
        run=run_identity,
        pretraining=Pretraining(data="clips", pairs=12, run=run_identity),
        source="a test",
    )
    return folder


def test_a_pretraining_run_is_a_start_and_a_parent(tmp_path: Path, devkit: Path) -> None:
    identity = "0123456789abcdef"
    folder = trunk_folder(tmp_path / "pretrain" / f"cmp-{identity}", TRUNK, identity)
    done = run(tmp_path, devkit, spec(identity[:8], iterations=2))
    record = read_record(done.path / "record.json")
    assert record.method == "cmp"
    assert record.pretraining is not None
    assert (record.pretraining.run, record.pretraining.pairs) == (identity, 12)
    assert isinstance(record.origin, Reproduced)
    assert record.origin.provenance.parents == [identity]
    by_path = make_plan(spec(str(folder), iterations=2), Store(tmp_path), devkit)
    assert by_path.folder == done
    assert by_path.protocol == make_plan(spec(iterations=2), Store(tmp_path), devkit).protocol


def test_results_of_two_recipe_versions_are_never_ranked_together(
    tmp_path: Path, devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_plan(spec(), Store(tmp_path), devkit)
    assert "recipe_version" not in first.protocol, "fingerprints of the first version stay"
    monkeypatch.setattr(type(first.task), "recipe_version", 2)
    second = make_plan(spec(), Store(tmp_path), devkit)
    assert second.protocol == {**first.protocol, "recipe_version": 2}
    assert second.folder != first.folder


def test_foreign_files_are_starts(tmp_path: Path, devkit: Path) -> None:
    small = {"arch": "resnet18", "width": 8, "output_stride": 8}
    torch.manual_seed(3)
    tensors = build_backbone(BackboneSpec.model_validate(small)).state_dict()
    path = tmp_path / "my weights.pth"
    torch.save({"state_dict": {f"backbone.{name}": tensor for name, tensor in tensors.items()}}, path)
    what = spec(str(path), backbone=small, iterations=1)
    done = run(tmp_path, devkit, what)
    record = read_record(done.path / "record.json")
    assert record.method == "my weights"
    assert (done.path / "init" / "backbone.safetensors").is_file()
    del tensors["conv1.weight"]
    torch.save(tensors, path)
    with pytest.raises(UsageError, match=r"no value for conv1\.weight"):
        run(tmp_path, devkit, what)
    assert make_plan(what, Store(tmp_path), devkit).folder.identity != done.identity


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("nothing", "is no run below"),
        ("nothing.pth", "no such weights file"),
        ("imagenet", "torchvision has no weights for alexnet_mini-w6"),
        ("WIDE", r"--set backbone\.arch=alexnet_mini --set backbone\.width=9"),
        ("HALF", "not finished"),
    ],
)
def test_starts_that_do_not_fit_are_refused(tmp_path: Path, devkit: Path, init: str, message: str) -> None:
    wide = trunk_folder(tmp_path / "wide", {"arch": "alexnet_mini", "width": 9}, None)
    half = tmp_path / "pretrain" / "cmp-fedcba9876543210"
    half.mkdir(parents=True)
    given = {"WIDE": str(wide), "HALF": "fedcba98"}.get(init, init)
    with pytest.raises(UsageError, match=message):
        make_plan(spec(given), Store(tmp_path), devkit)


def test_imagenet_without_a_connection_says_what_to_do(
    tmp_path: Path, devkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(url: str, *rest: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    what = spec("imagenet", backbone={"arch": "resnet18", "output_stride": 8})
    assert make_plan(what, Store(tmp_path), devkit).start.method == "imagenet"  # planning needs no connection
    with pytest.raises(RunError, match=r"resnet18-f37072fd\.pth.*or give it as --init FILE"):
        run(tmp_path, devkit, what)


def test_missing_data_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"missing: folder .*nowhere"):
        run(tmp_path, tmp_path / "nowhere", spec())
    monkeypatch.setenv("SSL_MOTION_DATA", str(tmp_path))
    with pytest.raises(UsageError, match="JPEGImages"):
        transfer(spec(), CPU, Store(tmp_path), None)


def test_two_runs_at_once(tmp_path: Path, devkit: Path) -> None:
    plan = make_plan(spec(), Store(tmp_path), devkit)
    with plan.folder.locked({}), pytest.raises(RunError, match=rf"in use by process {os.getpid()} on"):
        run(tmp_path, devkit, spec())


def test_odd_folder_names(tmp_path: Path) -> None:
    name = os.fsdecode(b"d\xe9pot de donn\xc3\xa9es")
    data = Path(make_devkit(tmp_path / name, train=4, val=2))
    done = run(tmp_path / f"runs {name}", data, spec(iterations=1))
    assert done.is_finished
    assert read_record(done.path / "record.json").primary.value >= 0


def test_wrong_labels_are_named(tmp_path: Path) -> None:
    data = Path(make_devkit(tmp_path, train=4, val=202))  # so many that `check_data` looks into every other one only
    from PIL import Image

    path = data / "VOCdevkit/VOC2012/SegmentationClass/val_001.png"
    Image.new("L", (80, 64), color=77).save(path)
    with pytest.raises(RunError, match=r"val_001\.png: label value 77, but there are 21 classes"):
        run(tmp_path, data, spec(iterations=1))


@pytest.mark.parametrize("name", ["train_001", "val_001"])
def test_images_cut_short_are_named(tmp_path: Path, name: str) -> None:
    data = Path(make_devkit(tmp_path, train=4, val=2))
    path = data / f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg"
    path.write_bytes(path.read_bytes()[:640])
    with pytest.raises(RunError, match=rf"{name}\.jpg"):
        run(tmp_path, data, spec(iterations=2))


def test_wrong_training_labels_are_named(tmp_path: Path) -> None:
    from PIL import Image

    data = Path(make_devkit(tmp_path, train=202, val=2))  # as above
    for path in (data / "VOCdevkit/VOC2012/SegmentationClass").glob("train_*[13579].png"):
        Image.new("L", (80, 64), color=77).save(path)
    with pytest.raises(RunError, match=r"train_\d\d[13579]\.png: label value 77, but there are 21 classes"):
        run(tmp_path, data, spec(iterations=6))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("optim_wrapper.optimizer.type", "Nope", "callable"),
        ("optim_wrapper.optimizer.nope", 1, "nope"),
        ("model.decode_head.type", "Nope", "Nope"),
        ("test_evaluator.nope", 1, "nope"),
    ],
)
def test_overrides_that_the_libraries_refuse_are_wrong_usage(
    tmp_path: Path, devkit: Path, key: str, value: object, words: str
) -> None:
    wrong = spec(iterations=1).model_copy(update={"recipe_overrides": {key: value}})
    with pytest.raises(UsageError, match=rf"--cfg-options {key}={value}: .*{words}"):
        run(tmp_path, devkit, wrong)


def test_overrides_in_a_spec_have_to_be_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("recipe_overrides: 3\n", encoding="utf-8")
    result = CliRunner().invoke(command, ["--cfg-options", "a.b=3", str(tmp_path / "spec.yaml")])
    assert isinstance(result.exception, UsageError)
    assert "recipe_overrides: expected dotted keys" in str(result.exception)


def test_verb(tmp_path: Path, devkit: Path) -> None:
    options = ["--preset", "voc12_fcn_small", "--data-root", str(devkit), "--runs", str(tmp_path), "--device", "cpu"]
    for key, value in (*TASK.items(), *((f"backbone.{key}", value) for key, value in TRUNK.items())):
        if key not in ("preset", "backbone"):
            options += ["--set", f"{key}={value}"]
    planned = CliRunner().invoke(command, [*options, "--dry-run", "--json"], catch_exceptions=False)
    plan = json.loads(planned.stdout)
    assert (plan["state"], plan["cached"]) == ("new", False)
    assert not any(tmp_path.iterdir())
    ran = CliRunner().invoke(command, [*options, "--json"], catch_exceptions=False)
    outcome = json.loads(ran.stdout)
    assert {key: outcome[key] for key in ("identity", "path", "cached")} == {
        "identity": plan["identity"], "path": plan["path"], "cached": False,
    }  # fmt: skip
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(plan["spec"]), encoding="utf-8")
    rest = ["--data-root", str(devkit), "--runs", str(tmp_path)]
    again = CliRunner().invoke(command, [str(tmp_path / "spec.yaml"), *rest, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["cached"] is True
    people = CliRunner().invoke(command, [*options], catch_exceptions=False)
    assert "was reused" in people.stdout
    assert f"mIoU   {outcome['metrics']['mIoU']:.2f}" in people.stdout
    changed = CliRunner().invoke(
        command, [*options, "--cfg-options", "optim_wrapper.optimizer.lr=0.5", "--dry-run", "--json"]
    )
    assert json.loads(changed.stdout)["facts"]["recipe_overrides"] == {"optim_wrapper.optimizer.lr": 0.5}


def test_built_in_world(tmp_path: Path) -> None:
    world = {"size": 48, "train_images": 6, "val_images": 2, "test_images": 3}
    what = TransferSpec.model_validate(
        {
            "task": "voc_fcn",
            "task_config": {"preset": "puppets_fcn", "backbone": TRUNK, "iterations": 2, "batch_size": 4},
            "puppets": world,
        }
    )
    plan = make_plan(what, Store(tmp_path), None)
    assert not any(tmp_path.iterdir())  # a plan renders nothing
    more_pairs = what.model_copy(update={"puppets": what.puppets.model_copy(update={"pairs": 77})})  # type: ignore[union-attr]
    assert make_plan(more_pairs, Store(tmp_path), None).folder.identity == plan.folder.identity
    done = run(tmp_path, None, what)  # type: ignore[arg-type]  # None: the built-in world
    record = read_record(done.path / "record.json")
    assert record.scale == "builtin"
    assert len(read_per_image(done.path / "per_image.npz").names) == 3
    smaller = what.model_copy(update={"puppets": what.puppets.model_copy(update={"size": 64})})  # type: ignore[union-attr]
    assert make_plan(smaller, Store(tmp_path), None).protocol != plan.protocol


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path, devkit: Path) -> None:
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec().model_dump(mode="json")), encoding="utf-8")
    arguments = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "ssl_motion",
    ]
    arguments += ["transfer", str(tmp_path / "spec.yaml"), "--runs", str(tmp_path), "--data-root", str(devkit)]
    done = subprocess.run(
        [*arguments, "--device", "cpu", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    matrices = read_per_image(Path(outcome["path"]) / "per_image.npz")
    assert len(matrices.names) == 5
    assert matrices.total().sum() == 5 * (64 * 80 - (30 * 30 - 26 * 26))


@pytest.mark.slow
def test_sample_of_real_data(tmp_path: Path, sample_data: Path) -> None:
    what = spec(backbone={"arch": "resnet18", "width": 16, "output_stride": 8}, iterations=4, crop=96)
    record = read_record(run(tmp_path, sample_data, what).path / "record.json")
    assert 0 <= record.primary.value < 30
    assert {metric.name for metric in record.metrics} == {"mIoU", "aAcc", "mAcc"}
