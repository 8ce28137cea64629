"""Few labels: the same images everywhere, nested, and as many as asked for."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.data.label_lists import fixed_order, share_of, shots_of
from ssl_motion.errors import UsageError
from ssl_motion_benchmarks import voc_fcn

LISTS = Path(voc_fcn.__file__).parent / "lists"
NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=40, unique=True)
FRACTIONS = {"1of2": 1 / 2, "1of4": 1 / 4, "1of8": 1 / 8, "1of16": 1 / 16, "1of30": 1 / 30}
PUPPETS = [f"train_{index:06d}" for index in range(400)]


def test_the_order_is_that_of_sha256() -> None:
    names = ["2007_000032", "2007_000039", "2008_000008", "2011_003276"]
    digests = {hashlib.sha256(name.encode()).hexdigest(): name for name in names}
    assert fixed_order(names) == [digests[each] for each in sorted(digests)]


@pytest.mark.parametrize("name", FRACTIONS)
def test_the_kept_lists_of_the_built_in_world_are_those_of_the_rule(name: str) -> None:
    kept = (LISTS / f"puppets_train_{name}.txt").read_text(encoding="utf-8").split()
    assert kept == share_of(PUPPETS, FRACTIONS[name])
    assert len(kept) == {"1of2": 200, "1of4": 100, "1of8": 50, "1of16": 25, "1of30": 13}[name]


def test_the_kept_order_of_voc_names_is_that_of_the_rule() -> None:
    kept = (LISTS / "voc12_train_known_order.txt").read_text(encoding="utf-8").split()
    assert len(kept) == 110
    assert kept == fixed_order(sorted(kept))


def test_the_kept_names_of_voc_are_those_of_the_devkit(sample_data: Path) -> None:
    listed = (sample_data / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt").read_text(encoding="utf-8").split()
    assert set((LISTS / "voc12_train_known_order.txt").read_text(encoding="utf-8").split()) == set(listed)


@given(NAMES, st.randoms(use_true_random=False), st.floats(0.01, 1), st.floats(0.01, 1))
def test_shares_are_nested_and_follow_from_the_names_alone(
    names: list[str], chance: object, first: float, second: float
) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert share_of(shuffled, first) == share_of(names, first)
    fewer, more = sorted((share_of(names, first), share_of(names, second)), key=len)
    assert more[: len(fewer)] == fewer
    assert len(share_of(names, first)) == max(1, round(first * len(names)))
    assert sorted(share_of(names, 1)) == sorted(names)


@given(NAMES, st.floats(0.01, 1))
def test_missing_names_leave_the_order_of_the_others(names: list[str], fraction: float) -> None:
    part = share_of(names, fraction)
    assert fixed_order(part) == [name for name in fixed_order(names) if name in part]


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.sets(st.sampled_from("abcd")), min_size=1, max_size=30),
    st.integers(1, 6),
)
def test_shots_are_the_first_images_of_every_class(classes: dict[str, set[str]], shots: int) -> None:
    if not any(classes.values()):
        with pytest.raises(UsageError, match="shows any class but the background"):
            shots_of(classes, shots)
        return
    expected = set()
    for each in "abcd":
        expected |= set([name for name in fixed_order(classes) if each in classes[name]][:shots])
    chosen = shots_of(classes, shots)
    assert set(chosen) == expected
    assert len(chosen) == len(expected)
    assert set(chosen) <= set(shots_of(classes, shots + 1))
