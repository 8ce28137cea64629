"""What a finished suite writes: the one place where the command line turns a suite's records into reports."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl_motion.executors import JobStatus
    from ssl_motion.record import ResultRecord
    from ssl_motion.sweep import SuiteSpec


def write_reports(statuses: "list[JobStatus]", suite: "SuiteSpec", out: Path, as_json: bool) -> list[Path]:
    """Write the leaderboard of the suite's own results.

    Args:
        statuses: of all jobs, ended.
        suite: its title and remarks stand in the reports.
        out: folder to write into.
        as_json: print nothing for people.

    Returns:
        The files; none where no transfer is finished.
    """
    from ssl_motion.sweep import all_remarks
    from ssl_motion_reports.leaderboard import IMAGE_DRAWS, collect_records, print_leaderboard, write_leaderboard

    finished = [status for status in statuses if status.job.verb != "pretrain" and status.run]
    records, sources = collect_records([Path(status.run) / "record.json" for status in finished])
    if not records:
        return []
    cache = Path(finished[0].run).parents[1] / IMAGE_DRAWS
    if not as_json:
        print_leaderboard(records, sources=sources, cache=cache)
    return write_leaderboard(records, out, sources=sources, title=suite.title, notes=all_remarks(suite), cache=cache)


def earlier_records(runs: Path) -> "tuple[list[ResultRecord], list[ResultRecord]]":
    """Read the records of a runs folder, and those committed with a checkout."""
    from ssl_motion_reports.leaderboard import collect_records, committed_records, run_records

    return collect_records(run_records(runs))[0], collect_records(committed_records())[0]
