"""The layouts of real data sets, written from the built-in world.

| layout | folder | what |
|---|---|---|
| shards | shards/ | image-flow pairs (`ssl_motion.data.shards`) |
| voc | VOCdevkit/VOC2012/ | semantic segmentation, palette PNGs |
| coco | coco/ | boxes and masks of instances, json |
| voc07 | VOCdevkit/VOC2007/ | multi-label classification and detection |
| imagefolder | imagefolder/ | one actor a picture, by class |
| lip | LIP/ | parts of one person a picture |
| cihp | CIHP/ | parts of several persons |

Each layout is written in chunks; a chunk returns its receipt (JSON), and `finish` makes the layout's index files from
all receipts. The labelled layouts show the same scenes under the same names, but lip and cihp, whose scenes hold
persons alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssl_motion.data.shards import shard_name, write_dataset_index, write_shard
from ssl_motion.puppets import layouts_coco, layouts_folders, layouts_people, layouts_voc
from ssl_motion.puppets.layouts_common import LAYOUTS, Box, Chunk, Layout, boxes, split_of
from ssl_motion.puppets.scene import Scene, Stream, render
from ssl_motion.puppets.version import GENERATOR_VERSION, fingerprint
from ssl_motion.spec import PuppetsSpec

SHARD_PAIRS = 1000
CHUNK_IMAGES = 100


@dataclass(frozen=True)
class _Labelled:
    """A layout of labelled images.

    Attributes:
        write: writes one scene below the data set's folder; returns what `finish` needs of it (JSON).
        finish: writes the index files from what the scenes of each split returned.
        index: index files.
        streams: what the splits show.
    """

    write: Callable[[Path, Stream, int, Scene], Any]
    finish: Callable[[Path, Mapping[str, list[Any]]], None]
    index: Callable[[Path], list[Path]]
    streams: tuple[Stream, Stream, Stream] = ("train", "val", "test")


_PEOPLE: tuple[Stream, Stream, Stream] = ("people_train", "people_val", "people_test")
_LABELLED: dict[Layout, _Labelled] = {
    "voc": _Labelled(layouts_voc.write_segmentation, layouts_voc.finish_segmentation, layouts_voc.segmentation_lists),
    "coco": _Labelled(layouts_coco.write_instances, layouts_coco.finish_instances, layouts_coco.instance_lists),
    "voc07": _Labelled(layouts_voc.write_detection, layouts_voc.finish_detection, layouts_voc.detection_lists),
    "imagefolder": _Labelled(layouts_folders.write_actors, layouts_folders.finish_actors, layouts_folders.class_lists),
    "lip": _Labelled(layouts_people.write_lip, layouts_people.finish_lip, layouts_people.lip_lists, _PEOPLE),
    "cihp": _Labelled(layouts_people.write_cihp, layouts_people.finish_cihp, layouts_people.cihp_lists, _PEOPLE),
}


def chunks(spec: PuppetsSpec, layout: Layout) -> list[Chunk]:
    """Cut a layout into chunks."""
    if layout == "shards":
        counts: dict[Stream, int] = {"pairs": spec.pairs, "val_pairs": spec.val_pairs}
    else:
        sizes = (spec.train_images, spec.val_images, spec.test_images)
        counts = dict(zip(_LABELLED[layout].streams, sizes, strict=True))
    size = SHARD_PAIRS if layout == "shards" else CHUNK_IMAGES
    return [
        Chunk(layout, stream, number, begin, min(begin + size, count))
        for stream, count in counts.items()
        for number, begin in enumerate(range(0, count, size))
    ]


def shard_path(folder: Path, chunk: Chunk) -> Path:
    """File of a chunk of the layout "shards"."""
    return folder / "shards" / shard_name("train" if chunk.stream == "pairs" else "val", chunk.number)


def write_chunk(folder: Path, spec: PuppetsSpec, chunk: Chunk) -> dict[str, Any]:
    """Render and write one chunk below the data set's folder; returns its receipt."""
    if chunk.layout == "shards":
        samples = (render(spec, chunk.stream, index).sample for index in range(chunk.begin, chunk.end))
        return {"pairs": write_shard(shard_path(folder, chunk), samples)}
    write = _LABELLED[chunk.layout].write
    images = [
        write(folder, chunk.stream, index, render(spec, chunk.stream, index)) for index in range(chunk.begin, chunk.end)
    ]
    return {"images": images}


def finish(
    folder: Path, spec: PuppetsSpec, layout: Layout, receipts: Mapping[Stream, Sequence[dict[str, Any]]]
) -> None:
    """Write a layout's index files from its chunks' receipts (in order)."""
    if layout == "shards":
        write_dataset_index(
            folder / "shards",
            name=f"puppets-{spec.world}",
            flow_estimator="puppets",
            flow_version=str(GENERATOR_VERSION),
            flow_supervision="exact flow",
            extra={"puppets": spec.model_dump(mode="json"), "puppets_fingerprint": fingerprint(spec)},
        )
        return
    images = {
        split_of(stream): [image for receipt in parts for image in receipt["images"]]
        for stream, parts in receipts.items()
    }
    _LABELLED[layout].finish(folder, images)


def index_files(folder: Path, layout: Layout) -> list[Path]:
    """Files that `finish` writes."""
    return [folder / "shards" / "index.json"] if layout == "shards" else _LABELLED[layout].index(folder)


__all__ = ["LAYOUTS", "Box", "Chunk", "Layout", "boxes", "chunks", "finish", "index_files", "shard_path", "write_chunk"]
