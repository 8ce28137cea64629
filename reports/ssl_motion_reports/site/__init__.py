"""A static site of all results: answer, leaderboards, methods, runs. It opens as files, without a server."""

from ssl_motion_reports.site.build import write_site
from ssl_motion_reports.site.content import Picture
from ssl_motion_reports.site.describe import Description, describe_methods

__all__ = ["Description", "Picture", "describe_methods", "write_site"]
