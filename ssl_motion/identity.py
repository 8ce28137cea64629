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
