"""Checks of contributed records: the committed ones pass, and every planted fault is found at its key."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from ssl_motion.contribution.checks import recomputed_identities
from ssl_motion.contribution.collection import check_files
from ssl_motion.fileio import sha256_of, write_json
from ssl_motion.identity import ensemble_identity

_runs = runpy.run_path(str(Path(__file__).parents[1] / "contributed_runs.py"))
COMMITTED, FROM, change, content_of, make_run, named, put = (
    _runs[name] for name in ("COMMITTED", "FROM", "change", "content_of", "make_run", "named", "put")
)


def test_the_committed_records_pass() -> None:
    files = sorted(COMMITTED.glob("*.json"))
    verdict = check_files(files)
    assert [str(fault) for fault in verdict.faults] == []
    assert len(verdict.records) == len(files) > 100
    # Not vacuous: each of them holds all that its identity is made of.
    assert all(recomputed_identities(record) == [record.identity] for record in verdict.records.values())


EDITS = {
    "a better figure": (change("metrics", 0, "value", to=31.5), "metrics.0.value"),
    "beyond its unit": (change("metrics", 1, "value", to=100.5), "metrics.1.value"),
    "below its unit": (change("metrics", 2, "value", to=-0.1), "metrics.2.value"),
    "another seed": (change("seed", to=7), "seed"),
    "another seed everywhere": (lambda each: each.update(seed=7, spec={**each["spec"], "seed": 7}), "identity"),
    "another protocol": (change("protocol", "iterations", to=299), "identity"),
    "another pretraining": (
        lambda each: (change("pretraining", "run", to="0" * 16)(each), change(*FROM, "parents", to=["0" * 16])(each)),
        "identity",
    ),
    "a pretraining that is no parent": (change("pretraining", "run", to="0" * 16), "pretraining.run"),
    "another task": (change("task", to="lip"), "task"),
    "another scale": (change("scale", to="full"), "scale"),
    "another preset's name": (change("protocol_name", to="voc12_fcn"), "protocol_name"),
    "other overrides": (change("spec", "recipe_overrides", to={"a": 1}), "protocol.recipe_overrides"),
    "no data": (lambda each: each["protocol"].pop("dataset_hash"), "protocol.dataset_hash"),
    "random that was pretrained": (change("method", to="random"), "method"),
    "a baseline that was pretrained": (change("spec", "init", to="baseline:cmp"), "method"),
    "no spec": (change("spec", to={}), "spec"),
    "uncommitted changes": (change(*FROM, "dirty", to=True), "origin.provenance.dirty"),
    "no commit": (change(*FROM, "commit", to="main"), "origin.provenance.commit"),
    "no time": (change(*FROM, "wall_seconds", to=0.0), "origin.provenance.wall_seconds"),
    "no date": (change(*FROM, "finished", to="yesterday"), "origin.provenance.finished"),
    "no pairs": (change("pretraining", "pairs", to=0), "pretraining.pairs"),
    "negative images": (change("pretraining", "images_seen", to=-1), "pretraining.images_seen"),
    "more images kept than seen": (
        change("pretraining", "images_seen_by_weights", to=8001),
        "pretraining.images_seen_by_weights",
    ),
    "two primary metrics": (change("metrics", 1, "primary", to=True), "metrics"),
    "one metric twice": (change("metrics", 1, "name", to="mAcc"), "metrics.2.name"),
    "no metric": (change("metrics", to=[]), "metrics"),
    "an unknown key": (change("pretraining", "colour", to="red"), "pretraining.colour"),
    "a text for a number": (change("metrics", 0, "value", to="high"), "metrics.0.value"),
    "a later format": (change("schema_version", to=99), "schema_version"),
    "an identity that is none": (change("identity", to="mine"), "identity"),
    "a file outside": (change("per_image", "file", to="../secrets.npz"), "per_image.file"),
    "an absolute file": (change("per_image", "file", to="/etc/passwd"), "per_image.file"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_by_hand_is_found_at_its_key(name: str, tmp_path: Path) -> None:
    edit, key = EDITS[name]
    content = content_of()
    good = put(tmp_path, content)
    assert not check_files([good]).faults
    edit(content)
    bad = put(tmp_path, content, good.stem)
    verdict = check_files([bad])
    assert key in {fault.key for fault in verdict.faults}, verdict.faults
    assert all(fault.file == bad for fault in verdict.faults)


def test_what_a_task_judges_in_place_of_a_model_has_learned_nothing(tmp_path: Path) -> None:
    content = content_of("puppets_fcn-random-s0-e9734e75e2fdcdc6")
    content["spec"]["init"], content["method"] = "baseline:grabcut", "grabcut"
    content = named(content)
    assert not check_files([put(tmp_path, content)]).faults
    content["method"] = "cmp"
    assert [fault.key for fault in check_files([put(tmp_path, content)]).faults] == ["method"]


def test_all_faults_of_a_file_that_is_no_record_are_named(tmp_path: Path) -> None:
    content = content_of()
    del content["method"]
    content["seed"] = "first"
    file = put(tmp_path, content, "x")
    assert {fault.key for fault in check_files([file]).faults} == {"method", "seed"}
    for text in ("", "{", "[]", '{"a": NaN}', "[" * 100_000, '{"schema_version": 1, "seed": 1e999}'):
        file.write_text(text)
        (fault, *_) = check_files([file]).faults
        assert fault.file == file


def test_names_are_those_of_the_runs(tmp_path: Path) -> None:
    file = put(tmp_path, content_of(), "my-best-run")
    (fault,) = check_files([file]).faults
    assert fault.key == "file name"
    assert "puppets_fcn-cmp-s0-3ec3aa79fbe59108" in fault.message


def test_an_ensembles_identity_is_worked_out_too(tmp_path: Path) -> None:
    members = sorted(["a" * 16, "b" * 16])
    content = content_of()
    content["method"] = "cmp + random"
    content["spec"] = {**content["spec"], "init": members, "ensemble": 2, "seed": None}
    content["seed"] = None
    content["protocol"]["ensemble"] = {"networks": 2, "averaged": "class probabilities"}
    content["protocol_name"] += ", 2 networks averaged"
    content["origin"]["provenance"]["parents"] = members
    content["identity"] = ensemble_identity("voc_fcn", content["protocol"], members)
    file = put(tmp_path, content)
    assert file.stem == f"puppets_fcn-ensemble-cmp-random-{content['identity']}"
    assert not check_files([file]).faults
    content["origin"]["provenance"]["parents"] = ["a" * 16, "c" * 16]
    assert [fault.key for fault in check_files([put(tmp_path, content)]).faults] == ["identity"]


def test_repetitions_are_found(tmp_path: Path) -> None:
    content = content_of()
    first = put(tmp_path, content)
    copy = tmp_path / "b" / first.name
    copy.parent.mkdir()
    shutil.copy(first, copy)
    (fault,) = check_files([first, copy]).faults
    assert (fault.file, fault.key) == (copy, "identity")
    # The same figures under another seed: nobody measures all digits twice.
    again = json.loads(json.dumps(content))
    again["seed"] = again["spec"]["seed"] = 9
    forged = put(tmp_path, named(again))
    (fault,) = check_files([first, forged]).faults
    assert (fault.file, fault.key) == (forged, "metrics")
    # Another figure, and it could be a measurement.
    again["metrics"][1]["value"] += 1e-9
    assert not check_files([first, put(tmp_path / "c", named(again))]).faults


def test_per_image_statistics_must_be_the_recorded_ones(tmp_path: Path) -> None:
    run = make_run(tmp_path, content_of(), with_images=True)
    file = run.path / "record.json"
    verdict = check_files([file])
    assert (verdict.faults, verdict.images) == ((), 1)
    content = json.loads(file.read_bytes())
    content["metrics"][0]["value"] += 0.001
    write_json(file, content)
    (fault,) = check_files([file]).faults
    assert fault.key == "metrics.0.value"
    assert "the per-image statistics give" in fault.message
    (run.path / "per_image.npz").write_bytes(b"something else")
    (fault,) = check_files([file]).faults
    assert fault.key == "per_image.sha256"
    content["per_image"]["sha256"] = sha256_of(run.path / "per_image.npz")
    write_json(file, content)
    (fault,) = check_files([file]).faults
    assert fault.key == "per_image.file"


def test_statistics_of_a_kind_that_only_its_task_knows_are_no_fault(tmp_path: Path) -> None:
    run = make_run(tmp_path, content_of(), with_images=True)
    path, file = run.path / "per_image.npz", run.path / "record.json"
    np.savez(path, energies=np.zeros(3))
    content = json.loads(file.read_bytes())
    content["per_image"]["sha256"] = sha256_of(path)
    write_json(file, content)
    assert not check_files([file]).faults
