"""Where a number came from: code, packages, machine and time.

Imports torch only to name the GPUs that a run used; everything else comes from
installed metadata, so that asking costs milliseconds.
"""

import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ssl_motion
from ssl_motion.record import Provenance

# Of each line, every one that is installed is listed: two builds of one library beside each other are worth knowing.
_DISTRIBUTIONS = (
    "ssl-motion",
    "torch",
    "torchvision",
    "numpy",
    *("mmengine", "mmcv", "mmcv-lite", "mmsegmentation", "mmdet"),
    *("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
)
# An untracked file here changes what runs; anywhere else in the checkout it does not.
_SOURCE_FOLDERS = ("ssl_motion", "methods", "benchmarks", "configs")
_GIT_SECONDS = 10.0
_held: tuple[str, bool | None] | None = None


def collect(
    device: str, wall_seconds: float, parents: Sequence[str], code: tuple[str, bool | None] | None = None
) -> Provenance:
    """Describe this process's code, packages and machine.

    Args:
        device: device the work ran on, such as "cpu" or "cuda:0".
        wall_seconds: time the work took.
        parents: identities of the runs that went in.
        code: `code_state()` of when the work began, which is the code that ran; the present one by default.
    """
    commit, dirty = code or code_state()
    return Provenance(
        commit=commit,
        dirty=dirty,
        packages=package_versions(),
        python=platform.python_version(),
        hardware=hardware(device),
        device=device,
        wall_seconds=round(float(wall_seconds), 3),
        finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        parents=list(parents),
    )


def hold_code_state(code: tuple[str, bool | None]) -> None:
    """Let `code_state` say this from now on: for a fork, whose code was imported before the process began."""
    global _held
    _held = code


def code_state(root: Path | None = None) -> tuple[str, bool | None]:
    """Return (commit, dirty) of the checkout that the package runs from, or (version, None) when it is in none.

    A wheel installed into a virtual environment that lies inside some repository is
    not of that repository's commit: the folder that holds the package must itself be the top of the work tree.

    Args:
        root: folder that holds the package; the running one's by default.
    """
    if root is None and _held is not None:
        return _held
    root = (root or Path(ssl_motion.__file__).parent.parent).resolve()
    released = f"version {ssl_motion.__version__}"
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root:
        return released, None
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:  # a repository without any commit
        return released, None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    new = _git(root, "ls-files", "--others", "--exclude-standard", "--", *_SOURCE_FOLDERS)
    dirty = None if changed is None or new is None else bool(changed or new)
    return commit, dirty


def _git(folder: Path, *arguments: str) -> str | None:
    """Run git in `folder`; None when there is no git, no repository, or git refuses (foreign owner)."""
    # Variables such as GIT_DIR, set while a hook runs, would point git at another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that can move a number, by distribution name."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware(device: str) -> str:
    """Describe processor and, where `device` is one, accelerators: "Intel Xeon ..., 16 cores; 2 x NVIDIA H200"."""
    parts = [f"{_cpu_model()}, {os.cpu_count() or 1} cores"]
    if device.startswith("cuda") or (device == "auto" and "torch" in sys.modules):
        import torch

        names = Counter(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        parts += [f"{count} x {name}" for name, count in sorted(names.items())]
    return "; ".join(parts)


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"
