"""From a suite to its jobs: a graph of pretrainings, transfers of them and averages of these.

Each job is one command of `ssl-bench`, so that whatever a suite does can also be typed by hand. Whether a job has
been done already is the business of that command (it reuses finished runs).
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from ssl_motion.errors import UsageError
from ssl_motion.paths import find_config
from ssl_motion.plugins import did_you_mean
from ssl_motion.spec import PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.spec_text import apply_overrides, load_yaml, parse_spec
from ssl_motion.suite_spec import (
    EnsembleEntry,
    PretrainEntry,
    SuiteSpec,
    TransferEntry,
    all_curves,
    all_remarks,
    load_suite,
    with_included,
)

__all__ = [
    "EnsembleEntry",
    "Job",
    "PretrainEntry",
    "SuiteSpec",
    "TransferEntry",
    "all_curves",
    "all_remarks",
    "job_spec_file",
    "load_suite",
    "plan",
    "with_included",
]

ORDER = ("pretrain", "transfer", "ensemble")
"""Verbs in the order of their jobs; transfers are shorter than pretrainings, so that no core waits long at the end."""


LONGEST_NAME = 220
"""Letters of a job's file name, without suffix: file systems take 255 bytes, and the longest of its files is the state
of a job of Slurm while it is written, ".NAME.state.json.PROCESS-TOKEN.part"."""


@dataclass(frozen=True)
class Job:
    """One command of a suite.

    Attributes:
        name: unique in the suite, such as "pretrain cmp seed 0", with the world in front where there are several, and
            before that the suite, where that was included.
        verb: "pretrain", "transfer" or "ensemble".
        spec: the run's spec; a transfer's `init` stands for its parent's run where it has one. Of an ensemble, what its
            members share, with their starts in `init`.
        parents: names of the jobs whose runs this one starts from, or averages.
        options: of its command, in addition to those of the whole suite.
    """

    name: str
    verb: str
    spec: PretrainSpec | TransferSpec
    parents: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def run_spec(self, parent_runs: Sequence[str]) -> dict[str, Any]:
        """Return the spec as its command reads it, with the runs of the parents filled in; an ensemble reads none."""
        content = self.spec.model_dump()
        if self.verb == "transfer" and parent_runs:
            content["init"] = parent_runs[0]
        return content

    def command(self, spec_file: Path, parent_runs: Sequence[str]) -> list[str]:
        """Return the arguments of `ssl-bench`, but for those of the whole suite.

        Args:
            spec_file: where `run_spec` was written.
            parent_runs: folders of the parents' runs.
        """
        what = parent_runs if self.verb == "ensemble" else [str(spec_file)]
        return [self.verb, *what, "--json", *self.options]


def plan(suite: SuiteSpec) -> list[Job]:
    """Lay out the jobs of a suite and of those that it includes: all pretrainings, then transfers, then ensembles.

    Raises:
        UsageError: A config or an included suite does not exist or breaks the schema, an ensemble names what the suite
            does not have, two jobs have one name, or a name is too long for the job's files.
    """
    jobs: list[Job] = []
    for name, part in with_included(suite).items():
        own = _own_jobs(part)
        jobs += [
            replace(
                job,
                name=f"{name}: {job.name}" if name else job.name,
                parents=tuple(f"{name}: {parent}" if name else parent for parent in job.parents),
            )
            for job in own
        ]
    jobs.sort(key=lambda job: ORDER.index(job.verb))
    files = Counter(job_spec_file(Path(), job) for job in jobs)
    for job in jobs:
        file = job_spec_file(Path(), job)
        if len(file.stem) > LONGEST_NAME:
            raise UsageError(
                f"the suite's job {job.name[:60]!r}... has a name of {len(file.stem)} letters; at most {LONGEST_NAME} "
                "fit into the names of its files. Shorten the label or the values that it is made of."
            )
        if files[file] > 1:
            raise UsageError(f"the suite has more than one job {job.name!r}; give one label or preset to each")
    return jobs


def _own_jobs(suite: SuiteSpec) -> list[Job]:
    """Lay out the jobs of a suite alone."""
    jobs: list[Job] = []
    for data in suite.data:
        world = f"{data.world} " if data is not None and suite.worlds else ""
        labels = {}
        for label, entry in suite.pretrain.items():
            if entry.worlds is None or (data is not None and data.world in entry.worlds):
                labels[label] = list(entry.variants(label))
                jobs += _pretrainings(suite, label, entry, data, world)
        for transfer in suite.transfer:
            jobs += _transfers(suite, transfer, labels, data, world)
        known = {job.name: job for job in jobs}
        for ensemble in suite.ensemble:
            jobs += _ensembles(suite, ensemble, labels, known, world)
    return jobs


def _pretrainings(
    suite: SuiteSpec, label: str, entry: PretrainEntry, data: PuppetsSpec | None, world: str
) -> Iterator[Job]:
    path = find_config("pretrain", entry.config)
    content = load_yaml(path)
    options = ("--channels-last",) if suite.channels_last else ()
    if data is not None:
        others = {key: value for key, value in content.get("data", {}).items() if key != "shards"}
        content["data"] = {**others, "puppets": data.model_dump()}
    for variant, changes in entry.variants(label).items():
        changed = apply_overrides(content, {**suite.pretrain_set, **changes})
        for seed in suite.seeds:
            spec = parse_spec(PretrainSpec, {**changed, "seed": seed}, f"{path} as {variant!r} of the suite")
            yield Job(f"{world}pretrain {variant} seed {seed}", "pretrain", spec, options=options)


def _transfers(
    suite: SuiteSpec, entry: TransferEntry, labels: dict[str, list[str]], data: PuppetsSpec | None, world: str
) -> Iterator[Job]:
    for init in entry.inits:
        if init in suite.pretrain and init not in labels:
            continue  # not done in this world
        for variant, (title, settings), seed in product(
            labels.get(init, [init]), entry.variants().items(), suite.seeds
        ):
            yield Job(
                _transfer_name(world, title, variant, seed),
                "transfer",
                TransferSpec(
                    task=entry.task,
                    task_config=settings.task_config,
                    init=variant,
                    puppets=data,
                    data_root=entry.data_root,
                    recipe_overrides=settings.recipe_overrides,
                    seed=seed,
                ),
                (f"{world}pretrain {variant} seed {seed}",) if init in labels else (),
            )


def _ensembles(
    suite: SuiteSpec, entry: EnsembleEntry, labels: dict[str, list[str]], known: dict[str, Job], world: str
) -> Iterator[Job]:
    if any(init in suite.pretrain and init not in labels for init in entry.inits):
        return  # not all done in this world
    for variants, seed in product(product(*(labels.get(init, [init]) for init in entry.inits)), suite.seeds):
        members = [_transfer_name(world, entry.transfer, variant, seed) for variant in variants]
        for member in members:
            if member not in known:
                transfers = [name for name, job in known.items() if job.verb == "transfer"]
                raise UsageError(
                    f"ensemble of {entry.transfer!r} from {' + '.join(entry.inits)}: the suite has no job "
                    f"{member!r}.{did_you_mean(member, transfers)}"
                )
        starts = " + ".join(variants)
        first = known[members[0]].spec
        yield Job(
            f"{world}ensemble {entry.transfer} from {starts} seed {seed}",
            "ensemble",
            first.model_copy(update={"init": starts}),
            tuple(members),
        )


def _transfer_name(world: str, title: str, variant: str, seed: int) -> str:
    return f"{world}transfer {title} from {variant} seed {seed}"


def job_spec_file(folder: Path, job: Job) -> Path:
    """Where the spec of a job is written for its command to read."""
    return folder / f"{re.sub(r'[^A-Za-z0-9._=+-]+', '-', job.name)}.yaml"
