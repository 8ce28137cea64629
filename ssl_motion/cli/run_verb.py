"""`ssl-bench run`: a suite, from nothing to the reports, in one command."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssl_motion.cli.common_options import device_option, json_option, option_group, runs_option
from ssl_motion.cli.executor_options import executor_options

if TYPE_CHECKING:
    from ssl_motion.executors import JobStatus
    from ssl_motion.sweep import Job, SuiteSpec

_run_options = option_group(
    runs_option,
    click.option("--jobs", type=click.IntRange(1), help="Runs side by side [one per CPU core; 1 with a GPU]."),
    device_option,
    click.option("--out", metavar="DIR", help="Folder of the reports [RUNS/reports/SUITE]."),
    click.option("--dry-run", is_flag=True, help="Print the runs, which are there, how long the others take; stop."),
    json_option(),
)


def suite_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every verb that runs a suite (arguments of `run_suite`)."""
    return _run_options(executor_options(function))


@click.command("run", short_help="Run a suite.")
@click.argument("suite")
@suite_options
def command(suite: str, **options: Any) -> None:
    """Run SUITE: a YAML file, or the name of a shipped one (`ssl-bench list configs`).

    Pretrains and transfers for every seed, several runs side by side, reuses what
    is finished, continues what was interrupted, and writes the reports on the suite's runs.
    With --executor slurm the runs are jobs of the cluster: they go on when this command ends, and it finds them again.
    """
    run_suite(suite, **options)


def run_suite(
    suite: str,
    *,
    runs_folder: str | None,
    jobs: int | None,
    device: str,
    executor: str,
    processes: int | None,
    out: str | None,
    dry_run: bool,
    as_json: bool,
    **slurm: Any,
) -> None:
    """Run a suite, or say what would run.

    Args:
        suite: file or shipped name.
        runs_folder: folder of all runs; None for the usual one.
        jobs: how many run side by side; None for as many as there are cores.
        device: "auto", "cpu" or "cuda".
        executor: "local" or "slurm".
        processes: of every run; None for as many as the configs say.
        out: folder of the reports; None for one below that of all runs.
        dry_run: print and stop.
        as_json: print JSON.
        slurm: the values of the options that begin with --slurm-.

    Raises:
        UsageError: Something in the suite is wrong.
        RunError: Some runs failed, or the suite was interrupted or runs already.
    """
    from ssl_motion.cli.suite_display import SuiteDisplay
    from ssl_motion.cli.suite_executors import local_budget, local_executor, slurm_budget, slurm_executor
    from ssl_motion.cli.suite_plan import counted, estimate, print_plan
    from ssl_motion.cli.suite_reports import earlier_records, write_reports
    from ssl_motion.costs import Costs, timed_pretrainings, timed_records
    from ssl_motion.errors import RunError
    from ssl_motion.locking import held
    from ssl_motion.paths import runs_root
    from ssl_motion.several_processes import share_batches
    from ssl_motion.store import Store
    from ssl_motion.suite_state import check_jobs, finished_runs, merged
    from ssl_motion.sweep import load_suite, plan

    spec = load_suite(suite)
    planned = merged(plan(spec) if processes is None else share_batches(plan(spec), processes))
    runs = runs_root(runs_folder) if executor == "local" else runs_root(runs_folder).resolve()
    store = Store(runs)
    budget = (
        local_budget(jobs, device, processes or 1)
        if executor == "local"
        else slurm_budget(jobs or len(planned), slurm, processes or 1)
    )
    finished = finished_runs(planned, store)
    own, others = earlier_records(runs)
    kind = budget.device
    costs = Costs(timed_pretrainings(store, kind) + timed_records(own, kind), timed_records(others, kind))
    expected = estimate(planned, finished, costs, budget.slots)
    if dry_run:
        print_plan(spec.title, planned, finished, expected, as_json)
    for remark in check_jobs(planned, store):
        click.echo(f"note: {remark}", err=True)
    if dry_run:
        return
    name = Path(suite).stem
    began = time.monotonic()
    click.echo(f"{spec.title}\n{counted(planned, finished, expected)}, below {runs.resolve()}", err=True)
    arguments = ["--runs", str(runs), "--device", device]
    arguments += ["--threads", str(budget.threads), "--workers", str(budget.workers)]
    folder = runs / "suites" / name
    try:
        # Two suites at once would write each other's logs.
        with held(folder, "suite.lock"), SuiteDisplay(budget.slots, costs) as display:
            if executor == "local":
                chosen = local_executor(folder, store, arguments, budget, processes, planned, finished)
            else:
                chosen = slurm_executor(folder, store, arguments, slurm, jobs, processes)
            statuses = chosen.run(planned, display.update)
    except KeyboardInterrupt:
        raise RunError("interrupted; the same command continues where it stopped") from None
    written = write_reports(name, statuses, spec, Path(out) if out else runs / "reports" / name, as_json)
    _finish(statuses, written, spec, time.monotonic() - began, as_json)


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
