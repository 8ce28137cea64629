"""`ssl-bench propagate`: coordinates of the original image, published models, folders, warnings, what is missing."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from PIL import Image

from ssl_motion.backbones import build_backbone
from ssl_motion.cli import cli
from ssl_motion.engine.plan import make_plan
from ssl_motion.errors import RunError, UsageError
from ssl_motion.flow.formats import read_flo, read_kitti
from ssl_motion.models import LAST
from ssl_motion.spec import PretrainSpec
from ssl_motion.store import Store
from ssl_motion.sweep import load_suite, plan

TESTS = Path(__file__).resolve().parents[1]
bench = runpy.run_path(str(TESTS / "verbs.py"))["bench"]
_naive = runpy.run_path(str(TESTS / "cmp_network_reference.py"))
_copied = runpy.run_path(str(TESTS / "copied_vectors.py"))


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A model that copies the given vectors to every pixel."""
    monkeypatch.chdir(tmp_path)
    return Path(_copied["announce"](monkeypatch, tmp_path / "model"))


def photograph(path: Path, height: int, width: int, seed: int = 0) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("size", [32, 64, 100, 240])
def test_numbers_are_pixels_of_the_original_image_at_any_size(copying: Path, tmp_path: Path, size: int) -> None:
    image = photograph(tmp_path / "picture.png", 120, 201)
    options = ["--arrow", "199.5,3,12.5,-7", "--size", size, "--weights", copying]
    said = json.loads(bench("propagate", image, *options, "--json").stdout)[0]
    flow, valid = read_flo(tmp_path / "picture-flow" / "flow.flo")
    assert flow.shape == (120, 201, 2)
    assert valid.all()
    np.testing.assert_allclose(flow, np.broadcast_to(np.float32([12.5, -7]), flow.shape), atol=1e-4)
    np.testing.assert_allclose(read_kitti(tmp_path / "picture-flow" / "flow_kitti.png")[0], flow, atol=1 / 128)
    (point,) = said["points"]
    assert (point["foot"], point["asked"]) == ([199.5, 3], [12.5, -7])
    assert point["predicted"] == pytest.approx([12.5, -7], abs=1e-4)
    assert (said["height"], said["width"]) == (120, 201)


def test_arrows_that_are_cut_short_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = _copied["announce"](monkeypatch, tmp_path / "model", most=20.0)
    image = photograph(tmp_path / "picture.png", 64, 96)
    common = ["--size", 64, "--weights", model, "--out", tmp_path / "out", "--force"]
    said = bench("propagate", image, "--arrow", "10,10,30,0", *common)
    assert "(10, 10)          (+30.0, +0.0)       (+20.0, +0.0)       67 %" in said.stdout
    assert "warning" not in said.stderr
    said = bench("propagate", image, "--arrow", "10,10,50,0", *common)
    assert "40 %" in said.stdout
    assert f"warning: {image}: the prediction falls far short of arrow 1: less than 50 %" in said.stderr
    said = bench("propagate", image, "--arrow", "10,10,8,0", "--still", "40,20", *common)  # their mean is half of it
    assert "(40, 20)          still               (+4.0, +0.0)" in said.stdout


def test_guidance_comes_from_options_and_file_together(copying: Path, tmp_path: Path) -> None:
    image = photograph(tmp_path / "picture.png", 64, 96)
    (tmp_path / "guidance.json").write_text('{"arrows": [[1, 2, 3, 4]], "stills": [[5, 6]]}')
    options = ["--guidance", tmp_path / "guidance.json", "--arrow", "7,8,9,10", "--still", "11,12"]
    said = json.loads(bench("propagate", image, *options, "--weights", copying, "--json").stdout)[0]
    assert [point["foot"] for point in said["points"]] == [[1, 2], [7, 8], [5, 6], [11, 12]]
    assert [point["asked"] for point in said["points"]] == [[3, 4], [9, 10], [0, 0], [0, 0]]


