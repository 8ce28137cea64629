"""Figures that are averages over images, such as an error in pixels, image by image in a compact file.

File format (`per_image.npz`, read it with `numpy.load(path, allow_pickle=False)`): N images, F figures.

    names     text [N]        image names
    figures   text [F]
    averages  float64 [F, N]  each image's figure; NaN where the image has nothing to be judged by
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssl_motion.errors import DataError
from ssl_motion.per_image.arrays import Float64Array, Times, load, save, text_array, texts


@dataclass(frozen=True)
class PerImageAverages:
    """Figures of every image of a split; see the format above.

    Attributes:
        names: of the images.
        averages: figure -> float64 [N].
    """

    names: Sequence[str]
    averages: Mapping[str, Float64Array]

    def mean(self, figure: str) -> float:
        """Average a figure over the images that have it; NaN where none has."""
        return float(self.of_draws(figure, np.ones((1, len(self.names)), np.int64))[0][0])

    def of_draws(self, metric: str, times: Times) -> Sequence[Float64Array]:
        """Average a figure over images that count `times` [B, N]: one array [B]; none for figures that are not here."""
        if metric not in self.averages:
            return []
        values = self.averages[metric]
        there = np.isfinite(values)
        often = times[:, there].astype(np.float64)
        total = often.sum(axis=1)
        return [np.divide(often @ values[there], total, out=np.full(len(times), np.nan), where=total > 0)]

    def save(self, path: Path) -> None:
        """Write the file."""
        save(
            path,
            names=text_array(self.names),
            figures=text_array(list(self.averages)),
            averages=np.stack(list(self.averages.values())),
        )


def read_averages(path: Path) -> PerImageAverages:
    """Read a file of figures of every image.

    Raises:
        DataError: It is not one.
    """
    content = load(path, "figures of every image")
    try:
        averages = dict(zip(texts(content["figures"]), content["averages"], strict=True))
        return PerImageAverages(texts(content["names"]), averages)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: not a file of figures of every image: {error}") from error
