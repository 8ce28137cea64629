"""What a protocol can resolve, in a sentence."""

from ssl_motion.record import MetricValue
from ssl_motion_reports.differences import Differences
from ssl_motion_reports.formatting import number


def difference_words(difference: float, metric: MetricValue) -> str:
    """A difference with what it is of: "2.78 points of mIoU"."""
    unit = " points" if metric.unit == "%" else f" {metric.unit}" if metric.unit else ""
    return f"{number(difference)}{unit} of {metric.name}"


def resolution(known: Differences | None, metric: MetricValue) -> str:
    """Say which differences are resolved between any two of a group's entries; empty where nothing can be said."""
    if known is None:
        return ""
    over = f"seeds and {known.images:,} test images" if known.images else "seeds, on these test images"
    return (
        f"With {known.seeds} seeds this protocol separates differences above {difference_words(known.enough, metric)} "
        f"(any two of {len(known.letters)} rows at once; over {over})."
    )
