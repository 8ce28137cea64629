"""A suite before it runs, in words: its graph, what is there already, and how long the rest takes."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ssl_motion.costs import Costs
    from ssl_motion.sweep import Job

_KINDS = {"pretrain": "pretrainings", "transfer": "transfers", "ensemble": "ensembles"}


@dataclass(frozen=True)
class Estimate:
    """Expected times.

    Attributes:
        seconds: name of each job that is to run -> its time; jobs that nothing is known of are left out.
        unknown: number of those.
        total: time from start to end, with so many side by side.
        slots: how many run side by side.
    """

    seconds: dict[str, float]
    unknown: int
    total: float
    slots: int


def estimate(planned: "list[Job]", finished: dict[str, str], costs: "Costs", slots: int) -> Estimate:
    """Estimate the time of what is not finished."""
    from ssl_motion.costs import makespan

    left = [job for job in planned if job.name not in finished]
    known = {job.name: seconds for job in left if (seconds := costs.seconds(job)) is not None}
    return Estimate(known, len(left) - len(known), makespan(planned, known, slots), slots)


def print_plan(title: str, planned: "list[Job]", finished: dict[str, str], expected: Estimate, as_json: bool) -> None:
    """Print the graph of a suite: every run below the first that it starts from."""
    if as_json:
        jobs = [
            {
                "name": job.name,
                "after": list(job.parents),
                "run": finished.get(job.name),
                "seconds": expected.seconds.get(job.name),
                "spec": job.spec.model_dump(),
            }
            for job in planned
        ]
        counts = {"jobs": len(planned), "finished": len(finished)}
        total = {"seconds": expected.total, "side_by_side": expected.slots, "unknown": expected.unknown}
        click.echo(json.dumps({"title": title, "counts": counts, "estimate": total, "jobs": jobs}, indent=2))
        return
    click.echo(title)
    width = max((len(job.name) + 2 * (len(job.parents) == 1) for job in planned), default=0)
    for job in _tree(planned):
        indent = "  " * (len(job.parents) == 1)
        after = f"   after: {', '.join(job.parents)}" if len(job.parents) > 1 else ""
        click.echo(f"  {indent + job.name:<{width}}   {_state(job, finished, expected)}{after}".rstrip())
    click.echo(counted(planned, finished, expected))


def counted(planned: "list[Job]", finished: dict[str, str], expected: Estimate) -> str:
    """How many runs there are of each kind, how many are finished, and how long the others take."""
    verbs = Counter(job.verb for job in planned)
    kinds = [f"{verbs[verb]} {name}" for verb, name in _KINDS.items() if verbs[verb]]
    text = f"{len(planned)} runs: {', '.join(kinds)}; {len(finished)} finished already"
    left = len(planned) - len(finished)
    if not left:
        return text
    if not expected.seconds:
        return f"{text}, {left} to run, {expected.slots} side by side (no earlier runs tell how long)"
    but = f", without {expected.unknown} of which no earlier run tells" if expected.unknown else ""
    return f"{text}, {left} to run: about {duration(expected.total)}, {expected.slots} side by side{but}"


def duration(seconds: float) -> str:
    """Say a time in words that suit its length."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.1f} h"


def _state(job: "Job", finished: dict[str, str], expected: Estimate) -> str:
    if job.name in finished:
        return "cached"
    seconds = expected.seconds.get(job.name)
    return "to run" if seconds is None else f"to run, about {duration(seconds)}"


def _tree(planned: "list[Job]") -> "list[Job]":
    """Order jobs so that those with one parent follow it; the others stay where they are."""
    children: dict[str, list[Job]] = {}
    for job in planned:
        if len(job.parents) == 1:
            children.setdefault(job.parents[0], []).append(job)
    ordered: list[Job] = []
    for job in planned:
        if len(job.parents) != 1:
            ordered += [job, *children.get(job.name, [])]
    return ordered
