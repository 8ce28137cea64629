"""A training loop that continues at any iteration without loading data it has used before."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.registry import LOOPS
from mmengine.runner import BaseLoop, IterBasedTrainLoop

from ssl_motion.engine.checkpoint import random_state, restore_random_state
from ssl_motion.errors import UsageError


class SkippingSampler:
    """A sampler without its first `skip` indices."""

    def __init__(self, sampler: Any, skip: int) -> None:
        self.sampler, self.skip = sampler, skip

    def __iter__(self) -> Iterator[Any]:
        yield from islice(iter(self.sampler), self.skip, None)

    def __len__(self) -> int:
        return max(len(self.sampler) - self.skip, 0)


@LOOPS.register_module(force=True)
class ResumableTrainLoop(IterBasedTrainLoop):  # type: ignore[misc]  # mmengine ships no types
    """MMEngine's iteration-based loop, with exact and instant resuming.

    MMEngine starts the loader before it knows where to continue, and on resuming loads and drops
    every batch that was used before. Here the sampler skips indices, no data is loaded, and the random
    generators are restored after the loader has started and before the first batch is drawn.

    The sampler must be endless. One with a method `start_at(position)` is told where to start; any other
    has its first indices skipped.

    Args:
        runner: the runner.
        dataloader: a loader, or MMEngine's dict for one.
        max_iters: iterations to train.
        val_interval: iterations between validations by `runner.val_loop`, where there is one.
        val_begin: first iteration that validates.
        passes: batches (forward and backward passes) per iteration; more than one must be as many as the
            optimiser wrapper's `accumulative_counts`.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        max_iters: int,
        val_interval: int = 1000,
        val_begin: int = 1,
        passes: int = 1,
        dynamic_intervals: None = None,
    ) -> None:
        # Not the parent's: it would start the loader's workers at once.
        BaseLoop.__init__(self, runner, dataloader)
        del dynamic_intervals
        self._max_iters, self._iter = int(max_iters), 0
        self._max_epochs, self._epoch = 1, 0
        self.val_interval, self.val_begin = val_interval, val_begin
        self.passes = passes
        self.stop_training = False
        self.random_state: dict[str, Any] | None = None
        if hasattr(self.dataloader.dataset, "metainfo"):
            runner.visualizer.dataset_meta = self.dataloader.dataset.metainfo

    def run(self) -> Any:
        """Train until `max_iters`."""
        runner = self.runner
        self._count_passes()
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        batches = self._batches() if self._iter < self._max_iters else iter(())
        if self.random_state is not None:
            restore_random_state(self.random_state)
        while self._iter < self._max_iters and not self.stop_training:
            runner.model.train()
            self.run_iter(batches)
            if (
                runner.val_loop is not None
                and self._iter >= self.val_begin
                and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
            ):
                # A resumed run may have validated in its earlier life: what validation draws must not matter.
                before = random_state()
                runner.val_loop.run()
                restore_random_state(before)
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        return runner.model

    def _count_passes(self) -> None:
        """Tell the optimiser wrapper how many backward passes are done, and how many there will be.

        The Runner told it iterations: with several passes in each, the gradient's scale would be wrong from the
        first quarter (of four passes) on, and a resumed run would step in the middle of an iteration.

        Raises:
            UsageError: An optimiser step would not fall on the end of an iteration.
        """
        wrapper = self.runner.optim_wrapper
        counts = wrapper._accumulative_counts
        if self.passes > 1 and counts != self.passes:
            raise UsageError(
                f"train_cfg.passes is {self.passes}, optim_wrapper.accumulative_counts {counts}: give both one value"
            )
        wrapper._inner_count = self._iter * self.passes
        wrapper._max_counts = self._max_iters * self.passes
        wrapper._remainder_counts = wrapper._max_counts % counts

    def run_iter(self, data_batch: Iterator[Any]) -> None:
        """Take one optimiser step from the next `passes` batches."""
        runner = self.runner
        first = next(data_batch, None)
        if first is None:
            raise UsageError(
                f"the training data ended at iteration {self._iter} of {self._max_iters}: "
                f"an iteration-based recipe needs an endless sampler, such as MMEngine's InfiniteSampler"
            )
        runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=first)
        outputs = runner.model.train_step(first, optim_wrapper=runner.optim_wrapper)
        if self.passes > 1:
            sums = dict(outputs)
            for _ in range(self.passes - 1):
                outputs = runner.model.train_step(next(data_batch), optim_wrapper=runner.optim_wrapper)
                sums = {key: sums[key] + value for key, value in outputs.items()}
            outputs = {key: value / self.passes for key, value in sums.items()}
        runner.call_hook("after_train_iter", batch_idx=self._iter, data_batch=first, outputs=outputs)
        self._iter += 1

    def _batches(self) -> Iterator[Any]:
        """Start the loader at the present iteration."""
        loader = self.dataloader
        sampler = loader.batch_sampler.sampler
        used = self._iter * self.passes * loader.batch_sampler.batch_size
        if hasattr(sampler, "start_at"):
            sampler.start_at(used)
        elif used:
            loader.batch_sampler.sampler = SkippingSampler(sampler, used)
        return iter(loader)
