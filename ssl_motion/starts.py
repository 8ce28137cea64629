"""Where a transfer run starts from: `init` of a `TransferSpec` resolved to weights and what is known of them."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ssl_motion.backbones import build_backbone, outline_backbone
from ssl_motion.backbones.initialise import draw, find_scheme
from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import sha256_of
from ssl_motion.importing import import_weights
from ssl_motion.record import Pretraining
from ssl_motion.spec import BackboneSpec
from ssl_motion.store import Store
from ssl_motion.weights import CARD, TENSORS, WeightsCard, load_strict, read_card, read_weights, save_weights

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".tar", ".bin")

# torchvision's first weights of each architecture: what "ImageNet" means in the literature.
_IMAGENET = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
}
_IMAGENET_URL = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Start:
    """A resolved start.

    Attributes:
        method: name for the record: of the pretraining method (with its control), "random", "random (SCHEME)",
            "imagenet", or a file's name.
        key: what goes into the run's identity in place of a path.
        folder: backbone folder (`backbone.safetensors`, `weights.json`), where the weights are in one already.
        file: weights file of another origin, to be brought into a backbone folder.
        scheme: of `ssl_motion.backbones.initialise`, to be drawn into a backbone folder.
        model: where a whole model is, for tasks that judge one (`ssl_motion.whole_models.load_whole_model`).
        baseline: name of what such a task judges in place of a model.
        pretraining: what the weights have seen; None for a random start.
        parents: identities of the runs that made them.
    """

    method: str
    key: str
    folder: Path | None = None
    file: Path | None = None
    pretraining: Pretraining | None = None
    parents: tuple[str, ...] = ()
    scheme: str | None = None
    model: Path | None = None
    baseline: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether `materialise` makes the backbone folder."""
        return self.file is not None or self.scheme is not None


def resolve_start(init: str, backbone: BackboneSpec, store: Store) -> Start:
    """Find out what `init` means.

    Args:
        init: "random", "random:SCHEME", "imagenet", a run (folder, name, identity), a backbone folder, or a weights
            file.
        backbone: the trunk that the task trains.
        store: where runs are looked up.

    Raises:
        UsageError: There is no such run, file or scheme, or its trunk is not the task's.
    """
    if init == "random":
        return Start("random", "random")
    if init.startswith("random:"):
        scheme = init.partition(":")[2]
        find_scheme(scheme)
        return Start(f"random ({scheme})", init, scheme=scheme)
    if init == "imagenet":
        path = _imagenet_file(backbone)
        seen = Pretraining(data="ImageNet-1k with labels", pairs=1_281_167, flow_supervision="none")
        # The file's name holds the beginning of its sha256, so that the run has a name before the file is there.
        return Start("imagenet", f"imagenet:{path.name}", file=path, pretraining=seen)
    path = find_weights(init, store)
    if path.is_file():
        unknown = Pretraining(data="unknown", flow_supervision="unknown")
        return Start(path.name.split(".")[0], f"sha256:{sha256_of(path)}", file=path, pretraining=unknown)
    card = read_card(path)
    _same_trunk(card, backbone, init)
    return Start(
        card.method,
        f"run:{card.run}" if card.run else f"sha256:{card.sha256}",
        folder=path,
        pretraining=card.pretraining,
        parents=(card.run,) if card.run else (),
    )


def find_weights(init: str, store: Store) -> Path:
    """Find out where weights are that somebody names by a run, a folder or a file; nothing is read.

    Args:
        init: as for `resolve_start`, but neither random nor "imagenet".
        store: where runs are looked up.

    Returns:
        A backbone folder, or a weights file of another origin.

    Raises:
        UsageError: There is no such run or file, or the run is not finished.
    """
    path = Path(init).expanduser()
    if path.is_file() and not (path.name == TENSORS and path.with_name(CARD).is_file()):
        return path
    folder = path.parent if path.is_file() else path
    if (folder / CARD).is_file():
        return folder
    if path.suffix in WEIGHT_SUFFIXES:
        raise UsageError(f"init: no such weights file: {path}")
    return _finished_run(init, store)


def _finished_run(init: str, store: Store) -> Path:
    try:
        run = store.find(init, "pretrain")
    except UsageError as error:
        raise UsageError(
            f'init: expected "random", "random:SCHEME", "imagenet", a weights file, or a pretraining run: {error}'
        ) from None
    if not (run.path / CARD).is_file():
        raise UsageError(
            f"init: the run {run.path} is not finished: it has no {CARD} yet. "
            "Start the same `ssl-bench pretrain` command again to finish it."
        )
    return run.path


