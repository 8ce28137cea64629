"""Suites: which pretrainings and transfers belong together, and what has to wait for what.

A suite is a YAML spec; `plan` turns it into jobs, each of which is one command
of `ssl-bench`, so that whatever a suite does can also be typed by hand. Whether a job has
been done already is the business of that command (it reuses finished runs).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from ssl_motion.paths import find_config
from ssl_motion.spec import PretrainSpec, PuppetsSpec, Strict, TransferSpec
from ssl_motion.spec_text import apply_overrides, load_yaml, parse_spec


class PretrainEntry(Strict):
    """A pretraining of the suite: a config, with changes.

    Attributes:
        config: file, or name of a shipped pretraining config.
        set: dotted keys -> values that replace those of the config.
    """

    config: str
    set: dict[str, Any] = {}


class TransferEntry(Strict):
    """A transfer of the suite, done once for every start and seed.

    Attributes:
        task: name of a transfer task.
        task_config: its settings.
        inits: labels of pretrainings in this suite, or "random", "imagenet" or a weights file.
        data_root: folder of the task's data, where it needs one; None looks in $SSL_MOTION_DATA.
        recipe_overrides: dotted keys of the MMEngine recipe -> values.
    """

    task: str
    task_config: dict[str, Any] = {}
    data_root: str | None = None
    recipe_overrides: dict[str, Any] = {}
    inits: Annotated[list[str], Field(min_length=1)]


class SuiteSpec(Strict):
    """What is compared.

    Attributes:
        title: one line for people.
        puppets: the built-in data that pretraining and transfer share; None when the configs name their data.
        seeds: every pretraining and transfer is done once for each.
        pretrain: label -> pretraining.
        transfer: transfers.
        next_steps: what to try after the suite, printed at its end.
    """

    title: str
    puppets: PuppetsSpec | None = None
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    pretrain: dict[str, PretrainEntry] = {}
    transfer: list[TransferEntry] = []
    next_steps: list[str] = []

    @model_validator(mode="after")
    def _seeds_differ(self) -> "SuiteSpec":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must differ from each other, got {self.seeds}")
        return self


@dataclass(frozen=True)
class Job:
    """One command of a suite.

    Attributes:
        name: unique in the suite, such as "pretrain cmp seed 0".
        verb: "pretrain" or "transfer".
        spec: the run's spec; a transfer's `init` holds a job's name where `parent` is set.
        parent: name of the job whose run is the start of this one, or None.
    """

    name: str
    verb: str
    spec: PretrainSpec | TransferSpec
    parent: str | None = None


def load_suite(name: str) -> SuiteSpec:
    """Read a suite by file or shipped name.

    Raises:
        UsageError: It does not exist, or breaks the schema.
    """
    path = find_config("suites", name)
    return parse_spec(SuiteSpec, load_yaml(path), str(path))


def plan(suite: SuiteSpec) -> list[Job]:
    """Lay out the jobs of a suite, parents before children.

    Raises:
        UsageError: A pretraining config does not exist or breaks the schema.
    """
    jobs = []
    for label, entry in suite.pretrain.items():
        path = find_config("pretrain", entry.config)
        content = load_yaml(path)
        if suite.puppets is not None:
            data = {key: value for key, value in content.get("data", {}).items() if key != "shards"}
            content["data"] = {**data, "puppets": suite.puppets.model_dump()}
        content = apply_overrides(content, entry.set)
        for seed in suite.seeds:
            spec = parse_spec(PretrainSpec, {**content, "seed": seed}, f"{path} as {label!r} of the suite")
            jobs.append(Job(f"pretrain {label} seed {seed}", "pretrain", spec))
    for transfer in suite.transfer:
        for init in transfer.inits:
            for seed in suite.seeds:
                parent = f"pretrain {init} seed {seed}" if init in suite.pretrain else None
                jobs.append(
                    Job(
                        f"transfer {transfer.task} from {init} seed {seed}",
                        "transfer",
                        TransferSpec(
                            task=transfer.task,
                            task_config=transfer.task_config,
                            init=init,
                            puppets=suite.puppets,
                            data_root=transfer.data_root,
                            recipe_overrides=transfer.recipe_overrides,
                            seed=seed,
                        ),
                        parent,
                    )
                )
    return jobs


def job_spec_file(folder: Path, job: Job) -> Path:
    """Where the spec of a job is written for its command to read."""
    return folder / f"{job.name.replace(' ', '-')}.yaml"
