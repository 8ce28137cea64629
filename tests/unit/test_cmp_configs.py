"""The shipped configs of the CMP paper say what the authors' configs say, field by field."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ssl_motion.paths import config_root
from ssl_motion.spec import BackboneSpec, DataSpec, OptimizerSpec, PretrainSpec, ScheduleSpec
from ssl_motion.spec_text import load_yaml, parse_spec
from ssl_motion_methods.cmp import CMPConfig
from ssl_motion_methods.cmp.guidance import GuidanceConfig, grid_points

FOLDER = config_root() / "pretrain"
ALL = sorted(FOLDER.glob("[!_]*.yaml"))


class Row(NamedTuple):
    """One row of the tables of the authors' settings."""

    arch: str
    decoder: str
    iterations: int
    steps: tuple[int, int]
    batch: int
    processes: int
    total: int
    short: int
    crop: int
    kernel: int
    grid: int
    points: int
    cap: int | None
    data: list[str]
    every: int = 10_000


YFCC, YOUTUBE, VIP, MPII = "data/yfcc", "data/youtube9k", "data/vip", "data/mpii"
A, R = "alexnet_32x", "resnet50"
TABLE = {
    "cmp_alexnet_yfcc_youtube_voc_16gpu_140k": Row(
        A, "plain", 140_000, (80_000, 120_000), 12, 16, 192, 416, 384, 81, 200, 4, 150, [YFCC, YOUTUBE]
    ),
    "cmp_alexnet_yfcc_voc_16gpu_70k": Row(
        A, "plain", 70_000, (40_000, 60_000), 12, 16, 192, 416, 384, 41, 80, 25, 150, [YFCC]
    ),
    "cmp_alexnet_yfcc_voc_8gpu_140k": Row(
        A, "plain", 140_000, (80_000, 120_000), 12, 8, 96, 416, 384, 41, 80, 25, 150, [YFCC]
    ),
    "cmp_resnet50_yfcc_voc_16gpu_42k": Row(
        R, "plain", 42_000, (24_000, 36_000), 10, 16, 160, 416, 320, 67, 165, 4, None, [YFCC]
    ),
    "cmp_resnet50_yfcc_coco_16gpu_42k": Row(
        R, "plain", 42_000, (24_000, 36_000), 16, 16, 256, 333, 256, 49, 133, 4, None, [YFCC]
    ),
    "cmp_resnet50_yfcc_youtube_vip_mpii_lip_16gpu_70k": Row(
        R, "plain", 70_000, (40_000, 60_000), 10, 16, 160, 416, 320, 15, 80, 16, None, [YFCC, YOUTUBE, VIP, MPII]
    ),
    "cmp_resnet50_vip_mpii_annotation_8gpu_42k": Row(
        R, "skip", 42_000, (24_000, 36_000), 8, 8, 64, 416, 384, 41, 131, 9, None, [VIP, MPII], 5_000
    ),
}


def read(name: str) -> tuple[PretrainSpec, CMPConfig]:
    spec = parse_spec(PretrainSpec, load_yaml(FOLDER / f"{name}.yaml"), name)
    return spec, parse_spec(CMPConfig, spec.method_config, f"{name}: method_config")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_shipped_config_is_a_valid_spec(path: Path) -> None:
    spec = parse_spec(PretrainSpec, load_yaml(path), str(path))
    from ssl_motion.backbones import BACKBONES
    from ssl_motion.plugins import METHODS, load

    assert spec.backbone.arch in BACKBONES
    parse_spec(load(METHODS, spec.method).Config, spec.method_config, str(path))


@pytest.mark.parametrize("name", list(TABLE))
def test_the_authors_settings_field_by_field(name: str) -> None:
    row = TABLE[name]
    spec, method = read(name)
    assert method == CMPConfig(
        guidance=GuidanceConfig(
            strategies=["grid", "watershed"], kernel_size=row.kernel, grid_stride=row.grid, max_points=row.cap
        ),
        bins=99,
        boundary=50.0,
        guidance_channels=4,
        image_channels=256,
        motion_channels=16,
        decoder="skip" if row.decoder == "skip" else "plain",
        strides=(1, 2, 4, 8) if row.decoder == "skip" else (1, 2, 4),
        decoder_width=128,
        initialisation="original",
    )
    expected: dict[str, Any] = {
        "method": "cmp",
        "method_config": spec.method_config,
        "backbone": BackboneSpec(arch=row.arch, output_stride=32 if row.arch == A else 8),
        "data": DataSpec(shards=row.data, short_side=row.short, crop=row.crop, flip=False),
        "optimizer": OptimizerSpec(type="sgd", lr=0.1, momentum=0.9, weight_decay=1e-4),
        "schedule": ScheduleSpec(type="step", milestones=[4 / 7, 6 / 7], gamma=0.1),
        "iterations": row.iterations,
        "batch_size": row.batch,
        "processes": row.processes,
        "precision": "fp32",
        "sync_bn": False,
        "validate_every": row.every,
        "checkpoint_every": row.every,
    }
    assert spec == PretrainSpec(**expected)
    assert tuple(round(part * spec.iterations) for part in spec.schedule.milestones) == row.steps
    assert spec.batch_size * spec.processes * spec.accumulate == row.total
    assert len(grid_points(row.crop, row.crop, row.grid)) == row.points


@pytest.mark.parametrize(
    ("crop", "stride", "positions"),
    [(384, 200, [92, 292]), (384, 80, [32, 112, 192, 272, 352]), (320, 165, [77, 242]), (256, 133, [61, 194]),
     (384, 131, [61, 192, 323]), (320, 80, [0, 80, 160, 240])],
)  # fmt: skip
def test_grid_positions_of_the_configs(crop: int, stride: int, positions: list[int]) -> None:
    points = grid_points(crop, crop, stride)
    assert sorted(set(points[:, 0].tolist())) == sorted(set(points[:, 1].tolist())) == positions


@pytest.mark.parametrize("name", list(TABLE))
def test_headers_say_command_cost_and_what_to_expect(name: str) -> None:
    header = [line for line in (FOLDER / f"{name}.yaml").read_text().splitlines() if line.startswith("#")]
    text = "\n".join(header)
    row = TABLE[name]
    for part in ("# Command ", "# Cost ", "# Expected ", "# Differs ", name):
        assert part in text
    assert f"{row.iterations * row.total / 1e6:.1f} million images ({row.iterations:,} x {row.total})" in text
    assert f"--nnodes {row.processes // 8}" in text or row.processes == 8


def test_all_seven_are_shipped() -> None:
    assert set(TABLE) <= {path.stem for path in ALL}
    assert len(TABLE) == 7
