"""The pairs that a pretraining run reads."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ssl_motion.data.controls import controlled
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shard_pairs import ShardPairs, kept_pairs
from ssl_motion.data.shards import ShardSet
from ssl_motion.engine.environment import Processes, barrier
from ssl_motion.engine.plan import PretrainPlan
from ssl_motion.errors import UsageError
from ssl_motion.prepare.layers import ensure_puppets
from ssl_motion.store import Store


def open_samples(
    plan: PretrainPlan, store: Store, processes: Processes
) -> tuple[Sequence[FlowSample], Sequence[FlowSample] | None]:
    """Open a run's data, under its control, with the layers that its method reads.

    The built-in world is rendered first, and its layers made, where they are not there yet.

    Every process must call this.

    Returns:
        Training pairs, and validation pairs (None where there are none), before augmentation.

    Raises:
        UsageError: Early stopping is asked for, and there are no validation pairs.
        DataError: A shard is damaged.
    """
    data, layers = plan.spec.data, plan.layers
    folders = [Path(folder) for folder in data.shards]
    if data.puppets is not None:
        if processes.is_main:
            ensure_puppets(data.puppets, store.root / "data", layers)
        barrier()
        folders = [ensure_puppets(data.puppets, store.root / "data", layers)]
    train = controlled(ShardPairs(folders, "train", data.max_pairs, layers), data.control)
    if len(kept_pairs([ShardSet(folder) for folder in folders], "val", layers)):
        return train, controlled(ShardPairs(folders, "val", layers=layers), data.control)
    if plan.spec.early_stopping is not None:
        raise UsageError(
            "early_stopping needs validation pairs, and the data have none. Set early_stopping to null, or prepare "
            "data with a validation split (`ssl-bench prepare --help`)."
        )
    if processes.is_main:
        kept = f" that the layers {', '.join(layers)} keep" if layers else ""
        print(
            f"no validation pairs{kept} in the data: no validation, and no image-blind loss",
            file=sys.stderr,
            flush=True,
        )
    return train, None
