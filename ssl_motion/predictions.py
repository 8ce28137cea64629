"""What finished transfer runs predict for single images, for people to look at. Nothing is scored or recorded."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ssl_motion.engine.environment import prepare_device
from ssl_motion.ensemble import plan_of_member
from ssl_motion.ensemble_members import finished_member
from ssl_motion.errors import UsageError
from ssl_motion.protocols import ImagePrediction, ObjectPrediction, RunContext
from ssl_motion.puppets.dataset import missing_layouts
from ssl_motion.spec import RuntimeSpec
from ssl_motion.store import Store
from ssl_motion.transfer import ready_data


def predict(
    runs: Sequence[Path], images: Sequence[str], runtime: RuntimeSpec, store: Store, data_root: Path | None = None
) -> list[Sequence[ImagePrediction] | Sequence[ObjectPrediction]]:
    """Predict images of the split that runs were scored on.

    Args:
        runs: folders of finished runs of one protocol.
        images: names, as their per-image statistics have them.
        runtime: where and how.
        store: where runs lie, and the built-in data, which are not rendered for this.
        data_root: folder of the task's data, in place of the one that the runs were made with.

    Returns:
        For each run its predictions, in the order of the images.

    Raises:
        UsageError: A run is not finished or holds no network, the data are not there or not those that it was scored
            on, or the task has no pictures of predictions.
        DataError: A run's files are damaged.
    """
    device = prepare_device(runtime.device)
    found = []
    for run in runs:
        member = finished_member(str(run), store)
        plan = plan_of_member(member, store, data_root)
        layouts = plan.task.puppets_layouts
        if plan.spec.puppets is not None and missing_layouts(plan.spec.puppets, store.root / "data", layouts):
            raise UsageError(f"the built-in data of {run.name} are no longer in {store.root / 'data'}")
        with tempfile.TemporaryDirectory() as folder:
            context = RunContext(
                run_dir=Path(folder),
                weights=None,
                data_root=ready_data(plan, store)[0],
                seed=plan.spec.seed,
                device=device,
                recipe_overrides=plan.spec.recipe_overrides,
            )
            found.append(plan.task.predict(member.folder.path, images, context))
    return found
