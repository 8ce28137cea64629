"""The wheel holds the four packages and the configs, and works from site-packages."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("ssl_motion", "ssl_motion_methods", "ssl_motion_benchmarks", "ssl_motion_reports")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_every_module_and_config_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        "ssl_motion": REPOSITORY,
        "ssl_motion_methods": REPOSITORY / "methods",
        "ssl_motion_benchmarks": REPOSITORY / "benchmarks",
        "ssl_motion_reports": REPOSITORY / "reports",
    }
    for package, root in sources.items():
        assert f"{package}/py.typed" in names
        for module in (root / package).rglob("*.py"):
            assert module.relative_to(root).as_posix() in names
    page = list((REPOSITORY / "ssl_motion" / "studio" / "static").iterdir())
    assert {"index.html", "main.js", "studio.css"} <= {path.name for path in page}
    assert {f"ssl_motion/studio/static/{path.name}" for path in page} <= names
    configs = [path for path in (REPOSITORY / "configs").rglob("*") if path.suffix in (".yaml", ".py")]
    assert configs
    for config in configs:
        assert f"ssl_motion/_configs/{config.relative_to(REPOSITORY / 'configs').as_posix()}" in names
    assert {name.split("/")[0] for name in names if not name.startswith("ssl_motion-")} == set(PACKAGES)


@pytest.mark.slow
def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    """In an environment that sees this one's dependencies, but not the checkout."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    # A plain path entry, so that the checkout's own editable .pth file in there is not processed.
    (site / "dependencies.pth").write_text(dependencies + "\n")
    code = (
        "import sys, ssl_motion, ssl_motion.paths as p; from ssl_motion.sweep import load_suite, plan\n"
        "assert '_configs' in str(p.config_root()), p.config_root()\n"
        "print(len(plan(load_suite('quickstart'))), ssl_motion.__file__)\n"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
