"""The one place that knows where things lie on disk."""

import os
from pathlib import Path

from ssl_motion.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent


def config_root() -> Path:
    """Folder of the shipped configs: `configs/` of a checkout, `ssl_motion/_configs` of an installed wheel."""
    packaged = _PACKAGE / "_configs"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "configs"


def find_config(kind: str, name: str, suffix: str = ".yaml") -> Path:
    """Find a config by path, or by name among the shipped ones.

    Args:
        kind: "pretrain", "transfer" or "suites".
        name: a path to a file, or the name of a shipped config without suffix.
        suffix: file type of that kind.

    Raises:
        UsageError: Neither exists; for a name, the shipped ones are listed.
    """
    path = Path(name)
    if path.suffix == suffix and path.is_file():
        return path
    shipped = config_root() / kind / f"{name}{suffix}"
    if shipped.is_file():
        return shipped
    if path.suffix == suffix or len(path.parts) > 1:
        raise UsageError(f"no such file: {path}")
    names = sorted(file.stem for file in (config_root() / kind).glob(f"[!_]*{suffix}"))
    from ssl_motion.plugins import did_you_mean

    what = "suite" if kind == "suites" else f"{kind} config"
    raise UsageError(
        f"no {what} {name!r}: neither a {suffix} file nor a shipped name.{did_you_mean(name, names)} "
        "Shipped ones: ssl-bench list configs"
    )


def runs_root(option: str | None = None) -> Path:
    """Folder of all runs: `--runs`, else $SSL_MOTION_RUNS, else `runs` below the working directory."""
    return Path(option or os.environ.get("SSL_MOTION_RUNS") or "runs")


def data_roots() -> list[Path]:
    """Folders to look for data sets in: $SSL_MOTION_DATA (separated like $PATH), else `data`."""
    return [Path(part) for part in os.environ.get("SSL_MOTION_DATA", "data").split(os.pathsep) if part]
