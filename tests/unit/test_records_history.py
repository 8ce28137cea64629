"""Records that were written once load for ever, and mean the same."""

import json
from pathlib import Path

import pytest

from ssl_motion.contribution.checks import recomputed_identities
from ssl_motion.fileio import write_json
from ssl_motion.record import ResultRecord, read_record

HISTORY = Path(__file__).resolve().parents[1] / "data" / "records_history"
FILES = sorted(HISTORY.glob("v*/*.json"))
# Written down when the files were added: a record keeps its place among the others.
FINGERPRINTS = {
    "puppets_fcn-cmp-camera-flow-s1-d4b34cea6069f118": "fc0f5d0ff79d2941",
    "puppets_fcn-cmp-s0-bcf6bc94ebb3187d": "fc0f5d0ff79d2941",
    "puppets_fcn-random-s0-4bef0c5afbdd5167": "fc0f5d0ff79d2941",
    "puppets_linear-mahendran-s2-92b32621c50203a7": "fe718ba9b9c8dede",
    "puppets_linear-random-s1-86007a6102746f6c": "3512d112ecbd7183",
}


def contained(old: object, new: object) -> bool:
    """Whether all that `old` says is in `new`, which may say more."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and contained(value, new[name]) for name, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(contained, old, new))
    return old == new


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_it_loads_and_says_the_same(file: Path, tmp_path: Path) -> None:
    written = json.loads(file.read_bytes())
    assert file.parent.name == f"v{written['schema_version']}"
    record = read_record(file)
    assert contained({**written, "schema_version": 0}, {**record.model_dump(mode="json"), "schema_version": 0})
    assert record.protocol_fingerprint == FINGERPRINTS[file.stem]
    assert recomputed_identities(record) == [record.identity]
    write_json(tmp_path / "again.json", record.model_dump(mode="json"))
    assert read_record(tmp_path / "again.json") == record


def test_every_version_has_files() -> None:
    now = ResultRecord.model_fields["schema_version"].default
    assert {file.parent.name for file in FILES} == {f"v{version}" for version in range(1, now + 1)}
    assert {file.stem for file in FILES} == FINGERPRINTS.keys()
