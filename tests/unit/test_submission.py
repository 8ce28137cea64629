"""`submit` and `validate`: a run's record becomes a bundle that passes the checks, and faults are named."""

import json
import math
import runpy
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ssl_motion.cli.submit_verb import command as submit_verb
from ssl_motion.cli.validate_verb import command as validate_verb
from ssl_motion.contribution.collection import check_files
from ssl_motion.contribution.submit import LARGEST, submit
from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.record import read_record
from ssl_motion.store import RunFolder
from ssl_motion_reports.leaderboard import collect_records, folder_records
from ssl_motion_reports.statistics.replicates import replicates_of

_runs = runpy.run_path(str(Path(__file__).parents[1] / "contributed_runs.py"))
COMMITTED, FROM, change, content_of, make_run, put = (
    _runs[name] for name in ("COMMITTED", "FROM", "change", "content_of", "make_run", "put")
)
Content = dict[str, Any]


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
    # Reports find the statistics where the bundle has them, so that intervals are over images too.
    (found,), sources = collect_records(folder_records(out))
    (replicate,) = replicates_of([found], sources)
    assert replicate.images.images == 5
    again = CliRunner().invoke(submit_verb, arguments)
    assert isinstance(again.exception, UsageError)
    assert "already, with the same figures" in str(again.exception)


def test_where_a_machine_keeps_its_runs_stays_there(tmp_path: Path) -> None:
    for place, kept in (("/home/somebody/runs/pretrain/cmp-0", "runs/pretrain/cmp-0"), ("/weights/x.pth", None)):
        content = content_of()
        content["spec"]["init"] = place
        written = submit(make_run(tmp_path / f"runs{kept is None}", content), tmp_path / f"out{kept is None}")
        assert read_record(written.record).spec["init"] == (kept or place)
        assert any(place in remark for remark in written.remarks) == (kept is None)


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
    assert "records: 1, with per-image statistics: 0\nfaults: 2, files with any: 2\n" in done.output
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


@pytest.mark.parametrize("lies_in_a_run", [True, False])
def test_what_to_do_about_a_broken_file_can_be_done(lies_in_a_run: bool, tmp_path: Path) -> None:
    broken = tmp_path / "cmp-s0-0123456789abcdef" / ("record.json" if lies_in_a_run else "mine.json")
    broken.parent.mkdir()
    for content in (b"{", None):
        if content is None:
            broken.unlink()
            broken.mkdir()  # cannot be read
        else:
            broken.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_record(broken)
        assert ("--force" in str(caught.value)) == lies_in_a_run
        cure = "do its run again with --force" if lies_in_a_run else "put its original in its place"
        assert str(caught.value).endswith(f"Take it away, or {cure}.")
