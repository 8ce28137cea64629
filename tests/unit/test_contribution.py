"""Checks of contributed records: the committed ones pass, and every planted fault is found at its key."""

import json
import math
import shutil
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from ssl_motion.cli.submit_verb import command as submit_verb
from ssl_motion.cli.validate_verb import command as validate_verb
from ssl_motion.contribution.checks import recomputed_identities, record_stem
from ssl_motion.contribution.collection import check_files
from ssl_motion.contribution.submit import LARGEST, submit
from ssl_motion.errors import RunError, UsageError
from ssl_motion.fileio import sha256_of, write_json
from ssl_motion.identity import ensemble_identity
from ssl_motion.per_image.confusion import PerImageConfusion, scores
from ssl_motion.record import ResultRecord, read_record
from ssl_motion.store import RunFolder

COMMITTED = Path(__file__).resolve().parents[2] / "reports" / "records"
Content = dict[str, Any]


def content_of(pattern: str = "puppets_fcn-cmp-s0-3ec3aa79fbe59108") -> Content:
    (file,) = COMMITTED.glob(f"{pattern}.json")
    content: Content = json.loads(file.read_bytes())
    return content


def put(folder: Path, content: Content, name: str | None = None) -> Path:
    """Write a record under the name that it should have."""
    file = folder / f"{name or record_stem(ResultRecord.model_validate(content))}.json"
    write_json(file, content)
    return file


def named(content: Content) -> Content:
    """Give a changed record the identity that it would have had."""
    identity = recomputed_identities(ResultRecord.model_validate(content))[-1]
    return {**content, "identity": identity}


def test_the_committed_records_pass() -> None:
    files = sorted(COMMITTED.glob("*.json"))
    verdict = check_files(files)
    assert [str(fault) for fault in verdict.faults] == []
    assert len(verdict.records) == len(files) > 100
    # Not vacuous: each of them holds all that its identity is made of.
    assert all(recomputed_identities(record) == [record.identity] for record in verdict.records.values())


def change(*path: str | int, to: Any) -> Callable[[Content], None]:
    def edit(content: Content) -> None:
        node: Any = content
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = to

    return edit


FROM = ("origin", "provenance")
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


def statistics(folder: Path, file: str = "per_image.npz") -> tuple[Path, dict[str, float]]:
    """Write per-image statistics of a segmentation, and say which figures they give."""
    rng = np.random.default_rng(3)
    images = {
        f"image{number}": (np.arange(9, dtype=np.int32), rng.integers(1, 500, 9).astype(np.int64))
        for number in range(5)
    }
    matrices = PerImageConfusion.collect(images, ["background", "person", "box"])
    matrices.save(folder / file)
    return folder / file, scores(matrices.total()).metrics


def make_run(runs: Path, content: Content, *, with_images: bool = False) -> RunFolder:
    """Make the folder of a finished run."""
    content = json.loads(json.dumps(content))
    folder = runs / "transfer" / record_stem(ResultRecord.model_validate(content))
    folder.mkdir(parents=True)
    if with_images:
        path, figures = statistics(folder)
        content["per_image"] = {"file": path.name, "sha256": sha256_of(path)}
        content["details"] = {}
        for metric in content["metrics"]:
            metric["value"] = figures[metric["name"]]
    write_json(folder / "record.json", content)
    record = read_record(folder / "record.json")
    run = RunFolder(folder, record.identity)
    metrics = {metric.name: metric.value for metric in record.metrics}
    run.finish({"protocol_fingerprint": record.protocol_fingerprint, "seed": record.seed, "metrics": metrics})
    return run


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


