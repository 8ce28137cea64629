"""`ssl-bench run`: a suite, from nothing to the reports, in one command."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ssl_motion.executors import JobStatus
    from ssl_motion.sweep import Job, SuiteSpec

_OPTIONS = (
    click.option("--runs", "runs_folder", metavar="DIR", help="Folder of all runs [$SSL_MOTION_RUNS, else runs]."),
    click.option("--jobs", type=click.IntRange(1), help="Runs side by side [one per CPU core; 1 with a GPU]."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("--out", metavar="DIR", help="Folder of the reports [RUNS/reports/SUITE]."),
    click.option("--dry-run", is_flag=True, help="Print the runs, which are there, how long the others take; stop."),
    click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON."),
)


def suite_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every verb that runs a suite (arguments of `run_suite`)."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("run", short_help="Run a suite.")
@click.argument("suite")
@suite_options
def command(suite: str, **options: Any) -> None:
    """Run SUITE: a YAML file, or the name of a shipped one (`ssl-bench list configs`).

    Pretrains and transfers for every seed, several runs side by side, reuses what
    is finished, continues what was interrupted, and writes the reports on the suite's runs.
    """
    run_suite(suite, **options)


def run_suite(
    suite: str, *, runs_folder: str | None, jobs: int | None, device: str, out: str | None, dry_run: bool, as_json: bool
) -> None:
    """Run a suite, or say what would run.

    Args:
        suite: file or shipped name.
        runs_folder: folder of all runs; None for the usual one.
        jobs: how many run side by side; None for as many as there are cores.
        device: "auto", "cpu" or "cuda".
        out: folder of the reports; None for one below that of all runs.
        dry_run: print and stop.
        as_json: print JSON.

    Raises:
        UsageError: Something in the suite is wrong.
        RunError: Some runs failed, or the suite was interrupted or runs already.
    """
    from ssl_motion.cli.suite_display import SuiteDisplay
    from ssl_motion.cli.suite_plan import counted, estimate, print_plan
    from ssl_motion.cli.suite_reports import earlier_records, write_reports
    from ssl_motion.costs import Costs, timed_pretrainings, timed_records
    from ssl_motion.errors import RunError
    from ssl_motion.executors import LocalExecutor
    from ssl_motion.launching import Forks, Fresh
    from ssl_motion.locking import held
    from ssl_motion.paths import runs_root
    from ssl_motion.store import Store
    from ssl_motion.suite_state import check_jobs, finished_run, finished_runs, merged, modules_of, prepare_worlds
    from ssl_motion.sweep import load_suite, plan

    spec = load_suite(suite)
    planned = merged(plan(spec))
    runs = runs_root(runs_folder)
    store = Store(runs)
    slots, threads, kind = _budget(jobs, device)
    finished = finished_runs(planned, store)
    own, others = earlier_records(runs)
    costs = Costs(timed_pretrainings(store, kind) + timed_records(own, kind), timed_records(others, kind))
    expected = estimate(planned, finished, costs, slots)
    if dry_run:
        print_plan(spec.title, planned, finished, expected, as_json)
    check_jobs(planned, store)
    if dry_run:
        return
    name = Path(suite).stem
    began = time.monotonic()
    click.echo(f"{spec.title}\n{counted(planned, finished, expected)}, below {runs.resolve()}", err=True)
    arguments = ["--runs", str(runs), "--device", device, "--threads", str(threads)]
    folder = runs / "suites" / name
    try:
        # Two suites at once would write each other's logs.
        with held(folder, "suite.lock"), SuiteDisplay(slots, costs) as display:
            prepare_worlds([job for job in planned if job.name not in finished], store, processes=slots)
            executor = LocalExecutor(
                folder,
                arguments,
                slots,
                lambda job, parents: finished_run(job, parents, store),
                Forks(modules_of(planned)) if Forks.available() else Fresh,
            )
            statuses = executor.run(planned, display.update)
    except KeyboardInterrupt:
        raise RunError("interrupted; the same command continues where it stopped") from None
    written = write_reports(statuses, spec, Path(out) if out else runs / "reports" / name, as_json)
    _finish(statuses, written, spec, time.monotonic() - began, as_json)


def _budget(jobs: int | None, device: str) -> tuple[int, int, str]:
    """Choose (runs side by side, torch threads each, kind of device): two one-thread processes beat one of two."""
    import shutil

    from ssl_motion.executors import usable_cores

    cores = usable_cores()
    on_gpu = device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)
    slots = jobs or (1 if on_gpu else cores)
    return slots, max(1, cores // slots), "cuda" if on_gpu else "cpu"


def _finish(
    statuses: "list[JobStatus]", written: list[Path], suite: "SuiteSpec", seconds: float, as_json: bool
) -> None:
    """Say what came out, where it is, and what to try next.

    Raises:
        RunError: Some jobs failed; each is named with the reason from its log.
    """
    from ssl_motion.errors import RunError
    from ssl_motion.sweep import all_remarks

    failed = [status for status in statuses if status.state == "failed"]
    if as_json:
        import json

        jobs = [{"name": s.job.name, "state": s.state, "run": s.run, "seconds": s.seconds} for s in statuses]
        click.echo(json.dumps({"jobs": jobs, "reports": [str(path) for path in written]}, indent=2))
    else:
        reused = sum(status.state == "reused" for status in statuses)
        click.echo(f"\nFinished in {seconds / 60:.1f} minutes ({len(statuses)} runs, {reused} reused).")
        for path in written:
            click.echo(f"  {path}")
        for remark in all_remarks(suite):
            click.echo(f"Note: {remark}")
        if not failed:
            for step in suite.next_steps:
                click.echo(step)
    if failed:
        lines = [line for status in failed for line in _failure(status, statuses)]
        skipped = sum(status.state == "skipped" for status in statuses)
        raise RunError(
            f"{len(failed)} of {len(statuses)} runs failed ({skipped} more waited for them). "
            f"The same command tries again what is missing.\n" + "\n".join(lines)
        )


def _failure(failed: "JobStatus", statuses: "list[JobStatus]") -> list[str]:
    """Describe a failed job: why, where its log is, and what was not run because of it."""
    waited = _descendants(failed.job, [status.job for status in statuses])
    lines = [f"  {failed.job.name}: {failed.reason}", f"    log: {failed.log}"]
    return [*lines, f"    not run: {', '.join(waited)}"] if waited else lines


def _descendants(job: "Job", jobs: "list[Job]") -> list[str]:
    """Names of the jobs that depend on one, directly or through another; parents come before children in `jobs`."""
    found = {job.name}
    for each in jobs:
        if found.intersection(each.parents):
            found.add(each.name)
    return [each.name for each in jobs if each.name in found - {job.name}]
