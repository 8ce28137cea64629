"""What layers can be made of, and by what: motion masks of any pairs, class labels of the built-in world's."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from pydantic import BaseModel

from ssl_motion import puppets
from ssl_motion.data.layer_shards import LayerMap
from ssl_motion.data.layers import MASKS
from ssl_motion.data.sample import FlowSample
from ssl_motion.data.shards import ShardSet, Split
from ssl_motion.errors import DataError, UsageError
from ssl_motion.masks import MASK_VERSION, MaskSettings, make_mask
from ssl_motion.spec import PuppetsSpec, Strict


class LayerMaker(Protocol):
    """Makes a layer. Picklable.

    Attributes:
        Settings: pydantic model of its settings.
        version: raised whenever a map may change.
        advice: how to get the layer for shards in {folder} that lack it.
    """

    Settings: type[BaseModel]
    version: int
    advice: str

    def check(self, data: ShardSet) -> None:
        """Refuse data that the layer cannot be made of.

        Raises:
            UsageError: Saying why not.
        """

    def maps(
        self, settings: BaseModel, data: ShardSet, split: Split, first: int, samples: Iterable[FlowSample]
    ) -> Iterator[LayerMap]:
        """Make the maps of consecutive pairs, one by one.

        Args:
            settings: of `Settings`.
            data: the pairs' data set.
            split: that they belong to.
            first: number of the first of them in the split.
            samples: the pairs.

        Raises:
            DataError: The pairs are not what the data set's index says.
        """


class MotionMasks:
    """What moves against the background: 1 where it does, 0 where not, 255 where that is open (`ssl_motion.masks`)."""

    Settings: type[BaseModel] = MaskSettings
    version = MASK_VERSION
    advice = "make it: ssl-bench prepare --masks {folder}"

    def check(self, data: ShardSet) -> None:
        """Accept any pairs."""
        del data

    def maps(
        self, settings: BaseModel, data: ShardSet, split: Split, first: int, samples: Iterable[FlowSample]
    ) -> Iterator[LayerMap]:
        """See `LayerMaker.maps`."""
        del data, split, first
        assert isinstance(settings, MaskSettings)
        for sample in samples:
            result = make_mask(sample, settings)
            yield LayerMap(result.layer, result.facts)


class NoSettings(Strict):
    """A maker without settings."""


class PuppetsClasses:
    """The true class of every pixel (`ssl_motion.puppets.CLASSES`), from the seed; every pair is kept."""

    Settings: type[BaseModel] = NoSettings
    version = 1
    advice = "only the built-in world knows it: use data.puppets instead of data.shards"

    def check(self, data: ShardSet) -> None:
        """Accept pairs that this version of the built-in world has rendered."""
        self._spec(data)

    def maps(
        self, settings: BaseModel, data: ShardSet, split: Split, first: int, samples: Iterable[FlowSample]
    ) -> Iterator[LayerMap]:
        """See `LayerMaker.maps`."""
        del settings
        spec = self._spec(data)
        stream: puppets.Stream = "pairs" if split == "train" else "val_pairs"
        for index, sample in enumerate(samples, first):
            expected = puppets.clip_name(spec, stream, index)
            if (sample.clip, sample.size) != (expected, (spec.size, spec.size)):
                raise DataError(
                    f"{data.folder}: pair {index} of the {split} split is {sample.clip} of size {sample.size}; "
                    f"expected {expected} of side {spec.size}. Delete the data set: it is rendered again."
                )
            yield LayerMap(puppets.semantic_labels(spec, stream, index), {})

    def _spec(self, data: ShardSet) -> PuppetsSpec:
        content = data.info["extra"].get("puppets")
        if data.info["flow_estimator"] != "puppets" or content is None:
            raise UsageError(f"{data.folder} is not of the built-in world: nobody knows its pixels' classes")
        if data.info["flow_version"] != str(puppets.GENERATOR_VERSION):
            raise UsageError(
                f"{data.folder} was rendered by version {data.info['flow_version']} of the built-in world; this is "
                f"version {puppets.GENERATOR_VERSION}, whose labels need not fit. Delete it: it is rendered again."
            )
        return PuppetsSpec.model_validate(content)


LAYER_MAKERS: Mapping[str, LayerMaker] = MappingProxyType({MASKS: MotionMasks(), "semantic": PuppetsClasses()})
"""Layer name -> what makes it."""


def find_maker(name: str) -> LayerMaker:
    """Look up the maker of a layer.

    Raises:
        UsageError: Nothing here makes a layer of that name.
    """
    if name not in LAYER_MAKERS:
        raise UsageError(f"nothing makes a layer {name!r}; there are {', '.join(sorted(LAYER_MAKERS))}")
    return LAYER_MAKERS[name]
