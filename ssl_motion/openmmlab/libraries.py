"""The one door to OpenMMLab's libraries: versions checked, operators supplied, our parts registered."""

import importlib
import warnings

from ssl_motion.doctor import REQUIRED, check_openmmlab
from ssl_motion.errors import UsageError
from ssl_motion.openmmlab import training_accuracy
from ssl_motion.openmmlab.operators import install_operators

_MODULE = {"mmengine": "mmengine", "mmsegmentation": "mmseg", "mmdet": "mmdet"}


def use_mmseg() -> None:
    """Import mmsegmentation and register this project's parts in its registries. Cheap to call again.

    Raises:
        UsageError: A library is missing or of a version that does not work; the command that mends it is given.
    """
    _use("mmsegmentation")
    # Importing them registers them.
    importlib.import_module("ssl_motion.openmmlab.backbone")
    importlib.import_module("ssl_motion.openmmlab.plain_resnet")
    importlib.import_module("ssl_motion.openmmlab.drawing")
    importlib.import_module("ssl_motion.openmmlab.linear")
    importlib.import_module("ssl_motion.openmmlab.hypercolumn")
    importlib.import_module("ssl_motion.openmmlab.averaging")
    importlib.import_module("ssl_motion.openmmlab.metric")
    importlib.import_module("ssl_motion.openmmlab.schedule")
    training_accuracy.install()


def use_mmdet() -> None:
    """Import mmdetection and register this project's parts for it. Cheap to call again.

    Raises:
        UsageError: As for `use_mmseg`.
    """
    _use("mmdet")
    for part in ("backbone", "drawing", "box_metric", "schedule"):
        importlib.import_module(f"ssl_motion.openmmlab.{part}")
    for module in ("coco", "cocoeval"):
        # They report their progress by `print`, and standard output belongs to results.
        importlib.import_module(f"pycocotools.{module}").print = _say_nothing  # type: ignore[attr-defined]


def _say_nothing(*args: object, **options: object) -> None:
    """Stand for `print`."""


def _use(package: str) -> None:
    check_versions(package)
    install_operators()
    with warnings.catch_warnings():
        # Deprecations inside libraries that get no more releases: nothing that a user could act on.
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(f"{_MODULE[package]}.utils").register_all_modules(init_default_scope=False)
        except ImportError as error:
            raise UsageError(
                f"{package} {REQUIRED[package]} does not import: {error}. `ssl-bench doctor` says what is wrong."
            ) from error


def check_versions(package: str) -> None:
    """Check mmcv, mmengine and one further library before anything is imported.

    Their own check is an AssertionError that names no cure.

    Args:
        package: "mmsegmentation" or "mmdet".

    Raises:
        UsageError: What was found, what is needed, and the command that mends it.
    """
    for finding in check_openmmlab(("mmengine", package)):
        if finding.status == "problem":
            raise UsageError(f"{finding.topic}: {finding.message}. Mend it with: {finding.cure}")
