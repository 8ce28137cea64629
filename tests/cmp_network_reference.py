"""CMP's networks, flow and loss by plain formulas in float64, with parameters made from names and seeds.

Written from the published description alone; tests load this file with `runpy.run_path`.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Parameters = dict[str, Tensor]


# ---- The recipe ----


def recipe(shapes: dict[str, tuple[int, ...]], seed: int) -> Parameters:
    """Every parameter from its name and the seed."""
    made = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape).astype(np.float32)
        if len(shape) == 4:
            noise = noise * np.float32(np.sqrt(1 / np.prod(shape[1:])))
        elif name.endswith("running_var"):
            noise = 1 + 0.1 * np.abs(noise)
        elif name.endswith("bn3.weight"):
            noise = 0.2 + 0.02 * noise
        elif name.endswith("weight"):
            noise = 1 + 0.1 * noise
        else:
            noise = 0.1 * noise
        made[name] = torch.from_numpy(np.asarray(noise, np.float32))
    return made


def inputs(seed: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, guidance and target flow from the seed."""
    rng = np.random.default_rng([seed, 77])
    image = rng.standard_normal((2, 3, height, width)).astype(np.float32)
    ys, xs = rng.integers(0, height, (2, 12)), rng.integers(0, width, (2, 12))
    sparse = np.zeros((2, 4, height, width), np.float32)
    for b in range(2):
        sparse[b, :2, ys[b], xs[b]] = rng.uniform(-20, 20, (12, 2))
        sparse[b, 2:, ys[b], xs[b]] = 1
    flow = rng.uniform(-60, 60, (2, 2, height, width)).astype(np.float32)
    return torch.from_numpy(image), torch.from_numpy(sparse), torch.from_numpy(flow)


# ---- Parameter shapes of narrow models, spelt out under the authors' names ----


def add_conv(shapes: dict[str, tuple[int, ...]], name: str, outputs: int, inputs: int, k: int, bias: bool) -> None:
    shapes[f"{name}.weight"] = (outputs, inputs, k, k)
    if bias:
        shapes[f"{name}.bias"] = (outputs,)


def add_norm(shapes: dict[str, tuple[int, ...]], name: str, channels: int) -> None:
    for part in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"{name}.{part}"] = (channels,)


def alexnet_shapes(shapes: dict[str, tuple[int, ...]], w: int, projected: int) -> None:
    v, u, f = w * 8 // 3, 4 * w, w * 128 // 3
    layers = (
        ("conv1", w, 3, 11), ("conv2", v, w, 5), ("conv3", u, v, 3), ("conv4", u, u, 3),
        ("conv5", v, u, 3), ("fc6", f, v, 3), ("fc7", f, f, 1),
    )  # fmt: skip
    for name, outputs, ins, k in layers:
        add_conv(shapes, f"image_encoder.{name}.0", outputs, ins, k, bias=True)
        add_norm(shapes, f"image_encoder.{name}.1", outputs)
    add_conv(shapes, "image_encoder.conv8", projected, f, 1, bias=True)


def resnet50_shapes(shapes: dict[str, tuple[int, ...]], w: int, projected: int) -> None:
    add_conv(shapes, "image_encoder.conv1", w, 3, 7, bias=False)
    add_norm(shapes, "image_encoder.bn1", w)
    ins = w
    for layer, depth in enumerate((3, 4, 6, 3)):
        planes = w * 2**layer
        for block in range(depth):
            root = f"image_encoder.layer{layer + 1}.{block}"
            for index, (o, i, k) in enumerate(((planes, ins, 1), (planes, planes, 3), (4 * planes, planes, 1)), 1):
                add_conv(shapes, f"{root}.conv{index}", o, i, k, bias=False)
                add_norm(shapes, f"{root}.bn{index}", o)
            if block == 0:
                add_conv(shapes, f"{root}.downsample.0", 4 * planes, ins, 1, bias=False)
                add_norm(shapes, f"{root}.downsample.1", 4 * planes)
            ins = 4 * planes
    add_conv(shapes, "image_encoder.conv5", projected, ins, 1, bias=True)


