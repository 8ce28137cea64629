"""Specs as people type them: YAML files and KEY=VALUE texts, read safely and validated with helpful errors."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ssl_motion.errors import UsageError
from ssl_motion.fileio import read_json_object, why_unreadable
from ssl_motion.plugins import did_you_mean

SpecT = TypeVar("SpecT", bound=BaseModel)

_LONGEST_INPUT = 200  # characters of a wrong value that a message repeats


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, for which 1e-3 is a number too (YAML 1.1 wants 1.0e-3, and would make a text of it)."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))


def read_yaml(text: str) -> Any:
    """Read one YAML document of plain data.

    Raises:
        yaml.YAMLError: It is not YAML, or asks for Python objects.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        UsageError: The file is missing, is not YAML (line and column are given), or holds no mapping.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no such spec: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected a mapping of keys to values, found {type(content).__name__}")
    return content


def parse_spec(model: type[SpecT], content: dict[str, Any], where: str) -> SpecT:
    """Validate `content` as `model`.

    Args:
        model: a pydantic model, usually one of this module or a plugin's `Config`.
        content: the mapping to validate.
        where: file or option that `content` came from, for messages.

    Raises:
        UsageError: One line per fault, each with its key; an unknown key or name comes with the nearest valid one.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        unknown, wrong = [], []
        for fault in error.errors():
            key = ".".join(str(part) for part in fault["loc"]) or "(top level)"
            got = f"(got {_shortened(repr(fault['input']))})"
            if fault["type"] == "extra_forbidden":
                known = _keys_at(model, fault["loc"][:-1])
                hint = did_you_mean(str(fault["loc"][-1]), known)
                unknown.append(f"  {key}: unknown key.{hint} Valid keys: {', '.join(known)}")
            elif fault["type"] == "missing":
                wrong.append(f"  {key}: is missing")
            elif fault["type"] == "literal_error":
                hint = did_you_mean(str(fault["input"]), re.findall("'([^']*)'", fault["ctx"]["expected"]))
                wrong.append(f"  {key}: {fault['msg']} {got}{'.' if hint else ''}{hint}")
            elif fault["type"] == "value_error":
                # Of our own validators; one that judges several keys has all of them for its input.
                words = str(fault["ctx"]["error"])
                given = "" if isinstance(fault["input"], Mapping) else f" {got}"
                wrong.append(f"  {key}: {words}{given}" if fault["loc"] else f"  {words}{given}")
            else:
                wrong.append(f"  {key}: {fault['msg']} {got}")
        # Unknown keys first: a misspelt one is often why another is missing.
        lines = [f"{where}: {error.error_count()} fault(s)", *unknown, *wrong]
        raise UsageError("\n".join(lines)) from error


def load_json(model: type[SpecT], path: Path, what: str, form: str) -> SpecT:
    """Read a JSON file as `model`.

    Args:
        model: a pydantic model.
        path: the file.
        what: what it is to be, such as "guidance"; for messages, like `form`.
        form: what such a file looks like.

    Raises:
        UsageError: The file is missing, is no JSON object, or is not of the model's form; the key is named.
    """
    try:
        content = read_json_object(path)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: cannot be read as {what} (JSON): {why_unreadable(error)}; expected {form}"
        ) from error
    return parse_spec(model, content, str(path))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]} ..."


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that sits at `location` below `model`."""
    for part in location:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        models = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if models:
            model = models[0]
    return sorted(model.model_fields)


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Read `a.b.c=value` texts of the command line; values are YAML.

    Raises:
        UsageError: A text has no "=", or its value is not YAML.
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UsageError(f"{assignment!r}: expected KEY=VALUE, for example optimizer.lr=0.01")
        try:
            values[key] = read_yaml(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{assignment!r}: the value is not valid YAML: {error}") from error
    return values


def apply_overrides(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of `content` with dotted keys replaced by values.

    Raises:
        UsageError: A key goes through something that is not a mapping.
    """
    result: dict[str, Any] = deepcopy(dict(content))
    for key, value in overrides.items():
        *parents, last = key.split(".")
        node = result
        for parent in parents:
            child = node.get(parent)
            if child is None:
                child = node[parent] = {}
            if not isinstance(child, dict):
                raise UsageError(f"{key}: {parent!r} holds {child!r}, not a mapping")
            node = child
        node[last] = value
    return result
