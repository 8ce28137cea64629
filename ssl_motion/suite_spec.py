"""What a suite declares: pretrainings, transfers, ensembles and curves. `ssl_motion.sweep` makes jobs of it."""

from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from ssl_motion.curves import CurveSpec
from ssl_motion.errors import UsageError
from ssl_motion.paths import find_config
from ssl_motion.spec import PuppetsSpec, Strict, WorldName
from ssl_motion.spec_text import apply_overrides, load_yaml, parse_spec

Values = dict[str, Annotated[list[Any], Field(min_length=1)]]
"""Dotted keys -> values to try."""
CurveName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
"""Part of the names of a curve's files."""


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
    vary: Values = {}
    worlds: list[WorldName] | None = None

    def variants(self, label: str) -> dict[str, dict[str, Any]]:
        """Combine the values to try: label of each variant -> all its changes."""
        return {" ".join([label, *_words(values)]): {**self.set, **values} for values in _combinations(self.vary)}


class TransferEntry(Strict):
    """A transfer of the suite, done once for every start, world and seed.

    Attributes:
        task: name of a transfer task.
        task_config: its settings.
        vary: settings of the task -> values to try, null for its own; every combination is a transfer of its own, with
            the values in its title.
        vary_recipe: the same for dotted keys of the MMEngine recipe.
        inits: labels of pretrainings in this suite (all their variants), or "random", "imagenet" or a weights file.
        data_root: folder of the task's data, where it needs one; None looks in $SSL_MOTION_DATA.
        recipe_overrides: dotted keys of the MMEngine recipe -> values.
    """

    task: str
    task_config: dict[str, Any] = {}
    vary: Values = {}
    vary_recipe: Values = {}
    data_root: str | None = None
    recipe_overrides: dict[str, Any] = {}
    inits: Annotated[list[str], Field(min_length=1)]

    def variants(self) -> dict[str, "TransferEntry"]:
        """Combine the values to try: title (with the preset, or the task where none is named) -> entry without them."""
        found = {}
        for settings, recipe in product(_combinations(self.vary), _combinations(self.vary_recipe)):
            title = " ".join([str(self.task_config.get("preset", self.task)), *_words(settings), *_words(recipe)])
            changed = {
                "task_config": apply_overrides(self.task_config, _given(settings)),
                "recipe_overrides": {**self.recipe_overrides, **_given(recipe)},
            }
            found[title] = self.model_copy(update={**changed, "vary": {}, "vary_recipe": {}})
        return found


class EnsembleEntry(Strict):
    """An average of what transfers of one task and seed predict (`ssl-bench ensemble`), for every world and seed.

    Attributes:
        transfer: title of the transfer, as it stands in the names of the suite's runs: preset or task, with the values
            that are tried, such as "puppets_fcn" or "puppets_cls freeze_to=conv1".
        inits: starts of that transfer that are averaged; of pretrainings with values to try, every combination.
    """

    transfer: str
    inits: Annotated[list[str], Field(min_length=2)]


def _combinations(vary: Values) -> list[dict[str, Any]]:
    return [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]


def _words(values: Mapping[str, Any]) -> list[str]:
    shown = {key: "none" if value is None else value for key, value in values.items()}
    return [f"{key.rpartition('.')[2]}={value}" for key, value in shown.items()]


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


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
        ensemble: averages of transfers.
        include: other suites (files, or shipped names) that are done too, as they stand; what they share runs once.
        channels_last: pretrain with images and weights in that memory format: much faster on a CPU with small networks.
        curves: name (letters, digits, "_", "-") -> curve over the suite's results.
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
    ensemble: list[EnsembleEntry] = []
    include: list[str] = []
    channels_last: bool = False
    curves: dict[CurveName, CurveSpec] = {}
    remarks: list[str] = []
    next_steps: list[str] = []

    @field_validator("seeds", "worlds")
    @classmethod
    def _are_different(cls, values: list[Any]) -> list[Any]:
        counts = Counter(values)
        wrong = [f"{value} is repeated" for value, times in counts.items() if times > 1]
        wrong += [f"{value} is below 0" for value in counts if isinstance(value, int) and value < 0]
        if wrong:
            raise ValueError(", ".join(wrong))
        return values

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "SuiteSpec":
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


def load_suite(name: str) -> SuiteSpec:
    """Read a suite by file or shipped name.

    Raises:
        UsageError: It does not exist, or breaks the schema.
    """
    path = find_config("suites", name)
    return parse_spec(SuiteSpec, load_yaml(path), str(path))


def with_included(suite: SuiteSpec) -> dict[str, SuiteSpec]:
    """Return a suite, as "", and all that it includes, directly or through another, by their files' names.

    Raises:
        UsageError: One does not exist or breaks the schema, or two of them have one name.
    """
    found = {"": suite}
    files: dict[str, Path] = {}
    waiting = list(suite.include)
    while waiting:
        path = find_config("suites", waiting.pop(0)).resolve()
        if path.stem not in files:
            files[path.stem] = path
            found[path.stem] = load_suite(str(path))
            waiting += found[path.stem].include
        elif files[path.stem] != path:
            raise UsageError(f"two included suites are called {path.stem}: {files[path.stem]} and {path}; rename one")
    return found


def all_remarks(suite: SuiteSpec) -> list[str]:
    """Join the remarks of a suite and of those that it includes; equal ones stand once."""
    return list(dict.fromkeys(remark for part in with_included(suite).values() for remark in part.remarks))


def all_curves(suite: SuiteSpec) -> dict[str, CurveSpec]:
    """Join the curves of a suite and of those that it includes, by name.

    Raises:
        UsageError: Two suites give one name to different curves.
    """
    curves: dict[CurveName, CurveSpec] = {}
    for part in with_included(suite).values():
        for name, curve in part.curves.items():
            if curves.setdefault(name, curve) != curve:
                raise UsageError(f"two different curves are called {name!r} in the suites; rename one")
    return curves