def model_shapes(encoder: str, w: int, projected: int, d: int, combo: list[int], skip: bool) -> dict[str, Any]:
    shapes: dict[str, tuple[int, ...]] = {}
    (resnet50_shapes if encoder == "resnet50" else alexnet_shapes)(shapes, w, projected)
    for index, ins in ((0, 4), (4, 16)):
        add_conv(shapes, f"flow_encoder.features.{index}", 16, ins, 5 if index == 0 else 3, bias=True)
        add_norm(shapes, f"flow_encoder.features.{index + 1}", 16)
    combo = [1, 2, 4, 8] if skip else combo
    for s in combo:
        for layer in range(3 if skip else 2):
            index = 3 * layer + (s > 1)
            add_conv(shapes, f"flow_decoder.decoder{s}.{index}", d, projected + 16 if layer == 0 else d, 3, bias=True)
            add_norm(shapes, f"flow_decoder.decoder{s}.{index + 1}", d)
    last = d * len(combo)
    if skip:
        for name, o, i in (
            ("fusion8", 2 * d, 4 * d), ("skipconv4", d, 4 * w), ("fusion4", d, 3 * d),
            ("skipconv2", d // 4, w), ("fusion2", d // 2, d + d // 4),
        ):  # fmt: skip
            add_conv(shapes, f"flow_decoder.{name}.0", o, i, 3, bias=True)
            add_norm(shapes, f"flow_decoder.{name}.1", o)
        last = d // 2
    add_conv(shapes, "flow_decoder.head", 198, last, 1, bias=True)
    return shapes


def save_published(path: Path) -> Parameters:
    """Write a narrow ResNet-50 model with skip layers in the authors' format, and return its parameters."""
    parameters = recipe(model_shapes("resnet50", 8, 24, 8, [1, 2, 4], True), seed=5)
    torch.save({"step": 1, "state_dict": {f"module.{name}": each for name, each in parameters.items()}}, path)
    return parameters


# ---- The naive reference: plain formulas in float64 ----


def conv(x: Tensor, p: Parameters, name: str, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
    bias = p.get(f"{name}.bias")
    return F.conv2d(x, p[f"{name}.weight"], bias, stride=stride, padding=padding, dilation=dilation)


def norm(x: Tensor, p: Parameters, name: str) -> Tensor:
    scale, shift, mean, var = (
        p[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / torch.sqrt(var + 1e-5) * scale + shift


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


def upsample(x: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with corners aligned, by one matrix per axis."""

    def matrix(n: int, m: int) -> Tensor:
        weights = torch.zeros(m, n, dtype=torch.float64)
        for i in range(m):
            place = i * (n - 1) / (m - 1) if m > 1 else 0.0
            low = min(int(place), n - 1)
            weights[i, low] += 1 - (place - low)
            weights[i, min(low + 1, n - 1)] += place - low
        return weights

    return torch.einsum("yh,bchw,xw->bcyx", matrix(x.shape[2], height), x, matrix(x.shape[3], width))


def naive_alexnet(p: Parameters, x: Tensor, strides: tuple[int, int, int, int]) -> tuple[Tensor, None, None]:
    def layer(x: Tensor, name: str, stride: int, padding: int) -> Tensor:
        return relu(norm(conv(x, p, f"image_encoder.{name}.0", stride, padding), p, f"image_encoder.{name}.1"))

    x = F.max_pool2d(layer(x, "conv1", strides[0], 5), 3, strides[1], 1)
    x = F.max_pool2d(layer(x, "conv2", 1, 2), 3, strides[2], 1)
    for name in ("conv3", "conv4", "conv5"):
        x = layer(x, name, 1, 1)
    x = layer(F.max_pool2d(x, 3, strides[3], 1), "fc6", 1, 1)
    return conv(layer(x, "fc7", 1, 0), p, "image_encoder.conv8"), None, None


def naive_resnet50(p: Parameters, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    stem = relu(norm(conv(x, p, "image_encoder.conv1", 2, 3), p, "image_encoder.bn1"))
    x = F.max_pool2d(stem, 3, 2, 1)
    quarter = x
    for layer, depth, stride, dilation in ((1, 3, 1, 1), (2, 4, 2, 1), (3, 6, 1, 2), (4, 3, 1, 4)):
        for block in range(depth):
            root = f"image_encoder.layer{layer}.{block}"
            step = stride if block == 0 else 1
            out = relu(norm(conv(x, p, f"{root}.conv1"), p, f"{root}.bn1"))
            out = relu(norm(conv(out, p, f"{root}.conv2", step, dilation, dilation), p, f"{root}.bn2"))
            out = norm(conv(out, p, f"{root}.conv3"), p, f"{root}.bn3")
            if block == 0:
                x = norm(conv(x, p, f"{root}.downsample.0", step), p, f"{root}.downsample.1")
            x = relu(out + x)
        if layer == 1:
            quarter = x
    return conv(x, p, "image_encoder.conv5"), stem, quarter


def naive_logits(p: Parameters, config: dict[str, Any], image: Tensor, sparse: Tensor) -> Tensor:
    p = {name: value.double() for name, value in p.items()}
    image, sparse = image.double(), sparse.double()
    if config["image_encoder"] == "resnet50":
        features, half, quarter = naive_resnet50(p, image)
        stride = 8
    else:
        stride = int(config["image_encoder"].split("_")[-1][:-1])
        features, half, quarter = naive_alexnet(p, image, (4, 2, 2, 2) if stride == 32 else (2, 2, 2, 1))

    def motion_layer(x: Tensor, index: int, stride: int, padding: int) -> Tensor:
        x = conv(x, p, f"flow_encoder.features.{index}", stride, padding)
        return relu(norm(x, p, f"flow_encoder.features.{index + 1}"))

    motion = motion_layer(F.max_pool2d(motion_layer(sparse, 0, 2, 2), 2, 2), 4, 1, 1)
    side = stride // 4
    # Average over blocks, spelt out.
    motion = motion.unfold(2, side, side).unfold(3, side, side).mean(dim=(-1, -2))
    x = torch.cat([features, motion], 1)
    height, width = x.shape[2:]

    def block(x: Tensor, name: str, index: int = 0) -> Tensor:
        x = conv(x, p, f"flow_decoder.{name}.{index}", 1, 1)
        return relu(norm(x, p, f"flow_decoder.{name}.{index + 1}"))

    skip = config["skip_layer"]
    parts = []
    for s in [1, 2, 4, 8] if skip else config["decoder_combo"]:
        y = F.max_pool2d(x, s, s) if s > 1 else x
        for layer in range(3 if skip else 2):
            y = block(y, f"decoder{s}", 3 * layer + (s > 1))
        parts.append(upsample(y, height, width))
    y = torch.cat(parts, 1)
    if skip:
        assert half is not None
        assert quarter is not None
        y = block(y, "fusion8")
        y = block(torch.cat([upsample(y, *quarter.shape[2:]), block(quarter, "skipconv4")], 1), "fusion4")
        y = block(torch.cat([upsample(y, *half.shape[2:]), block(half, "skipconv2")], 1), "fusion2")
    return conv(y, p, "flow_decoder.head")


def naive_flow(logits: Tensor) -> Tensor:
    centres = (torch.arange(99, dtype=torch.float64) - 49) * (100 / 99)
    return torch.stack(
        [(half.softmax(1) * centres[:, None, None]).sum(1) for half in (logits[:, :99], logits[:, 99:])], 1
    )


def naive_loss(logits: Tensor, flow: Tensor) -> float:
    full = upsample(logits, *flow.shape[2:])
    index = torch.floor((flow.double().clamp(-49.999, 49.999) + 50) / (100 / 99)).long()
    total = 0.0
    for axis in range(2):
        score = full[:, 99 * axis : 99 * axis + 99]
        chosen = score.gather(1, index[:, axis : axis + 1]).squeeze(1)
        total += float((torch.logsumexp(score, 1) - chosen).mean())
    return total
