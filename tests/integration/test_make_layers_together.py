"""Making layers: several processes at once, and after one that was killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.locking import held
from ssl_motion.prepare import layers
from ssl_motion.prepare.layers import ensure_puppets, make_layer
from ssl_motion.spec import PuppetsSpec

WORLD = PuppetsSpec(size=48, pairs=8, val_pairs=3)

CHILD = """
import sys
from pathlib import Path
from ssl_motion.prepare.layers import ensure_puppets, make_layer
from ssl_motion.spec import PuppetsSpec
if __name__ == "__main__":
    spec = PuppetsSpec.model_validate_json(sys.argv[1])
    print(ensure_puppets(spec, Path(sys.argv[2]), ["semantic"], processes=1))
"""


def test_two_processes_that_need_the_same_layer_do_not_clash(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, WORLD.model_copy(update={"pairs": 60}).model_dump_json(), str(tmp_path)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [child.communicate(timeout=100) for child in children]
    assert [child.returncode for child in children] == [0, 0], results
    folder = Path(results[0][0].strip())
    assert results[1][0].strip() == str(folder)
    assert len(ShardPairs([folder], "train", layers=["semantic"])) == 60
    assert not list(folder.glob(".*part"))


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_that_its_successor_trips_over(tmp_path: Path) -> None:
    spec = WORLD.model_copy(update={"pairs": 2500})
    folder = ensure_puppets(spec, tmp_path, processes=2)
    child = subprocess.Popen([sys.executable, "-c", CHILD, spec.model_dump_json(), str(tmp_path)])
    deadline = time.monotonic() + 90
    while not (folder / "train-000000.semantic.index.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (folder / "semantic.index.json").exists()
    result = make_layer(folder, "semantic")
    assert result.reused >= 1
    assert result.made >= 1
    assert len(ShardPairs([folder], "train", layers=["semantic"])) == 2500


def test_who_waited_for_a_layer_leaves_it_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who made it may be reading it already."""
    folder = ensure_puppets(WORLD, tmp_path)
    index = folder / "semantic.index.json"

    @contextmanager
    def held_after_another(path: Path, lock: str, *, wait: bool) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(layers, "held", held)
            make_layer(folder, "semantic")
        written.append(index.stat().st_mtime_ns)
        with held(path, lock, wait=wait):
            yield

    written: list[int] = []
    monkeypatch.setattr(layers, "held", held_after_another)
    result = make_layer(folder, "semantic")
    assert (result.made, result.cached) == (0, True)
    assert [index.stat().st_mtime_ns] == written
