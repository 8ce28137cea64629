"""What a task that judges whole models starts from: `init` of a `TransferSpec`, for such a task."""

from collections.abc import Mapping
from pathlib import Path

from ssl_motion.errors import UsageError
from ssl_motion.fileio import sha256_of
from ssl_motion.models import CARD, TENSORS
from ssl_motion.plugins import did_you_mean
from ssl_motion.record import Pretraining
from ssl_motion.spec import BASELINE
from ssl_motion.starts import Start
from ssl_motion.store import Store
from ssl_motion.weights import read_card
from ssl_motion.whole_models import find_whole_model


def resolve_model_start(init: str, baselines: Mapping[str, str], store: Store) -> Start:
    """Find out what `init` means.

    Args:
        init: "baseline:NAME", a finished pretraining run, a folder of `ssl-bench import-weights --full`, or a file of
            CMP's authors.
        baselines: of the task, by name.
        store: where runs are looked up.

    Raises:
        UsageError: There is no such baseline, run or file.
    """
    if init.startswith(BASELINE):
        name = init.removeprefix(BASELINE)
        if name not in baselines:
            known = ", ".join(BASELINE + each for each in baselines) or "none"
            raise UsageError(
                f"init: the task has no baseline {name!r}.{did_you_mean(name, list(baselines))} It has: {known}"
            )
        return Start(name, init, baseline=name)
    if init == "imagenet" or init.partition(":")[0] == "random":
        known = "".join(f", {BASELINE}{each}" for each in baselines)
        raise UsageError(
            f"init {init}: the task judges whole models, and that is a backbone alone. Give a finished pretraining "
            f"run{known}, or weights that hold a whole model."
        )
    try:
        path = find_whole_model(init, store)
    except UsageError as error:
        raise UsageError(f"init: {error}") from None
    unknown = Pretraining(data="unknown", flow_supervision="unknown")
    if path.is_file():
        return Start(path.name.split(".")[0], f"sha256:{sha256_of(path)}", model=path, pretraining=unknown)
    card = read_card(path)  # both a run and an imported model have one
    key = f"run:{card.run}" if card.run else f"sha256:{_sha256(path)}"
    parents = (card.run,) if card.run else ()
    return Start(card.method, key, model=path, pretraining=card.pretraining, parents=parents)


def _sha256(folder: Path) -> str:
    return sha256_of(folder / TENSORS) if (folder / CARD).is_file() else read_card(folder).sha256
