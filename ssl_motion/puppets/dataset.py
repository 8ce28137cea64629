"""A Puppets data set on disk: rendered once, by one or several processes, whatever interrupts them.

A finished chunk leaves a receipt in `.receipts`; an interrupted run does the missing chunks alone. `dataset.json`
names a layout only once the whole of it is there.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
from filelock import FileLock, Timeout

from ssl_motion.errors import DataError, RunError, UsageError
from ssl_motion.fileio import read_json_object, write_json
from ssl_motion.progress import Progress
from ssl_motion.puppets.labels import CLASSES, PARTS
from ssl_motion.puppets.layouts import LAYOUTS, Chunk, Layout, chunks, finish, index_files, shard_path, write_chunk
from ssl_motion.puppets.scene import Stream
from ssl_motion.puppets.version import GENERATOR_VERSION, fingerprint
from ssl_motion.spec import PuppetsSpec

MANIFEST = "dataset.json"


def dataset_folder(spec: PuppetsSpec, root: Path) -> Path:
    """Folder of a data set, which need not exist yet."""
    return root / f"puppets-{spec.world}-{spec.size}-{fingerprint(spec)}"


def dataset_spec(folder: Path) -> PuppetsSpec:
    """Read which data set a folder holds, so that its scenes can be rendered anew with all that they know.

    Raises:
        DataError: It holds none, or one of another version of the generator.
    """
    try:
        content = read_json_object(folder / MANIFEST)
        version, spec = content["generator_version"], PuppetsSpec.model_validate(content["spec"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST}: expected the description of a Puppets data set: {error}") from error
    if version != GENERATOR_VERSION:
        raise DataError(f"{folder}: of version {version} of the generator; this program renders {GENERATOR_VERSION}")
    return spec


def missing_layouts(spec: PuppetsSpec, root: Path, layouts: Sequence[str]) -> list[Layout]:
    """Say which of the layouts are not there in full.

    Raises:
        UsageError: An unknown layout, or none.
    """
    unknown = [layout for layout in layouts if layout not in LAYOUTS]
    if unknown or not layouts:
        raise UsageError(f"layouts of Puppets: got {', '.join(unknown) or 'none'}; there are {', '.join(LAYOUTS)}")
    folder = dataset_folder(spec, root)
    there = _manifest(folder)
    return [
        layout
        for layout in LAYOUTS
        if layout in layouts
        and (
            layout not in there
            or not all(path.is_file() for path in index_files(folder, layout))
            or any(_is_deleted(folder, chunk) for chunk in chunks(spec, layout))
        )
    ]


def _is_deleted(folder: Path, chunk: Chunk) -> bool:
    # Damaged shards are named in errors, with the advice to delete them: they are rendered again.
    return chunk.layout == "shards" and not shard_path(folder, chunk).is_file()


def ensure_dataset(spec: PuppetsSpec, root: Path, layouts: Sequence[str], processes: int = 1) -> Path:
    """Render what is not there yet.

    Args:
        spec: which data set.
        root: folder that holds data sets.
        layouts: some of those in `ssl_motion.puppets.layouts`.
        processes: rendering processes; more than one are spawned, so scripts need the usual `__main__` guard.

    Returns:
        `root/puppets-WORLD-SIZE-FINGERPRINT`. A second process waits for the first one and then finds all done.

    Raises:
        UsageError: An unknown layout.
        RunError: The folder cannot be written, or the disk is full.
    """
    folder = dataset_folder(spec, root)
    if not missing_layouts(spec, root, layouts):
        return folder
    with _locked(folder):
        todo = missing_layouts(spec, root, layouts)
        for leftover in folder.rglob(".*.part"):
            # A killed process cannot clear away its unfinished file. Beside finished shards, layers may be in the
            # making, under a lock of their own.
            if "shards" in todo or leftover.parent != folder / "shards":
                leftover.unlink(missing_ok=True)
        _render(folder, spec, [chunk for layout in todo for chunk in chunks(spec, layout)], processes)
        for layout in todo:
            receipts: dict[Stream, list[dict[str, Any]]] = {}
            for chunk in chunks(spec, layout):
                receipts.setdefault(chunk.stream, []).append(_receipt(folder, chunk) or {})
            finish(folder, spec, layout, receipts)
            _note_layout(folder, spec, layout)
    return folder


def _render(folder: Path, spec: PuppetsSpec, work: list[Chunk], processes: int) -> None:
    todo = [chunk for chunk in work if _receipt(folder, chunk) is None or _is_deleted(folder, chunk)]
    total = sum(chunk.end - chunk.begin for chunk in work)
    done = total - sum(chunk.end - chunk.begin for chunk in todo)
    with Progress(f"Puppets {spec.world}", total, "scenes", done) as progress:
        if processes <= 1 or len(todo) <= 1:
            for chunk in todo:
                _do_chunk(folder, spec, chunk)
                progress.advance(chunk.end - chunk.begin)
            return
        pool = ProcessPoolExecutor(min(processes, len(todo)), get_context("spawn"), initializer=_one_thread)
        try:
            futures = {pool.submit(_do_chunk, folder, spec, chunk): chunk for chunk in todo}
            for future in as_completed(futures):
                future.result()
                progress.advance(futures[future].end - futures[future].begin)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _do_chunk(folder: Path, spec: PuppetsSpec, chunk: Chunk) -> None:
    write_json(_receipt_path(folder, chunk), write_chunk(folder, spec, chunk))


def _receipt_path(folder: Path, chunk: Chunk) -> Path:
    return folder / ".receipts" / f"{chunk.name}.json"


def _receipt(folder: Path, chunk: Chunk) -> dict[str, Any] | None:
    try:
        return read_json_object(_receipt_path(folder, chunk))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{_receipt_path(folder, chunk)} is damaged ({error}). Remove it and repeat.") from error


def _manifest(folder: Path) -> list[str]:
    """Layouts that are there in full."""
    try:
        content = read_json_object(folder / MANIFEST)
        return [str(layout) for layout in content["layouts"]]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST} is damaged ({error}). Remove it and repeat.") from error


def _note_layout(folder: Path, spec: PuppetsSpec, layout: Layout) -> None:
    layouts = [each for each in LAYOUTS if each == layout or each in _manifest(folder)]
    write_json(
        folder / MANIFEST,
        {
            "name": f"puppets-{spec.world}",
            "fingerprint": fingerprint(spec),
            "generator_version": GENERATOR_VERSION,
            "spec": spec.model_dump(mode="json"),
            "layouts": layouts,
            "classes": list(CLASSES),
            "parts": list(PARTS),
        },
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the data set's folder; waits, and says so, while another process renders it."""
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{folder.name} is being rendered by another process; waiting for it", file=sys.stderr, flush=True)
            lock.acquire()
    except OSError as error:
        raise RunError(f"cannot write the data set's folder {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
