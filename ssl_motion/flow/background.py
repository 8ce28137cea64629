"""The camera's part of a flow: a smooth parametric motion, fitted robustly against everything that moves on its own.

Iteratively re-weighted least squares with Geman-McClure weights w = 1 / (1 + r²/s²)² (r: residual in pixels; s: scale,
the spread of r on a band along the border). Before anything is known, the border counts for background: pixels of the
band start with weight 1 and others with 0.25. Further starts are the weights at which simpler models settle; the fit
that explains most is taken. The models:

- "translate": 2 parameters, a pan far away;
- "affine": 6, which adds zoom, roll and shear;
- "homography": 8, a rotating camera, or any camera before a plane;
- "quadratic": 12, each component a polynomial of second degree in x and y. A homography of small angles is one to
  first order, and so is a curved background.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.errors import DataError, UsageError

BackgroundModel = Literal["quadratic", "homography", "affine", "translate"]
BACKGROUND_MODELS: tuple[BackgroundModel, ...] = get_args(BackgroundModel)

BORDER_BAND = 0.15
"""Width of the band whose pixels are taken for background at first, as a share of the shorter side."""
SCALE_FLOOR = 0.1
"""Smallest scale, pixels: no estimated flow is better than that, and exact flow has no spread at all."""
INLIER_SCALES = 2.5
"""A pixel is an inlier while its residual is below so many scales."""

_INSIDE_WEIGHT = 0.25
_SAMPLES = 2500  # pixels that the fit reads, on a regular grid: the parameters are few
_ROUNDS = 20
_SETTLED = 1e-2  # px; no sample's prediction moved further in the last round
_NORMAL = 1.4826  # median absolute deviation -> standard deviation of a normal variable
_RIDGE = 1e-9  # of the mean square of the basis; decides where the pixels cannot (a single valid column, say)
_LEAST_PER_TERM = 4  # valid samples per unknown of a component, below which nothing is fitted
_TERMS = {"translate": 1, "affine": 3, "homography": 4, "quadratic": 6}  # unknowns per component
_STARTS: dict[BackgroundModel, tuple[BackgroundModel, ...]] = {
    "translate": (),
    "affine": ("translate",),
    "homography": ("translate", "affine"),
    "quadratic": ("translate", "affine"),
}

_Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BackgroundFit:
    """A fitted background motion.

    Attributes:
        flow: float32 [H, W, 2], pixels: the model's flow, everywhere. Zero where nothing could be fitted.
        inliers: share of the valid pixels whose residual is below `INLIER_SCALES` scales; 0 where nothing could be
            fitted because too few pixels are valid.
        scale: spread of the residuals on the border band, pixels; at least `SCALE_FLOOR`.
    """

    flow: Float32Array
    inliers: float
    scale: float


def fit_background(
    flow_HW2: npt.NDArray[Any], valid_HW: BoolArray, model: BackgroundModel = "quadratic"
) -> BackgroundFit:
    """Fit a background motion to the valid pixels of a flow.

    Args:
        flow_HW2: floating point [H, W, 2], pixels.
        valid_HW: bool [H, W]; other pixels take no part.
        model: see the module.

    Raises:
        UsageError: An unknown model, or shapes that do not fit each other.
        DataError: A valid pixel's flow is NaN or infinite.
    """
    if model not in BACKGROUND_MODELS:
        raise UsageError(f"no background model {model!r}; there are {', '.join(BACKGROUND_MODELS)}")
    if flow_HW2.ndim != 3 or flow_HW2.shape[2] != 2 or valid_HW.shape != flow_HW2.shape[:2]:
        raise UsageError(f"flow {flow_HW2.shape} and validity {valid_HW.shape}: expected [H, W, 2] and [H, W]")
    if not np.isfinite(flow_HW2[valid_HW]).all():
        raise DataError("flow holds NaN or infinity where it is marked valid; mark such pixels invalid")
    height, width = valid_HW.shape
    rows, columns = _grid(height, width)
    chosen = valid_HW[rows, columns]
    rows, columns = rows[chosen], columns[chosen]
    if rows.size < _LEAST_PER_TERM * _TERMS[model]:
        return BackgroundFit(np.zeros((height, width, 2), np.float32), 0.0, SCALE_FLOOR)

    # Coordinates of about -1 to 1 keep the normal equations well conditioned; flow is in the same unit meanwhile.
    unit = 0.5 * max(height, width)
    x, y = (columns - 0.5 * (width - 1)) / unit, (rows - 0.5 * (height - 1)) / unit
    target = flow_HW2[rows, columns].astype(np.float64) / unit
    band = _on_band(rows, columns, height, width)
    motion, scale = _fit(model, x, y, target, band, unit)

    all_x = (np.arange(width) - 0.5 * (width - 1)) / unit
    all_y = (np.arange(height) - 0.5 * (height - 1)) / unit
    whole = np.asarray(unit * motion.predict(*np.meshgrid(all_x, all_y)), np.float32)
    residual = np.hypot(*np.moveaxis(whole - flow_HW2, -1, 0))[valid_HW]
    return BackgroundFit(whole, float((residual < INLIER_SCALES * scale).mean()), scale)


def _grid(height: int, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of at most about `_SAMPLES` pixels, centred in the frame."""
    step = max(1, int(np.ceil(np.sqrt(height * width / _SAMPLES))))
    axes = [np.arange((side - 1) % step // 2, side, step) for side in (height, width)]
    rows, columns = np.meshgrid(*axes, indexing="ij")
    return rows.ravel(), columns.ravel()


def _on_band(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], height: int, width: int) -> BoolArray:
    reach = BORDER_BAND * min(height, width)
    distance = np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns))
    band: BoolArray = distance < reach
    # Where hardly anything of the border is valid (the camera moves fast), all that is valid speaks.
    return band if 4 * band.sum() >= rows.size * BORDER_BAND else np.ones_like(band)


