"""What this machine has, and what stands in the way: each problem with the one command that mends it."""

import importlib
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ssl_motion.paths import data_roots

REQUIRED = {"mmengine": "0.10.7", "mmdet": "3.3.0", "mmsegmentation": "1.2.2"}
MMCV = "2.1.0"
NEEDED_GIB = 5.0


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        topic: what was looked at.
        status: "ok", "note" (works, but worth knowing) or "problem".
        message: what was found.
        cure: the command that mends a problem.
    """

    topic: str
    status: Literal["ok", "note", "problem"]
    message: str
    cure: str = ""


def examine(runs: Path) -> list[Finding]:
    """Look at Python, torch, OpenMMLab, its operators, data folders and disk space.

    Args:
        runs: folder that runs will be written to.
    """
    findings: list[Finding] = []
    for check in (_python, _torch, _torchvision, _openmmlab, _operators, _data):
        findings += check()
    return findings + _disk(runs)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _python() -> list[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return [Finding("python", "ok", f"{found} at {sys.executable}")]
    return [Finding("python", "problem", f"{found}; 3.10 to 3.12 are supported", "make clean setup PYTHON=python3.11")]


def _torch() -> list[Finding]:
    try:
        import torch
    except ImportError as error:
        return [Finding("torch", "problem", f"does not import: {error}", "pip install torch")]
    findings = [Finding("torch", "ok", torch.__version__)]
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        findings.append(Finding("cuda", "ok", f"{torch.version.cuda}: {names}"))
    elif shutil.which("nvidia-smi"):
        message = f"a driver is there, but this build of torch sees no GPU (built for CUDA {torch.version.cuda})"
        findings.append(Finding("cuda", "problem", message, "pip install --force-reinstall torch"))
    else:
        findings.append(Finding("cuda", "note", "no GPU; everything runs on the CPU"))
    return findings


def _torchvision() -> list[Finding]:
    found = _installed("torchvision")
    if found is None:
        return [Finding("torchvision", "note", "not installed; only RAFT flow needs it")]
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # its operators fail at import in several ways, RuntimeError among them
        # mmengine imports torchvision when it describes the environment, so a broken one breaks every run.
        message = f"{found} does not import beside this torch: {error}"
        return [Finding("torchvision", "problem", message, "pip uninstall -y torchvision")]
    return [Finding("torchvision", "ok", found)]


def _openmmlab() -> list[Finding]:
    return check_openmmlab(tuple(REQUIRED))


def check_openmmlab(packages: tuple[str, ...]) -> list[Finding]:
    """Look at the versions of mmcv and further OpenMMLab packages, and at what importing them needs.

    Args:
        packages: keys of `REQUIRED`.
    """
    findings = []
    full, lite = _installed("mmcv"), _installed("mmcv-lite")
    if full and lite:
        cure = f"pip uninstall -y mmcv mmcv-lite && pip install mmcv-lite=={MMCV}"
        findings.append(Finding("mmcv", "problem", f"mmcv {full} and mmcv-lite {lite} overwrite each other", cure))
    elif (full or lite) != MMCV:
        found = f"mmcv {full}" if full else f"mmcv-lite {lite}" if lite else "neither mmcv nor mmcv-lite"
        message = f"found {found}; mmdet 3.3.0 and mmsegmentation 1.2.2 need {MMCV} and refuse 2.2.0 and later"
        # A compiled mmcv left beside mmcv-lite would share its files.
        remove = "pip uninstall -y mmcv && " if full else ""
        findings.append(Finding("mmcv", "problem", message, f"{remove}pip install mmcv-lite=={MMCV}"))
    else:
        findings.append(Finding("mmcv", "ok", f"{'mmcv' if full else 'mmcv-lite'} {MMCV}"))
    for package in packages:
        wanted, found_version = REQUIRED[package], _installed(package)
        if found_version != wanted:
            message = f"found {found_version or 'none'}; {wanted} is needed"
            findings.append(Finding(package, "problem", message, f"pip install {package}=={wanted}"))
        else:
            findings.append(Finding(package, "ok", wanted))
    if importlib.util.find_spec("pkg_resources") is None:
        message = "setuptools no longer brings pkg_resources, which mmengine 0.10.7 imports"
        findings.append(Finding("setuptools", "problem", message, "pip install 'setuptools<81'"))
    return findings


def _operators() -> list[Finding]:
    from ssl_motion.openmmlab.operators import operator_source

    try:
        return [Finding("operators", "ok", f"nms and roi_align come from {operator_source()}")]
    except Exception as error:  # whatever a broken installation throws is what the report is for
        return [Finding("operators", "problem", f"do not load: {error}", f"pip install mmcv-lite=={MMCV}")]


def _data() -> list[Finding]:
    findings = []
    for root in data_roots():
        if root.is_dir():
            names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
            findings.append(Finding("data", "ok", f"{root.resolve()}: {', '.join(names) or 'empty'}"))
        else:
            message = f"no folder {root.resolve()}; the built-in world needs none. Set SSL_MOTION_DATA for real data"
            findings.append(Finding("data", "note", message))
    return findings


def _disk(runs: Path) -> list[Finding]:
    existing = next(path for path in [runs.resolve(), *runs.resolve().parents] if path.is_dir())
    free = shutil.disk_usage(existing).free / 2**30
    message = f"{free:.1f} GiB free for runs in {runs.resolve()}"
    if not os.access(existing, os.W_OK):
        return [Finding("disk", "problem", f"{existing} cannot be written", "export SSL_MOTION_RUNS=/path/to/a/folder")]
    if free < NEEDED_GIB:
        cure = "export SSL_MOTION_RUNS=/path/on/a/larger/disk"
        return [Finding("disk", "problem", f"{message}; {NEEDED_GIB:.0f} are advisable", cure)]
    return [Finding("disk", "ok", message)]
