"""What the labels of Puppets mean: classes, parts and their colours."""

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import UInt8Array

CLASSES: tuple[str, ...] = (
    "background",
    "person",
    "quadruped",
    "fish",
    "vehicle",
    "box",
    "cloth",
    "windmill",
    "snake",
)

PERSON, QUADRUPED, FISH, VEHICLE, BOX, CLOTH, WINDMILL, SNAKE = range(1, len(CLASSES))

LIP_PARTS: tuple[str, ...] = (
    "background",
    "hat",
    "hair",
    "glove",
    "sunglasses",
    "upper-clothes",
    "dress",
    "coat",
    "socks",
    "pants",
    "jumpsuits",
    "scarf",
    "skirt",
    "face",
    "left-arm",
    "right-arm",
    "left-leg",
    "right-leg",
    "left-shoe",
    "right-shoe",
)
"""The label set of LIP (K. Gong et al., "Look into Person", CVPR 2017), by number; sides are the person's own."""

PARTS: tuple[str, ...] = (
    *LIP_PARTS,
    "quadruped-head",
    "quadruped-torso",
    "quadruped-tail",
    "quadruped-left-foreleg",
    "quadruped-right-foreleg",
    "quadruped-left-hindleg",
    "quadruped-right-hindleg",
    "fish-body",
    "fish-tail",
    "fish-fin",
    "vehicle-body",
    "vehicle-wheel",
    "box-front",
    "box-top",
    "box-side",
    "cloth-sheet",
    "cloth-pole",
    "windmill-tower",
    "windmill-blade",
    "snake-body",
    "snake-head",
)
"""All parts by number: a person's are LIP's 20 labels unchanged, the other classes' parts follow."""

PART_IDS: dict[str, int] = {name: number for number, name in enumerate(PARTS)}


def voc_colours(count: int) -> UInt8Array:
    """Make the first colours of PASCAL VOC's palette (its devkit's VOClabelcolormap): uint8 [count, 3] RGB.

    The bits of a label are dealt out in turn to red, green and blue, from the highest bit of each downwards.
    """
    labels: npt.NDArray[np.int64] = np.arange(count)
    colours = np.zeros((count, 3), np.int64)
    for place in range(8):
        for channel in range(3):
            colours[:, channel] |= ((labels >> (3 * place + channel)) & 1) << (7 - place)
    return colours.astype(np.uint8)


PALETTE: UInt8Array = voc_colours(len(CLASSES))
