"""A transfer task whose presets are recipes: the steps from the settings to a resolved recipe, and its run."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ssl_motion.engine.environment import launched_processes
from ssl_motion.openmmlab import recipes
from ssl_motion.openmmlab.running import train_and_test
from ssl_motion.preset_task import PresetT, PresetTask
from ssl_motion.presets import CroppedRecipeConfig, RecipeConfig
from ssl_motion.protocols import PER_IMAGE, RunContext, TaskResult
from ssl_motion.spec import BackboneSpec
from ssl_motion.weights import read_card

RecipeConfigT = TypeVar("RecipeConfigT", bound=RecipeConfig)


class RecipeTask(PresetTask[RecipeConfigT, PresetT]):
    """Base of the tasks that OpenMMLab trains and tests; each preset is a recipe.

    A subclass says which classes and lists there are (`describe_data`), where they lie (`locate_data`), how another
    trunk is put in (`set_backbone`), what the recipe's names mean (`register`) and which figures a record keeps
    beside the metrics (`details`).
    """

    @property
    def has_recipe(self) -> bool:
        """Every preset is one."""
        return True

    @property
    def shares_work(self) -> bool:
        """MMEngine shares a recipe's batches among processes."""
        return True

    @property
    def recipe_file(self) -> str:
        """File of the preset's recipe, or its name in `configs/transfer`; the preset's own name unless overridden."""
        return self.settings.preset

    def recipe(self) -> recipes.Recipe:
        """The preset's recipe with the task's settings, without paths, seed and weights.

        Raises:
            UsageError: A setting does not fit the recipe or the trunk.
        """
        recipe = recipes.load_recipe(self.recipe_file)
        self.describe_data(recipe)
        if self.trunk != self.preset.backbone:
            self.set_backbone(recipe, self.trunk)
        change_recipe(recipe, self.settings, self.trunk)
        return recipe

    def resolve(self, context: RunContext) -> recipes.Recipe:
        """The recipe of one run: data, seed, weights and the user's overrides filled in."""
        recipe = self.recipe()
        self.locate_data(recipe, context)
        return complete_recipe(recipe, context)

    def check_recipe(self, overrides: Mapping[str, Any], *, build: bool = False) -> list[str]:
        """Look for the keys in the preset's recipe; with `build`, build its parts."""
        return check_overrides(self.recipe(), overrides, self.register if build else None)

    def run(self, context: RunContext) -> TaskResult:
        """Train and evaluate; continues from the run folder's last checkpoint where there is one."""
        self.register()
        label = f"{self.settings.preset} seed {context.seed}"
        metrics, seconds = train_and_test(self.resolve(context), context, label)
        return self.result(context.run_dir, metrics, seconds)

    def result(self, run_dir: Path, metrics: dict[str, float], seconds: float) -> TaskResult:
        """Put together what a finished run measured."""
        return TaskResult(metrics, self.details(run_dir, metrics), PER_IMAGE, seconds)

    @abstractmethod
    def register(self) -> None:
        """Import the libraries and whatever else registers a part that the recipe names."""

    @abstractmethod
    def describe_data(self, recipe: recipes.Recipe) -> None:
        """Fill in what is known of the data before they are looked at: classes, training list, scored list."""

    @abstractmethod
    def set_backbone(self, recipe: recipes.Recipe, spec: BackboneSpec) -> None:
        """Put another trunk in."""

    @abstractmethod
    def locate_data(self, recipe: recipes.Recipe, context: RunContext) -> None:
        """Fill in where the data lie."""

    @abstractmethod
    def details(self, run_dir: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
        """Read further figures by group off the per-image statistics of a finished run."""


def check_overrides(
    recipe: recipes.Recipe, overrides: Mapping[str, Any], register: Callable[[], None] | None
) -> list[str]:
    """Find what is wrong with changes of a recipe, as `TransferTask.check_recipe` says.

    Args:
        recipe: without paths, seed and weights.
        overrides: dotted keys -> values.
        register: registers the parts that the recipe names, so that they are built; None builds nothing.
    """
    changed = recipes.override(recipe, overrides)
    if register is not None:
        from ssl_motion.openmmlab.rehearsal import build_parts

        register()
        build_parts(changed, overrides)
    return recipes.added_keys(recipe, overrides)


def change_recipe(recipe: recipes.Recipe, settings: RecipeConfig, trunk: BackboneSpec) -> None:
    """Change a recipe by the settings that every recipe has.

    Args:
        recipe: with its trunk filled in.
        settings: of the task.
        trunk: that the recipe trains.

    Raises:
        UsageError: A setting does not fit the recipe or the trunk.
    """
    if settings.freeze_to is not None:
        recipes.set_frozen_to(recipe, settings.freeze_to, trunk)
    if settings.iterations is not None:
        recipes.set_iterations(recipe, settings.iterations)
    if settings.batch_size is not None:
        recipes.set_total_batch(recipe, settings.batch_size)
    if settings.lr is not None:
        recipes.set_learning_rate(recipe, settings.lr)
    if isinstance(settings, CroppedRecipeConfig) and settings.crop is not None:
        recipes.set_crop(recipe, settings.crop)


def complete_recipe(recipe: recipes.Recipe, context: RunContext) -> recipes.Recipe:
    """Fill in one run's seed, share of the batch, weights and output file; the user's overrides come last.

    Raises:
        UsageError: The batch cannot be shared among the processes, or an override names what is not there.
    """
    recipes.set_seed(recipe, context.seed)
    recipes.set_total_batch(recipe, recipes.total_batch(recipe), launched_processes().world_size)
    if context.weights is not None:
        card = read_card(context.weights)
        recipe["model"]["backbone"]["weights"] = str(context.weights)
        recipe["model"]["data_preprocessor"].update(mean=list(card.mean), std=list(card.std))
    recipe["test_evaluator"]["path"] = str(context.run_dir / PER_IMAGE)
    return recipes.override(recipe, context.recipe_overrides)
