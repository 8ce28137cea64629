"""`ssl-bench visualise` as a user calls it: on runs, files and random starts, on pictures, pairs and Puppets."""

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from ssl_motion.backbones import build_backbone
from ssl_motion.cli.visualise_verb import command
from ssl_motion.engine.pretrain import pretrain
from ssl_motion.errors import UsageError
from ssl_motion.spec import BackboneSpec, RuntimeSpec
from ssl_motion.store import RunFolder, Store

_tiny_runs = runpy.run_path(str(Path(__file__).resolve().parents[1] / "tiny_runs.py"))
write_pairs, tiny_spec = (_tiny_runs[name] for name in ("write_pairs", "tiny_spec"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = write_pairs(tmp_path_factory.mktemp("pairs"), train=8, val=3)
    return folder


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short run of mahendran on 32-pixel images."""
    settings = {"points": 32, "hidden": 8, "saturation": 8}
    spec = tiny_spec(pairs, method="mahendran", method_config=settings, iterations=2)
    return pretrain(spec, RuntimeSpec(device="cpu", threads=1), Store(tmp_path_factory.mktemp("runs")))


def visualise(*arguments: str | Path, run: RunFolder | None = None) -> Result:
    where = ["--runs", str(run.path.parents[1])] if run is not None else []
    return CliRunner().invoke(command, [*map(str, arguments), *where], catch_exceptions=False)


def drawn(path: Path) -> tuple[np.ndarray, str]:
    with Image.open(path) as image:
        return np.asarray(image), str(image.text["Description"])


def test_sheets_of_a_run_lie_in_its_folder(run: RunFolder) -> None:
    made = visualise("embedding", "--init", run.identity[:8], "--stage", "embedding", run=run)
    path = run.path / "visualised" / "embedding-embedding.png"
    assert made.stdout == f"Embedding maps: {path}\n"
    sheet, description = drawn(path)
    assert "seed 0" in description
    assert "96 x 96 pixels" in description  # pairs that are neither resized nor cropped tell no side; Puppets have 96
    assert sheet.std() > 20
    before = path.read_bytes()
    visualise("embedding", "--init", run.path, "--stage", "embedding")
    assert path.read_bytes() == before
    visualise("embedding", "--init", run.path, "--stage", "embedding", "--seed", "1")
    assert path.read_bytes() != before


def test_a_run_beside_a_random_start_of_its_own_trunk(run: RunFolder, tmp_path: Path) -> None:
    for kind, options in (("embedding", []), ("pca", []), ("kernel", []), ("neurons", ["--steps", "2"])):
        out = tmp_path / f"{kind}.png"
        made = visualise(
            kind, "--init", "random", "--init", run.path, "--stage", "conv3", *options, "--out", out, "--json"
        )
        assert json.loads(made.stdout)["path"] == str(out)
        alone = tmp_path / "alone.png"
        visualise(kind, "--init", run.path, "--stage", "conv3", *options, "--out", alone)
        assert drawn(out)[0].size > drawn(alone)[0].size


def test_pairs_bring_their_flow(run: RunFolder, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "kernel.png"
    arguments = ["kernel", "--init", run.path, "--stage", "embedding", "--at", "3,4", "--out", out]
    visualise(*arguments, "--data", pairs, "--size", "64")
    with_flow, description = drawn(out)
    assert "64 x 64 pixels" in description
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((32, 32, 3), 90, np.uint8))
    visualise(*arguments, "--images", tmp_path / "photo.png")
    without, _ = drawn(out)
    assert with_flow.shape[0] > without.shape[0]  # three pairs, one photograph


def test_files_are_read_as_their_trunk_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.save(build_backbone(BackboneSpec(arch="resnet18", width=8)).state_dict(), "mine.pth")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, size in enumerate(((40, 60), (64, 48), (33, 71))):
        cv2.imwrite(str(pictures / f"{number}.jpg"), np.random.default_rng(number).integers(0, 255, (*size, 3)))
    (pictures / "notes.txt").write_text("no picture")
    visualise("pca", "--init", "mine.pth", "--init", "random", "--stage", "layer2", "--images", pictures)
    sheet, description = drawn(tmp_path / "pca-layer2.png")
    assert "60 x 40, 48 x 64, 71 x 33 pixels" in description
    assert sheet.shape[1] < 1000
    visualise("neurons", "--init", "random", "--backbone", "alexnet_mini", "--channel", "3", "--steps", "1")
    assert (tmp_path / "neurons-conv5.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embedding", "--init", "random", "--stage", "embedding"], "random has no embedding of pixels"),
        (["embedding", "--init", "random", "--stage", "conv9"], "no stage 'conv9'.*conv5"),
        (["embedding", "--init", "random", "--backbone", "resnet81"], "unknown trunk 'resnet81'"),
        (["embedding", "--init", "no-such-run"], "is no run below"),
        (["embedding", "--init", "no-such.pth"], "no such weights file"),
        (["pca", "--init", "random", "--images", "nowhere"], "nowhere: no such file or folder"),
        (["pca", "--init", "random", "--images", "empty"], "holds no image"),
        (["pca", "--init", "random", "--images", "empty", "--data", "empty"], "not both"),
        (["pca", "--init", "random", "--data", "empty"], "index.json"),
        (["pca", "--init", "random", "--size", "2000"], r"(?s)the built-in world: .*size: Input should be less"),
        (["kernel", "--init", "random", "--at", "3"], "--at '3': expected x,y"),
        (["kernel", "--init", "random", "--at", "96,3"], "Puppets still, 0: the point"),
        (["neurons", "--init", "random", "--channel", "64"], "channels 0 to 63"),
    ],
)
def test_wrong_usage_is_refused_and_leaves_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        visualise(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_sheets_are_png_files(tmp_path: Path) -> None:
    refused = visualise("pca", "--init", "random", "--out", tmp_path / "sheet.jpg")
    assert refused.exit_code == 2
    assert "sheet.jpg: expected the name of a PNG file" in refused.stderr


def test_a_method_without_an_embedding_says_what_else_there_is(pairs: Path, tmp_path: Path) -> None:
    settings = {"points": 32, "hidden": 8, "saturation": 8}
    spec = tiny_spec(pairs, method="mahendran_direct", method_config=settings, iterations=1)
    folder = pretrain(spec, RuntimeSpec(device="cpu", threads=1), Store(tmp_path))
    with pytest.raises(UsageError, match=r"mahendran_direct has no embedding of pixels.*conv1, conv2"):
        visualise("embedding", "--init", folder.path, "--stage", "embedding")
