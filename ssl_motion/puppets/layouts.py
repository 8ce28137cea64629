"""The layouts of real data sets: image-flow shards, PASCAL VOC's devkit and COCO's json.

Each layout is written in chunks; a chunk returns its receipt (JSON), and `finish` makes the layout's index files from
all receipts.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
from PIL import Image

from ssl_motion.data.codec import encode_image
from ssl_motion.data.shards import shard_name, write_dataset_index, write_shard
from ssl_motion.fileio import write_atomically, write_json, write_text
from ssl_motion.puppets.labels import CLASSES, voc_colours
from ssl_motion.puppets.scene import Scene, Stream, render
from ssl_motion.puppets.version import GENERATOR_VERSION, fingerprint
from ssl_motion.spec import PuppetsSpec

Layout = Literal["shards", "voc", "coco"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
VOC_YEAR = "VOC2012"
SHARD_PAIRS = 1000
CHUNK_IMAGES = 100
SMALL_AREA = 16  # px; a smaller visible rest of an actor is marked "difficult" in VOC's boxes


@dataclass(frozen=True)
class Chunk:
    """A part of a layout that is written at one go.

    Attributes:
        layout: where it belongs.
        stream: what is rendered.
        number: position among the stream's chunks.
        begin: first index.
        end: index after the last.
    """

    layout: Layout
    stream: Stream
    number: int
    begin: int
    end: int

    @property
    def name(self) -> str:
        """Name that is unique in the data set."""
        return f"{self.layout}-{self.stream}-{self.number:06d}"


@dataclass(frozen=True)
class Box:
    """A visible actor: its number in the scene, its class, its area in pixels and its bounds (ends included)."""

    instance: int
    label: int
    area: int
    left: int
    top: int
    right: int
    bottom: int


def chunks(spec: PuppetsSpec, layout: Layout) -> list[Chunk]:
    """Cut a layout into chunks."""
    if layout == "shards":
        counts: dict[Stream, int] = {"pairs": spec.pairs, "val_pairs": spec.val_pairs}
    else:
        counts = {"train": spec.train_images, "val": spec.val_images, "test": spec.test_images}
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
    write = _write_voc if chunk.layout == "voc" else _write_coco
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
    images = {stream: [image for receipt in parts for image in receipt["images"]] for stream, parts in receipts.items()}
    (_finish_voc if layout == "voc" else _finish_coco)(folder, images)


def index_files(folder: Path, layout: Layout) -> list[Path]:
    """Files that `finish` writes."""
    if layout == "shards":
        return [folder / "shards" / "index.json"]
    if layout == "voc":
        sets = folder / "VOCdevkit" / VOC_YEAR / "ImageSets" / "Segmentation"
        return [sets / f"{split}.txt" for split in ("train", "val", "test", "trainval")]
    return [folder / "coco" / "annotations" / f"instances_{split}.json" for split in ("train", "val", "test")]


def boxes(scene: Scene) -> list[Box]:
    """Bounds and areas of the actors that are seen, by instance."""
    found = []
    for instance in np.unique(scene.instances)[1:] if scene.instances.min() == 0 else np.unique(scene.instances):
        rows, columns = np.nonzero(scene.instances == instance)
        label = int(scene.semantic[rows[0], columns[0]])
        bounds = (columns.min(), rows.min(), columns.max(), rows.max())
        found.append(Box(int(instance), label, rows.size, *(int(bound) for bound in bounds)))
    return found


def palette_png(labels: npt.NDArray[Any]) -> bytes:
    """Encode a label map [H, W] (0 to 255) as an 8-bit PNG with VOC's palette."""
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette(voc_colours(256).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _write_bytes(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))


def _image_name(stream: Stream, index: int) -> str:
    return f"{stream}_{index:06d}"


