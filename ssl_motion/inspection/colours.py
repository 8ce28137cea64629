"""Features as colours, by one projection to three dimensions that all images of a figure share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.seeding import generator

_SHOWN = (2, 98)  # percentiles that are drawn as 0 and 255

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """The principal components of the features of a figure.

    Attributes:
        mean: float64 [C].
        directions: float64 [C, 3 or fewer], orthonormal; the largest part of each is positive.
        shares: of the variance, one each.
    """

    mean: Float64Array
    directions: Float64Array
    shares: tuple[float, ...]


def random_directions(channels: int, seed: int) -> Float64Array:
    """Draw three orthonormal directions, float64 [C, 3] (fewer where there are fewer channels).

    They depend on the number of channels and the seed alone.
    """
    drawn = generator(seed, "embedding colours").standard_normal((channels, min(3, channels)))
    directions: Float64Array = np.linalg.qr(drawn)[0]
    return directions


def random_colours(maps: Sequence[Float32Array], seed: int = 0) -> list[UInt8Array]:
    """Show features as colours: three fixed random directions as red, green and blue.

    Source: Mahendran et al. 2018, who show their embedding so. Like colours mean like features, in all images of a
    figure; the colours themselves mean nothing.

    Args:
        maps: [C, h, w] of each image; h and w may differ.
        seed: of the directions.

    Returns:
        One uint8 [h, w, 3] per image.
    """
    directions = random_directions(maps[0].shape[0], seed)
    return to_colours([_projected(each, directions) for each in maps])


def principal_components(maps: Sequence[Float32Array]) -> Components:
    """Fit three components to the cells of all images; every cell counts alike.

    Args:
        maps: [C, h, w] of each image; h and w may differ.
    """
    from sklearn.decomposition import PCA

    cells = np.concatenate([each.reshape(each.shape[0], -1).T for each in maps]).astype(np.float64)
    fitted = PCA(min(3, *cells.shape), svd_solver="full").fit(cells)
    directions = fitted.components_.T
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=0)[None], axis=0)
    return Components(
        mean=fitted.mean_,
        directions=directions * np.where(largest < 0, -1.0, 1.0),
        shares=tuple(float(share) for share in fitted.explained_variance_ratio_),
    )


def component_colours(maps: Sequence[Float32Array], components: Components) -> list[UInt8Array]:
    """Show features as colours: their first three principal components as red, green and blue.

    Args:
        maps: [C, h, w] of each image.
        components: fitted to them.

    Returns:
        One uint8 [h, w, 3] per image.
    """
    return to_colours([_projected(each - components.mean[:, None, None], components.directions) for each in maps])


def _projected(map_CHW: npt.NDArray[np.floating], directions: Float64Array) -> Float64Array:
    values: Float64Array = np.einsum("chw,cd->hwd", map_CHW.astype(np.float64), directions)
    return values


def to_colours(values: Sequence[Float64Array]) -> list[UInt8Array]:
    """Bring values [h, w, up to 3] to 0 .. 255, each channel by one scale for all images; missing channels are 0."""
    channels = values[0].shape[-1]
    low, high = np.percentile(np.concatenate([each.reshape(-1, channels) for each in values]), _SHOWN, axis=0)
    pictures = []
    for each in values:
        picture = np.zeros((*each.shape[:2], 3), np.uint8)
        picture[..., :channels] = 255 * np.clip((each - low) / np.maximum(high - low, 1e-6), 0, 1)
        pictures.append(picture)
    return pictures
