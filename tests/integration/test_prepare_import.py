"""Importing flow that others made: lists, folders of files, and pairs that are no good."""

import runpy
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import UsageError
from ssl_motion.flow.formats import write_flo, write_jpeg_pair, write_kitti
from ssl_motion.prepare import ImportSource, ImportSpec, import_flow
from ssl_motion.spec_text import parse_spec

_clips = runpy.run_path(str(Path(__file__).parents[1] / "panning_clips.py"))
lines, texture, write_pair = (_clips[name] for name in ("lines", "texture", "write_pair"))


class TestImport:
    def spec(self, **content: Any) -> ImportSpec:
        return parse_spec(ImportSpec, {"val_fraction": 0, **content}, "test")

    def test_original_lists_in_both_modes(self, tmp_path: Path) -> None:
        rows = []
        for number in (1, 5, 9):
            image, flow = write_pair(tmp_path / "frames" / f"v{number}", number)
            stem = f"frames/v{number}/{number:04d}"
            second = f"frames/v{number}/{number + 1:04d}.jpg"
            if number == 5:
                write_flo(tmp_path / f"{number}.flo", flow)
                rows.append(f"{stem}.jpg {second} {number}.flo")
            else:
                write_jpeg_pair(tmp_path / f"{number}x.jpg", tmp_path / f"{number}y.jpg", flow)
                rows.append(f"{stem}.jpg {second} {number}x.jpg {number}y.jpg")
            assert image.exists()
        (tmp_path / "train.txt").write_text("\n".join(rows[:2]) + "\n\n")
        (tmp_path / "val.txt").write_text(rows[2] + "\n")
        source = ImportSource(lists=[tmp_path / "train.txt"], val_lists=[tmp_path / "val.txt"], root=tmp_path)
        result = import_flow(
            source, self.spec(flow_name="liteflownet", flow_supervision="synthetic labels"), tmp_path / "o"
        )
        assert result.pairs == {"train": 2, "val": 1}
        first, second = ShardPairs([result.folder], "train")
        np.testing.assert_allclose(first.flow, np.broadcast_to([-2.5, 2.0], first.flow.shape), atol=0.3)
        np.testing.assert_allclose(second.flow, np.broadcast_to([-6.5, 2.0], second.flow.shape), atol=1 / 128)
        assert (first.clip, first.frame, first.gap) == ("frames/v1", 1, 1)
        info = ShardSet(result.folder).info
        assert (info["flow_estimator"], info["flow_supervision"]) == ("liteflownet", "synthetic labels")

    def test_bad_pairs_are_named_and_do_not_stop_the_rest(self, tmp_path: Path) -> None:
        good = write_pair(tmp_path / "a", 1)[1]
        write_flo(tmp_path / "good.flo", good)
        write_flo(tmp_path / "size.flo", good[:-1])
        nan = good.copy()
        nan[3, 4] = np.nan
        nan_bytes = struct.pack("<fii", 202021.25, 80, 60) + nan.astype("<f4").tobytes()
        (tmp_path / "nan.flo").write_bytes(nan_bytes)
        (tmp_path / "cut.flo").write_bytes(nan_bytes[:500])
        write_flo(tmp_path / "unknown.flo", good, np.zeros(good.shape[:2], np.bool_))
        (tmp_path / "broken.jpg").write_bytes(b"none")
        pair = "a/0001.jpg a/0002.jpg"
        bad = {
            f"{pair} size.flo": "agree in size",
            f"{pair} nan.flo": "2 NaN",
            f"{pair} cut.flo": "truncated",
            f"{pair} gone.flo": "gone.flo",
            f"{pair} unknown.flo": "no pixel with known flow",
            "broken.jpg a/0002.jpg good.flo": "broken.jpg",
            "one two": "2 columns",
            "1 2 3 4 5": "5 columns",
            f"{pair} flow.xyz": "xyz",
        }
        (tmp_path / "list.txt").write_text("\n".join([f"{pair} good.flo", *bad]) + "\n")
        result = import_flow(ImportSource(lists=[tmp_path / "list.txt"], root=tmp_path), self.spec(), tmp_path / "o")
        assert result.pairs["train"] == 1
        reasons = [line["reason"] for line in lines(tmp_path / "o" / "rejected.jsonl")]
        assert len(reasons) == len(bad)
        for number, (row, words) in enumerate(bad.items(), start=2):
            (reason,) = [reason for reason in reasons if f"list.txt:{number}:" in reason]
            assert words in reason, (row, reason)

    def test_paths_with_spaces_need_tabs(self, tmp_path: Path) -> None:
        _, flow = write_pair(tmp_path / "my clip", 1)
        write_flo(tmp_path / "my flow.flo", flow)
        (tmp_path / "list.txt").write_text("my clip/0001.jpg\tmy clip/0002.jpg\tmy flow.flo\n")
        result = import_flow(ImportSource(lists=[tmp_path / "list.txt"], root=tmp_path), self.spec(), tmp_path / "o")
        assert result.pairs["train"] == 1

    def test_folders_are_matched_by_name(self, tmp_path: Path) -> None:
        for scene in ("alley", "bamboo"):
            _, flow = write_pair(tmp_path / "clean" / scene, 1)
            (tmp_path / "flow" / scene).mkdir(parents=True)
            write_flo(tmp_path / "flow" / scene / "0001.flo", flow)
        _, flow = write_pair(tmp_path / "clean" / "kitti", 3)
        valid = np.random.default_rng(0).random(flow.shape[:2]) < 0.2
        write_kitti(tmp_path / "flow" / "kitti_0003.png", flow, valid)
        (tmp_path / "flow" / "kitti").mkdir()
        (tmp_path / "flow" / "kitti_0003.png").rename(tmp_path / "flow" / "kitti" / "0003.png")
        write_flo(tmp_path / "flow" / "orphan.flo", flow)
        result = import_flow(
            ImportSource(flow_pairs=[(tmp_path / "clean", tmp_path / "flow")]),
            self.spec(val_fraction=0.5, short_side=30),
            tmp_path / "o",
        )
        samples: list[FlowSample] = [s for split in ("train", "val") for s in ShardPairs([tmp_path / "o"], split)]
        assert result.pairs["val"] > 0
        assert sorted(Path(sample.clip).name for sample in samples) == ["alley", "bamboo", "kitti"]
        kitti = next(sample for sample in samples if sample.clip.endswith("kitti"))
        assert 0.1 < kitti.valid.mean() < 0.3
        np.testing.assert_allclose(
            kitti.flow[kitti.valid], np.broadcast_to([-2.25, 1.0], (kitti.valid.sum(), 2)), atol=0.02
        )
        (rejected,) = lines(tmp_path / "o" / "rejected.jsonl")
        assert "no image of that name" in rejected["reason"]

    def test_flying_chairs_names(self, tmp_path: Path) -> None:
        image, flow = write_pair(tmp_path / "c", 1)
        Image.open(image).save(tmp_path / "c" / "00007_img1.ppm")
        Image.open(image).save(tmp_path / "c" / "00007_img2.ppm")
        for name in ("00007_flow.flo", "00007_flow_10.flo"):
            write_flo(tmp_path / "c" / name, flow)
        source = ImportSource(flow_pairs=[(tmp_path / "c", tmp_path / "c")])
        result = import_flow(source, self.spec(clip="file"), tmp_path / "o")
        (sample,) = ShardPairs([result.folder], "train")
        assert sample.clip.endswith("00007_img1.ppm")
        assert sample.frame == 7

    def test_nothing_to_import(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        for source in (
            ImportSource(flow_pairs=[(tmp_path / "empty", tmp_path / "empty")]),
            ImportSource(lists=[tmp_path / "gone.txt"]),
        ):
            with pytest.raises(UsageError):
                import_flow(source, self.spec(), tmp_path / "o")

    def test_known_figures_of_real_flow(self, sample_data: Path, tmp_path: Path) -> None:
        sintel = sample_data / "flow" / "sintel_alley_1"
        result = import_flow(
            ImportSource(flow_pairs=[(sintel / "frame_0001.png", sintel / "frame_0001.flo")]),
            self.spec(short_side=None),
            tmp_path / "o",
        )
        (sample,) = ShardPairs([result.folder], "train")
        assert float(np.hypot(*np.moveaxis(sample.flow, -1, 0)).mean()) == pytest.approx(2.80, abs=0.01)