def test_submit_writes_a_bundle_that_validates(tmp_path: Path) -> None:
    run, out = make_run(tmp_path / "runs", content_of(), with_images=True), tmp_path / "reports" / "records"
    arguments = [run.identity[:6], "--runs", str(tmp_path / "runs"), "--out", str(out)]
    done = CliRunner().invoke(submit_verb, arguments)
    assert done.exit_code == 0, done.output
    record = read_record(out / f"{run.path.name}.json")
    theirs = read_record(run.path / "record.json")
    assert record.per_image is not None
    images = out / record.per_image.file
    assert images.read_bytes() == (run.path / "per_image.npz").read_bytes()
    assert record.model_copy(update={"per_image": theirs.per_image}) == theirs
    checked = CliRunner().invoke(validate_verb, [str(out), "--json"])
    assert checked.exit_code == 0
    assert json.loads(checked.output) == {"records": 1, "with_per_image_statistics": 1, "faults": []}
    again = CliRunner().invoke(submit_verb, arguments)
    assert isinstance(again.exception, UsageError)
    assert "already, with the same figures" in str(again.exception)


def test_submit_leaves_large_or_lost_statistics_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LARGEST == 5_000_000
    monkeypatch.setattr("ssl_motion.contribution.submit.LARGEST", 100)
    run = make_run(tmp_path / "runs", content_of(), with_images=True)
    written = submit(run, tmp_path / "out")
    assert written.images is None
    assert "larger than" in written.remarks[0]
    (run.path / "per_image.npz").unlink()
    assert "is not there" in submit(run, tmp_path / "other").remarks[0]
    assert not check_files([written.record]).faults


def test_submit_refuses(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def refused(edit: Callable[[Content], Any], runs: str, after: Callable[[RunFolder], Any] = lambda run: None) -> str:
        content = content_of()
        edit(content)
        run = make_run(tmp_path / runs, content)
        after(run)
        with pytest.raises((UsageError, RunError)) as caught:
            submit(run, out)
        assert not out.exists() or not list(out.iterdir())
        return str(caught.value)

    def nothing(content: Content) -> None:
        del content

    assert "is not finished" in refused(nothing, "a", lambda run: (run.path / "done.json").unlink())
    assert "has no record" in refused(nothing, "b", lambda run: (run.path / "record.json").unlink())
    assert "uncommitted changes" in refused(change(*FROM, "dirty", to=True), "c")
    assert "metrics.0.value" in refused(change("metrics", 0, "value", to=99.0), "d")

    def another(run: RunFolder) -> None:
        run.finish({**run.summary, "metrics": {"mIoU": 1.0}})

    assert "done.json says" in refused(nothing, "e", another)


def test_a_second_measurement_of_one_run_is_said_to_be_one(tmp_path: Path) -> None:
    submit(make_run(tmp_path / "a", content_of()), tmp_path / "out")
    content = content_of()
    content["metrics"][1]["value"] += 1
    with pytest.raises(UsageError, match="with other figures"):
        submit(make_run(tmp_path / "b", content), tmp_path / "out")


def test_validate_names_faults_and_ends_with_1(tmp_path: Path) -> None:
    content = content_of()
    content["metrics"][0]["value"] = math.pi
    file = put(tmp_path, content)
    (tmp_path / "broken.json").write_text("{")
    done = CliRunner().invoke(validate_verb, [str(tmp_path)])
    assert done.exit_code == 1
    assert f"{file}: metrics.0.value: mIoU is 3.14" in done.output
    assert f"{tmp_path / 'broken.json'}: the file: " in done.output
    assert "1 records" in done.output
    assert CliRunner().invoke(validate_verb, []).exit_code == 0
    for nothing in (str(tmp_path / "none"), str(tmp_path / "empty")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert isinstance(CliRunner().invoke(validate_verb, [nothing]).exception, UsageError)


def _submit_all(runs: list[RunFolder], out: Path) -> None:
    for run in runs:
        submit(run, out)


def test_two_processes_lose_no_record(tmp_path: Path) -> None:
    files = sorted(COMMITTED.glob("*.json"))[:40]
    runs = [make_run(tmp_path / "runs", json.loads(file.read_bytes())) for file in files]
    out, fork = tmp_path / "out", get_context("fork")
    processes = [fork.Process(target=_submit_all, args=(runs[start::2], out)) for start in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert [file.name for file in sorted(out.glob("*.json"))] == [file.name for file in files]
    assert not check_files(sorted(out.glob("*.json"))).faults
    assert not list(out.glob(".*"))
