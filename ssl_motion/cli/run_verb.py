"""`ssl-bench run`: a suite, from nothing to the leaderboard, in one command."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ssl_motion.executors import JobStatus

PLAIN_LINE_SECONDS = 15.0


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
    from ssl_motion.errors import RunError
    from ssl_motion.executors import LocalExecutor
    from ssl_motion.locking import held
    from ssl_motion.paths import runs_root
    from ssl_motion.puppets import ensure_dataset
    from ssl_motion.sweep import load_suite, plan

    spec = load_suite(suite)
    planned = plan(spec)
    if dry_run:
        _print_plan(spec.title, planned, as_json)
        return
    runs = runs_root(runs_folder)
    name = Path(suite).stem
    slots, threads = _budget(jobs, device)
    began = time.monotonic()
    click.echo(f"{spec.title}\n{len(planned)} runs, {slots} side by side, below {runs.resolve()}", err=True)
    arguments = ["--runs", str(runs), "--device", device, "--threads", str(threads)]
    folder = runs / "suites" / name
    try:
        # Two suites at once would write each other's logs.
        with held(folder, "suite.lock"), _Display() as display:
            if spec.puppets is not None:
                # Once, with all cores, before the runs that share it start.
                ensure_dataset(spec.puppets, runs / "data", layouts=("shards", "voc"), processes=slots)
            statuses = LocalExecutor(folder, arguments, slots).run(planned, display.update)
    except KeyboardInterrupt:
        raise RunError("interrupted; the same command continues where it stopped") from None
    written = _report(statuses, spec.title, Path(out) if out else runs / "reports" / name, as_json)
    _finish(statuses, written, spec.next_steps, time.monotonic() - began, as_json)


def _print_plan(title: str, planned: list[Any], as_json: bool) -> None:
    """Print the jobs of a suite."""
    if as_json:
        import json

        jobs = [{"name": job.name, "after": job.parent, "spec": job.spec.model_dump()} for job in planned]
        click.echo(json.dumps({"title": title, "jobs": jobs}, indent=2))
        return
    click.echo(title)
    for job in planned:
        click.echo(f"  {job.name}" + (f"   (after: {job.parent})" if job.parent else ""))


def _budget(jobs: int | None, device: str) -> tuple[int, int]:
    """Choose (runs side by side, torch threads each): two one-thread processes beat one two-thread process."""
    import shutil

    from ssl_motion.executors import usable_cores

    cores = usable_cores()
    on_gpu = device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)
    slots = jobs or (1 if on_gpu else cores)
    return slots, max(1, cores // slots)


class _Display:
    """The state of all jobs: a live table on a terminal, lines in a log."""

    def __init__(self) -> None:
        self._live: Any = None
        self._shown: dict[str, str] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> "_Display":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, statuses: "list[JobStatus]") -> None:
        """Show the statuses."""
        if self._live is not None:
            from rich.table import Table

            table = Table("run", "state", "seconds", "latest message", box=None, pad_edge=False)
            for status in statuses:
                seconds = f"{status.seconds:.0f}" if status.seconds else ""
                message = status.last_line[:90] if status.state in ("running", "failed") else status.run
                table.add_row(status.job.name, status.state, seconds, message)
            self._live.update(table)
            return
        for status in statuses:
            if self._shown.get(status.job.name, "waiting") != status.state:
                self._shown[status.job.name] = status.state
                took = f" after {status.seconds:.0f} s" if status.state in ("done", "failed") else ""
                finished = sum(each.state in ("done", "reused") for each in statuses)
                click.echo(f"[{finished}/{len(statuses)}] {status.job.name}: {status.state}{took}", err=True)
        if time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS:
            self._last_line = time.monotonic()
            for status in statuses:
                if status.state == "running" and ": " in status.last_line:
                    # The job names itself in front of its progress; here its name is there already.
                    click.echo(f"      {status.job.name}: {status.last_line.partition(': ')[2]}", err=True)


def _report(statuses: "list[JobStatus]", title: str, out: Path, as_json: bool) -> list[Path]:
    """Write the leaderboard of the suite's own transfer runs."""
    from ssl_motion_reports.leaderboard import collect_records, print_leaderboard, write_leaderboard

    finished = [status for status in statuses if status.job.verb == "transfer" and status.run]
    records, sources = collect_records([Path(status.run) / "record.json" for status in finished])
    if not records:
        return []
    if not as_json:
        print_leaderboard(records)
    return write_leaderboard(records, out, sources=sources, title=title)


def _finish(
    statuses: "list[JobStatus]", written: list[Path], next_steps: list[str], seconds: float, as_json: bool
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
        if not failed:
            for step in next_steps:
                click.echo(step)
    if failed:
        lines = [f"  {status.job.name}: {status.last_line}\n    log: {status.log}" for status in failed]
        skipped = sum(status.state == "skipped" for status in statuses)
        raise RunError(
            f"{len(failed)} of {len(statuses)} runs failed ({skipped} more waited for them). "
            f"The same command tries again what is missing.\n" + "\n".join(lines)
        )
