"""Guidance over time: key frames, and what lies between them.

A script is a JSON file:

    {"fps": 12,
     "keys": [{"frame": 0,  "arrows": [[320, 200, 0, 0]],    "stills": [[300, 420]]},
              {"frame": 12, "arrows": [[320, 200, 25, -10]], "stills": [[300, 420]]},
              {"frame": 24, "arrows": [[320, 200, 0, 0]],    "stills": [[300, 420]]}]}

Arrows say how far the point at their foot lies, in that frame, from where it is in the photograph: every frame is made
from the photograph, none from the frame before it.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator
from typing_extensions import Self

from ssl_motion.errors import UsageError
from ssl_motion.propagation.guidance import Guidance
from ssl_motion.spec import Strict
from ssl_motion.spec_text import load_json

MOST_FRAMES = 10_000


class KeyFrame(Guidance):
    """Guidance of one frame.

    Attributes:
        frame: its number, from 0.
    """

    frame: Annotated[int, Field(ge=0, lt=MOST_FRAMES)]


class MotionScript(Strict):
    """Key frames of guidance.

    Arrow i of one key frame becomes arrow i of the next, and still point i likewise: positions and vectors go over
    linearly. Before the first key frame its guidance holds. The clip ends with the last.

    Attributes:
        keys: in the order of their frames; each has as many arrows and as many stills as the others.
        fps: frames per second, 1 to 100.
    """

    keys: Annotated[list[KeyFrame], Field(min_length=1, max_length=MOST_FRAMES)]
    fps: Annotated[float, Field(ge=1, le=100)] = 12.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        first = self.keys[0]
        for number, (before, key) in enumerate(zip(self.keys, self.keys[1:], strict=False), 1):
            if key.frame <= before.frame:
                raise ValueError(
                    f"keys.{number} is of frame {key.frame}, and the key before it of frame {before.frame}: "
                    "expected frames in rising order"
                )
            for what in ("arrows", "stills"):
                found, wanted = len(getattr(key, what)), len(getattr(first, what))
                if found != wanted:
                    raise ValueError(
                        f"keys.{number} (frame {key.frame}) has {found} {what}, keys.0 has {wanted}: each key frame "
                        f"names all of them, in one order, so that it is known which goes over into which"
                    )
        return self

    @property
    def frames(self) -> int:
        """Number of frames of the clip: the last key frame's number and one."""
        return self.keys[-1].frame + 1

    def guidance_at(self, frame: float) -> Guidance:
        """Interpolate the guidance of a moment.

        Args:
            frame: a frame's number; those between frames are moments too. Beyond the first or last key frame, its
                guidance holds.
        """
        after = bisect_right([key.frame for key in self.keys], frame)
        if after == 0 or after == len(self.keys):
            key = self.keys[min(after, len(self.keys) - 1)]
            return Guidance(arrows=key.arrows, stills=key.stills)
        one, other = self.keys[after - 1], self.keys[after]
        share = (frame - one.frame) / (other.frame - one.frame)
        return Guidance.model_validate(
            {"arrows": _between(one.arrows, other.arrows, share), "stills": _between(one.stills, other.stills, share)}
        )

    def checked(self, size: tuple[int, int]) -> Self:
        """Return the script itself, or fail where a point of a key frame lies outside an image.

        Points between key frames then lie inside too: they are on the lines between those.

        Args:
            size: (height, width) of the image.

        Raises:
            UsageError: A point lies outside; it and its key frame are named.
        """
        for number, key in enumerate(self.keys):
            try:
                key.checked(size)
            except UsageError as error:
                raise UsageError(f"keys.{number} (frame {key.frame}): {error}") from None
        return self


def _between(one: list[Any], other: list[Any], share: float) -> list[tuple[float, ...]]:
    """Points on the way from `one` to `other`; equal numbers stay exactly what they are."""
    return [
        tuple(a + share * (b - a) for a, b in zip(first, second, strict=True))
        for first, second in zip(one, other, strict=True)
    ]


def read_script(path: Path) -> MotionScript:
    """Read a script.

    Raises:
        UsageError: There is none, or it is not of the form that this module describes; the key frame is named.
    """
    form = '{"fps": 12, "keys": [{"frame": 0, "arrows": [...], "stills": [...]}]}'
    return load_json(MotionScript, path, "a motion script", form)
