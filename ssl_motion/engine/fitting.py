"""What a method estimates from the training pairs before it is built, kept in the run folder.

`fitted.json` holds the method's settings, complete. A run that continues reads them instead of estimating again, and
so does everybody who rebuilds the method.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from ssl_motion.data.sample import FlowSample
from ssl_motion.engine.environment import Processes, barrier
from ssl_motion.engine.plan import PretrainPlan
from ssl_motion.errors import DataError
from ssl_motion.fileio import read_json_object, write_json
from ssl_motion.identity import digest
from ssl_motion.models import FITTED
from ssl_motion.spec_text import parse_spec


def fitted_config(plan: PretrainPlan, samples: Sequence[FlowSample], processes: Processes) -> BaseModel:
    """Return the method's settings as it is built with; estimated by the first process, once in a run's life.

    Every process must call this.

    Args:
        plan: its folder is held by the first process.
        samples: training pairs under the run's control, before augmentation.
        processes: this process's place.

    Raises:
        UsageError: The settings hold something that was estimated from other data.
        DataError: `fitted.json` is damaged.
    """
    config = parse_spec(plan.method.Config, plan.spec.method_config, f"method_config of {plan.spec.method}")
    path = plan.folder.path / FITTED
    if processes.is_main and not path.is_file():
        fitted = plan.method.fit(config, samples, _flow_fingerprint(plan))
        if fitted != config:
            write_json(path, fitted.model_dump(mode="json"))
    barrier()
    # Read back in any case, so that a run that continues builds from the same digits.
    return _read(path, plan) if path.is_file() else config


def _flow_fingerprint(plan: PretrainPlan) -> str:
    """Hash of the flows that are estimated from: an exchange of images leaves them alone, other controls do not."""
    control = plan.spec.data.control
    return plan.data.fingerprint if control in ("none", "shuffled_flow") else digest([plan.data.fingerprint, control])


def _read(path: Path, plan: PretrainPlan) -> BaseModel:
    try:
        content = read_json_object(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}. Use --force to run from the beginning.") from error
    config: BaseModel = parse_spec(plan.method.Config, content, str(path))
    return config
