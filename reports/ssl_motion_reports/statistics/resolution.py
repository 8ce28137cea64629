"""What a protocol can resolve, in a sentence."""

from ssl_motion.record import MetricValue
from ssl_motion_reports.differences import Differences
from ssl_motion_reports.formatting import number


def resolution(known: Differences | None, metric: MetricValue) -> str:
    """Say which differences are resolved; empty where nothing can be said."""
    if known is None:
        return ""
    return f"With {known.seeds} this protocol separates differences in {metric.name} above {number(known.smallest)}."
