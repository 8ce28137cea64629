"""Contract checks for plugins: what the harness relies on, tried on small made-up data.

A package that brings a pretraining method or a transfer task calls these from its own tests:

    from ssl_motion.testing import check_method, check_task

    def test_method():
        check_method(MyMethod, {"width": 16})

    def test_task():
        check_task(MyTask, {"iterations": 2})

Every check fails with a `ContractError` that says what was expected.
"""

from ssl_motion.testing.method import SMALL, check_method
from ssl_motion.testing.promise import ContractError
from ssl_motion.testing.samples import example_batch, example_sample, example_samples
from ssl_motion.testing.task import SMALL_WORLD, check_task

__all__ = [
    "SMALL",
    "SMALL_WORLD",
    "ContractError",
    "check_method",
    "check_task",
    "example_batch",
    "example_sample",
    "example_samples",
]
