"""Plugins: found by entry point; unknown, duplicate and broken ones get an answer that helps."""

from importlib.metadata import EntryPoint

import pytest
from pydantic import BaseModel

from ssl_motion import plugins
from ssl_motion.errors import UsageError
from ssl_motion.protocols import PretrainMethod


@pytest.fixture
def announce(monkeypatch):
    def install(*points: tuple[str, str]) -> None:
        found = [EntryPoint(name, target, plugins.METHODS) for name, target in points]
        monkeypatch.setattr(plugins, "entry_points", lambda group: [p for p in found if p.group == group])

    return install


def test_a_plugin_is_loaded_by_name(announce):
    announce(("good", "ssl_motion_methods.cmp:CMP"))
    from ssl_motion_methods.cmp import CMP

    assert plugins.load(plugins.METHODS, "good") is CMP
    assert [plugin.name for plugin in plugins.available(plugins.METHODS)] == ["good"]


def test_an_unknown_name_gets_the_nearest(announce):
    announce(("walker", "collections:OrderedDict"), ("pathak", "collections:OrderedDict"))
    with pytest.raises(UsageError, match=r"unknown method 'walkr'. Did you mean 'walker'\? Installed: pathak, walker"):
        plugins.load(plugins.METHODS, "walkr")


def test_two_packages_under_one_name_are_refused(announce):
    announce(("same", "collections:OrderedDict"), ("same", "collections:Counter"))
    with pytest.raises(UsageError, match="two installed packages announce a method named 'same'"):
        plugins.load(plugins.METHODS, "same")
    assert [plugin.target for plugin in plugins.available(plugins.METHODS)] == [
        "collections:Counter",
        "collections:OrderedDict",
    ]


def test_one_package_found_twice_on_the_path_is_one_plugin(announce):
    announce(("same", "ssl_motion_methods.cmp:CMP"), ("same", "ssl_motion_methods.cmp:CMP"))
    assert len(plugins.available(plugins.METHODS)) == 1
    plugins.load(plugins.METHODS, "same")


@pytest.mark.parametrize("target", ["no_such_module_anywhere:X", "collections:NoSuchClass"])
def test_a_broken_plugin_is_listed_and_says_why_it_does_not_import(announce, target):
    announce(("broken", target))
    assert plugins.available(plugins.METHODS)[0].target == target
    with pytest.raises(UsageError, match=r"does not import .*(ModuleNotFoundError|AttributeError)"):
        plugins.load(plugins.METHODS, "broken")


class NoConfig(PretrainMethod):
    recipe_version = 1


class DictConfig(PretrainMethod):
    Config, recipe_version = dict, 1


class TextVersion(PretrainMethod):
    Config, recipe_version = BaseModel, "1.0"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("NoConfig", "its Config is None"),
        ("DictConfig", "its Config is <class 'dict'>"),
        ("TextVersion", "its recipe_version is '1.0'"),
        ("EntryPoint", "no subclass of ssl_motion.protocols.PretrainMethod"),
    ],
)
def test_a_class_that_lacks_what_every_method_has_is_refused(announce, name, fault):
    announce(("mine", f"{__name__}:{name}"))
    with pytest.raises(UsageError, match=f"cannot be used .*{fault}"):
        plugins.load(plugins.METHODS, "mine")
