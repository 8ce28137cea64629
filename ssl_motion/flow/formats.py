"""Flow files of the field, each read into (flow, valid) by the same rules.

Flow comes back as float32 [H, W, 2] in pixels, zero where `valid` is false. A file that is not what its format
promises is a `DataError` with its path; a pixel whose flow is unknown, NaN or infinite is invalid, never an error.
"""

import re
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ssl_motion.data.codec import decode_flow, encode_flow
from ssl_motion.data.sample import BoolArray, Float32Array
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_atomically

FLO_MAGIC = 202021.25
FLO_UNKNOWN = 1e9
MAX_SIDE = 99_999
CMP_RANGE = 50.0

Flow = tuple[Float32Array, BoolArray]


def read_bytes(path: Path) -> bytes:
    """Read a whole file; a missing or unreadable one is a DataError that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _masked(flow: npt.NDArray[Any]) -> Flow:
    # Comparing with NaN gives False, so NaN is invalid too.
    valid: BoolArray = (np.abs(flow) <= FLO_UNKNOWN).all(axis=2)
    return np.where(valid[..., None], flow, 0).astype(np.float32), valid


def read_flo(path: Path) -> Flow:
    """Read a Middlebury .flo file: float32 magic 202021.25, int32 width, int32 height, interleaved float32 u, v.

    A component beyond 1e9 marks unknown flow (the format's rule): such a pixel is invalid, and so is one with NaN or
    infinity.

    Raises:
        DataError: Missing, wrong magic number (or byte order), absurd size, truncated, or with bytes left over.
    """
    data = read_bytes(path)
    if len(data) < 12:
        raise DataError(f"{path} is no .flo file: {len(data)} bytes, shorter than the header of 12")
    magic, width, height = struct.unpack("<fii", data[:12])
    if magic != FLO_MAGIC:
        swapped = struct.unpack(">f", data[:4])[0] == FLO_MAGIC
        hint = "its byte order is big-endian; the format is little-endian" if swapped else f"expected {FLO_MAGIC}"
        raise DataError(f"{path} is no .flo file: it begins with {magic!r}; {hint}")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise DataError(f"{path}: the .flo header says {width} x {height} pixels; each side must be 1 to {MAX_SIDE}")
    expected = 12 + 8 * width * height
    if len(data) != expected:
        what = "truncated" if len(data) < expected else "longer than its header says"
        raise DataError(f"{path} is {what}: {len(data)} bytes; {width} x {height} pixels of .flo take {expected}")
    return _masked(np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2))


def write_flo(path: Path, flow: Float32Array, valid: BoolArray | None = None) -> None:
    """Write a .flo file; invalid pixels become the format's unknown flow (1e10).

    Raises:
        UsageError: The flow is not [H, W, 2].
        RunError: The file cannot be written.
    """
    height, width = _size(flow)
    known = flow if valid is None else np.where(valid[..., None], flow, np.float32(1e10))
    header = struct.pack("<fii", FLO_MAGIC, width, height)
    write_atomically(path, lambda file: file.write(header + np.ascontiguousarray(known, "<f4").tobytes()))


def read_kitti(path: Path) -> Flow:
    """Read KITTI's 16-bit RGB PNG: u = (R - 2^15) / 64, v = (G - 2^15) / 64, valid where B > 0.

    Raises:
        DataError: Missing, not a PNG, or a PNG of another kind.
    """
    data = read_bytes(path)
    # The header's bit depth and colour type: 16 bits, RGB. Else an 8-bit picture of flow would pass for flow.
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[24:26] != b"\x10\x02":
        raise DataError(f"{path} is no KITTI flow file: expected a PNG of 16 bits a channel, RGB")
    try:
        return decode_flow(data)
    except DataError as error:
        raise DataError(f"{path}: {error}; it may be truncated") from error


def write_kitti(path: Path, flow: Float32Array, valid: BoolArray | None = None) -> None:
    """Write KITTI's 16-bit PNG: rounded to 1/64 px; flow outside -512..511.98 px is marked invalid.

    Raises:
        UsageError: The flow is not [H, W, 2].
        RunError: The file cannot be written.
    """
    mask = np.ones(_size(flow), np.bool_) if valid is None else valid
    data = encode_flow(flow, mask, "plain")
    write_atomically(path, lambda file: file.write(data))


def read_pfm(path: Path) -> Flow:
    """Read a colour .pfm (FlyingThings3D, Sceneflow): u and v are its first two channels, rows from bottom to top.

    Raises:
        DataError: Missing, not a three-channel PFM, or of another length than its header says.
    """
    data = read_bytes(path)
    header = re.match(rb"(P[Ff])\s+(\d{1,5})\s+(\d{1,5})\s+([+-]?[0-9.]+(?:[eE][+-]?\d+)?)\s", data[:100])
    if header is None:
        raise DataError(f"{path} is no .pfm file: expected a header of 'PF', width, height and scale")
    kind, width, height = header[1], int(header[2]), int(header[3])
    if kind == b"Pf":
        raise DataError(f"{path} is a one-channel .pfm (a disparity or weight map); flow needs three channels ('PF')")
    expected = header.end() + 12 * width * height
    if len(data) != expected or not width * height:
        raise DataError(f"{path}: {len(data)} bytes; {width} x {height} pixels of .pfm take {expected}")
    order = "<f4" if float(header[4]) < 0 else ">f4"
    pixels = np.frombuffer(data, order, offset=header.end()).reshape(height, width, 3)
    return _masked(pixels[::-1, :, :2])


def read_jpeg_pair(path_x: Path, path_y: Path) -> Flow:
    """Read flow of the original CMP lists: two 8-bit grey images, value = level / 255 * 100 - 50 px.

    Steps of 0.392 px; zero itself is not representable (levels 127 and 128 are -0.196 and +0.196).
    The files cannot say where flow is unknown: every pixel is valid.

    Raises:
        DataError: Missing, unreadable, not 8-bit grey, or of different sizes.
    """
    levels = [_read_grey(path) for path in (path_x, path_y)]
    if levels[0].shape != levels[1].shape:
        raise DataError(
            f"the two flow components differ in size: {path_x} is {_wide(levels[0])}, {path_y} is {_wide(levels[1])}"
        )
    flow = np.stack(levels, axis=2).astype(np.float32) * np.float32(2 * CMP_RANGE / 255) - np.float32(CMP_RANGE)
    return flow, np.ones(flow.shape[:2], np.bool_)


def write_jpeg_pair(path_x: Path, path_y: Path, flow: Float32Array, quality: int = 95) -> None:
    """Write flow as the original CMP reads it; lossy, and clipped to +-50 px.

    Raises:
        UsageError: The flow is not [H, W, 2].
        RunError: A file cannot be written.
    """
    _size(flow)
    levels = np.rint((np.clip(flow, -CMP_RANGE, CMP_RANGE) + CMP_RANGE) * (255 / (2 * CMP_RANGE))).astype(np.uint8)
    for channel, path in enumerate((path_x, path_y)):
        _write_grey(path, np.ascontiguousarray(levels[..., channel]), quality)


def _write_grey(path: Path, pixels: npt.NDArray[np.uint8], quality: int) -> None:
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    write_atomically(path, lambda file: file.write(encoded.tobytes()))


def _read_grey(path: Path) -> npt.NDArray[np.uint8]:
    data = read_bytes(path)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(f"{path} is no readable image")
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError(f"{path}: a flow component must be an 8-bit grey image; found {pixels.dtype} {pixels.shape}")
    grey: npt.NDArray[np.uint8] = pixels
    return grey


def _wide(array: npt.NDArray[Any]) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"


def _size(flow: npt.NDArray[Any]) -> tuple[int, int]:
    if flow.ndim != 3 or flow.shape[2] != 2 or not flow.size:
        raise UsageError(f"flow of shape {flow.shape}: expected [H, W, 2]")
    return flow.shape[0], flow.shape[1]


READERS = {".flo": read_flo, ".png": read_kitti, ".pfm": read_pfm}


def read_flow(path: Path) -> Flow:
    """Read a flow file by its suffix: .flo, .png (KITTI) or .pfm.

    Raises:
        UsageError: The suffix is none of these.
        DataError: The file is not what its suffix says.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path}: unknown kind of flow file {path.suffix!r}; known: {', '.join(READERS)}")
    return reader(path)
