"""Rendering to disk: what is there is reused, interruptions cost nothing, two at once render once."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from ssl_motion.puppets import LAYOUTS, dataset, dataset_folder, ensure_dataset, layouts, missing_layouts
from ssl_motion.spec import PuppetsSpec

SPEC = PuppetsSpec(size=48, pairs=7, val_pairs=2, train_images=5, val_images=3, test_images=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return ensure_dataset(SPEC, tmp_path_factory.mktemp("data"), LAYOUTS)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_finished_layouts_are_reused_and_others_added(tmp_path, monkeypatch):
    ensure_dataset(SPEC, tmp_path, ["voc"])
    calls = []
    monkeypatch.setattr(
        dataset, "write_chunk", lambda *args: calls.append(args[2].layout) or layouts.write_chunk(*args)
    )
    assert missing_layouts(SPEC, tmp_path, ["voc", "shards"]) == ["shards"]
    ensure_dataset(SPEC, tmp_path, ["voc"])
    assert calls == []
    ensure_dataset(SPEC, tmp_path, ["voc", "shards"])
    assert set(calls) == {"shards"}
    assert missing_layouts(SPEC, tmp_path, ["voc", "shards"]) == []


def test_an_interrupted_rendering_continues_and_ends_the_same(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(layouts, "SHARD_PAIRS", 3)
    monkeypatch.setattr(layouts, "CHUNK_IMAGES", 2)
    whole = _content(ensure_dataset(SPEC, tmp_path / "whole", LAYOUTS))
    done = []

    def failing(folder, spec, chunk):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(chunk.name)
        return layouts.write_chunk(folder, spec, chunk)

    monkeypatch.setattr(dataset, "write_chunk", failing)
    with pytest.raises(KeyboardInterrupt):
        ensure_dataset(SPEC, tmp_path / "broken", LAYOUTS)
    assert missing_layouts(SPEC, tmp_path / "broken", LAYOUTS) == list(LAYOUTS)
    again = []
    monkeypatch.setattr(dataset, "write_chunk", lambda *args: again.append(args[2].name) or layouts.write_chunk(*args))
    broken = ensure_dataset(SPEC, tmp_path / "broken", LAYOUTS)
    assert not set(again) & set(done)
    assert _content(broken) == whole
    # Pictures and labels do not depend on how the work was cut; neither do COCO's index files.
    reference = _content(folder)
    for name, content in whole.items():
        if not name.startswith((".receipts", "shards")):
            assert content == reference[name], name


SCRIPT = """
import sys
from pathlib import Path
from ssl_motion.puppets import LAYOUTS, ensure_dataset
from ssl_motion.spec import PuppetsSpec
if __name__ == "__main__":
    spec = PuppetsSpec.model_validate_json(sys.argv[2])
    print(ensure_dataset(spec, Path(sys.argv[1]), LAYOUTS, processes=int(sys.argv[3])))
"""


def _start(tmp_path, root, processes):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(root), SPEC.model_dump_json(), str(processes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_several_processes_write_the_same_bytes(tmp_path, folder):
    process = _start(tmp_path, tmp_path / "data", 2)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert _content(Path(output.strip())) == _content(folder)


def test_a_second_process_waits_and_finds_all_done(tmp_path, folder):
    root = tmp_path / "data"
    target = dataset_folder(SPEC, root)
    target.mkdir(parents=True)
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    lock.acquire()
    process = _start(tmp_path, root, 1)
    try:
        assert process.stderr is not None
        assert "being rendered by another process; waiting" in process.stderr.readline()
        time.sleep(0.2)
        assert process.poll() is None
        for name, content in _content(folder).items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        times = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    finally:
        lock.release()
    output, _ = process.communicate(timeout=60)
    assert output.strip() == str(target)
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == times


def test_a_killed_rendering_continues_and_ends_the_same(tmp_path, folder):
    root = tmp_path / "data"
    target = dataset_folder(SPEC, root)
    process = _start(tmp_path, root, 1)
    while not (target / ".receipts").is_dir():
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    # What such a process may leave behind, wherever it was hit.
    (target / "shards" / ".train-000000.tar.1.part").write_bytes(b"half")
    ensure_dataset(SPEC, root, LAYOUTS)
    assert _content(target) == _content(folder)


def test_two_threads_render_once(tmp_path):
    results: list[Path] = []
    threads = [
        threading.Thread(target=lambda: results.append(ensure_dataset(SPEC, tmp_path, ["voc"]))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]
    assert missing_layouts(SPEC, tmp_path, ["voc"]) == []


def test_a_shard_that_was_deleted_is_rendered_again(tmp_path):
    again = ensure_dataset(SPEC, tmp_path, ("shards",))
    whole = _content(again)
    (again / "shards" / "train-000000.tar").unlink()
    (again / "shards" / "train-000000.index.json").unlink()
    assert missing_layouts(SPEC, tmp_path, ("shards",)) == ["shards"]
    assert _content(ensure_dataset(SPEC, tmp_path, ("shards",))) == whole
