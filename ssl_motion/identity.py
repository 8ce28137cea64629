"""The identity of a run: a hash of everything that can move its numbers.

Resolved spec, plugin recipe version, data fingerprint, identities of parents
and seed go in. Devices, workers, paths and the git commit stay out, so that the
same experiment has the same name on every machine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

DIGITS = 16


def canonical_json(value: Any) -> str:
    """Serialise JSON-like data so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Hash JSON-like data: the first 16 hexadecimal digits of SHA-256 over its canonical form."""
    return hashlib.sha256(canonical_json(value).encode(errors="backslashreplace")).hexdigest()[:DIGITS]


ENSEMBLE_VERSION = 1
"""Raised whenever a change of code moves the numbers of ensembles."""


def run_identity(
    spec: Mapping[str, Any], *, recipe_version: int, data_fingerprint: str, parents: Sequence[str] = ()
) -> str:
    """Name a run.

    Args:
        spec: resolved spec, seed included, without runtime settings and paths.
        recipe_version: of the plugin that does the work.
        data_fingerprint: of the data that goes in.
        parents: identities of the runs whose results go in, such as the pretraining run of a transfer.
    """
    return digest(
        {"spec": dict(spec), "recipe_version": recipe_version, "data": data_fingerprint, "parents": sorted(parents)}
    )


def transfer_identity(
    spec: Mapping[str, Any], *, start: str, protocol: Mapping[str, Any], recipe_version: int, parents: Sequence[str]
) -> str:
    """Name a transfer run.

    Args:
        spec: resolved; built-in data and paths in it do not count, their fingerprint in the protocol does.
        start: what stands for `init`, whose text may be a path: "random", "run:IDENTITY", ...
        protocol: facts that make results comparable; "dataset_hash" is the data's fingerprint.
        recipe_version: of the task.
        parents: the pretraining run, where there is one.
    """
    settings = {name: value for name, value in spec.items() if name not in ("puppets", "data_root")}
    return run_identity(
        {**settings, "init": start, "protocol": protocol},
        recipe_version=recipe_version,
        data_fingerprint=protocol["dataset_hash"],
        parents=parents,
    )


def ensemble_identity(
    task: str, protocol: Mapping[str, Any], members: Sequence[str], version: int = ENSEMBLE_VERSION
) -> str:
    """Name an ensemble of some transfer runs."""
    return run_identity(
        {"task": task, "protocol": protocol},
        recipe_version=version,
        data_fingerprint=protocol["dataset_hash"],
        parents=members,
    )
