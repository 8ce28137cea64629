"""Verbs as a user calls them, in this process (read with `runpy`)."""

from typing import Any

from click.testing import CliRunner, Result

from ssl_motion.cli import cli
from ssl_motion.errors import SSLMotionError


def bench(*arguments: Any) -> Result:
    """Call `ssl-bench` with the arguments as texts; errors that a user can cause are raised."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if isinstance(result.exception, SSLMotionError):
        raise result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result
