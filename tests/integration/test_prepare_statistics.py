"""What is told of a data set's motion, against planted flow."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ssl_motion.data.sample import FlowSample
from ssl_motion.flow.formats import write_flo
from ssl_motion.prepare import ImportSource, ImportSpec, import_flow, prepare, statistics
from ssl_motion.spec_text import parse_spec

_clips = runpy.run_path(str(Path(__file__).parents[1] / "panning_clips.py"))
small, write_pair = (_clips[name] for name in ("small", "write_pair"))


class TestStatistics:
    def test_figures_of_planted_motion(self, tmp_path: Path) -> None:
        for number in range(3):
            image, _ = write_pair(tmp_path / f"c{number}", 1)
            flow = np.zeros((60, 80, 2), np.float32)
            flow[:30] = (60, 80)  # half of it moves by 100 px, beyond 50 in both components
            write_flo(tmp_path / f"c{number}" / "0001.flo", flow)
            assert image.exists()
        source = ImportSource(flow_pairs=[(tmp_path / f"c{number}",) * 2 for number in range(3)])
        import_flow(source, parse_spec(ImportSpec, {"val_fraction": 0.4}, "test"), tmp_path / "o")
        summary = statistics(tmp_path / "o")
        assert summary["pairs_read"] == 3
        assert summary["still_share"]["mean"] == pytest.approx(0.5)
        assert summary["share_beyond_50_px"] == pytest.approx(0.5)
        assert summary["magnitude_px"]["p75"] == pytest.approx(100, rel=0.12)
        with Image.open(tmp_path / "o" / "statistics.png") as picture:
            assert picture.width > 1000
        assert json.loads((tmp_path / "o" / "statistics.json").read_text())["fingerprint"] == summary["fingerprint"]

    def test_a_method_is_asked(self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from pydantic import BaseModel

        from ssl_motion.prepare import statistics as module_function

        class Config(BaseModel):
            factor: float = 1.0

        class Method:
            Config = None

            @staticmethod
            def describe_sample(config: Any, sample: FlowSample, rng: np.random.Generator) -> dict[str, float]:
                return {"side": config.factor * sample.size[0], "square": float(sample.size[0] == sample.size[1])}

        Method.Config = Config  # type: ignore[assignment]
        prepare([videos], small(), tmp_path / "out")
        module = sys.modules[module_function.__module__]
        monkeypatch.setattr(module, "load", lambda group, name: Method)
        summary = statistics(tmp_path / "out", method="anything", method_config={"factor": 2}, out=tmp_path / "drawn")
        assert summary["method"]["figures"]["side"]["mean"] == 2 * 96
        assert summary["method"]["figures"]["square"]["min"] == 1
        assert (tmp_path / "drawn" / "statistics.png").is_file()
