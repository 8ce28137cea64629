"""What a transfer may start from, and starts that do not fit."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from ssl_motion.backbones import build_backbone
from ssl_motion.errors import RunError, UsageError
from ssl_motion.record import Pretraining, Reproduced, read_record
from ssl_motion.spec import BackboneSpec
from ssl_motion.store import Store
from ssl_motion.transfer import make_plan
from ssl_motion.weights import save_weights

_runs = runpy.run_path(str(Path(__file__).parents[1] / "small_transfers.py"))
TRUNK, run, spec = (_runs[name] for name in ("TRUNK", "run", "spec"))


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
