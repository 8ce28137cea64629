"""`ssl-bench prepare --masks`: what it prints, what it refuses, and what becomes of a data set that has masks."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from ssl_motion.cli import cli
from ssl_motion.data.layer_shards import LayerMap
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet, Split
from ssl_motion.errors import UsageError
from ssl_motion.flow.formats import write_flo
from ssl_motion.prepare import ImportSource, ImportSpec, import_flow, makers
from ssl_motion.prepare.drawing import with_mask
from ssl_motion.spec import Strict
from ssl_motion.spec_text import parse_spec


class Settings(Strict):
    background: Literal["quadratic", "affine"] = "quadratic"
    least: float = 0.5


class Moving:
    """Marks what moves more than a pixel; keeps pairs of which enough does."""

    Settings: type[BaseModel] = Settings
    version = 1
    advice = "make it: {folder}"

    def check(self, data: ShardSet) -> None:
        del data

    def maps(
        self, settings: BaseModel, data: ShardSet, split: Split, first: int, samples: Iterable[FlowSample]
    ) -> Iterator[LayerMap]:
        assert isinstance(settings, Settings)
        for sample in samples:
            labels = (np.hypot(sample.flow[..., 0], sample.flow[..., 1]) > 1).astype(np.uint8)
            kept = bool(labels.mean() >= settings.least)
            yield LayerMap(labels, {"kept": kept, **({} if kept else {"reason": "little motion"})})


@pytest.fixture(autouse=True)
def _maker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers, "LAYER_MAKERS", {"masks": Moving()})


def imported(root: Path) -> Path:
    """Ten imported pairs in four shards; of number n the left n tenths move."""
    (root / "images").mkdir(parents=True)
    (root / "flows").mkdir()
    for number in range(10):
        flow = np.zeros((40, 40, 2), np.float32)
        flow[:, : 4 * number] = (3, 0)
        flow[0, 0] = (3, 0)
        write_flo(root / "flows" / f"{number}.flo", flow)
        cv2.imwrite(str(root / "images" / f"{number}.png"), np.full((40, 40, 3), 20 * number, np.uint8))
    source = ImportSource(flow_pairs=[(root / "images", root / "flows")])
    content: dict[str, Any] = {"clip": "file", "val_fraction": 0, "pairs_per_shard": 3, "still": {"min_moving": 0}}
    return import_flow(source, parse_spec(ImportSpec, content, "test"), root / "pairs").folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return imported(tmp_path)


def bench(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, ["prepare", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_masks_are_made_counted_and_reused(folder: Path) -> None:
    text = bench("--masks", folder, "--processes", "1")
    assert "masks of 10 pairs (4 shards made, 0 there already)" in text
    assert "train: 5 of 10 pairs kept; dropped: little motion 5" in text
    assert "Note" not in text
    pairs = ShardPairs([folder], "train", layers=["masks"])
    assert len(pairs) == 5
    for each in pairs:
        np.testing.assert_array_equal(each.layers["masks"] == 1, each.flow[..., 0] > 1)
    again = bench("--masks", folder, "--processes", "1")
    assert "were there already" in again
    assert again.splitlines()[1:] == text.splitlines()[1:]


def test_nothing_kept_is_said(folder: Path) -> None:
    text = bench("--masks", folder, "--processes", "1", "--set", "least=0.95")
    assert "train: 0 of 10 pairs kept" in text
    assert "Note: no train pair is kept" in text


def test_json_tells_the_same(folder: Path) -> None:
    first = json.loads(bench("--masks", folder, "--json", "--processes", "1", "--set", "least=0.85"))
    assert first["kept"] == {"train": 1, "val": 0}
    assert (first["cached"], first["made"], first["settings"]["least"]) == (False, 4, 0.85)
    assert first["dropped"] == {"train": {"little motion": 9}, "val": {}}
    again = json.loads(bench("--masks", folder, "--json", "--processes", "1", "--set", "least=0.85"))
    assert again["cached"]
    assert {**again, "cached": False, "made": 4, "reused": 0, "seconds": 0} == {**first, "seconds": 0}


def test_a_dry_run_makes_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    text = bench("--masks", folder, "--dry-run", "--background", "affine")
    assert "masks: new. 10 of 10 pairs to do" in text
    assert "affine" in text
    assert sorted(folder.iterdir()) == before
    bench("--masks", folder, "--background", "affine", "--processes", "1")
    plan = json.loads(bench("--masks", folder, "--dry-run", "--json", "--background", "affine"))
    assert (plan["cached"], plan["pairs_to_do"]) == (True, 0)


def test_other_settings_than_those_present_are_refused(folder: Path) -> None:
    bench("--masks", folder, "--processes", "1")
    with pytest.raises(UsageError, match=r"background was 'quadratic', is now 'affine'"):
        bench("--masks", folder, "--background", "affine")
    with pytest.raises(UsageError, match="cubic"):
        bench("--masks", folder, "--background", "cubic")


def test_preparing_again_leaves_the_masks_alone(folder: Path, tmp_path: Path) -> None:
    bench("--masks", folder, "--processes", "1")
    source = ImportSource(flow_pairs=[(tmp_path / "images", tmp_path / "flows")])
    content: dict[str, Any] = {"clip": "file", "val_fraction": 0, "pairs_per_shard": 3, "still": {"min_moving": 0}}
    spec = parse_spec(ImportSpec, content, "test")
    assert import_flow(source, spec, folder).cached
    # One shard is lost and made anew, with the same bytes: the masks still fit.
    (folder / "train-000000.tar").unlink()
    assert import_flow(source, spec, folder).made == 1
    assert "were there already" in bench("--masks", folder, "--processes", "1")


def test_statistics_tell_what_is_kept(folder: Path, tmp_path: Path) -> None:
    bench("--masks", folder, "--processes", "1")
    text = bench("--stats", folder, "--out", tmp_path / "stats")
    assert "layer masks: train: 5 of 10 pairs kept; dropped: little motion 5" in text
    summary = json.loads((tmp_path / "stats" / "statistics.json").read_text())
    assert summary["layers"]["masks"]["kept"] == {"train": 5, "val": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--masks", "x", "--gap", "2"], "does not go with: gap"),
        (["--masks", "x", "--short-side", "0"], "does not go with: short-side"),
        (["--masks", "x", "clip.mp4"], "does not go with: videos"),
        (["--masks", "x", "--out", "y"], "does not go with: out"),
        (["--background", "affine", "--out", "y"], "--background belongs to --masks"),
    ],
)
def test_options_of_other_modes_are_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["prepare", *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_a_folder_without_a_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        bench("--masks", tmp_path / "none")


def test_a_mask_tints_what_moves_and_what_is_open_and_nothing_else():
    image = np.full((2, 3, 3), 100, np.uint8)
    mask = np.array([[0, 1, 255], [0, 1, 0]], np.uint8)
    tinted = with_mask(image, mask)
    assert (tinted[mask == 0] == 100).all()
    assert {tuple(pixel) for pixel in tinted[mask == 1].tolist()} == {(177, 50, 50)}
    assert {tuple(pixel) for pixel in tinted[mask == 255].tolist()} == {(177, 160, 50)}
    assert (image == 100).all()
