"""`ssl-bench run`: a suite, from nothing to the leaderboard, in one command."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ssl_motion.executors import JobStatus
    from ssl_motion.sweep import Job, SuiteSpec


@click.command("run", short_help="Run a suite.")
@click.argument("suite")
@click.option("--runs", "runs_folder", metavar="DIR", help="Folder of all runs [$SSL_MOTION_RUNS, else runs].")
@click.option("--jobs", type=click.IntRange(1), help="Runs side by side [one per CPU core; 1 with a GPU].")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--out", metavar="DIR", help="Folder of the leaderboard [RUNS/reports/SUITE].")
@click.option("--dry-run", is_flag=True, help="Print the jobs and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    suite: str, runs_folder: str | None, jobs: int | None, device: str, out: str | None, dry_run: bool, as_json: bool
) -> None:
    """Run SUITE: a YAML file, or the name of a shipped one (`ssl-bench list configs`).

    Pretrains and transfers for every seed, several runs side by side, reuses what
    is finished, continues what was interrupted, and writes the leaderboard of the suite's runs.
    """
    from ssl_motion.cli.suite_display import SuiteDisplay
    from ssl_motion.errors import RunError
    from ssl_motion.executors import LocalExecutor
    from ssl_motion.launching import Forks, Fresh
    from ssl_motion.locking import held
    from ssl_motion.paths import runs_root
    from ssl_motion.store import Store
    from ssl_motion.suite_state import check_jobs, finished_run, finished_runs, modules_of, prepare_worlds
    from ssl_motion.sweep import load_suite, plan

    spec = load_suite(suite)
    planned = plan(spec)
    runs = runs_root(runs_folder)
    store = Store(runs)
    check_jobs(planned, store)
    finished = finished_runs(planned, store)
    if dry_run:
        _print_plan(spec.title, planned, finished, as_json)
        return
    name = Path(suite).stem
    slots, threads = _budget(jobs, device)
    began = time.monotonic()
    click.echo(f"{spec.title}\n{_counted(planned, finished)}; {slots} side by side, below {runs.resolve()}", err=True)
    arguments = ["--runs", str(runs), "--device", device, "--threads", str(threads)]
    folder = runs / "suites" / name
    try:
        # Two suites at once would write each other's logs.
        with held(folder, "suite.lock"), SuiteDisplay(slots) as display:
            prepare_worlds([job for job in planned if job.name not in finished], store, processes=slots)
            executor = LocalExecutor(
                folder,
                arguments,
                slots,
                lambda job, parent: finished_run(job, parent, store),
                Forks(modules_of(planned)) if Forks.available() else Fresh,
            )
            statuses = executor.run(planned, display.update)
    except KeyboardInterrupt:
        raise RunError("interrupted; the same command continues where it stopped") from None
    written = _report(statuses, spec, Path(out) if out else runs / "reports" / name, as_json)
    _finish(statuses, written, spec, time.monotonic() - began, as_json)


def _print_plan(title: str, planned: "list[Job]", finished: dict[str, str], as_json: bool) -> None:
    """Print the jobs of a suite, and which of them are finished."""
    if as_json:
        import json

        jobs = [
            {"name": job.name, "after": job.parent, "run": finished.get(job.name), "spec": job.spec.model_dump()}
            for job in planned
        ]
        counts = {"jobs": len(planned), "finished": len(finished)}
        click.echo(json.dumps({"title": title, "counts": counts, "jobs": jobs}, indent=2))
        return
    click.echo(title)
    for job in planned:
        state = "   (finished)" if job.name in finished else f"   (after: {job.parent})" if job.parent else ""
        click.echo(f"  {job.name}{state}")
    click.echo(_counted(planned, finished))


def _counted(planned: "list[Job]", finished: dict[str, str]) -> str:
    """How many jobs there are of each kind, and how many are finished."""
    pretrainings = sum(job.verb == "pretrain" for job in planned)
    return (
        f"{len(planned)} runs: {pretrainings} pretrainings and {len(planned) - pretrainings} transfers; "
        f"{len(finished)} finished already"
    )


def _budget(jobs: int | None, device: str) -> tuple[int, int]:
    """Choose (runs side by side, torch threads each): two one-thread processes beat one two-thread process."""
    import shutil

    from ssl_motion.executors import usable_cores

    cores = usable_cores()
    on_gpu = device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)
    slots = jobs or (1 if on_gpu else cores)
    return slots, max(1, cores // slots)


def _report(statuses: "list[JobStatus]", suite: "SuiteSpec", out: Path, as_json: bool) -> list[Path]:
    """Write the leaderboard of the suite's own transfer runs."""
    from ssl_motion_reports.leaderboard import IMAGE_DRAWS, collect_records, print_leaderboard, write_leaderboard

    finished = [status for status in statuses if status.job.verb == "transfer" and status.run]
    records, sources = collect_records([Path(status.run) / "record.json" for status in finished])
    if not records:
        return []
    cache = Path(finished[0].run).parents[1] / IMAGE_DRAWS
    if not as_json:
        print_leaderboard(records, sources=sources, cache=cache)
    return write_leaderboard(records, out, sources=sources, title=suite.title, notes=suite.remarks, cache=cache)


def _finish(
    statuses: "list[JobStatus]", written: list[Path], suite: "SuiteSpec", seconds: float, as_json: bool
) -> None:
    """Say what came out, where it is, and what to try next.

    Raises:
        RunError: Some jobs failed; each is named with its last message and its log.
    """
    from ssl_motion.errors import RunError

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
        for remark in suite.remarks:
            click.echo(f"Note: {remark}")
        if not failed:
            for step in suite.next_steps:
                click.echo(step)
    if failed:
        lines = [f"  {status.job.name}: {status.last_line}\n    log: {status.log}" for status in failed]
        skipped = sum(status.state == "skipped" for status in statuses)
        raise RunError(
            f"{len(failed)} of {len(statuses)} runs failed ({skipped} more waited for them). "
            f"The same command tries again what is missing.\n" + "\n".join(lines)
        )
