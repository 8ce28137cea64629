"""Places in records: dotted keys, keys with dots and slashes of their own, and what belongs to a curve."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ssl_motion.curves import CurveSpec, belongs, place
from ssl_motion.record import read_record
from ssl_motion.suite_spec import SuiteSpec

RECORDS = Path(__file__).parents[2] / "reports" / "records"
DOTTED = "model.backbone.norm_eval"


@pytest.fixture
def record():
    found = read_record(next(RECORDS.glob("puppets_fcn-cmp-s0-*.json")))
    before = found.pretraining.model_copy(update={"figures": {"val/gap": 0.25, "guidance_points": 0.0}})
    spec = {**found.spec, "recipe_overrides": {DOTTED: False, "model": {"depth": 1}}}
    return found.model_copy(update={"pretraining": before, "spec": spec})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("method", "cmp"),
        ("pretraining.figures.val/gap", 0.25),
        ("pretraining.figures.guidance_points", 0.0),
        ("pretraining.spec.method_config.strides", [1, 2, 4]),
        (f"spec.recipe_overrides.{DOTTED}", False),
        ("spec.recipe_overrides.model.depth", 1),
        ("spec.recipe_overrides.model.backbone", None),
        ("spec.task_config.freeze_to", None),
        ("pretraining.nothing.more", None),
    ],
)
def test_places(record, path, value):
    found = place(record, path)
    assert found == value
    assert type(found) is type(value)


def test_a_random_start_has_no_pretraining():
    random = read_record(next(RECORDS.glob("puppets_fcn-random-*.json")))
    assert place(random, "pretraining.figures.val/gap") is None


def test_what_belongs(record):
    def wanted(**where):
        places = {key.replace("__", "."): value for key, value in where.items()}
        return belongs(record, CurveSpec(title="t", x="seed", x_label="seed", where=places))

    assert wanted()
    assert wanted(method=["walker", "cmp"], pretraining__spec__method_config__strides=[[1, 2, 4]])
    assert not wanted(pretraining__spec__method_config__strides=[[1, 2]])
    assert wanted(pretraining__spec__data__control=None), "a default that is not written is null"
    assert not wanted(method="cmp", seed=9)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", "n" * 61, "a b"])
def test_names_of_curves_are_part_of_a_files_name(name: str) -> None:
    curve = {"title": "t", "x": "seed", "x_label": "seed"}
    suite = {"title": "a suite", "curves": {"guidance-number_2": curve}}
    assert SuiteSpec.model_validate(suite).curves
    with pytest.raises(ValidationError, match="curves"):
        SuiteSpec.model_validate({**suite, "curves": {name: curve}})
