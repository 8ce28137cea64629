"""The verbs list, show and report: what is there, what is broken, and what to do first."""

import json
import os
import socket
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from ssl_motion import listing, plugins
from ssl_motion.cli import cli
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_json, write_text
from ssl_motion.record import MetricValue, Provenance, Reproduced, ResultRecord
from ssl_motion.store import Store

IDENTITIES = ["0123456789abcdef", "fedcba9876543210"]


def _record(identity, seed, value):
    origin = Provenance(
        commit="c" * 40, dirty=True, packages={"torch": "2.0"}, python="3.11", hardware="a cpu", device="cpu",
        wall_seconds=5.0, finished="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    return ResultRecord(
        identity=identity, method="random", backbone="b", pretraining=None, task="voc_fcn", protocol={"head": "fcn"},
        protocol_name="p", scale="builtin", metrics=[MetricValue(name="mIoU", value=value, primary=True)], seed=seed,
        details={"IoU": {"person": 12.5}}, spec={"seed": seed}, origin=Reproduced(provenance=origin),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_committed_records(monkeypatch):
    monkeypatch.setattr("ssl_motion_reports.leaderboard.committed_records", list)


@pytest.fixture
def runs(tmp_path):
    store = Store(tmp_path / "runs")
    for seed, identity in enumerate(IDENTITIES):
        run = store.folder("transfer", "p random", identity)
        write_text(run.path / "spec.yaml", f"task: voc_fcn\nseed: {seed}\n")
        write_json(run.path / "record.json", _record(identity, seed, 43.21 + seed).model_dump(mode="json"))
        run.finish({"seed": seed, "metrics": {"mIoU": 43.21 + seed}})
    pretraining = store.folder("pretrain", "cmp", "aaaabbbbccccdddd")
    write_text(pretraining.path / "spec.yaml", "method: cmp\n")
    return store.root


def _invoke(*arguments):
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def test_runs_are_listed_with_their_state_and_figures(runs):
    rows = {row["identity"]: row for row in listing.list_runs(runs)}
    assert rows[IDENTITIES[0]]["figures"] == {"mIoU": 43.21}
    assert rows[IDENTITIES[0]]["state"] == "finished"
    assert rows["aaaabbbbccccdddd"]["state"] == "interrupted"
    owner = runs / "pretrain" / "cmp-aaaabbbbccccdddd" / "owner.json"
    write_json(owner, {"pid": os.getpid(), "host": socket.gethostname()})
    assert {row["identity"]: row["state"] for row in listing.list_runs(runs)}["aaaabbbbccccdddd"] == "running"
    write_json(owner, {"pid": 2**22 + 1, "host": socket.gethostname()})  # beyond Linux's largest pid
    assert listing.list_runs(runs)[0]["state"] == "interrupted"
    assert listing.list_runs(runs / "nowhere") == []
    text = _invoke("list", "runs", "--runs", runs)
    assert text.exit_code == 0
    assert "43.21" in text.output
    assert json.loads(_invoke("list", "runs", "--runs", runs, "--json").output)[1]["identity"] == IDENTITIES[0]


def _announce(monkeypatch, **points):
    """Add entry points of methods to those that are installed: name="module:Class"."""
    real = plugins.entry_points

    def entry_points(group):
        added = [EntryPoint(name, value, group) for name, value in points.items() if group == plugins.METHODS]
        return [*real(group=group), *added]

    monkeypatch.setattr(plugins, "entry_points", entry_points)


def test_methods_are_listed_with_paper_trunks_and_whether_they_import(monkeypatch, tmp_path):
    (tmp_path / "leaves_at_import.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    _announce(
        monkeypatch,
        shaky="no_such_module_of_mine:Method",
        leaving="leaves_at_import:Method",
        wrong="collections:OrderedDict",
        cmp="collections:Counter",
    )
    rows = json.loads(_invoke("list", "methods", "--json").output)
    by_target = {row["target"]: row for row in rows}
    assert (
        "ModuleNotFoundError: No module named 'no_such_module_of_mine'"
        in by_target["no_such_module_of_mine:Method"]["error"]
    )
    assert "SystemExit: 3" in by_target["leaves_at_import:Method"]["error"]
    assert "no subclass of ssl_motion.protocols.PretrainMethod" in by_target["collections:OrderedDict"]["error"]
    both = [row for row in rows if row["name"] == "cmp"]  # which of the two would run is not to be guessed
    assert len(both) == 2
    assert all("two installed packages" in row["error"] for row in both)
    assert not any(row["imports"] for row in [*both, by_target["collections:OrderedDict"]])
    walker = next(row for row in rows if row["name"] == "walker")
    assert (walker["imports"], walker["error"], walker["distribution"]) == (True, None, "ssl-motion")
    assert "ICCV 2015" in walker["paper"]
    assert walker["trunks"]


@pytest.mark.parametrize("columns", [80, 120])
def test_lists_fit_the_screen(monkeypatch, columns, runs):
    _announce(monkeypatch, shaky="no_such_module_of_mine:Method")
    monkeypatch.setenv("COLUMNS", str(columns))
    text = _invoke("list", "--runs", runs).output
    assert max(map(len, text.splitlines())) <= columns
    joined = " ".join(text.split())
    assert "Self-Supervised Learning via Conditional Motion Propagation. CVPR 2019." in joined
    assert "broken: method 'shaky' of package unknown does not import (no_such_module_of_mine:Method)" in joined
    assert "cmp-aaaabbbbccccdddd pretrain, interrupted" in joined


def test_backbones_configs_and_estimators_are_listed():
    assert {"resnet50", "alexnet_32x"} <= {row["name"] for row in listing.list_backbones()}
    configs = {(row["kind"], row["name"]): row for row in listing.list_configs()}
    assert configs["suites", "quickstart"]["description"].startswith("The main job")
    assert all(row["description"] for row in configs.values())
    estimators = {row["name"]: row for row in listing.list_estimators()}
    assert estimators["dis"]["supervision"] == "none"
    assert _invoke("list", "everything").exit_code == 2


def test_a_run_is_shown_whole(runs):
    content = listing.show_run(runs, "0123")
    assert content["figures"] == {"mIoU": 43.21}
    assert content["spec"] == {"task": "voc_fcn", "seed": 0}
    assert set(content["files"]) == {"spec.yaml", "record.json", "done.json"}
    assert content["again"][:2] == ["ssl-bench", "transfer"]
    text = _invoke("show", "0123", "--runs", runs).output
    for part in (
        "43.21",
        "person",
        "12.5",
        "task: voc_fcn",
        "uncommitted",
        "a cpu",
        "record.json",
        "ssl-bench transfer",
    ):
        assert part in text
    assert json.loads(_invoke("show", IDENTITIES[1], "--runs", runs, "--json").output)["record"]["seed"] == 1
    assert listing.show_run(runs, "aaaabbbbccccdddd")["record"] is None
    with pytest.raises(UsageError, match="is no run"):
        listing.show_run(runs, "feedbeef")


def test_damaged_runs_are_named(runs):
    folder = runs / "transfer" / f"p-random-{IDENTITIES[0]}"
    (folder / "record.json").write_text("{}")
    with pytest.raises(DataError, match="not a result record"):
        listing.show_run(runs, "0123")
    (folder / "done.json").write_text("{")
    rows = {row["identity"]: row for row in listing.list_runs(runs)}
    assert rows[IDENTITIES[0]]["state"] == "damaged"
    assert "done.json" in rows[IDENTITIES[0]]["error"]
    assert (rows[IDENTITIES[1]]["state"], rows[IDENTITIES[1]]["error"]) == ("finished", None)  # the others are there
    text = " ".join(_invoke("list", "runs", "--runs", runs).output.split())
    assert "transfer, damaged" in text
    assert "done.json is damaged" in text
    assert "44.21" in text
    (folder / "spec.yaml").write_text("a: [")
    with pytest.raises(DataError, match=r"spec\.yaml"):
        listing.show_run(runs, "0123")


def test_report_joins_runs_records_and_published_numbers(runs, tmp_path):
    records = tmp_path / "records"
    write_json(records / "a.json", _record("1" * 16, 7, 50.0).model_dump(mode="json"))
    # The same result again, as a committed copy: counted once.
    write_json(records / "b.json", _record(IDENTITIES[0], 0, 43.21).model_dump(mode="json"))
    done = _invoke("report", "leaderboard", "--runs", runs, "--records", records, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    content = json.loads(done.output)
    (own,) = [group for group in content["groups"] if group["reproduced"]]
    assert own["entries"][0]["seeds"] == [0, 1, 7]
    assert own["entries"][0]["metrics"]["mIoU"]["mean"] == pytest.approx((43.21 + 44.21 + 50.0) / 3)
    assert len(content["groups"]) > 20
    assert len(content["files"]) == 5
    alone = _invoke("report", "leaderboard", "--runs", runs, "--no-published", "--out", tmp_path / "own", "--json")
    assert len(json.loads(alone.output)["groups"]) == 1
    page = (tmp_path / "own" / "leaderboard.html").read_text()
    assert f"../runs/transfer/p-random-{IDENTITIES[0]}/record.json" in page
    table = _invoke("report", "leaderboard", "--runs", runs, "--out", tmp_path / "text", "--task", "voc_fcn")
    assert "random" in table.output
    assert "leaderboard.html" in table.output


def test_with_nothing_to_report_the_next_step_is_said(tmp_path):
    empty = tmp_path / "none"
    assert "ssl-bench run quickstart" in _invoke("report", "--runs", empty).output
    for arguments, message in (
        (["--no-published"], "ssl-bench run quickstart"),
        (["--task", "voc_fnc"], "Did you mean 'voc_fcn'"),
        (["--records", tmp_path / "nowhere"], "no such folder of records"),
    ):
        result = _invoke("report", "leaderboard", "--runs", empty, "--out", tmp_path / "out", *arguments)
        assert isinstance(result.exception, UsageError)
        assert message in str(result.exception)
    done = _invoke("report", "leaderboard", "--runs", empty, "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "Only published numbers are shown" in done.output
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.json").write_text("[]")
    done = _invoke("report", "leaderboard", "--runs", empty, "--records", tmp_path / "bad", "--out", tmp_path / "out")
    assert done.exit_code == 0, "a broken file hides no other record"
    assert f"{tmp_path / 'bad' / 'x.json'}: not a result record" in done.output


def test_baselines_are_listed_as_starts(runs):
    rows = {row["name"]: row for row in listing.list_benchmarks()}
    assert set(rows["annotation"]["baselines"]) == {"baseline:grabcut", "baseline:random_walker"}
    assert rows["voc_fcn"]["baselines"] == {}
    assert "--init baseline:grabcut: OpenCV" in _invoke("list", "benchmarks").output
