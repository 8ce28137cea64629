"""A codebook of flow vectors: the classes of flow prediction by classification, and the way back from them.

After J. Walker, A. Gupta, M. Hebert: "Dense Optical Flow Prediction from a Static Image", ICCV 2015, and the authors'
code: k-means of the flow at random pixels of a data set, on raw (u, v). Flow is brought to one size of frame first, so
that data sets and image sizes share a codebook: to a frame whose shorter side has `frame_side` pixels, both components
by the same factor, which keeps directions. The authors' frames are 195x260.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ssl_motion.data.sample import UNKNOWN_LABEL, BoolArray, Float32Array, FlowSample, UInt8Array
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import read_json_object, write_json
from ssl_motion.flow.kmeans import MAX_CLUSTERS, kmeans, nearest
from ssl_motion.progress import Progress
from ssl_motion.seeding import generator
from ssl_motion.spec import Strict
from ssl_motion.spec_text import parse_spec

DECIMALS = 4  # of a vector, in pixels of the frame
Clusters = Annotated[int, Field(ge=2, le=MAX_CLUSTERS)]
FrameSide = Annotated[int, Field(ge=16)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class CodebookSettings(Strict):
    """How a codebook is fitted.

    Attributes:
        clusters: number of vectors (authors: 40).
        frame_side: shorter side, in pixels, of the frames that flow is brought to (authors: 195).
        pairs: image-flow pairs to read at most, spread evenly over the data.
        pixels: random pixels of each whose flow is taken, where it is known (authors: 500).
        restarts: starts of k-means, of which the best is kept.
        seed: of pixels and starts.
    """

    clusters: Clusters = 40
    frame_side: FrameSide = 195
    pairs: Annotated[int, Field(ge=1)] = 1000
    pixels: Annotated[int, Field(ge=1)] = 500
    restarts: Annotated[int, Field(ge=1)] = 3
    seed: Annotated[int, Field(ge=0)] = 0


class Codebook(Strict):
    """Flow vectors, the slowest first, and what they were fitted to.

    Attributes:
        version: of this format.
        settings: how it was fitted.
        data: fingerprints of the data, under any of which a run may know them.
        pairs: image-flow pairs that were read.
        vectors: (u, v) in pixels of a frame of `settings.frame_side`.
        counts: flow vectors nearest to each.
        shares: the same as shares of all.
        error: mean squared distance of a flow vector to the nearest of the codebook, in squared pixels of the frame.
    """

    version: Literal[1] = 1
    settings: CodebookSettings
    data: tuple[str, ...]
    pairs: Annotated[int, Field(ge=1)]
    vectors: tuple[tuple[Finite, Finite], ...]
    counts: tuple[Annotated[int, Field(ge=1)], ...]
    shares: tuple[float, ...]
    error: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _is_whole(self) -> "Codebook":
        given = {"vectors": len(set(self.vectors)), "counts": len(self.counts), "shares": len(self.shares)}
        for name, number in given.items():
            if number != self.settings.clusters:
                raise ValueError(f"{number} different {name}, but the settings say {self.settings.clusters} clusters")
        longest, most = max(max(map(abs, vector)) for vector in self.vectors), 10 * self.settings.frame_side
        if longest > most:
            raise ValueError(
                f"a vector of {longest:g} px: more than ten times the frame's side, {most} px: is no motion"
            )
        if not np.allclose(self.shares, np.divide(self.counts, sum(self.counts)), atol=1e-5):
            raise ValueError("the shares are not those of the counts")
        return self

    @property
    def array(self) -> Float32Array:
        """The vectors: float32 [K, 2], in pixels of the frame."""
        return np.array(self.vectors, np.float32)

    def scale(self, size: tuple[int, int]) -> float:
        """Return what flow in pixels of an image of (height, width) is multiplied by to be in pixels of the frame."""
        return frame_scale(self.settings.frame_side, size)

    def label_map(self, flow_HW2: Float32Array, valid_HW: BoolArray) -> UInt8Array:
        """Find the nearest vector of every pixel.

        Args:
            flow_HW2: float32 [H, W, 2], in pixels of the image that it is the flow of.
            valid_HW: where it is known.

        Returns:
            uint8 [H, W], its number; `UNKNOWN_LABEL` where the flow is unknown.
        """
        size = valid_HW.shape[0], valid_HW.shape[1]
        labels = nearest((flow_HW2 * np.float32(self.scale(size))).reshape(-1, 2), self.array)[0].reshape(size)
        labels[~valid_HW] = UNKNOWN_LABEL
        return labels

    def expected_flow(self, share_HWK: npt.NDArray[Any], size: tuple[int, int]) -> Float32Array:
        """Average the vectors by their probabilities.

        Args:
            share_HWK: floating [h, w, K], probabilities of the vectors.
            size: (height, width) of the image in whose pixels the flow is wanted.

        Returns:
            float32 [h, w, 2].
        """
        flow: Float32Array = (share_HWK @ self.array.astype(np.float64) / self.scale(size)).astype(np.float32)
        return flow


def frame_scale(frame_side: int, size: tuple[int, int]) -> float:
    """Return the factor from pixels of an image of (height, width) to pixels of a frame with this shorter side."""
    return frame_side / min(size)


def fit_codebook(samples: Sequence[FlowSample], settings: CodebookSettings, data: Sequence[str]) -> Codebook:
    """Fit a codebook: deterministic for samples and settings.

    Args:
        samples: whole frames by number; at most `settings.pairs` are read.
        settings: how.
        data: the samples' fingerprints.

    Raises:
        DataError: A sample is bad, nothing is known of any, or there are fewer different motions than clusters.
    """
    count = min(settings.pairs, len(samples))
    vectors = sampled_flow(samples, settings, count)
    try:
        rng = generator(settings.seed, "codebook starts")
        found = kmeans(vectors, settings.clusters, rng, restarts=settings.restarts)
    except DataError as error:
        raise DataError(
            f"codebook: {error} (known flow at {len(vectors)} pixels of {count} pairs). "
            "Take fewer clusters, or data in which more moves."
        ) from error
    rounded = found.centres.astype(np.float64).round(DECIMALS) + 0.0
    order = np.lexsort((rounded[:, 1], rounded[:, 0], np.hypot(rounded[:, 0], rounded[:, 1])))
    labels, squares = nearest(vectors, rounded[order].astype(np.float32))
    counts = np.bincount(labels, minlength=settings.clusters)
    return Codebook(
        settings=settings,
        data=tuple(data),
        pairs=count,
        vectors=tuple((float(u), float(v)) for u, v in rounded[order]),
        counts=tuple(counts.tolist()),
        shares=tuple((counts / counts.sum()).round(6).tolist()),
        error=round(float(squares.mean(dtype=np.float64)), 6),
    )


def sampled_flow(samples: Sequence[FlowSample], settings: CodebookSettings, count: int) -> Float32Array:
    """Read the flow at random known pixels of `count` samples: float32 [N, 2], in pixels of the frame."""
    parts = [np.empty((0, 2), np.float32)]
    with Progress("codebook", count, "pairs") as progress:
        for number in range(count):
            sample = samples[number * len(samples) // count].checked()
            known = np.flatnonzero(sample.valid)
            if known.size:
                chosen = known[generator(settings.seed, "codebook", number).integers(known.size, size=settings.pixels)]
                scale = np.float32(frame_scale(settings.frame_side, sample.size))
                parts.append(sample.flow.reshape(-1, 2)[chosen] * scale)
            progress.advance()
    return np.concatenate(parts)


def save_codebook(path: Path, codebook: Codebook) -> None:
    """Write a codebook as JSON.

    Raises:
        RunError: The file cannot be written.
    """
    write_json(path, codebook.model_dump(mode="json"))


def load_codebook(path: Path) -> Codebook:
    """Read a codebook.

    Raises:
        UsageError: There is no such file, or it holds no sound codebook.
    """
    how = "`ssl-bench codebook PAIRS --out FILE` writes one"
    try:
        content = read_json_object(path)
    except FileNotFoundError:
        raise UsageError(f"no codebook {path}; {how}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no codebook: {error}; {how}") from error
    return parse_spec(Codebook, content, str(path))
