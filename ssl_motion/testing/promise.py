"""How a check fails."""

from collections.abc import Mapping

from torch import Tensor


class ContractError(AssertionError):
    """A plugin does not keep what its plug shape promises."""


def expect(condition: bool, message: str) -> None:
    """Fail with `message` unless the condition holds.

    Raises:
        ContractError: It does not.
    """
    if not condition:
        raise ContractError(message)


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two mappings have the same keys and bit-equal tensors."""
    return first.keys() == second.keys() and all(first[key].equal(second[key]) for key in first)
