"""Contract checks for plugins: what the harness relies on, tried on small made-up data.

A package that brings a pretraining method calls this from its own tests:

    from ssl_motion.testing import check_method

    def test_contract():
        check_method(MyMethod, {"width": 16})

Every check fails with a `ContractError` that says what was expected.
"""

from ssl_motion.testing.method import SMALL, check_method
from ssl_motion.testing.promise import ContractError
from ssl_motion.testing.samples import example_batch, example_sample, example_samples

__all__ = ["SMALL", "ContractError", "check_method", "example_batch", "example_sample", "example_samples"]
