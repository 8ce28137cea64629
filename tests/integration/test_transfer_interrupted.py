"""A transfer that is killed ends as if it had not been; two at once are refused."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ssl_motion.errors import RunError
from ssl_motion.record import read_record
from ssl_motion.store import Store
from ssl_motion.transfer import make_plan

_runs = runpy.run_path(str(Path(__file__).parents[1] / "small_transfers.py"))
run, same, spec = (_runs[name] for name in ("run", "same", "spec"))
KILLED = """
import sys
from pathlib import Path
from ssl_motion.spec import RuntimeSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.transfer import transfer
content = Path(sys.argv[1]).read_text(encoding="utf-8")
spec = TransferSpec.model_validate_json(content)
transfer(spec, RuntimeSpec(device="cpu", threads=1), Store(Path(sys.argv[2])), Path(sys.argv[3]))
"""
INTERRUPTED = spec(iterations=24).model_copy(
    update={"recipe_overrides": {"checkpoint_every": 4, "model.decode_head.dropout_ratio": 0.4}}
)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over threads are rounded differently from sums in one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_ends_as_if_it_had_not_been(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, devkit: Path, how: signal.Signals
) -> None:
    (tmp_path / "spec.json").write_text(INTERRUPTED.model_dump_json(), encoding="utf-8")
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "spec.json"), str(tmp_path / "killed"), str(devkit)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("killed/transfer/*/checkpoints/iter_*.pth")):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if how is signal.SIGTERM:
        assert b"the same command again" in errors
    folder = make_plan(INTERRUPTED, Store(tmp_path / "killed"), devkit).folder
    assert not folder.is_finished
    resumed = run(tmp_path / "killed", devkit, INTERRUPTED)
    whole = run(tmp_path_factory.getbasetemp() / "uninterrupted", devkit, INTERRUPTED)  # once for both signals
    assert resumed.path == folder.path
    assert same(resumed, whole)
    values = [read_record(each.path / "record.json").metrics for each in (resumed, whole)]
    assert values[0] == values[1]
    logs = [
        [json.loads(line)["iteration"] for line in (each.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        for each in (resumed, whole)
    ]
    assert logs[0] == logs[1]


def test_two_runs_at_once(tmp_path: Path, devkit: Path) -> None:
    plan = make_plan(spec(), Store(tmp_path), devkit)
    with plan.folder.locked({}), pytest.raises(RunError, match=rf"in use by process {os.getpid()} on"):
        run(tmp_path, devkit, spec())
