"""What a finished suite writes: the one place where the command line turns a suite's records into reports."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl_motion.executors import JobStatus
    from ssl_motion.record import ResultRecord
    from ssl_motion.sweep import SuiteSpec


def write_reports(name: str, statuses: "list[JobStatus]", suite: "SuiteSpec", out: Path, as_json: bool) -> list[Path]:
    """Write leaderboard, curves and site of a suite's results.

    Variants of the suite's own methods that only suites have that it includes, such as those of an ablation, stand in
    curves and site alone.

    Args:
        name: of the suite.
        statuses: of all jobs, ended.
        suite: its title and remarks stand in the reports.
        out: folder to write into.
        as_json: print nothing for people.

    Returns:
        The files; none where no transfer is finished.
    """
    from ssl_motion.cli.reports import curves_of, image_draws, pictures_of
    from ssl_motion.sweep import all_remarks, with_included
    from ssl_motion_reports.board import build_board
    from ssl_motion_reports.curves import write_curves
    from ssl_motion_reports.leaderboard import collect_records, write_board
    from ssl_motion_reports.site import describe_methods, write_site
    from ssl_motion_reports.terminal import print_board

    finished = [status for status in statuses if status.job.verb != "pretrain" and status.run]
    records, sources = collect_records([Path(status.run) / "record.json" for status in finished])
    if not records:
        return []
    cache = image_draws(Path(finished[0].run).parents[1], records, sources)
    others = tuple(f"{included}: " for included in with_included(suite) if included)
    own_files = {Path(status.run) / "record.json" for status in finished if not status.job.name.startswith(others)}
    own = {record.method for record in records if sources[record.identity] in own_files}
    shown = [record for record in records if sources[record.identity] in own_files or record.method not in own]
    board = build_board(shown, sources, cache)
    if not as_json:
        print_board(board)
    written = write_board(board, out, sources=sources, title=suite.title, notes=all_remarks(suite))
    curves = curves_of({name: suite})
    drawn = write_curves(curves, records, out / "curves", sources, cache)
    home = write_site(
        records,
        out / "site",
        sources=sources,
        methods=describe_methods(),
        pictures=pictures_of(curves, drawn),
        cache=cache,
    )
    return [*written, *(file for files in drawn.values() for file in files), home]


def earlier_records(runs: Path) -> "tuple[list[ResultRecord], list[ResultRecord]]":
    """Read the records of a runs folder, and those committed with a checkout."""
    from ssl_motion_reports.leaderboard import collect_records, committed_records, run_records

    return collect_records(run_records(runs))[0], collect_records(committed_records())[0]
