"""`ssl-bench codebook`, and runs that are given what it wrote."""

import json
import runpy
from pathlib import Path

import pytest
from PIL import Image

from ssl_motion.errors import SSLMotionError, UsageError
from ssl_motion.flow.codebook import load_codebook
from ssl_motion.puppets import ensure_dataset
from ssl_motion.spec import PuppetsSpec

bench = runpy.run_path(str(Path(__file__).resolve().parents[1] / "verbs.py"))["bench"]
WORLD = {"world": "still", "size": 48, "seed": 5, "pairs": 24, "val_pairs": 4}
WORLD |= dict.fromkeys(("train_images", "val_images", "test_images"), 0)
QUICK = ["--clusters", "9", "--pixels", "200"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    ensure_dataset(PuppetsSpec.model_validate(WORLD), root / "data", ["shards"])
    return root


@pytest.fixture(scope="module")
def pairs(store: Path) -> str:
    (folder,) = (store / "data").glob("puppets-*")
    return str(folder / "shards")


def test_it_writes_file_and_picture_once(pairs: str, tmp_path: Path) -> None:
    out = tmp_path / "books" / "mine.json"
    planned = json.loads(bench("codebook", pairs, "--out", str(out), *QUICK, "--dry-run", "--json").stdout)
    assert planned["data"]["pairs_to_read"] == 24
    assert not planned["cached"]
    assert not out.parent.exists()
    said = bench("codebook", pairs, "--out", str(out), *QUICK).stdout
    assert "9 flow vectors of puppets-still, fitted to 24 of 24 pairs" in said
    book = load_codebook(out)
    assert list(book.data) == planned["data"]["fingerprints"]
    assert sum(book.counts) == 24 * 200
    picture = out.with_suffix(".png")
    with Image.open(picture) as image:
        assert min(image.size) > 400
        colours = image.convert("RGB").getcolors(1 << 24)
        assert colours is not None
        assert len(colours) > 100
    before = out.stat().st_mtime_ns
    picture.unlink()
    again = json.loads(bench("codebook", pairs, "--out", str(out), *QUICK, "--json").stdout)
    assert again["cached"]
    assert again["codebook"] == book.model_dump(mode="json")
    assert out.stat().st_mtime_ns == before
    assert picture.is_file()
    with pytest.raises(UsageError, match="other data or settings"):
        bench("codebook", pairs, "--out", str(out), *QUICK, "--seed", "1")


def test_joined_data_have_a_fingerprint_of_their_own(pairs: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    bench("codebook", pairs, "--out", str(one), *QUICK)
    bench("codebook", pairs, pairs, "--out", str(two), *QUICK)
    assert not set(load_codebook(one).data) & set(load_codebook(two).data)
    assert load_codebook(two).pairs == 48


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/no/such/folder", "--out", "c.json"], "/no/such/folder"),
        (["PAIRS", "--out", "c.png"], "is JSON"),
        (["PAIRS", "--out", "c.json", "--clusters", "256"], "clusters: Input should be less than or equal to 255"),
        (["PAIRS", "--out", "c.json", "--pixels", "1"], "40 clusters of only .* fewer clusters"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SSLMotionError, match=message):
        bench("codebook", *(pairs if each == "PAIRS" else each for each in arguments))
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_codebook_is_left_alone(pairs: str, tmp_path: Path) -> None:
    precious = tmp_path / "results.json"
    precious.write_text('{"mIoU": 40}')
    with pytest.raises(UsageError, match=r"results\.json"):
        bench("codebook", pairs, "--out", str(precious))
    assert precious.read_text() == '{"mIoU": 40}'


def pretrain(store: Path, *assignments: str) -> dict[str, object]:
    config = store / "config.yaml"
    data = {"puppets": WORLD}
    content = {"method": "walker2015", "backbone": {"arch": "alexnet_mini", "width": 12}, "data": data, "batch_size": 4}
    config.write_text(json.dumps({**content, "iterations": 2}))
    options = [option for each in assignments for option in ("--set", each)]
    done = bench("pretrain", str(config), "--runs", str(store), "--json", *options)
    outcome: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def test_a_run_takes_the_codebook_of_its_own_world_by_name_or_by_folder(
    store: Path, pairs: str, tmp_path: Path
) -> None:
    out = tmp_path / "mine.json"
    bench("codebook", pairs, "--out", str(out), *QUICK)
    given = [f"method_config.codebook={out}", "method_config.clusters=9"]
    by_world = pretrain(store, *given)
    by_folder = pretrain(store, *given, "data.puppets=null", f"data.shards=[{pairs}]")
    for outcome in (by_world, by_folder):
        figures = outcome["figures"]
        assert isinstance(figures, dict)
        assert {"val/loss", "val/epe", "val/top1"} <= figures.keys()
    moved = tmp_path / "moved.json"
    out.rename(moved)
    again = pretrain(store, f"method_config.codebook={moved}", "method_config.clusters=9")
    assert again["path"] == by_world["path"], "the file's name is no part of a run's identity"
    assert again["cached"]


def test_a_run_fits_its_own_codebook_and_refuses_one_of_another_world(store: Path, tmp_path: Path) -> None:
    outcome = pretrain(store, "method_config.clusters=9")
    fitted = json.loads((Path(str(outcome["path"])) / "fitted.json").read_text())
    out = tmp_path / "book.json"
    out.write_text(json.dumps(fitted["codebook"]))
    pretrain(store, f"method_config.codebook={out}", "method_config.clusters=9")
    with pytest.raises(UsageError, match=r"fitted to other data .*ssl-bench codebook"):
        pretrain(store, f"method_config.codebook={out}", "method_config.clusters=9", "data.puppets.seed=6")
