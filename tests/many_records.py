"""Ten thousand records for tests of scale, made of the committed ones (read with `runpy`).

As a busy laboratory's: every protocol compares `METHODS` methods over `SEEDS` seeds, and protocols are committed ones
under other worlds, trunks and lengths of training. Each record has its own identity, values and pretraining run, and so
the size and the variety of real ones.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ssl_motion.identity import digest, transfer_identity

COMMITTED = Path(__file__).resolve().parents[1] / "reports" / "records"
SEEDS, METHODS = 3, 30
TASKS = ("voc_fcn", "voc_hypercolumn", "coco", "lip", "voc07_cls", "voc07_det", "dense_linear", "imagenet_linear")
TRUNKS = ("alexnet_mini", "alexnet_8x", "resnet18", "resnet50")


def make_records(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `count` file names and contents, the same in every call."""
    real = [json.loads(path.read_bytes()) for path in sorted(COMMITTED.glob("*-s0-*.json"))]
    models = {record["method"]: record for record in real}
    names = sorted(models)
    rng = np.random.default_rng(5)
    for number in range(count):
        cell, seed = divmod(number, SEEDS)
        protocol, line = divmod(cell, METHODS)
        content = json.loads(json.dumps(models[names[line % len(names)]]))
        yield _name(content), _vary(content, protocol, line // len(names), seed, rng)


def _name(content: dict[str, Any]) -> str:
    return f"{content['protocol_name']}-{content['method'].replace(', ', '-').replace(' ', '-')}"


def _vary(content: dict[str, Any], protocol: int, variant: int, seed: int, rng: np.random.Generator) -> dict[str, Any]:
    """Make one record of another: under a protocol of that number, a variant of its method, with a seed."""
    task, trunk = TASKS[protocol % len(TASKS)], TRUNKS[protocol // len(TASKS) % len(TRUNKS)]
    content.update(task=task, backbone=trunk, seed=seed, scale=("builtin", "reduced", "full")[protocol % 3])
    content["protocol"].update(iterations=300 + protocol, dataset_hash=f"data {protocol // 7}")
    content["spec"].update(task=task, seed=seed)
    before = content["pretraining"]
    if before is not None:
        before["spec"].update(seed=seed, iterations=250 * (1 + variant))
        before["run"] = digest(["run", protocol, content["method"], variant, seed])
        before["wall_seconds"] = float(rng.uniform(50, 500))
        content["origin"]["provenance"]["parents"] = [before["run"]]
    elif variant:
        content["spec"]["init"] += f":scheme {variant}"
        content["method"] += f" (scheme {variant})"
    skill = (hash_part := int(digest([content["method"], variant]), 16) % 1000) / 40 + hash_part % 7
    for metric in content["metrics"]:
        metric["value"] = float(np.clip(20 + skill + rng.normal(), 0, 100))
    start = content["spec"]["init"] if before is None else f"run:{before['run']}"
    version, parents = content["protocol"].get("recipe_version", 1), content["origin"]["provenance"]["parents"]
    content["identity"] = transfer_identity(
        content["spec"], start=start, protocol=content["protocol"], recipe_version=version, parents=parents
    )
    return content


def write_records(folder: Path, count: int) -> None:
    """Write them as files, as `ssl-bench submit` names them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in make_records(count):
        file = folder / f"{name}-s{content['seed']}-{content['identity']}.json"
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
