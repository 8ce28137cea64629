"""Whole pretraining models, wherever they are: a run, an imported model, or a file that its authors published.

Transfer needs the backbone alone. The applications (`ssl-bench propagate`, ...) and the tasks that judge whole models
ask what a method predicts, and find it here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ssl_motion.backbones import build_backbone
from ssl_motion.checkpoints import read_checkpoint
from ssl_motion.errors import DataError, UsageError
from ssl_motion.importing import is_original_cmp
from ssl_motion.models import CARD, FITTED, LAST, filled, load_model, read_fitted, read_model_card
from ssl_motion.plugins import METHODS, load
from ssl_motion.protocols import PretrainMethod
from ssl_motion.spec import PretrainSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion.starts import WEIGHT_SUFFIXES
from ssl_motion.store import SPEC, Store

PUBLISHED_SIDE = 384
"""Side of the images that CMP's authors train on and show in their demonstrations, in pixels."""


@dataclass(frozen=True)
class WholeModel:
    """A trained method, in evaluation mode, on the CPU.

    Attributes:
        method: with its trunk.
        name: of the method, such as "cmp".
        side: shorter side, in pixels, of the images that it was trained on.
        source: where it came from, in words.
    """

    method: PretrainMethod
    name: str
    side: int
    source: str


def find_whole_model(query: str, store: Store) -> Path:
    """Find out where a model is, without reading it.

    Args:
        query: a finished pretraining run (folder, whatever it is called; name; identity), a folder of
            `ssl-bench import-weights --full`, or a file of CMP's authors.
        store: where runs are looked up.

    Returns:
        What `load_whole_model` takes.

    Raises:
        UsageError: There is nothing of that name, or the run is not finished.
    """
    path = Path(query).expanduser()
    if path.is_file() or (path / CARD).is_file():
        return path
    # A run's folder holds all of it, whatever it is called: people rename and copy them.
    if (path / SPEC).is_file() and (path / LAST).is_file():
        return path
    if path.suffix in WEIGHT_SUFFIXES:
        raise UsageError(f"no such weights file: {path}")
    try:
        run = store.find(query, "pretrain")
    except UsageError as error:
        raise UsageError(
            "expected a finished pretraining run, a folder of `ssl-bench import-weights --full`, or a file of CMP's "
            f"authors: {error}"
        ) from None
    if not (run.path / LAST).is_file():
        raise UsageError(
            f"the run {run.path} has no {LAST}: it is not finished. Start the same `ssl-bench pretrain` command again."
        )
    return run.path


def quickstart_model(store: Store) -> Path:
    """Find the model of the quickstart (seed 0), for whoever has no other at hand.

    Raises:
        UsageError: The quickstart has not been run below this store.
    """
    from ssl_motion.engine.plan import make_plan
    from ssl_motion.sweep import load_suite, plan

    job = next(job for job in plan(load_suite("quickstart")) if isinstance(job.spec, PretrainSpec))
    assert isinstance(job.spec, PretrainSpec)
    folder = make_plan(job.spec, store).folder.path
    if not (folder / LAST).is_file():
        raise UsageError(
            f"no --weights given, and no model of the quickstart below {store.root}. Run `make quickstart` (minutes), "
            "or name a finished pretraining run, or a file of CMP's authors, as --weights."
        )
    return folder


def load_whole_model(path: Path) -> WholeModel:
    """Rebuild a method with what it has learned.

    Args:
        path: as returned by `find_whole_model`.

    Raises:
        UsageError: Nothing of that kind is there, its method is not installed, or a file holds a backbone alone.
        DataError: A file is damaged, or tensors and settings do not belong together.
    """
    if path.is_file():
        return _published(path)
    if (path / CARD).is_file():
        return WholeModel(load_model(path), read_model_card(path).method, PUBLISHED_SIDE, f"the model in {path}")
    return _of_run(path)


def _published(path: Path) -> WholeModel:
    content = read_checkpoint(path)
    if not is_original_cmp(content):
        raise UsageError(
            f"{path}: no whole model that this program can read. It reads those of CMP's authors, finished runs of "
            "`ssl-bench pretrain`, and folders of `ssl-bench import-weights --full`."
        )
    method: type[PretrainMethod] = load(METHODS, "cmp")
    return WholeModel(method.from_published(content, None).eval(), "cmp", PUBLISHED_SIDE, f"the authors' file {path}")


def _of_run(folder: Path) -> WholeModel:
    spec = parse_spec(PretrainSpec, load_yaml(folder / SPEC), str(folder / SPEC))
    kind: type[PretrainMethod] = load(METHODS, spec.method)
    if (fitted := folder / FITTED).is_file():
        config = read_fitted(fitted, kind.Config)
    else:
        config = parse_spec(kind.Config, spec.method_config, f"{folder / SPEC}: method_config")
    method = kind(config, build_backbone(spec.backbone))
    content = read_checkpoint(folder / LAST).get("state_dict")
    if not isinstance(content, Mapping):
        raise DataError(f"{folder / LAST}: holds no state_dict: damaged, or of another program")
    tensors = {str(name).removeprefix("method."): tensor for name, tensor in content.items()}
    model = filled(method, tensors, str(folder / LAST))
    return WholeModel(model, spec.method, training_side(spec) or PUBLISHED_SIDE, f"the run {folder.name}")


def training_side(spec: PretrainSpec) -> int | None:
    """Side of the images that a run trained on, in pixels; None for shards that are neither resized nor cropped."""
    data = spec.data
    return data.crop or data.short_side or (data.puppets.size if data.puppets is not None else None)
