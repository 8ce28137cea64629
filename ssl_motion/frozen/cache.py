"""Features on disk, so that every probe of one trunk on one data set computes them once.

    RUNS/features/KEY/features.json    what the arrays are, written last
    RUNS/features/KEY/NAME.npy         float32 [images, ...], or integers

KEY hashes the trunk's tensors, the data's fingerprint, the list of images, the view and what is kept. All entries
together take at most `LIMIT_BYTES`: those that were used longest ago go first. The folder may be deleted at any time
when nothing runs.
"""

import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ssl_motion.errors import RunError
from ssl_motion.fileio import write_json
from ssl_motion.frozen.extract import BATCH, Reducer, extract
from ssl_motion.frozen.trunk import FrozenTrunk
from ssl_motion.frozen.views import View
from ssl_motion.identity import digest
from ssl_motion.locking import held
from ssl_motion.progress import Progress
from ssl_motion.protocols import RunContext

Array = npt.NDArray[Any]
INDEX = "features.json"
LIMIT_BYTES = 20 * 2**30


class FeatureCache:
    """The features below one folder.

    Args:
        root: folder of the cache.
        limit: most bytes that all entries together may take.
    """

    def __init__(self, root: Path, limit: int = LIMIT_BYTES) -> None:
        self.root, self.limit = root, limit

    @classmethod
    def of(cls, context: RunContext) -> "FeatureCache":
        """The cache beside a task's run: `features` below the folder of all runs."""
        return cls(context.run_dir.parents[1] / "features")

    def get(
        self,
        trunk: FrozenTrunk,
        images: Sequence[Path],
        view: View,
        reduce: Reducer,
        stages: Sequence[str] = (),
        *,
        data: str,
        device: str = "cpu",
        batch_size: int = BATCH,
        readers: int = 1,
        label: str = "features",
    ) -> dict[str, Array]:
        """Return the features of all images, computing them where they are not kept yet.

        Args:
            trunk: what computes them.
            images: files; their names and order are part of the key.
            view: what of a file the trunk sees.
            reduce: what is kept of the maps.
            stages: which; none for all.
            data: fingerprint of the data (`DataReport.fingerprint`).
            device: that the trunk is on; not part of the key.
            batch_size: most images at a time.
            readers: threads that decode files.
            label: for the progress display.

        Returns:
            Name of `reduce` -> read-only array [images, ...] on disk, in the order of `images`.

        Raises:
            UsageError: The trunk has no such stage.
            DataError: A file cannot be read; it is named.
            RunError: The features would take more than the limit, or the disk is full.
        """
        chosen = trunk.check_stages(stages)
        content = {
            "trunk": {"key": trunk.key, "mean": list(trunk.mean), "std": list(trunk.std)},
            "backbone": trunk.spec.model_dump(mode="json"),  # dilation changes features, but no tensor
            "data": data,
            "images": [path.name for path in images],
            "view": view.facts(),
            "kept": reduce.facts(),
            "stages": list(chosen),
        }
        folder = self.root / digest(content)
        with held(folder, "features.lock", wait=True):
            if (found := _open(folder)) is not None:
                with suppress(OSError):
                    os.utime(folder / INDEX)  # says when it was used last; a cache that is read-only serves as well
                return found
            _clear(folder)
            features = extract(
                trunk, images, view, reduce, chosen, batch_size=batch_size, device=device, readers=readers
            )
            names = self._fill(folder, features, len(images), label)
            facts = {**content, "images": len(images), "arrays": names, "made": time.strftime("%Y-%m-%dT%H:%M:%S")}
            write_json(folder / INDEX, facts)
            self._evict(keep=folder)
            found = _open(folder)
        if found is None:
            raise RunError(f"the features in {folder} cannot be read back; delete that folder and start again")
        return found

    def _fill(
        self, folder: Path, features: Iterable[tuple[list[int], dict[str, Tensor]]], count: int, label: str
    ) -> list[str]:
        """Write the features of all images to arrays under temporary names, then rename these."""
        arrays: dict[str, Any] = {}
        try:
            with Progress(label, count, "images") as progress:
                for indices, kept in features:
                    if not arrays:
                        arrays = self._allocate(folder, kept, count)
                    for name, value in kept.items():
                        arrays[name][indices[0] : indices[-1] + 1] = value.numpy()
                    progress.advance(len(indices))
            for name, array in arrays.items():
                array.flush()
                os.replace(_part(folder, name), folder / f"{name}.npy")
        except OSError as error:
            _clear(folder)
            raise RunError(f"cannot write features to {folder}: {error.strerror or error}. Free some space.") from error
        except BaseException:
            _clear(folder)
            raise
        return list(arrays)

    def _allocate(self, folder: Path, kept: Mapping[str, Tensor], count: int) -> dict[str, Any]:
        shapes = {name: (count, *value.shape[1:]) for name, value in kept.items()}
        needed = sum(int(np.prod(shapes[name])) * value.element_size() for name, value in kept.items())
        if needed > self.limit:
            raise RunError(
                f"the features of {count} images take {needed / 2**30:.1f} GiB; the cache holds at most "
                f"{self.limit / 2**30:.0f} GiB. Use fewer images or stages."
            )
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise RunError(
                f"the features of {count} images take {needed / 2**30:.1f} GiB, but {folder} has "
                f"{free / 2**30:.1f} GiB left. Free some space, or use another --runs folder."
            )
        return {
            name: np.lib.format.open_memmap(
                _part(folder, name), mode="w+", dtype=value.numpy().dtype, shape=shapes[name]
            )
            for name, value in kept.items()
        }

    def _evict(self, keep: Path) -> None:
        """Remove the entries used longest ago until the rest fits."""
        entries = sorted(self.root.glob(f"*/{INDEX}"), key=lambda path: path.stat().st_mtime, reverse=True)
        total = _size(keep)
        for index in entries:
            folder = index.parent
            if folder == keep:
                continue
            total += _size(folder)
            if total > self.limit:
                with suppress(RunError), held(folder, "features.lock"):  # one that is being opened stays
                    index.unlink(missing_ok=True)
                    _clear(folder)


def _part(folder: Path, name: str) -> Path:
    return folder / f".{name}.npy.part"


def _clear(folder: Path) -> None:
    """Remove arrays, finished or not, of an entry that has no index."""
    for path in [*folder.glob("*.npy"), *folder.glob(".*.part")]:
        path.unlink(missing_ok=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.npy"))


def _open(folder: Path) -> dict[str, Array] | None:
    """Open the arrays of a complete entry; None where there is none."""
    try:
        names = json.loads((folder / INDEX).read_text(encoding="utf-8"))["arrays"]
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        (folder / INDEX).unlink(missing_ok=True)
        return None
