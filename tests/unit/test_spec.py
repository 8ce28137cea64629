"""Specs refuse what they do not know, and say what was probably meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_motion.errors import UsageError
from ssl_motion.identity import canonical_json, digest, run_identity
from ssl_motion.spec import BackboneSpec, PretrainSpec
from ssl_motion.spec_text import apply_overrides, load_yaml, parse_assignments, parse_spec

MINIMAL = {"method": "m", "backbone": {"arch": "a"}, "data": {"puppets": {}}, "iterations": 10, "batch_size": 2}


def test_defaults_are_the_authors_recipe():
    spec = parse_spec(PretrainSpec, MINIMAL, "test")
    assert (spec.optimizer.type, spec.optimizer.lr, spec.optimizer.momentum, spec.optimizer.weight_decay) == (
        "sgd",
        0.1,
        0.9,
        1e-4,
    )
    assert spec.schedule.milestones == [4 / 7, 6 / 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iteration": 5}, "iteration: unknown key. Did you mean 'iterations'"),
        ({"optimizer": {"learning_rate": 1, "lrr": 2}}, "optimizer.lrr: unknown key. Did you mean 'lr'"),
        ({"data": {"puppets": {"worlds": "still"}}}, "data.puppets.worlds: unknown key. Did you mean 'world'"),
        ({"data": {}}, "exactly one of data.shards"),
        ({"data": {"puppets": {}, "shards": ["x"]}}, "exactly one of data.shards"),
        ({"batch_size": 0}, "batch_size: Input should be greater than or equal to 1 (got 0)"),
    ],
)
def test_faults_name_their_key_and_the_nearest_valid_one(change, message):
    with pytest.raises(UsageError) as caught:
        parse_spec(PretrainSpec, {**MINIMAL, **change}, "my.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("my.yaml:")


def test_broken_yaml_names_file_and_line(tmp_path):
    file = tmp_path / "ü spaced.yaml"
    file.write_text("a: 1\nb: [1,\nc: 2\n")
    with pytest.raises(UsageError, match=r"ü spaced.yaml: not valid YAML[\s\S]*line 2"):
        load_yaml(file)
    with pytest.raises(UsageError, match="no such spec"):
        load_yaml(tmp_path / "absent.yaml")
    file.write_text("- 1\n")
    with pytest.raises(UsageError, match="expected a mapping"):
        load_yaml(file)


def test_yaml_cannot_make_objects(tmp_path):
    file = tmp_path / "hostile.yaml"
    file.write_text("a: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_yaml(file)


def test_overrides_reach_deep_keys_and_leave_the_original_alone():
    original = {"a": {"b": 1}, "c": 2}
    changed = apply_overrides(original, parse_assignments(["a.b=[1, 2]", "a.d.e=text", "c=0.5"]))
    assert changed == {"a": {"b": [1, 2], "d": {"e": "text"}}, "c": 0.5}
    assert original == {"a": {"b": 1}, "c": 2}
    with pytest.raises(UsageError, match="KEY=VALUE"):
        parse_assignments(["nonsense"])
    with pytest.raises(UsageError, match="not a mapping"):
        apply_overrides({"a": 1}, {"a.b": 2})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_identity_does_not_depend_on_the_order_of_keys(content):
    backwards = dict(reversed(list(content.items())))
    assert canonical_json(content) == canonical_json(backwards)
    assert digest(content) == digest(backwards)


def test_everything_that_moves_numbers_moves_the_identity():
    base = {"spec": {"seed": 0}, "recipe_version": 1, "data_fingerprint": "d", "parents": ["p"]}

    def name(**change):
        content = {**base, **change}
        return run_identity(content.pop("spec"), **content)

    names = {
        name(),
        name(spec={"seed": 1}),
        name(recipe_version=2),
        name(data_fingerprint="e"),
        name(parents=["q"]),
    }
    assert len(names) == 5
    assert name(parents=["a", "b"]) == name(parents=["b", "a"])


def test_numbers_without_a_point_are_numbers(tmp_path):
    """YAML 1.1 makes a text of 1e-3, which reached optimisers as such through untyped recipe keys."""
    values = parse_assignments(["a=1e-3", "b=[2E4, -1e+2, 5]", "c=0x1e", "d=e5", "e='1e-3'"])
    assert values == {"a": 1e-3, "b": [2e4, -1e2, 5], "c": 30, "d": "e5", "e": "1e-3"}
    file = tmp_path / "spec.yaml"
    file.write_text("lr: 1e-3\n")
    assert load_yaml(file) == {"lr": 1e-3}


def test_fields_that_came_later_leave_older_identities_alone() -> None:
    plain = BackboneSpec(arch="alexnet_mini", width=24)
    assert plain.model_dump() == {"arch": "alexnet_mini", "width": 24, "output_stride": None}
    absorbed = plain.model_copy(update={"norm": "none"})
    assert absorbed.model_dump()["norm"] == "none"
    assert BackboneSpec(**absorbed.model_dump()) == absorbed
