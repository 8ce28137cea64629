"""MMEngine's Runner with what it gets wrong on current versions put right, once.

Mended here and in the modules this one uses:

- checkpoints hold plain data and load with `weights_only=True` on every torch version;
- a resumed run is exact: random states, data position, no data loaded twice;
- two runs in one process never share loggers, message hubs or default scopes;
- nothing is written outside the run folder's own files, and standard output stays free for results.
"""

import contextlib
import itertools
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import RUNNERS, DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from ssl_motion.engine.checkpoint import last_intact_checkpoint, own_random_state
from ssl_motion.engine.environment import StopRequest, stop_on_signals
from ssl_motion.engine.loop import ResumableTrainLoop
from ssl_motion.errors import UsageError

_COUNTER = itertools.count()
# What mmseg says of every batch of a test set whose images differ in size, as those of LIP do: each prediction is
# brought to the size of its own image all the same.
_NO_NEWS = ("Image shapes are different in the batch.",)


@RUNNERS.register_module(force=True)
class HarnessRunner(Runner):  # type: ignore[misc]  # mmengine ships no types
    """MMEngine's Runner as this project uses it. Configure it with `ssl_motion.engine.settings.common_settings`.

    Attributes:
        stop_request: whether somebody asked the run to stop.
        device: "cpu" or "cuda".
    """

    def __init__(self, *args: Any, experiment_name: str | None = None, **kwargs: Any) -> None:
        # MMEngine keys its global objects by name and second; a counter keeps runs of one process apart.
        name = f"{experiment_name or 'run'}-{os.getpid()}-{next(_COUNTER)}"
        self.stop_request = StopRequest()
        self._wall_before = 0.0
        self._has_loaded: bool = False
        self._began: float | None = None
        super().__init__(*args, experiment_name=name, **kwargs)
        with contextlib.suppress(OSError):
            os.rmdir(self.log_dir)

    @property
    def device(self) -> str:
        """Device type of the model."""
        return str(next(self.model.parameters()).device.type)

    @property
    def wall_seconds(self) -> float:
        """Seconds spent training, over all interruptions (what was lost with a killed process not counted)."""
        return self._wall_before + (time.monotonic() - self._began if self._began is not None else 0.0)

    def train(self) -> Any:
        """Train to the end, continuing from the last checkpoint where `resume` is set.

        Raises:
            StoppedBySignal: SIGTERM or Ctrl-C came; a checkpoint is written.
            RunError: The loss became non-finite, or a checkpoint could not be written.
        """
        with stop_on_signals() as self.stop_request:
            self._began = time.monotonic()
            try:
                return super().train()
            except BaseException:
                self.call_hook("on_failure")
                raise
            finally:
                self._wall_before, self._began = self.wall_seconds, None

    def load_or_resume(self) -> None:
        """Continue from the newest intact checkpoint below `work_dir/checkpoints`, where there is one.

        Raises:
            UsageError: `load_from` is set; weights come in through `ssl_motion.weights` instead.
            DataError: There are checkpoints, and none can be read.
        """
        if self._has_loaded:
            return
        if self._load_from is not None:
            raise UsageError("load_from is not supported here: start weights are given by --init, which checks them")
        self._has_loaded = True
        found = last_intact_checkpoint(Path(self.work_dir) / "checkpoints") if self._resume else None
        if found is not None:
            self._continue_from(found[1])

    def _continue_from(self, content: dict[str, Any]) -> None:
        """Set everything to the state of a checkpoint."""
        self.call_hook("after_load_checkpoint", checkpoint=content)
        network: Any = getattr(self.model, "module", self.model)
        network.load_state_dict(content["state_dict"])
        if self._train_loop is None:
            return
        optim_wrapper: Any = self.optim_wrapper
        optim_wrapper.load_state_dict(content["optimizer"])
        schedulers: Any = self.param_schedulers or []
        for scheduler, state in zip(schedulers, content.get("param_schedulers", []), strict=True):
            scheduler.load_state_dict(state)
        loop: Any = self.train_loop
        loop._iter, loop._epoch = content["meta"]["iter"], content["meta"]["epoch"]
        self._wall_before = content["meta"]["wall_seconds"]
        if isinstance(loop, ResumableTrainLoop):
            loop.random_state = own_random_state(content["random"], self.rank)

    def build_logger(self, log_level: int | str = "WARNING", log_file: str | None = None, **kwargs: Any) -> MMLogger:
        """Make a logger that writes to standard error and to no file."""
        logger = MMLogger.get_instance(name=self._experiment_name, log_level=log_level, **kwargs)
        logger.addFilter(lambda record: record.getMessage() not in _NO_NEWS)
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setStream(sys.stderr)
        return logger

    def dump_config(self) -> None:
        """Write no config: the run folder has its spec or recipe already."""

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Say nothing: provenance is in the record, and MMEngine's inquiry starts compilers."""

    def close(self) -> None:
        """Forget this run's entries in MMEngine's global tables, and close the trackers."""
        self.visualizer.close()
        for table in (DefaultScope, MessageHub, MMLogger, Visualizer, type(self.visualizer)):
            table._instance_dict.pop(self._experiment_name, None)


def build_runner(config: Any) -> HarnessRunner:
    """Build the runner of an MMEngine config that holds `common_settings`.

    Args:
        config: mapping or mmengine Config.
    """
    runner = HarnessRunner.from_cfg(config)
    assert isinstance(runner, HarnessRunner)
    return runner
