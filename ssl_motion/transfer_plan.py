"""What is known of a transfer run before it begins."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ssl_motion.protocols import DataReport, TransferTask
from ssl_motion.record import WHOLE_MODEL
from ssl_motion.spec import BackboneSpec, TransferSpec
from ssl_motion.starts import Start, describe
from ssl_motion.store import RunFolder


@dataclass(frozen=True)
class TransferPlan:
    """A resolved transfer run.

    Attributes:
        spec: with every default filled in; `init` as it was given.
        task: configured.
        start: where the backbone starts from.
        data_root: folder of the data; None for the built-in world, which need not be rendered yet.
        protocol: facts that make results comparable.
        folder: where the run is, or will be.
        data: what was found there; None for the built-in world.
        data_remarks: what a reader of the result should know of them.
        recipe_remarks: what may be wrong with the changes of the recipe.
    """

    spec: TransferSpec
    task: TransferTask
    start: Start
    data_root: Path | None
    protocol: dict[str, Any]
    folder: RunFolder
    data: DataReport | None = None
    data_remarks: tuple[str, ...] = ()
    recipe_remarks: tuple[str, ...] = ()

    @property
    def backbone(self) -> BackboneSpec | None:
        """The trunk that is judged; None where the task judges whole models, which bring theirs."""
        return None if self.task.judges_models else BackboneSpec(**self.task.backbone())

    @property
    def judged(self) -> str:
        """Name of the trunk, for records, or that there is none of its own."""
        return WHOLE_MODEL if self.backbone is None else describe(self.backbone)

    @property
    def remarks(self) -> tuple[str, ...]:
        """All that is to be said before the run."""
        return self.recipe_remarks + self.data_remarks

    @property
    def protocol_name(self) -> str:
        """The preset, or the task where it has none, marked where something in it was changed."""
        preset = str(self.spec.task_config.get("preset", self.spec.task))
        return f"{preset} (changed)" if self.changes else preset

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed in the preset: settings and keys of the recipe, with their values."""
        given = self.spec.task_config
        own: dict[str, Any] = {}
        if "preset" in given:
            # What was not asked for is not in the dump of a setting that came later.
            preset = type(self.task).Config.model_validate({"preset": given["preset"]}).model_dump(mode="json")
            own = {name: value for name, value in given.items() if value != preset.get(name)}
        return {**own, **self.spec.recipe_overrides}

    @property
    def scale(self) -> Literal["full", "reduced", "builtin"]:
        """How the protocol relates to the complete one; overrides of the recipe count as scaling down."""
        scale = self.task.scale
        return "reduced" if scale == "full" and self.spec.recipe_overrides else scale

    def written_spec(self) -> dict[str, Any]:
        """Return the resolved spec as plain data, such as goes into spec.yaml."""
        return self.spec.model_dump(mode="json")