def test_a_folder_of_images_with_guidance_is_a_batch(copying: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(("a2.png", "a10.png", "alone.png")):
        photograph(folder / name, 40, 48 + number, number)
    (folder / "a2.json").write_text('{"arrows": [[1, 2, 3, 0]]}')
    (folder / "a10.json").write_text('{"arrows": [[1, 2, 0, 5]]}')
    (folder / "nothing.json").write_text("{}")
    said = bench("propagate", folder, "--weights", copying)
    assert "left out, without a partner: alone.png, nothing.json" in said.stderr
    out = tmp_path / "pictures-flow"
    assert sorted(path.name for path in out.iterdir()) == ["a10", "a2"]
    np.testing.assert_allclose(read_flo(out / "a2" / "flow.flo")[0][:, :, 0], np.full((40, 48), 3), atol=1e-4)
    np.testing.assert_allclose(read_flo(out / "a10" / "flow.flo")[0][:, :, 1], np.full((40, 49), 5), atol=1e-4)
    assert said.stdout.index("a2.png") < said.stdout.index("a10.png")


def test_one_bad_image_stops_no_other(copying: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 6):
        photograph(folder / f"a{number}.png", 40, 48)
        (folder / f"a{number}.json").write_text('{"arrows": [[1, 2, 3, 0]]}')
    (folder / "a2.png").write_text("no picture")
    (folder / "a3.json").write_text("no guidance")
    (folder / "a4.json").write_text('{"stills": [[48, 2]]}')
    said = CliRunner().invoke(cli, ["propagate", str(folder), "--weights", str(copying), "--json"])
    assert isinstance(said.exception, RunError)
    assert said.exception.exit_code == 1
    words = str(said.exception)
    assert "3 of 5 images could not be done, 2 are:" in words
    assert all(name in words for name in ("a2.png", "a3.json", "a4.png: the point (48, 2)"))
    done = {Path(each["image"]).name: each.get("error") for each in json.loads(said.stdout)}
    assert [name for name, error in done.items() if error is None] == ["a1.png", "a5.png"]
    assert all(name in str(done[name]) or name == "a3.png" for name in ("a2.png", "a3.png", "a4.png"))
    assert sorted(path.name for path in (tmp_path / "pictures-flow").iterdir()) == ["a1", "a5"]


def test_published_weights_with_skip_layers_are_computed_as_published(tmp_path: Path) -> None:
    """A narrow model in the authors' format, against formulas in float64 from its image and arrows on."""
    parameters = _naive["save_published"](tmp_path / "demo.pth.tar")
    image = photograph(tmp_path / "picture.png", 64, 80)
    options = ["--arrow", "20,30,15,-4", "--arrow", "61,8,-3,9", "--still", "5,50"]
    files = ["--weights", tmp_path / "demo.pth.tar", "--out", tmp_path / "out"]
    bench("propagate", image, *options, "--size", 64, *files)

    pixels = torch.from_numpy(np.asarray(Image.open(image)).astype(np.float64) / 255)
    normalised = (pixels - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    sparse = torch.zeros(1, 4, 64, 80)
    for x, y, u, v in ((20, 30, 15, -4), (61, 8, -3, 9), (5, 50, 0, 0)):
        sparse[0, :, y, x] = torch.tensor([u, v, 1, 1])
    config = {"image_encoder": "resnet50", "decoder_combo": [1, 2, 4], "skip_layer": True}
    logits = _naive["naive_logits"](parameters, config, normalised.permute(2, 0, 1)[None], sparse)
    expected = _naive["upsample"](_naive["naive_flow"](logits), 64, 80)[0].permute(1, 2, 0).numpy()
    flow, _ = read_flo(tmp_path / "out" / "flow.flo")
    assert expected.std() > 0.05, "a reference that is constant would prove nothing"
    assert np.abs(flow - expected).max() <= 1e-4 * np.abs(expected).max()


def test_without_weights_the_quickstarts_model_is_taken_and_said(tmp_path: Path) -> None:
    image = photograph(tmp_path / "picture.png", 96, 96)
    command = ["propagate", image, "--arrow", "1,1,4,0", "--out", tmp_path / "out", "--runs", tmp_path / "runs"]
    with pytest.raises(UsageError, match=r"Run `make quickstart`.*--weights"):
        bench(*command)
    spec = next(job.spec for job in plan(load_suite("quickstart")) if isinstance(job.spec, PretrainSpec))
    made = make_plan(spec, Store(tmp_path / "runs"))
    method = made.method(made.method.Config(**made.spec.method_config), build_backbone(made.spec.backbone))
    tensors = {f"method.{name}": tensor for name, tensor in _copied["changed"](method).state_dict().items()}
    folder = made.folder.path
    (folder / LAST).parent.mkdir(parents=True)
    torch.save({"state_dict": tensors}, folder / LAST)
    (folder / "spec.yaml").write_text(yaml.safe_dump(made.written_spec()))
    copy = tmp_path / "my model"
    shutil.copytree(folder, copy)
    bench(*command[:-4], "--out", tmp_path / "copied", "--weights", copy)  # a run is found under another name
    said = bench(*command)
    assert (read_flo(tmp_path / "copied" / "flow.flo")[0] == read_flo(tmp_path / "out" / "flow.flo")[0]).all()
    assert f"No --weights given: this is the model of `make quickstart` ({folder})" in said.stderr
    assert "seen by the network at 96 x 96" in said.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "flow.flo",
        "flow.png",
        "flow_kitti.png",
        "overlay.png",
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["picture.png"], "nothing is given"),
        (["picture.png", "--arrow", "1,2,3"], r"--arrow '1,2,3': expected x,y,dx,dy"),
        (["picture.png", "--still", "1,nan"], r"--still '1,nan': expected x,y"),
        (["picture.png", "--still", "48,3"], r"picture.png: the point \(48, 3\) lies outside .* 48 x 40"),
        (["picture.png", "--guidance", "none.json"], "none.json: cannot be read as guidance"),
        (["none.png", "--still", "1,1"], "no such image"),
        (["folder", "--still", "1,1"], "folder is a folder"),
        (["folder"], "expected images, each beside its guidance .* 2 images and 0"),
        (["twins"], "a.jpg and a.png share the guidance a.json"),
    ],
)
def test_wrong_usage_is_said_before_a_model_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("picture.png", "folder/a.png", "folder/b.png", "twins/a.jpg", "twins/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        photograph(tmp_path / name, 40, 48)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=words):
        bench("propagate", *options, "--weights", "no such model")
    assert sorted(tmp_path.rglob("*")) == before
