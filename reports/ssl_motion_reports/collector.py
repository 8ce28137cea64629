"""Python's collector of unused cycles, kept from what it would look through in vain."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Keep Python from looking for unused cycles, which it would do again and again in thousands of records.

    Also a decorator. What is not part of a cycle is freed as ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def earlier_objects_left_alone() -> Iterator[None]:
    """Let the collector look only at what is made from now on.

    For work that leaves cycles behind while thousands of records live, which it would look through again and again.
    Also a decorator.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
