"""Records and runs for the tests of contributions: a committed record, changed, named anew, put into a run's folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ssl_motion.contribution.checks import recomputed_identities, record_stem
from ssl_motion.fileio import sha256_of, write_json
from ssl_motion.per_image.confusion import PerImageConfusion, scores
from ssl_motion.record import ResultRecord, read_record
from ssl_motion.store import RunFolder

COMMITTED = Path(__file__).resolve().parents[1] / "reports" / "records"
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


def change(*path: str | int, to: Any) -> Callable[[Content], None]:
    def edit(content: Content) -> None:
        node: Any = content
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = to

    return edit


FROM = ("origin", "provenance")


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
