"""Logs of runs as a small drawing: the training losses, and the validation losses where there were any."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ssl_motion_reports.formatting import number

Points = list[tuple[float, float]]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 600, 200, 46, 20
_MOST_POINTS = 60


@dataclass(frozen=True)
class Log:
    """What is drawn of a log: points (iteration, loss)."""

    train: Points
    validation: Points


def read_log(path: Path) -> Log | None:
    """Read a run's log.jsonl; None where it is missing or holds no loss. Lines that are damaged are left out."""
    log = Log([], [])
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for text in lines:
        try:
            line = json.loads(text)
            step = float(line["iteration"])
        except (ValueError, KeyError, TypeError):
            continue
        for points, key in ((log.train, "train/loss"), (log.validation, "val/loss")):
            value = line.get(key)
            if isinstance(value, int | float) and math.isfinite(value):
                points.append((step, float(value)))
    return log if log.train or log.validation else None


def thinned(points: Points, most: int = _MOST_POINTS) -> Points:
    """Average neighbours until there are at most so many points; the last one stays."""
    size = math.ceil((len(points) - 1) / (most - 1)) if len(points) > most else 1
    if size == 1:
        return points
    before = points[:-1]
    parts = [before[start : start + size] for start in range(0, len(before), size)]
    return [*((part[-1][0], math.fsum(value for _, value in part) / len(part)) for part in parts), points[-1]]


def draw_logs(logs: Sequence[Log]) -> Markup:
    """Draw logs of the same quantity as inline SVG that takes the page's colours.

    Args:
        logs: one a seed; at least one.
    """
    train, validation = [thinned(log.train) for log in logs if log.train], [thinned(log.validation) for log in logs]
    everything = [point for points in [*train, *validation] for point in points]
    last = max(step for step, _ in everything) or 1.0
    low, high = min(value for _, value in everything), max(value for _, value in everything)
    span = (high - low) or 1.0
    floor = _HEIGHT - _BOTTOM

    def place(point: tuple[float, float]) -> tuple[int, int]:
        x = _LEFT + point[0] / last * (_WIDTH - _LEFT - 8)
        return round(x), round(8 + (high - point[1]) / span * (floor - 16))

    def path(points: Points) -> str:
        (x, y), *rest = map(place, points)
        text = f"M{x} {y}l"
        for across, down in rest:  # relative steps are shorter to write
            text += f"{across - x} {down - y} "
            x, y = across, down
        return text.rstrip(" l")

    parts = [f'<path class="axis" d="M{_LEFT} 4V{floor}H{_WIDTH}"/>']
    parts += [f'<path class="line" d="{path(points)}"/>' for points in train]
    parts += ['<circle r="4" cx="{}" cy="{}"/>'.format(*place(point)) for points in validation for point in points]
    for height, value in ((14, high), (floor - 4, low)):
        parts.append(f'<text x="{_LEFT - 4}" y="{height}" text-anchor="end">{number(value)}</text>')
    parts.append(f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{last:.0f} iterations</text>')
    # Numbers and fixed text only: nothing in here needs escaping.
    return Markup(  # noqa: S704
        f'<svg class="log" role="img" aria-label="loss over {last:.0f} iterations, between {number(low)} and '
        f'{number(high)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(parts)}</svg>'
    )
