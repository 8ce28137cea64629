"""RAFT: what is missing is said; with torchvision it equals torchvision's own call."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ssl_motion.errors import DataError, UsageError
from ssl_motion.flow.raft import WEIGHTS_VARIABLE, RAFTFlow


def optical_flow() -> Any:
    """torchvision's models, or skip where torchvision is missing or was built for another torch."""
    try:
        from torchvision.models import optical_flow as models
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"needs torchvision: {error}")
    return models


def test_without_weights_it_says_where_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=f"needs a weights file.*{WEIGHTS_VARIABLE}=FILE"):
        RAFTFlow()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (ImportError("No module named 'torchvision'"), "needs torchvision.*pip install torchvision"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "does not fit torch .*nms.*pip install torch torchvision",
        ),
    ],
)
def test_without_torchvision_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception, message: str
) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("torchvision"):
            raise failure
        return real_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=message):
        RAFTFlow(tmp_path / "raft.pth")


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    optical_flow()
    with pytest.raises(UsageError, match="no RAFT weights at"):
        RAFTFlow(tmp_path / "none.pth")
    torch.save({"layer1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(UsageError, match="does not hold raft_small's weights"):
        RAFTFlow(tmp_path / "other.pth")
    (tmp_path / "broken.pth").write_bytes((tmp_path / "other.pth").read_bytes()[:500])
    with pytest.raises(DataError, match=r"broken\.pth"):
        RAFTFlow(tmp_path / "broken.pth")


@pytest.mark.parametrize("arch", ["raft_small", "raft_large"])
def test_estimate_equals_torchvision_on_padded_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str
) -> None:
    models = optical_flow()
    torch.manual_seed(0)
    network = getattr(models, arch)().eval()
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "raft.pth"))
    estimator = RAFTFlow(device="cpu", updates=2)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (101, 173, 3), dtype=np.uint8) for _ in range(2)]
    flow = estimator.estimate(*frames)
    padded = [np.pad(frame, ((13, 14), (1, 2), (0, 0)), mode="edge") for frame in frames]
    images = [torch.tensor(frame).permute(2, 0, 1)[None] / 127.5 - 1 for frame in padded]
    with torch.inference_mode():
        expected = network(*images, num_flow_updates=2)[-1][0][:, 13:114, 1:174].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(flow, expected, atol=1e-4)
    assert arch in estimator.version
    assert estimator.supervision == "labels (unknown weights)"
