"""What a planned transfer run would stumble over, as far as seconds can tell."""

from dataclasses import dataclass

from ssl_motion.data.image_files import check_images
from ssl_motion.errors import DataError
from ssl_motion.model_starts import try_model_start
from ssl_motion.starts import try_start
from ssl_motion.transfer_plan import TransferPlan

_SHOWN = 5
_NEVER = "memory, and whether the training succeeds"


@dataclass(frozen=True)
class Findings:
    """What a look at a plan came to, where nothing is wrong.

    Attributes:
        checked: what was looked at.
        unchecked: what was not: the run may still stumble over it.
    """

    checked: tuple[str, ...]
    unchecked: tuple[str, ...]


def examine(plan: TransferPlan) -> Findings:
    """Try the first steps of a run without its folder: weights are read and loaded, images looked at, recipes built.

    Args:
        plan: of a run that is not finished; settings and lists were checked when it was made.

    Raises:
        UsageError: The weights are not the trunk's, or the recipe cannot be changed like that.
        DataError: A weights file or an image is damaged.
    """
    checked, unchecked = ["settings"], []
    trunk = plan.backbone
    start, not_start = try_model_start(plan.start) if trunk is None else try_start(plan.start, trunk)
    checked += [start] if start else []
    unchecked += [not_start] if not_start else []
    if plan.spec.recipe_overrides:
        plan.task.check_recipe(plan.spec.recipe_overrides, build=True)
        checked.append("the changed recipe (its network, optimiser, schedule and transforms were built)")
    if plan.data is None:
        unchecked.append("the built-in data, which are rendered and checked when the run begins")
    else:
        done, left = _images(plan)
        checked.append(done)
        unchecked += [left] if left else []
    return Findings(tuple(checked), (*unchecked, _NEVER))


def _images(plan: TransferPlan) -> tuple[str, str]:
    """Look for damaged images; returns what was looked at, and what was not."""
    assert plan.data is not None
    files = list(dict.fromkeys([*plan.data.training_images, *plan.data.test_images]))
    if not files:
        return "lists and labels", "the images"
    found = check_images(files)
    if found.damaged:
        some = "; ".join(found.damaged[:_SHOWN]) + ("; ..." if len(found.damaged) > _SHOWN else "")
        raise DataError(f"{len(found.damaged)} of {len(files)} images cannot be read: {some}. Take the original files.")
    if found.decoded == len(files):
        return f"lists, labels and all {len(files)} images (decoded)", ""
    ends = "all" if found.ends == len(files) else f"{found.ends}"
    done = f"lists, labels, the ends of {ends} of {len(files)} image files, {found.decoded} of which were decoded"
    return done, f"the pixels of the other {len(files) - found.decoded} images"