def _same_trunk(card: WeightsCard, backbone: BackboneSpec, init: str) -> None:
    """Compare what decides the tensors; output strides may differ, since dilation changes no tensor."""
    theirs, ours = _plain(card.backbone), _plain(backbone)
    # alexnet_8x and alexnet_32x have the same parameters, but pretraining at one and judging at the other is a choice
    # that somebody should make knowingly.
    if (theirs.arch, theirs.width, theirs.norm) != (ours.arch, ours.width, ours.norm):
        options = " ".join(
            f"--set backbone.{key}={value}" for key, value in card.backbone.model_dump(exclude_none=True).items()
        )
        raise UsageError(
            f"init {init}: its trunk is {describe(theirs)}, the task trains {describe(ours)}. To train the task with "
            f"that trunk, give: {options} (and the same for every start that it is compared with)"
        )


def _plain(spec: BackboneSpec) -> BackboneSpec:
    """Drop a width that is the architecture's own."""
    if spec.width is None:
        return spec
    own = _first_width(spec.arch)
    return spec.model_copy(update={"width": None}) if spec.width == own else spec


def _first_width(arch: str) -> int:
    """Channels of the first stage of an architecture at its own width."""
    return next(iter(outline_backbone(BackboneSpec(arch=arch)).channels.values()))


def describe(spec: BackboneSpec) -> str:
    """Name a trunk in one word, such as "resnet18-w32-os8"."""
    plain = _plain(spec)
    width = f"-w{plain.width}" if plain.width else ""
    stride = f"-os{plain.output_stride}" if plain.output_stride else ""
    norm = "" if plain.norm == "batch" else f"-norm-{plain.norm}"
    return f"{plain.arch}{width}{stride}{norm}"


def materialise(start: Start, backbone: BackboneSpec, folder: Path, seed: int) -> Path | None:
    """Return a backbone folder with the start's weights, making one in `folder` for foreign files and named schemes.

    Args:
        start: resolved.
        backbone: the trunk that the task trains.
        folder: for what has to be made.
        seed: of what is drawn.

    Raises:
        UsageError: The file's tensors are not exactly the trunk's.
    """
    if not start.is_made:
        return start.folder
    if (folder / CARD).is_file():
        return folder  # an interrupted run, or another process, made it
    if start.scheme is not None:
        trunk = build_backbone(backbone)
        draw(trunk, start.scheme, seed)
        source = f"drawn at random: {find_scheme(start.scheme).description}; seed {seed}"
        save_weights(folder, trunk, spec=backbone, method=start.method, run=None, pretraining=None, source=source)
    elif start.file is not None:
        if start.method == "imagenet":
            _download(start.file)
        import_weights(start.file, folder, spec=backbone, method=start.method, pretraining=start.pretraining)
    return folder


def try_start(start: Start, backbone: BackboneSpec) -> tuple[str, str]:
    """Read a start's weights and load them into the trunk, as a run would; writes nothing.

    Args:
        start: resolved.
        backbone: the trunk that the task trains.

    Returns:
        What was looked at, and what was not; empty where there is nothing to say.

    Raises:
        UsageError: The tensors are not exactly the trunk's.
        DataError: The file is no checkpoint, or damaged.
    """
    if start.method == "imagenet" and start.file is not None and not start.file.is_file():
        url = f"{_IMAGENET_URL}{start.file.name}"
        return "", f"the ImageNet weights: {start.file} is not there, and would be downloaded from {url}"
    if start.file is not None:
        with TemporaryDirectory() as nowhere:
            import_weights(start.file, Path(nowhere), spec=backbone, method=start.method, dry_run=True)
        return f"the tensors of {start.file} (all of the trunk's, and no other)", ""
    if start.folder is not None:
        _, tensors = read_weights(start.folder)
        load_strict(build_backbone(backbone), tensors, what=str(start.folder))
        return f"the tensors of {start.folder} (their checksum, and all of the trunk's)", ""
    if start.scheme is not None:
        draw(build_backbone(backbone), start.scheme, 0)
    return "", ""


def _imagenet_file(backbone: BackboneSpec) -> Path:
    """Where torch's hub cache keeps torchvision's supervised weights of a trunk; the file need not be there yet."""
    arch = backbone.arch
    if arch not in _IMAGENET or backbone.width not in (None, 64):
        raise UsageError(
            f"init imagenet: torchvision has no weights for {describe(backbone)}; it has them for "
            f"{', '.join(_IMAGENET)}. Give a weights file instead (--init FILE)."
        )
    from torch import hub

    return Path(hub.get_dir()) / "checkpoints" / _IMAGENET[arch]


def _download(path: Path) -> None:
    """Fetch torchvision's weights into torch's hub cache, as torchvision would; the checksum in the name is checked.

    Raises:
        RunError: There is no connection, or the file is not the one it should be.
    """
    if path.is_file():
        return
    from torch import hub

    url = f"{_IMAGENET_URL}{path.name}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hub.download_url_to_file(url, str(path), hash_prefix=path.stem.split("-")[1])
    except Exception as error:  # urllib, ssl, socket and checksum errors alike
        raise RunError(
            f"init imagenet: cannot download {url}: {error}. Fetch it on a machine with internet access and put it to "
            f"{path}, or give it as --init FILE."
        ) from error
