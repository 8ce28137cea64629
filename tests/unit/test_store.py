"""Run folders: one owner, nothing lost, found again by several names."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_motion.errors import DataError, RunError, StoppedBySignal, UsageError
from ssl_motion.fileio import sha256_of, write_atomically, write_json, write_text
from ssl_motion.identity import digest
from ssl_motion.record import MetricValue, Pretraining, Reported, ResultRecord, read_record
from ssl_motion.seeding import generator
from ssl_motion.store import Store

IDENTITY = "0123456789abcdef"


def test_a_second_process_is_refused_with_pid_and_host(tmp_path):
    folder = Store(tmp_path).folder("pretrain", "cmp", IDENTITY)
    script = (
        "import sys; from pathlib import Path; from ssl_motion.store import Store\n"
        f"with Store(Path({str(tmp_path)!r})).folder('pretrain', 'cmp', {IDENTITY!r}).locked({{}}): pass\n"
    )
    with folder.locked({"a": 1}):
        refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert refused.returncode != 0
        assert f"in use by process {os.getpid()} on" in refused.stderr
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def _hold_and_die(root):
    with Store(root).folder("pretrain", "cmp", IDENTITY).locked({}):
        os._exit(9)


def test_a_dead_owner_does_not_block(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_hold_and_die, args=(tmp_path,))
    process.start()
    process.join()
    with Store(tmp_path).folder("pretrain", "cmp", IDENTITY).locked({}):
        pass


def test_force_moves_aside_and_never_deletes(tmp_path):
    store = Store(tmp_path)
    folder = store.folder("transfer", "voc from random", IDENTITY)
    with folder.locked({}):
        write_text(folder.path / "precious.txt", "x")
        folder.finish({"figure": 1})
    assert folder.is_finished
    aside = folder.move_aside()
    assert (aside / "precious.txt").read_text() == "x"
    assert not folder.is_finished
    assert store.runs("transfer") == []


def test_runs_are_found_by_identity_name_or_path(tmp_path):
    store = Store(tmp_path)
    for identity in (IDENTITY, "0123ffffffffffff"):
        folder = store.folder("pretrain", "cmp ü/..", identity)
        with folder.locked({}):
            pass
    assert store.find(IDENTITY).identity == IDENTITY
    assert store.find("01234").identity == IDENTITY
    path = store.folder("pretrain", "cmp ü/..", IDENTITY).path
    assert store.find(str(path)).identity == store.find(path.name).identity == IDENTITY
    assert path.parent == tmp_path / "pretrain", "a label cannot leave the folder"
    with pytest.raises(UsageError, match="several runs"):
        store.find("0123")
    with pytest.raises(UsageError, match="is no run"):
        store.find("absent")


def test_runs_are_found_by_the_beginning_of_identity_or_name(tmp_path):
    store = Store(tmp_path)
    for number in range(10):
        folder = store.folder("pretrain", f"run{number}", f"{number:x}{IDENTITY[1:]}")
        folder.path.mkdir(parents=True)
    assert store.find("7").identity == f"7{IDENTITY[1:]}"
    assert store.find("run8-").identity == f"8{IDENTITY[1:]}"
    (store.root / "pretrain" / f"run8-9-{'f' * 16}").mkdir()  # its name begins with that of the other
    with pytest.raises(UsageError, match=r"'run8-' matches several runs\. Runs: run8-8\S+, run8-9\S+$"):
        store.find("run8-")
    with pytest.raises(UsageError, match=r"'run' matches several .* and 3 more \(`ssl-bench list runs`\)"):
        store.find("run")
    with pytest.raises(UsageError, match=r"is no run .* and 3 more"):
        store.find("absent")


def test_what_ended_an_attempt_is_noted_until_the_next_one(tmp_path):
    folder = Store(tmp_path).folder("transfer", "x", IDENTITY)
    with pytest.raises(ZeroDivisionError), folder.locked({}):
        raise ZeroDivisionError("a bug")
    assert folder.failure == "ZeroDivisionError: a bug"
    with folder.locked({}):
        assert folder.is_held
        assert folder.failure is None
    assert not folder.is_held
    with pytest.raises(StoppedBySignal), folder.locked({}):
        raise StoppedBySignal("asked to stop")
    assert folder.failure is None
    with pytest.raises(StoppedBySignal, match=r"what was rendered .*the same command continues"), folder.locked({}):
        raise KeyboardInterrupt
    write_text(folder.path / "checkpoints" / "iter_00000007.pth", "")
    with pytest.raises(StoppedBySignal, match=r"its checkpoint iter_00000007\.pth are kept"), folder.locked({}):
        raise KeyboardInterrupt
    assert folder.failure is None


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    write_text(path, "old")

    def fail(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match="No space left"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_no_utf8_survive_json(tmp_path):
    name = os.fsdecode(b"clip-\xff.mp4")
    write_json(tmp_path / "f.json", {"clip": name, "other": "ü"})
    assert json.loads((tmp_path / "f.json").read_text()) == {"clip": name, "other": "ü"}


def test_sha256_is_the_one_of_the_bytes(tmp_path):
    import hashlib

    (tmp_path / "f").write_bytes(b"abc" * 1_000_000)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def _record(**change):
    content = {
        "identity": IDENTITY,
        "method": "cmp",
        "backbone": "resnet50",
        "pretraining": Pretraining(data="x", pairs=3),
        "task": "t",
        "protocol": {"head": "fcn32s", "crop": 512},
        "protocol_name": "p",
        "scale": "full",
        "metrics": [MetricValue(name="other", value=1.0), MetricValue(name="mIoU", value=44.5, primary=True)],
        "seed": None,
        "origin": Reported(publication="p", table="1", row="r", source="s"),
    }
    return ResultRecord(**{**content, **change})


def test_records_round_trip_and_refuse_the_unknown(tmp_path):
    record = _record()
    file = tmp_path / "record.json"
    write_text(file, record.model_dump_json())
    assert read_record(file) == record
    assert record.primary.value == 44.5
    content = json.loads(file.read_text())
    for broken in ({**content, "extra": 1}, {**content, "schema_version": 99}, {**content, "metrics": "none"}):
        file.write_text(json.dumps(broken))
        with pytest.raises(DataError, match="not a result record"):
            read_record(file)


def test_records_hold_names_that_are_no_utf8(tmp_path):
    path = tmp_path / "record.json"
    odd = os.fsdecode(b"runs/d\xe9pot")
    write_json(path, _record(spec={"init": odd}).model_dump(mode="json"))
    assert read_record(path).spec["init"] == odd
    assert digest({"init": odd}) != digest({"init": "runs/dpot"})
    write_text(tmp_path / "page.html", odd)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "runs/d\\udce9pot"
    path.write_bytes(b"{\xff")
    with pytest.raises(DataError, match=r"record\.json: not a result record"):
        read_record(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"identity": "feedbeeffeedbeef"}'])
def test_a_damaged_summary_is_named(tmp_path, content):
    folder = Store(tmp_path).folder("pretrain", "cmp", IDENTITY)
    folder.finish({"a": 1})
    assert folder.summary == {"identity": IDENTITY, "a": 1}
    (folder.path / "done.json").write_text(content)
    with pytest.raises(DataError, match=r"done\.json .*--force"):
        _ = folder.summary


def test_only_comparable_results_share_a_fingerprint():
    base = _record().protocol_fingerprint
    assert _record(seed=3, method="walker", pretraining=None).protocol_fingerprint == base
    assert _record(protocol={"crop": 512, "head": "fcn32s"}).protocol_fingerprint == base
    for change in ({"scale": "reduced"}, {"backbone": "alexnet"}, {"task": "u"}, {"protocol": {"head": "hypercolumn"}}):
        assert _record(**change).protocol_fingerprint != base


@settings(max_examples=50)
@given(st.integers(0, 2**40), st.lists(st.integers(0, 2**40), max_size=3))
def test_generators_depend_on_seed_purpose_and_position_only(seed, position):
    first = generator(seed, "order", *position).integers(0, 2**62, 4)
    generator(seed, "other").random()
    assert (generator(seed, "order", *position).integers(0, 2**62, 4) == first).all()
    assert (generator(seed, "sample", *position).integers(0, 2**62, 4) != first).any()
    assert (generator(seed + 1, "order", *position).integers(0, 2**62, 4) != first).any()
