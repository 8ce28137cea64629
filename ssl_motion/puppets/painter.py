"""Painting the two frames of a scene: which piece each pixel shows, its colour, and where it goes.

Which piece a pixel shows comes from rasters at four times the resolution (pixel centres are every fourth cell). From
the piece follows everything else, in closed form: body coordinates = place_t^-1(pixel), flow = place_t+1(body) - pixel,
colour = texture(body).
"""

import cv2
import numpy as np
import numpy.typing as npt

from ssl_motion.data.sample import BoolArray, UInt8Array
from ssl_motion.puppets.exact import Float64Array, invert, sine_array
from ssl_motion.puppets.stage import Piece
from ssl_motion.puppets.textures import look_up

FINE = 4
"""Cells of the raster per pixel along each axis."""
MARGIN = 2 * FINE
"""Cells around the frame, so that look-ups near its border need no special case."""
_SHIFT = 4  # fractional bits of the corners given to cv2.fillPoly
_NO_WAVE = (0.0, 0.0, 0.0, 0.0, 0.0)


class Painter:
    """Paints the two frames of a scene.

    Args:
        pieces: from back to front; the first is the ground. At most 256.
        side: of the frame in pixels.
    """

    def __init__(self, pieces: list[Piece], side: int) -> None:
        assert len(pieces) <= 256, len(pieces)
        self.pieces, self.side = pieces, side
        self._inverse = [np.array([invert(piece.places[frame]) for piece in pieces]) for frame in (0, 1)]
        self._forward = np.array([piece.places[1] for piece in pieces])
        self._texels = np.array([piece.texels for piece in pieces])
        self._pattern = np.array([piece.texture.pattern for piece in pieces], np.int64)
        self._first = np.array([piece.texture.first for piece in pieces])
        self._first += np.array([piece.shade for piece in pieces])[:, None]
        self._change = np.array([piece.texture.change for piece in pieces])
        self._harshness = np.array([piece.texture.harshness for piece in pieces])
        # One row a piece: rest, growth, number, phase in frame t, phase in frame t + 1.
        self._wave = np.array(
            [
                (wave.rest, wave.growth, wave.number, wave.phase, wave.phase + wave.rate * piece.until)
                if (wave := piece.wave)
                else _NO_WAVE
                for piece in pieces
            ]
        )
        self._is_wavy = np.array([piece.wave is not None for piece in pieces])
        self._rasters = (self._raster(0), self._raster(1))
        axis = np.arange(side, dtype=np.float64)
        self._x, self._y = np.tile(axis, side), np.repeat(axis, side)

    def _raster(self, frame: int) -> UInt8Array:
        """Which piece each cell shows, uint8; cell (FINE x + MARGIN, FINE y + MARGIN) is the pixel centre (x, y)."""
        side = FINE * self.side + 2 * MARGIN
        cells = np.zeros((side, side), np.uint8)
        for number, piece in enumerate(self.pieces[1:], start=1):
            corners = np.rint((piece.outlines[frame] * FINE + MARGIN) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(cells, [corners], number, lineType=cv2.LINE_8, shift=_SHIFT)
        return cells

    def shown(self, frame: int) -> npt.NDArray[np.int64]:
        """Which piece each pixel's centre shows, int64 [H * W]."""
        cells = self._rasters[frame]
        stop = MARGIN + FINE * self.side
        return cells[MARGIN:stop:FINE, MARGIN:stop:FINE].astype(np.int64).reshape(-1)

    def _body(
        self, frame: int, shown: npt.NDArray[np.int64], x: Float64Array, y: Float64Array
    ) -> tuple[Float64Array, Float64Array, npt.NDArray[np.int64]]:
        """Map pixels [K] of a frame to the coordinates of the pieces they show; also says which points wave."""
        a, b, c, d, e, f = self._inverse[frame].T.take(shown, axis=1)
        u, v = a * x + b * y + c, d * x + e * y + f
        wavy = np.flatnonzero(self._is_wavy.take(shown))
        if wavy.size:
            v[wavy] -= self._bent(frame, shown[wavy], u[wavy])
        return u, v, wavy

    def _bent(self, frame: int, shown: npt.NDArray[np.int64], u: Float64Array) -> Float64Array:
        rest, growth, number, begin, end = self._wave.T.take(shown, axis=1)
        bent: Float64Array = (rest + growth * u) * sine_array(number * u + (end if frame else begin))
        return bent

    def _colour(self, frame: int, shown: npt.NDArray[np.int64], x: Float64Array, y: Float64Array) -> Float64Array:
        """Colour of what pixels [K] show, float64 [3, K] in grey levels."""
        u, v, _ = self._body(frame, shown, x, y)
        a, b, c, d, e, f = self._texels.T.take(shown, axis=1)
        mix = look_up(self._pattern.take(shown), a * u + b * v + c, d * u + e * v + f)
        mix = np.clip(0.5 + (mix - 0.5) * self._harshness.take(shown), 0.0, 1.0)
        first, change = self._first.T.take(shown, axis=1), self._change.T.take(shown, axis=1)
        colour: Float64Array = first + change * mix
        return colour

    def image(self, frame: int) -> UInt8Array:
        """Paint a frame, uint8 [H, W, 3] RGB; pixels at edges average four samples a quarter pixel from the centre."""
        shown = self.shown(frame)
        colour = self._colour(frame, shown, self._x, self._y)
        cells, stop = self._rasters[frame], FINE * self.side
        corners = [
            (
                dx,
                dy,
                cells[MARGIN + dy : MARGIN + dy + stop : FINE, MARGIN + dx : MARGIN + dx + stop : FINE].reshape(-1),
            )
            for dy in (-1, 1)
            for dx in (-1, 1)
        ]
        mixed = np.zeros(shown.shape, np.bool_)
        for _, _, near in corners:
            mixed |= near != shown
        edge = np.flatnonzero(mixed)
        if edge.size:
            pieces = np.concatenate([near[edge] for _, _, near in corners]).astype(np.int64)
            x = np.concatenate([self._x[edge] + dx / FINE for dx, _, _ in corners])
            y = np.concatenate([self._y[edge] + dy / FINE for _, dy, _ in corners])
            samples = self._colour(frame, pieces, x, y).reshape(3, 4, -1)
            colour[:, edge] = 0.25 * (samples[:, 0] + samples[:, 1] + samples[:, 2] + samples[:, 3])
        levels = np.clip(np.floor(colour + 0.5), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(levels.T).reshape(self.side, self.side, 3)

    def targets(self) -> Float64Array:
        """Where what each pixel of frame t shows lies in frame t + 1, hidden or not: float64 [H * W, 2], (x, y)."""
        shown = self.shown(0)
        u, v, wavy = self._body(0, shown, self._x, self._y)
        if wavy.size:
            v[wavy] += self._bent(1, shown[wavy], u[wavy])
        a, b, c, d, e, f = self._forward.T.take(shown, axis=1)
        return np.stack([a * u + b * v + c, d * u + e * v + f], axis=1)

    def flow(self) -> tuple[npt.NDArray[np.float32], BoolArray]:
        """Exact flow from frame t to frame t + 1 (zero where invalid) and its validity."""
        targets = self.targets()
        x, y = targets[:, 0], targets[:, 1]
        last = self.side - 1
        valid = (x >= 0) & (x <= last) & (y >= 0) & (y <= last) & self._seen(self.shown(0), x, y)
        flow = np.stack([x - self._x, y - self._y], axis=1).astype(np.float32)
        flow[~valid] = 0.0
        return flow.reshape(self.side, self.side, 2), valid.reshape(self.side, self.side)

    def _seen(self, shown: npt.NDArray[np.int64], x: Float64Array, y: Float64Array) -> BoolArray:
        """Whether frame t + 1 shows each pixel's piece where it has gone: in any of the four nearest cells (1/4 px)."""
        cells = self._rasters[1]
        last = cells.shape[0] - 1
        place = np.clip(np.stack([x, y]) * FINE + MARGIN, 0, last)
        low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
        seen: BoolArray = np.zeros(shown.shape, np.bool_)
        for column in (low[0], high[0]):
            for row in (low[1], high[1]):
                seen |= cells[row, column] == shown
        return seen
