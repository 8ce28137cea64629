"""What a model must be better than: flow made of the guidance alone, without a look at the image."""

from collections.abc import Callable, Sequence

import numpy as np

from ssl_motion.data.sample import Float32Array, UInt8Array
from ssl_motion.propagation.guidance import Guidance

Predict = Callable[[UInt8Array, Sequence[Guidance]], Float32Array]
"""Image [H, W, 3] and N guidances -> flow [N, H, W, 2], both in pixels of the image."""


def copy_arrow(image: UInt8Array, guidances: Sequence[Guidance]) -> Float32Array:
    """Give every pixel the vector of the (first) arrow."""
    height, width = image.shape[:2]
    vectors = np.array([guidance.arrows[0][2:] for guidance in guidances], np.float32)
    return np.broadcast_to(vectors[:, None, None], (len(guidances), height, width, 2))


def fading_arrow(image: UInt8Array, guidances: Sequence[Guidance]) -> Float32Array:
    """Give every pixel the vector of the (first) arrow, the less the farther it is: half at the arrow's own length."""
    rows, columns = np.indices(image.shape[:2])
    flows = []
    for guidance in guidances:
        x, y, dx, dy = guidance.arrows[0]
        share = 1 / (1 + np.sqrt((columns - x) ** 2 + (rows - y) ** 2) / np.hypot(dx, dy))
        flows.append((share[..., None] * np.array([dx, dy])).astype(np.float32))
    return np.stack(flows)


def nearest_guidance(image: UInt8Array, guidances: Sequence[Guidance]) -> Float32Array:
    """Give every pixel the vector of its nearest guidance point, arrow or still; the arrow's where two are as near."""
    rows, columns = np.indices(image.shape[:2])
    flows = []
    for guidance in guidances:
        points = guidance.vectors
        distances = [(columns - x) ** 2 + (rows - y) ** 2 for x, y in points[:, :2]]
        flows.append(points[np.argmin(distances, axis=0), 2:].astype(np.float32))
    return np.stack(flows)


BASELINES: dict[str, Predict] = {
    "copy_arrow": copy_arrow,
    "fading_arrow": fading_arrow,
    "nearest_guidance": nearest_guidance,
}