def _fit(
    model: BackgroundModel, x: _Float64Array, y: _Float64Array, target: _Float64Array, band: BoolArray, unit: float
) -> tuple["_Motion", float]:
    """Fit from several starts: the border prior, and what simpler models leave as background.

    An object that reaches far into the band can draw a rich model to itself from the first; a stiff one it cannot.
    """
    prior = np.where(band, 1.0, _INSIDE_WEIGHT)
    starts = [prior]
    for simpler in _STARTS[model]:
        _, residual, scale = _rounds(_motion(simpler, x, y), target, band, unit, prior)
        starts.append(_trust(residual, scale))
    fits = [_rounds(_motion(model, x, y), target, band, unit, start) for start in starts]
    least = min(scale for _, _, scale in fits)
    # The one that explains most by the sharpest scale found (Geman-McClure's loss).
    motion, _, scale = min(fits, key=lambda fit: float(prior @ (1 - np.sqrt(_trust(fit[1], least)))))
    return motion, scale


def _rounds(
    motion: "_Motion", target: _Float64Array, band: BoolArray, unit: float, weights: _Float64Array
) -> tuple["_Motion", _Float64Array, float]:
    """Re-weight until it settles; returns the motion, the samples' residuals and the scale, both in pixels."""
    before = np.zeros_like(target)
    for _ in range(_ROUNDS):
        fitted = motion.update(weights, target)
        residual: _Float64Array = unit * np.hypot(*(fitted - target).T)
        scale = max(_NORMAL * float(np.median(residual[band])), SCALE_FLOOR)
        if unit * np.abs(fitted - before).max() < _SETTLED:
            break
        before = fitted
        weights = _trust(residual, scale)
    return motion, residual, scale


def _trust(residual: _Float64Array, scale: float) -> _Float64Array:
    return np.asarray((1 + (residual / scale) ** 2) ** -2, np.float64)


def _solved(normal: _Float64Array, right: _Float64Array) -> _Float64Array:
    ridge = _RIDGE * max(float(np.trace(normal)) / len(normal), 1e-12)
    return np.asarray(np.linalg.solve(normal + ridge * np.eye(len(normal)), right), np.float64)


class _Motion(Protocol):
    """A model with its parameters; coordinates and flow in the unit of `fit_background`."""

    def update(self, weights: _Float64Array, target: _Float64Array) -> _Float64Array:
        """Solve the weighted least squares for flow [N, 2] at the samples; returns the fitted flow there."""

    def predict(self, x: _Float64Array, y: _Float64Array) -> _Float64Array:
        """Flow [..., 2] at any coordinates."""


def _motion(model: BackgroundModel, x: _Float64Array, y: _Float64Array) -> _Motion:
    return _Homography(x, y) if model == "homography" else _Polynomial(x, y, _TERMS[model])


class _Polynomial:
    """Flow as a polynomial in x and y: 1 term, 3 (affine) or 6 (quadratic)."""

    def __init__(self, x: _Float64Array, y: _Float64Array, terms: int) -> None:
        self.terms = terms
        self.basis = self._basis(x, y)
        self.parameters = np.zeros((terms, 2))

    def _basis(self, x: _Float64Array, y: _Float64Array) -> _Float64Array:
        return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y][: self.terms], axis=-1)

    def update(self, weights: _Float64Array, target: _Float64Array) -> _Float64Array:
        weighted = self.basis * weights[:, None]
        self.parameters = _solved(weighted.T @ self.basis, weighted.T @ target)
        fitted: _Float64Array = self.basis @ self.parameters
        return fitted

    def predict(self, x: _Float64Array, y: _Float64Array) -> _Float64Array:
        predicted: _Float64Array = self._basis(x, y) @ self.parameters
        return predicted


class _Homography:
    """Flow as H(x, y) - (x, y), H = ((a x + b y + c) / d, (e x + f y + g) / d) with d = 1 + k x + m y.

    The equations times d are linear in the unknowns; divided by the last round's d, their errors are in pixels again.
    """

    def __init__(self, x: _Float64Array, y: _Float64Array) -> None:
        self.x, self.y = x, y
        self.parameters = np.zeros(8)  # of the flow: a and f less 1

    def update(self, weights: _Float64Array, target: _Float64Array) -> _Float64Array:
        x, y, (u, v) = self.x, self.y, target.T
        depth = 1 + self.parameters[6] * x + self.parameters[7] * y
        one, none = np.ones_like(x), np.zeros_like(x)
        # d (x + u) = x + a x + b y + c, and so u = a x + b y + c - (k x + m y) (x + u); likewise v.
        across = np.stack([x, y, one, none, none, none, -x * (x + u), -y * (x + u)])
        down = np.stack([none, none, none, x, y, one, -x * (y + v), -y * (y + v)])
        share = weights / np.maximum(depth, 0.1) ** 2
        normal = (across * share) @ across.T + (down * share) @ down.T
        self.parameters = _solved(normal, (across * share) @ u + (down * share) @ v)
        return self.predict(x, y)

    def predict(self, x: _Float64Array, y: _Float64Array) -> _Float64Array:
        a, b, c, e, f, g, k, m = self.parameters
        depth = np.maximum(1 + k * x + m * y, 0.1)
        across, down = (a * x + b * y + c + x) / depth, (e * x + f * y + g + y) / depth
        return np.stack([across - x, down - y], axis=-1)
