"""Foreign checkpoint layouts give the same tensors; files that could run code, or do not fit, are refused by name."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ssl_motion.backbones import build_backbone
from ssl_motion.checkpoints import backbone_tensors, read_checkpoint
from ssl_motion.errors import DataError, UsageError
from ssl_motion.spec import BackboneSpec

HEAD = {"fc.weight": torch.ones(5, 64), "fc.bias": torch.ones(5)}


def trunk() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return dict(build_backbone(BackboneSpec(arch="resnet18", width=8)).state_dict())


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


LAYOUTS: dict[str, Callable[[dict[str, Tensor]], dict[str, Any]]] = {
    "torchvision": lambda t: {**t, **HEAD},
    "timm": lambda t: {"state_dict": prefixed("module.", {**t, **HEAD}), "arch": "resnet18", "epoch": 3},
    "openmmlab": lambda t: {
        "meta": {"mmengine_version": "0.10"},
        "state_dict": {**prefixed("backbone.", t), "head.fc.weight": torch.ones(5, 64), "neck.w": torch.ones(3)},
    },
    "cmp": lambda t: {
        "step": 7,
        "state_dict": {
            **prefixed(
                "module.image_encoder.", {**t, "conv5.weight": torch.ones(2, 2, 1, 1), "conv5.bias": torch.ones(2)}
            ),
            "module.flow_encoder.features.0.weight": torch.ones(3),
        },
    },
    "moco": lambda t: {
        "state_dict": {
            **prefixed("module.encoder_q.", {**t, **HEAD}),
            **prefixed("module.encoder_k.", {name: value + 1 for name, value in t.items()}),
            "module.queue": torch.ones(2, 2),
        }
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["weights.pth", "weights.pth.tar"])
def test_layouts(tmp_path: Path, layout: str, name: str) -> None:
    tensors = trunk()
    torch.save(LAYOUTS[layout](tensors), tmp_path / name)
    found = backbone_tensors(read_checkpoint(tmp_path / name), what=name)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[key], tensors[key]) for key in tensors)


def test_safetensors(tmp_path: Path) -> None:
    tensors = trunk()
    save_file({**tensors, **HEAD}, tmp_path / "model.safetensors")
    assert backbone_tensors(read_checkpoint(tmp_path / "model.safetensors"), what="file").keys() == tensors.keys()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (prefixed("backbone.", {"stem.0.weight": torch.ones(4, 3, 3, 3)}), r"stem\.0\.weight.*deep stem"),
        (prefixed("backbone.", {"conv1.0.weight": torch.ones(4, 3, 3, 3)}), r"conv1\.0\.weight.*deep stem"),
    ],
)
def test_a_deep_stem_is_refused_by_name(extra: dict[str, Tensor], message: str) -> None:
    tensors = prefixed("backbone.", trunk())
    del tensors["backbone.conv1.weight"]
    with pytest.raises(UsageError, match=message):
        backbone_tensors({"state_dict": {**tensors, **extra}}, what="r50_v1c.pth")


def test_torchvisions_alexnet_is_refused() -> None:
    content = {"features.0.weight": torch.ones(64, 3, 11, 11), "classifier.1.weight": torch.ones(2, 2)}
    with pytest.raises(UsageError, match="torchvision's AlexNet"):
        backbone_tensors(content, what="alexnet.pth")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["BOMB"],)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_file_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[object, Path], object]
) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "ran"))
    path = tmp_path / "bomb.pth"
    save({"state_dict": trunk(), "bomb": Bomb()}, path)
    with pytest.raises(UsageError, match=r"bomb\.pth: refused.*could run any code"):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_cut_files_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (save_file if name.endswith("s") else torch.save)(trunk(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=name):
        read_checkpoint(path)


def test_other_content_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such weights file"):
        read_checkpoint(tmp_path / "none.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(DataError, match="found list"):
        read_checkpoint(tmp_path / "list.pth")
    with pytest.raises(UsageError, match="holds no tensors"):
        backbone_tensors({"epoch": 3}, what="empty.pth")


@pytest.mark.parametrize("text", ["no weights at all", "epoch 1\n", '{"a": 1}', "<!doctype html>", ""])
def test_text_in_place_of_weights_is_called_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "text.pth").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"text\.pth: no weights file"):
        read_checkpoint(tmp_path / "text.pth")


@pytest.mark.parametrize("content", [b"\x80\x02hello", b"\x80\x02epoch 1\n", b"PK\x03\x04 no archive"])
def test_what_only_begins_like_weights_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.pth").write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.pth: damaged"):
        read_checkpoint(tmp_path / "odd.pth")
