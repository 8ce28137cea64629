"""MMEngine's one-cycle schedule with a state that can be saved as plain data."""

from typing import Any

from mmengine.optim.scheduler import OneCycleLR
from mmengine.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module(name="OneCycleLR", force=True)
class PlainOneCycleLR(OneCycleLR):  # type: ignore[misc]  # mmengine ships no types
    """`OneCycleLR` whose state leaves out the annealing function, which follows from its settings.

    MMEngine's own puts the function itself into every checkpoint, which then does not load with `weights_only=True`.
    """

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes during training."""
        state: dict[str, Any] = super().state_dict()
        state.pop("anneal_func", None)
        return state
