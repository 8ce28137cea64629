"""Errors that a user can act on. Anything else that is raised is a bug of ours.

The command line turns them into one clear message and an exit code; library
callers catch `SSLMotionError`.
"""


class SSLMotionError(Exception):
    """Base of all errors that say what was expected, where, and what to do."""

    exit_code = 1


class UsageError(SSLMotionError):
    """What was asked for is wrong: a missing folder, an unknown name or key, a bad value (exit code 2)."""

    exit_code = 2


class RunError(SSLMotionError):
    """The request was right, but the work failed: full disk, lost data, diverged loss (exit code 1)."""


class StoppedBySignal(RunError):
    """The run was asked to stop, wrote a checkpoint and stopped; the same command continues it."""


class DataError(RunError):
    """A file's content is not what its format promises."""
