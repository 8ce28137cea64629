"""The name of a data set's content, without rendering it."""

from collections.abc import Collection
from dataclasses import asdict

from ssl_motion.identity import digest
from ssl_motion.puppets.labels import CLASSES, PARTS
from ssl_motion.puppets.worlds import WORLDS
from ssl_motion.spec import PuppetsSpec

GENERATOR_VERSION = 2
"""Raised whenever any rendered pixel may change; a test holds the pixels of this version."""


_COUNTS = {"pairs", "val_pairs", "train_images", "val_images", "test_images"}


def fingerprint(spec: PuppetsSpec, counts: Collection[str] = frozenset(_COUNTS)) -> str:
    """Hash everything that determines a data set's content: 16 hexadecimal digits.

    Args:
        spec: the data set.
        counts: which of its counts matter to the one who asks (labelled images say nothing about pretraining).
    """
    return digest(
        {
            "generator": GENERATOR_VERSION,
            "spec": spec.model_dump(mode="json", exclude=_COUNTS - set(counts)),
            "world": asdict(WORLDS[spec.world]),
            "classes": CLASSES,
            "parts": PARTS,
        }
    )
