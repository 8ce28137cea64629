"""Few labels: which images of a list are trained on, chosen by their names alone, the same everywhere.

The order of a list's names is that of their SHA-256, so that it depends on no library, platform, seed or file order:

- a share of the labels is the beginning of that order;
- K shots are, for every class, the first K images of that order which show it.

Lists of one kind are nested: more labels contain the fewer. Names that are missing (a sample of a data set) leave the
order of the others as it is.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from ssl_motion.errors import UsageError

RULE = "first in the order of SHA-256 of the names"
"""How the images are chosen, for a protocol's facts."""


def fixed_order(names: Iterable[str]) -> list[str]:
    """Put names into the order of their SHA-256 (of the UTF-8 text); repetitions are dropped."""
    return sorted(set(names), key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())


def share_of(names: Iterable[str], fraction: float) -> list[str]:
    """Choose a share of the names: round(fraction x number) of them, at least one, in the fixed order.

    Args:
        names: of all images.
        fraction: above 0, at most 1.
    """
    order = fixed_order(names)
    return order[: max(1, round(fraction * len(order)))]


def shots_of(classes: Mapping[str, Collection[str]], shots: int) -> list[str]:
    """Choose K images of every class: the union over the classes of the first K images that show it.

    Common classes are seen in more than K of the images, since they stand beside others; a class that fewer than K
    images show is seen in all of these.

    Args:
        classes: name of an image -> classes in it. A class that counts for nothing, such as the background, is left
            out by the caller.
        shots: K.

    Raises:
        UsageError: No image shows any class.
    """
    order = fixed_order(classes)
    seen: dict[str, int] = {}
    chosen = []
    for name in order:
        wanted = False
        for each in set(classes[name]):
            seen[each] = seen.get(each, 0) + 1
            wanted = wanted or seen[each] <= shots
        if wanted:
            chosen.append(name)
    if not chosen:
        raise UsageError(f"shots: none of the {len(order)} images of the list shows any class but the background")
    return chosen
