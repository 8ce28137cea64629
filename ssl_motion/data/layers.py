"""Layers of a data set: further maps of its images (motion masks, class labels), beside the shards, by name.

Each shard has a tar for each layer (`ssl_motion.data.layer_shards`); `<layer>.index.json` is written over them, last.
It says what the layer was made with, from which pairs, and which pairs are kept.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ssl_motion.data.layer_shards import LayerSpec, layer_advice, layer_path, read_layer_index
from ssl_motion.data.sample import BoolArray
from ssl_motion.data.shard_index import SCHEMA_VERSION, SPLITS, Split, check_length, read_json
from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import DataError, UsageError
from ssl_motion.fileio import write_text
from ssl_motion.identity import digest

MASKS = "masks"
"""Name of the layer that says what moves on its own (`ssl_motion.masks`)."""


def layer_fingerprint(source_fingerprint: str, layer: LayerSpec) -> str:
    """Hash what determines a layer's maps, without making them: 16 hexadecimal digits.

    Args:
        source_fingerprint: of the pairs.
        layer: what it is.
    """
    return digest([source_fingerprint, layer.name, layer.settings, layer.version])


def layer_index_path(folder: Path, name: str) -> Path:
    """File that says what a data set's layer is; it is there once the layer is finished."""
    return folder / f"{name}.index.json"


def write_layer_index(data: ShardSet, layer: LayerSpec) -> None:
    """Write a layer's index over its finished shards; the last step of making a layer.

    Raises:
        DataError: A shard of the layer is missing, damaged, or of another layer or another shard.
        RunError: The folder cannot be written.
    """
    splits: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    dropped: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
    for split in SPLITS:
        for entry in data.info["shards"][split]:
            shard = data.folder / entry["shard"]
            index = read_layer_index(shard, layer.name)
            path = layer_path(shard, layer.name)
            if (index.layer, index.source_sha256) != (layer, entry["sha256"]):
                raise DataError(f"{path} is not what was just made. {layer_advice(path)}")
            splits[split].append(
                {
                    "shard": path.name,
                    "pairs": index.pairs,
                    "kept": int(index.kept.sum()),
                    "kept_bits": np.packbits(index.kept).tobytes().hex(),
                    "bytes": index.bytes,
                    "sha256": index.sha256,
                }
            )
            for reason, count in index.dropped.items():
                dropped[split][reason] = dropped[split].get(reason, 0) + count
    content = {
        "schema_version": SCHEMA_VERSION,
        "layer": layer.name,
        "settings": layer.settings,
        "version": layer.version,
        "fingerprint": layer_fingerprint(data.fingerprint, layer),
        "source_fingerprint": data.fingerprint,
        "pairs": {split: sum(entry["pairs"] for entry in splits[split]) for split in SPLITS},
        "kept": {split: sum(entry["kept"] for entry in splits[split]) for split in SPLITS},
        "dropped": {split: dict(sorted(dropped[split].items())) for split in SPLITS},
        "shards": splits,
    }
    write_text(layer_index_path(data.folder, layer.name), json.dumps(content, indent=2, allow_nan=False) + "\n")


class LayerSet:
    """A finished layer of a data set.

    Attributes:
        layer: what it is.
        info: content of its index: pairs, kept and dropped (by reason) of each split, and more.
        fingerprint: `layer_fingerprint` of the data set's own fingerprint.
    """

    def __init__(self, data: ShardSet, name: str) -> None:
        """Read a layer's index.

        Args:
            data: the data set.
            name: of the layer.

        Raises:
            UsageError: The data set has no such layer, or it was made from other pairs.
            DataError: The layer's index is damaged.
        """
        path = layer_index_path(data.folder, name)
        if not path.is_file():
            raise UsageError(f"{data.folder} has no finished layer {name!r} ({path.name})")
        remedy = (
            "Delete it and repeat what wrote it: `ssl-bench prepare --masks FOLDER`, or for the built-in world a run "
            "that reads the layer."
        )
        self.folder = data.folder
        self.info = read_json(path, remedy)
        try:
            self.layer = LayerSpec(str(self.info["layer"]), dict(self.info["settings"]), int(self.info["version"]))
            self.fingerprint = str(self.info["fingerprint"])
            source = str(self.info["source_fingerprint"])
            self._entries = {split: list(self.info["shards"][split]) for split in SPLITS}
            self._kept = {split: [_unpacked(entry) for entry in self._entries[split]] for split in SPLITS}
        except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
            raise DataError(f"{path} is damaged ({type(error).__name__}: {error}). {remedy}") from error
        if source != data.fingerprint:
            raise UsageError(
                f"the layer {name!r} of {data.folder} was made from other pairs (of fingerprint {source}; these are "
                f"{data.fingerprint}). Delete its files (*.{name}.tar, *.{name}.index.json, {path.name}) and make it "
                "again."
            )
        pairs = {split: [int(entry["pairs"]) for entry in data.info["shards"][split]] for split in SPLITS}
        if self.fingerprint != layer_fingerprint(source, self.layer) or pairs != {
            split: [len(kept) for kept in self._kept[split]] for split in SPLITS
        }:
            raise DataError(f"{path} was altered: it does not fit its own settings and pairs. {remedy}")

    def kept(self, split: Split) -> list[BoolArray]:
        """Which pairs of each of the split's shards are kept, bool [pairs]; in the order of `ShardSet.shards`.

        Raises:
            DataError: A shard of the layer is missing or has another length than when it was finished.
        """
        for entry in self._entries[split]:
            path = self.folder / entry["shard"]
            check_length(path, int(entry["bytes"]), layer_advice(path))
        return self._kept[split]

    def summary(self) -> dict[str, Any]:
        """Return what it is and how many pairs are kept and dropped, as JSON data."""
        keys = ("settings", "version", "fingerprint", "pairs", "kept", "dropped")
        return {key: self.info[key] for key in keys}


def finished_layers(data: ShardSet) -> list[str]:
    """Names of the layers that a data set has, sorted."""
    names = (path.name.removesuffix(".index.json") for path in data.folder.glob("*.index.json"))
    # A shard's sidecar ends the same way, and has a dash in its name.
    return sorted(name for name in names if "-" not in name)


def _unpacked(entry: dict[str, Any]) -> BoolArray:
    pairs = int(entry["pairs"])
    bits = np.frombuffer(bytes.fromhex(entry["kept_bits"]), np.uint8)
    if len(bits) != -(-pairs // 8):
        raise ValueError("kept_bits of another length than the shard")
    kept: BoolArray = np.unpackbits(bits, count=pairs).view(np.bool_)
    return kept
