"""Suites: which pretrainings and transfers belong together, and what has to wait for what.

A suite is a YAML spec; `plan` turns it into jobs, each of which is one command
of `ssl-bench`, so that whatever a suite does can also be typed by hand. Whether a job has
been done already is the business of that command (it reuses finished runs).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from ssl_motion.curves import CurveSpec
from ssl_motion.errors import UsageError
from ssl_motion.paths import find_config
from ssl_motion.spec import PretrainSpec, PuppetsSpec, Strict, TransferSpec, WorldName
from ssl_motion.spec_text import apply_overrides, load_yaml, parse_spec


class PretrainEntry(Strict):
    """A pretraining of the suite: a config, with changes.

    Attributes:
        config: file, or name of a shipped pretraining config.
        set: dotted keys -> values that replace those of the config.
        vary: dotted keys -> values to try; every combination is a pretraining of its own, with the values in its label.
        worlds: those of the suite's worlds in which it is done; None for all.
    """

    config: str
    set: dict[str, Any] = {}
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    worlds: list[WorldName] | None = None

    def variants(self, label: str) -> dict[str, dict[str, Any]]:
        """Combine the values to try: label of each variant -> all its changes."""
        keys = list(self.vary)
        combinations = [dict(zip(keys, values, strict=True)) for values in product(*self.vary.values())]
        return {
            " ".join([label, *(f"{key.rpartition('.')[2]}={value}" for key, value in values.items())]): {
                **self.set,
                **values,
            }
            for values in combinations
        }


class TransferEntry(Strict):
    """A transfer of the suite, done once for every start, world and seed.

    Attributes:
        task: name of a transfer task.
        task_config: its settings.
        vary: settings of the task -> values to try, null for its own; every combination is a transfer of its own, with
            the values in its title.
        inits: labels of pretrainings in this suite (all their variants), or "random", "imagenet" or a weights file.
        data_root: folder of the task's data, where it needs one; None looks in $SSL_MOTION_DATA.
        recipe_overrides: dotted keys of the MMEngine recipe -> values.
    """

    task: str
    task_config: dict[str, Any] = {}
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    data_root: str | None = None
    recipe_overrides: dict[str, Any] = {}
    inits: Annotated[list[str], Field(min_length=1)]

    def variants(self) -> dict[str, dict[str, Any]]:
        """Combine the values to try: title (with the preset, or the task where none is named) -> settings."""
        found = {}
        for values in product(*self.vary.values()):
            chosen = dict(zip(self.vary, values, strict=True))
            words = [f"{key}={'none' if value is None else value}" for key, value in chosen.items()]
            title = " ".join([str(self.task_config.get("preset", self.task)), *words])
            given = {key: value for key, value in chosen.items() if value is not None}
            found[title] = apply_overrides(self.task_config, given)
        return found


class SuiteSpec(Strict):
    """What is compared.

    Attributes:
        title: one line for people.
        puppets: the built-in data that pretraining and transfer share; None when the configs name their data.
        worlds: grades of camera motion; the whole suite is done in each of them, in place of that of `puppets`.
        seeds: every pretraining and transfer is done once for each.
        pretrain_set: dotted keys -> values for every pretraining; its own `set` and `vary` come after.
        pretrain: label -> pretraining.
        transfer: transfers.
        channels_last: pretrain with images and weights in that memory format: much faster on a CPU with small networks.
        curves: name -> curve over the suite's results.
        remarks: what a reader of the results should know, printed with them.
        next_steps: what to try after the suite, printed at its end.
    """

    title: str
    puppets: PuppetsSpec | None = None
    worlds: list[WorldName] = []
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    pretrain_set: dict[str, Any] = {}
    pretrain: dict[str, PretrainEntry] = {}
    transfer: list[TransferEntry] = []
    channels_last: bool = False
    curves: dict[str, CurveSpec] = {}
    remarks: list[str] = []
    next_steps: list[str] = []

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "SuiteSpec":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must differ from each other, got {self.seeds}")
        if len(set(self.worlds)) != len(self.worlds):
            raise ValueError(f"worlds must differ from each other, got {self.worlds}")
        if self.worlds and self.puppets is None:
            raise ValueError("worlds are grades of the built-in data: give puppets too")
        for label, entry in self.pretrain.items():
            missing = [world for world in entry.worlds or [] if world not in self.worlds]
            if missing:
                raise ValueError(f"pretrain.{label}.worlds: the suite has no world {', '.join(missing)}")
        return self

    @property
    def data(self) -> list[PuppetsSpec | None]:
        """The built-in data of each world; None alone where the configs name their data."""
        if self.puppets is None or not self.worlds:
            return [self.puppets]
        return [self.puppets.model_copy(update={"world": world}) for world in self.worlds]


@dataclass(frozen=True)
class Job:
    """One command of a suite.

    Attributes:
        name: unique in the suite, such as "pretrain cmp seed 0", with the world in front where there are several.
        verb: "pretrain" or "transfer".
        spec: the run's spec; a transfer's `init` holds a job's name where `parent` is set.
        parent: name of the job whose run is the start of this one, or None.
        options: of its command, in addition to those of the whole suite.
    """

    name: str
    verb: str
    spec: PretrainSpec | TransferSpec
    parent: str | None = None
    options: tuple[str, ...] = ()


def parents_of(job: Job) -> tuple[str, ...]:
    """Names of the jobs whose runs go into a job."""
    return (job.parent,) if job.parent is not None else ()


def load_suite(name: str) -> SuiteSpec:
    """Read a suite by file or shipped name.

    Raises:
        UsageError: It does not exist, or breaks the schema.
    """
    path = find_config("suites", name)
    return parse_spec(SuiteSpec, load_yaml(path), str(path))


def plan(suite: SuiteSpec) -> list[Job]:
    """Lay out the jobs of a suite: all pretrainings, then all transfers, which are shorter, so that no core waits long.

    Raises:
        UsageError: A pretraining config does not exist or breaks the schema, or two jobs have one name.
    """
    pretrainings: list[Job] = []
    transfers: list[Job] = []
    for data in suite.data:
        world = f"{data.world} " if data is not None and suite.worlds else ""
        labels = {}
        for label, entry in suite.pretrain.items():
            if entry.worlds is None or (data is not None and data.world in entry.worlds):
                labels[label] = list(entry.variants(label))
                pretrainings += _pretrainings(suite, label, entry, data, world)
        for transfer in suite.transfer:
            transfers += _transfers(suite, transfer, labels, data, world)
    jobs = pretrainings + transfers
    files = Counter(job_spec_file(Path(), job) for job in jobs)
    for job in jobs:
        if files[job_spec_file(Path(), job)] > 1:
            raise UsageError(f"the suite has more than one job {job.name!r}; give one label or preset to each")
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
        for variant, (title, task_config), seed in product(
            labels.get(init, [init]), entry.variants().items(), suite.seeds
        ):
            yield Job(
                f"{world}transfer {title} from {variant} seed {seed}",
                "transfer",
                TransferSpec(
                    task=entry.task,
                    task_config=task_config,
                    init=variant,
                    puppets=data,
                    data_root=entry.data_root,
                    recipe_overrides=entry.recipe_overrides,
                    seed=seed,
                ),
                f"{world}pretrain {variant} seed {seed}" if init in labels else None,
            )


def job_spec_file(folder: Path, job: Job) -> Path:
    """Where the spec of a job is written for its command to read."""
    return folder / f"{re.sub(r'[^A-Za-z0-9._=+-]+', '-', job.name)}.yaml"