def _write_voc(folder: Path, stream: Stream, index: int, scene: Scene) -> str:
    root, name = folder / "VOCdevkit" / VOC_YEAR, _image_name(stream, index)
    _write_bytes(root / "JPEGImages" / f"{name}.jpg", encode_image(scene.sample.image))
    _write_bytes(root / "SegmentationClass" / f"{name}.png", palette_png(scene.semantic))
    _write_bytes(root / "SegmentationObject" / f"{name}.png", palette_png(scene.instances))
    _write_bytes(root / "Annotations" / f"{name}.xml", _voc_xml(name, scene))
    return name


def _voc_xml(name: str, scene: Scene) -> bytes:
    """A VOC annotation; its pixel coordinates count from 1."""
    height, width = scene.sample.size
    root = ElementTree.Element("annotation")
    add = partial(_add, root)
    add("folder", VOC_YEAR)
    add("filename", f"{name}.jpg")
    _add(add("source", ""), "database", "Puppets")
    size = add("size", "")
    for key, number in (("width", width), ("height", height), ("depth", 3)):
        _add(size, key, str(number))
    add("segmented", "1")
    for box in boxes(scene):
        thing = add("object", "")
        touches = box.left == 0 or box.top == 0 or box.right == width - 1 or box.bottom == height - 1
        _add(thing, "name", CLASSES[box.label])
        _add(thing, "pose", "Unspecified")
        _add(thing, "truncated", str(int(touches)))
        _add(thing, "difficult", str(int(box.area < SMALL_AREA)))
        bounds = _add(thing, "bndbox", "")
        for key, number in (("xmin", box.left), ("ymin", box.top), ("xmax", box.right), ("ymax", box.bottom)):
            _add(bounds, key, str(number + 1))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8")) + b"\n"


def _add(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = text or None
    return child


def _finish_voc(folder: Path, images: Mapping[Stream, list[str]]) -> None:
    listed = {split: images.get(split, []) for split in ("train", "val", "test")}
    listed["trainval"] = listed["train"] + listed["val"]
    for path in index_files(folder, "voc"):
        write_text(path, "".join(f"{name}\n" for name in listed[path.stem]))


def _write_coco(folder: Path, stream: Stream, index: int, scene: Scene) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    name, (height, width) = _image_name(stream, index), scene.sample.size
    _write_bytes(folder / "coco" / stream / f"{name}.jpg", encode_image(scene.sample.image))
    annotations = []
    for box in boxes(scene):
        # Run lengths keep holes and separate pieces, which polygons would not.
        code = coco_mask.encode(np.asfortranarray(scene.instances == box.instance, np.uint8))
        annotations.append(
            {
                "category_id": box.label,
                "segmentation": {"size": [height, width], "counts": code["counts"].decode("ascii")},
                "area": box.area,
                "bbox": [box.left, box.top, box.right - box.left + 1, box.bottom - box.top + 1],
                "iscrowd": 0,
            }
        )
    return {"file_name": f"{name}.jpg", "width": width, "height": height, "annotations": annotations}


def _finish_coco(folder: Path, images: Mapping[Stream, list[dict[str, Any]]]) -> None:
    for path in index_files(folder, "coco"):
        split: Any = path.stem.removeprefix("instances_")
        content: dict[str, Any] = {
            "info": {"description": "Puppets, the built-in world of ssl-motion"},
            "licenses": [],
            "categories": [{"id": number, "name": name} for number, name in enumerate(CLASSES) if number],
            "images": [],
            "annotations": [],
        }
        for number, image in enumerate(images.get(split, []), start=1):
            annotations = image.pop("annotations")
            content["images"].append({"id": number, **image})
            for annotation in annotations:
                identity = len(content["annotations"]) + 1
                content["annotations"].append({"id": identity, "image_id": number, **annotation})
        write_json(path, content)


__all__ = ["LAYOUTS", "Box", "Chunk", "Layout", "boxes", "chunks", "finish", "index_files", "shard_path", "write_chunk"]
