"""What a protocol can resolve, in a sentence."""

from ssl_motion.record import MetricValue
from ssl_motion_reports.differences import Differences
from ssl_motion_reports.formatting import number


def resolution(known: Differences | None, metric: MetricValue) -> str:
    """Say which differences are resolved between any two of a group's entries; empty where nothing can be said."""
    if known is None:
        return ""
    unit = " points" if metric.unit == "%" else f" {metric.unit}" if metric.unit else ""
    over = f"seeds and {known.images:,} test images" if known.images else "seeds, on these test images"
    return (
        f"With {known.seeds} seeds this protocol separates differences above {number(known.enough)}{unit} of "
        f"{metric.name} (any two of {len(known.letters)} rows at once; over {over})."
    )
