"""Training on few labels: the chosen names of a devkit, and a recipe that reads only these."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssl_motion.data.label_lists import share_of, shots_of
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_text
from ssl_motion_benchmarks.voc_fcn.devkit import LabelSet, read_names, voc_root

FOLDER = "labelled"
_UNKNOWN = 255


@dataclass(frozen=True)
class Chosen:
    """The images that are trained on.

    Attributes:
        names: of every training set, in the order of its list; empty where none was chosen from it.
        shown: class -> number of the chosen images that show it; "images" -> number of them all.
        listed: number of images that they were chosen from.
    """

    names: dict[LabelSet, list[str]]
    shown: dict[str, float]
    listed: int

    @property
    def remark(self) -> str:
        """Say how many images are trained on, and which classes cannot be learned from them."""
        unseen = [name for name, count in self.shown.items() if not count]
        text = f"{self.shown['images']:.0f} of {self.listed} labelled images are trained on"
        return f"{text}; none of them shows: {', '.join(unseen)}" if unseen else text


def choose(
    root: Path, sets: Sequence[LabelSet], classes: Sequence[str], *, fraction: float | None, shots: int | None
) -> Chosen:
    """Choose training images by `ssl_motion.data.label_lists`, over all training sets together.

    So the images are the same whether train and SBD are listed in one file or in two.

    Args:
        root: what the user gave as data root.
        sets: what the complete list is made of.
        classes: names of the classes, the background first, which counts for nothing.
        fraction: share of the labels, or None.
        shots: images of every class, or None. Exactly one of the two is given.

    Raises:
        DataError: A label cannot be read, or holds a class that does not exist.
        UsageError: Nothing can be chosen.
    """
    folder = voc_root(root)
    listed = {each: read_names(folder / each.list_file) for each in sets}
    owner = {name: each for each, names in listed.items() for name in names}

    def shown(name: str) -> list[str]:
        return [classes[number] for number in _numbers(folder / owner[name].labels / f"{name}.png", len(classes))]

    if shots is not None:
        chosen = set(shots_of({name: shown(name) for name in owner}, shots))
    else:
        assert fraction is not None
        if not round(fraction * len(owner)):
            smallest = f"the smallest share is {1 / max(1, len(owner)):.2g}"
            raise UsageError(f"label_fraction: {fraction:g} of {len(owner)} images is not one image; {smallest}")
        chosen = set(share_of(owner, fraction))
    counts: dict[str, float] = {"images": len(chosen), **dict.fromkeys(classes[1:], 0)}
    for name in chosen:
        for each in shown(name):
            counts[each] += 1
    if not any(counts[name] for name in classes[1:]):
        raise UsageError(f"label_fraction: none of the {len(chosen)} chosen images shows any class but the background")
    kept = {each: [name for name in names if name in chosen and owner[name] == each] for each, names in listed.items()}
    return Chosen(kept, counts, len(owner))


def restrict(dataset: dict[str, Any], chosen: Chosen, run_dir: Path) -> dict[str, Any]:
    """Return a recipe's training data set that reads the chosen images alone.

    Their lists are written to the run folder, where they stay as a proof. Every process of a run writes the same.

    Args:
        dataset: MMEngine's dict for one, or for the concatenation of several.
        chosen: for the same lists.
        run_dir: folder of the run.
    """
    lists = {}
    for each, names in chosen.names.items():
        lists[each.list_file] = run_dir.resolve() / FOLDER / f"{each.names}.txt"
        write_text(lists[each.list_file], "".join(f"{name}\n" for name in names))
    empty = {each.list_file for each, names in chosen.names.items() if not names}
    if "datasets" not in dataset:
        return {**dataset, "ann_file": str(lists[dataset["ann_file"]])}
    parts = [part for part in dataset["datasets"] if part["ann_file"] not in empty]
    return {**dataset, "datasets": [{**part, "ann_file": str(lists[part["ann_file"]])} for part in parts]}


def _numbers(label: Path, classes: int) -> list[int]:
    """Classes that a label shows, the background left out."""
    from PIL import Image

    try:
        with Image.open(label) as picture:
            found = np.unique(np.asarray(picture))
    except (OSError, ValueError) as error:
        raise DataError(f"{label}: not a readable label: {error}. Take the original file.") from error
    numbers = [int(number) for number in found if number not in (0, _UNKNOWN)]
    if numbers and max(numbers) >= classes:
        raise DataError(f"{label}: label value {max(numbers)}, but there are {classes} classes (and 255 for unknown)")
    return numbers
