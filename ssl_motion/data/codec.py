"""Image and flow as compressed bytes: what lies inside a shard.

Flow is kept losslessly at 1/64 px (int16, so -512 to +511.98 px) together with
one validity bit a pixel. Two codes, told apart when reading:

- "delta" (what is written by default): an 8-bit grey PNG of 4H + ceil(H/8) rows. Each component is predicted from its
  left, upper and upper-left neighbours; the residuals, folded so that small ones of either sign are small numbers,
  are split into a low-byte and a high-byte plane: rows [u low, u high, v low, v high], then the packed validity bits.
- "plain": a 16-bit RGB PNG, R = 64 u + 2^15, G = 64 v + 2^15, B = validity (0 or 1), as any PNG reader sees it.

Measured on DIS flow of seven real clips at 416x740 (one core, OpenCV 5.0): plain 306 KiB, 9.8 ms to write and 6.7 ms
to read; delta 175 KiB, 6.0 ms and 4.0 ms. zlib level 6 would save another 20 % of the room at six times the
writing time, so level 1 it is. (PNG's own filters predict bytes, not 16-bit numbers, which costs it the difference.)
"""

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, Float32Array, UInt8Array
from ssl_motion.errors import DataError

FlowCode = Literal["delta", "plain"]

STEPS_PER_PIXEL = 64
MIN_FLOW = -(2**15) / STEPS_PER_PIXEL
MAX_FLOW = (2**15 - 1) / STEPS_PER_PIXEL

_OFFSET = 2**15


def _quantise(flow_HW2: npt.NDArray[Any], valid_HW: BoolArray) -> tuple[npt.NDArray[np.int16], BoolArray]:
    if flow_HW2.ndim != 3 or flow_HW2.shape[2] != 2 or valid_HW.shape != flow_HW2.shape[:2] or not flow_HW2.size:
        raise DataError(f"flow of shape {flow_HW2.shape} with validity of shape {valid_HW.shape}: expected [H, W, 2]")
    steps = np.rint(flow_HW2 * np.float32(STEPS_PER_PIXEL))
    # Comparing with NaN gives False, so NaN counts as out of range.
    with np.errstate(invalid="ignore"):
        inside = (steps >= -_OFFSET) & (steps < _OFFSET)
    # Nine times as fast as all(axis=2) over an axis of two.
    kept = valid_HW & inside[..., 0] & inside[..., 1]
    return np.where(kept[..., None], steps, 0).astype(np.int16), kept


def _fold(component: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    """Predict from three neighbours (modulo 2^16) and fold the residual's sign into its lowest bit."""
    rows = component.copy()
    rows[1:] -= component[:-1]
    residual = rows.copy()
    residual[:, 1:] -= rows[:, :-1]
    return ((residual << 1) ^ (residual >> 15)).view(np.uint16)


def _unfold(folded: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
    residual = ((folded >> 1) ^ -(folded & 1)).view(np.int16)
    rows = np.cumsum(residual, axis=1, dtype=np.int16)
    return np.cumsum(rows, axis=0, dtype=np.int16)


def _png(pixels: npt.NDArray[Any], *parameters: int) -> bytes:
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1, *parameters])
    assert done, f"cv2 cannot write a PNG of {pixels.shape} {pixels.dtype}"
    return bytes(encoded.data)


def encode_flow(flow: npt.NDArray[Any], valid: BoolArray, code: FlowCode = "delta") -> bytes:
    """Compress flow and validity.

    Args:
        flow: floating point [H, W, 2], pixels; rounded to the nearest 1/64 px.
        valid: bool [H, W]. A pixel whose flow lies outside [`MIN_FLOW`, `MAX_FLOW`] or is not a number
            is stored as invalid; every invalid pixel's flow is stored as zero.
        code: see the module's text.

    Raises:
        DataError: The shapes do not fit together or are empty.
    """
    steps, kept = _quantise(flow, valid)
    if code == "plain":
        # cv2 writes the channels in reverse: [..., ::-1] of the file is (validity, v, u).
        raised = (steps.astype(np.int32) + _OFFSET).astype(np.uint16)
        return _png(np.dstack([kept.astype(np.uint16), raised[..., 1], raised[..., 0]]))
    height, width = kept.shape
    planes = np.zeros((4 * height + -(-height // 8), width), np.uint8)
    for channel in (0, 1):
        folded = _fold(steps[..., channel])
        planes[2 * channel * height : (2 * channel + 1) * height] = folded & 0xFF
        planes[(2 * channel + 1) * height : (2 * channel + 2) * height] = folded >> 8
    bits = np.packbits(kept.reshape(-1))
    planes[4 * height :].reshape(-1)[: bits.size] = bits
    return _png(planes)


def decode_flow(data: bytes) -> tuple[Float32Array, BoolArray]:
    """Read flow and validity in either code.

    Returns:
        float32 [H, W, 2] in pixels (zero where invalid) and bool [H, W].

    Raises:
        DataError: Not a PNG, or not one of the two codes.
    """
    pixels = _imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError("the flow is not a readable PNG")
    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint16:
        valid: BoolArray = pixels[..., 0] > 0
        flow: Float32Array = (pixels[..., :0:-1].astype(np.float32) - np.float32(_OFFSET)) / np.float32(STEPS_PER_PIXEL)
        flow[~valid] = 0
        return flow, valid
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError(
            f"the flow PNG has shape {pixels.shape} and type {pixels.dtype}; expected 8-bit grey "
            "(code 'delta') or 16-bit RGB (code 'plain')"
        )
    rows, width = pixels.shape
    height = rows * 8 // 33
    if 4 * height + -(-height // 8) != rows:
        raise DataError(f"a flow PNG of {rows} rows holds no whole number of flow rows (code 'delta')")
    flow = np.empty((height, width, 2), np.float32)
    for channel in (0, 1):
        low = pixels[2 * channel * height : (2 * channel + 1) * height]
        high = pixels[(2 * channel + 1) * height : (2 * channel + 2) * height]
        component = _unfold(low | (high.astype(np.uint16) << 8))
        np.multiply(component, np.float32(1 / STEPS_PER_PIXEL), out=flow[..., channel], casting="same_kind")
    bits = np.unpackbits(pixels[4 * height :].reshape(-1), count=height * width)
    return flow, bits.view(np.bool_).reshape(height, width)


def encode_image(image: UInt8Array, quality: int = 95) -> bytes:
    """Compress an RGB image [H, W, 3] to JPEG."""
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, f"cv2 cannot write a JPEG of {image.shape} {image.dtype}"
    return bytes(encoded.data)


def decode_image(data: bytes) -> UInt8Array:
    """Read any image that OpenCV reads (JPEG, PNG, ...) as RGB uint8 [H, W, 3].

    Raises:
        DataError: It cannot be read.
    """
    pixels = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise DataError("the image cannot be read")
    image: UInt8Array = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return image


def encode_labels(labels: UInt8Array) -> bytes:
    """Compress a map of labels, uint8 [H, W], to an 8-bit grey PNG."""
    return _png(labels)


def decode_labels(data: bytes) -> UInt8Array:
    """Read a map of labels, uint8 [H, W].

    Raises:
        DataError: Not an 8-bit grey PNG.
    """
    pixels = _imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError("the map is not a readable 8-bit grey PNG")
    labels: UInt8Array = pixels
    return labels


def _imdecode(data: bytes, flags: int) -> npt.NDArray[Any] | None:
    # cv2 answers bad bytes with None, but throws on none at all and on absurd sizes in a header.
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        return None
