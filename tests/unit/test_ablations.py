"""Shipped ablations: each at both scales, with curves that find their own runs alone, and guidance as labelled."""

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from click.testing import CliRunner

from ssl_motion import plugins
from ssl_motion.backbones import outline_backbone
from ssl_motion.cli.ablate_verb import command as ablate
from ssl_motion.cli.run_verb import command as run
from ssl_motion.curves import belongs, place
from ssl_motion.data.shard_pairs import ShardPairs
from ssl_motion.errors import UsageError
from ssl_motion.paths import config_root
from ssl_motion.prepare.layers import ensure_puppets
from ssl_motion.record import MetricValue, Pretraining, Provenance, Reproduced, ResultRecord
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec, PretrainSpec, PuppetsSpec
from ssl_motion.suite_state import merged
from ssl_motion.sweep import Job, all_curves, load_suite, plan
from ssl_motion_methods.cmp import CMP

NAMES = sorted(file.stem for file in (config_root() / "suites").glob("*.yaml"))
ABLATIONS = sorted(
    {name.removeprefix("ablation_").rpartition("_")[0] for name in NAMES if name.startswith("ablation_")}
)
PROVENANCE = Provenance(
    commit="c", dirty=False, packages={}, python="3", hardware="h", device="cpu", wall_seconds=1.0, finished="t"
)


def expected_records(jobs: Sequence[Job]) -> dict[str, ResultRecord]:
    """Records as the transfers of a plan will write them, but for their figures: job name -> record."""
    by_name = {job.name: job for job in jobs}
    records = {}
    for job in jobs:
        if job.verb != "transfer":
            continue
        pretraining, method = None, job.spec.init
        if job.parents:
            parent = by_name[job.parents[0]].spec
            config = plugins.load(plugins.METHODS, parent.method).Config.model_validate(parent.method_config)
            resolved = parent.model_copy(update={"method_config": config.model_dump(mode="json")})
            world = parent.data.puppets
            data = f"puppets-{world.world}" if world else "+".join(parent.data.shards)
            pairs = parent.data.max_pairs or (world.pairs if world else 3_220_000)
            seen = parent.iterations * parent.batch_size * parent.processes
            pretraining = Pretraining(
                data=data, pairs=pairs, images_seen=seen, spec=resolved.model_dump(mode="json"),
                figures={"guidance_points": float(len(records)), "val/gap": float(len(records))},
            )  # fmt: skip
            method = parent.method
        task = plugins.load(plugins.BENCHMARKS, job.spec.task)
        settings = task.Config.model_validate(job.spec.task_config).model_dump(mode="json")
        records[job.name] = ResultRecord(
            identity=job.name, method=method, backbone="b", pretraining=pretraining, task=job.spec.task, protocol={},
            protocol_name="p", scale="builtin", metrics=[MetricValue(name="m", value=1.0)], seed=job.spec.seed,
            spec={**job.spec.model_dump(mode="json"), "task_config": settings},
            origin=Reproduced(provenance=PROVENANCE),
        )  # fmt: skip
    return records


def test_every_ablation_has_both_scales():
    assert {"guidance", "guidance_map", "strides", "data", "layers", "seeds", "compute", "coco"} <= set(ABLATIONS)
    for name in ABLATIONS:
        for scale in ("puppets", "paper"):
            assert f"ablation_{name}_{scale}" in NAMES
            suite = load_suite(f"ablation_{name}_{scale}")
            assert suite.curves, "an ablation is drawn"
            assert (suite.puppets is not None) == (scale == "puppets")


@pytest.mark.parametrize("name", [name for name in NAMES if load_suite(name).curves])
def test_a_curve_finds_all_its_points(name):
    suite = load_suite(name)
    records = expected_records(merged(plan(suite)))
    varied = {key for entry in suite.pretrain.values() for key in entry.vary} | {
        key for entry in suite.transfer for key in (*entry.vary, *entry.vary_recipe)
    }
    assert varied or len(suite.pretrain) > 1
    for curve in suite.curves.values():
        found = {job: record for job, record in records.items() if belongs(record, curve)}
        optional = curve.x.startswith("spec.")  # "none" of a setting that is varied
        xs = [place(record, curve.x) for record in found.values()]
        assert len({str(x) for x in xs}) >= 2
        assert optional or None not in xs
        # All pretrained starts of the varied tasks are points; only references are left out.
        of_curve = {record.task for record in found.values()}
        left_out = [job for job, record in records.items() if record.task in of_curve and job not in found]
        presets = {place(record, "spec.task_config.preset") for record in found.values()}
        assert not [
            job
            for job in left_out
            if records[job].pretraining is not None
            and records[job].method not in curve.references
            and place(records[job], "spec.task_config.preset") in presets
        ]


def test_in_the_paper_suite_every_curve_has_the_runs_of_its_ablation_alone():
    suite = load_suite("puppets_paper")
    records = expected_records(merged(plan(suite)))
    curves = all_curves(suite)
    assert set(curves) == {"guidance", "guidance_gap", "strides", "data"}
    for name in ("guidance", "strides", "data"):
        alone = load_suite(f"ablation_{name}_puppets")
        expected = [record for record in expected_records(merged(plan(alone))).values() if record.pretraining]
        found = [record for record in records.values() if belongs(record, curves[name])]
        assert len(found) == len(expected)

        def essence(record: ResultRecord) -> str:
            spec = {**record.pretraining.spec, "data": None}  # max_pairs is among the pairs
            return f"{record.seed} {record.spec['task_config']['preset']} {record.pretraining.pairs} {spec}"

        assert sorted(map(essence, found)) == sorted(map(essence, expected))


@pytest.mark.parametrize("world", ["still", "weak_pan", "full_camera"])
def test_guidance_points_are_as_many_as_the_labels_say(tmp_path_factory, world):
    root = tmp_path_factory.getbasetemp() / "worlds"
    spec = PuppetsSpec(world=world, pairs=48, val_pairs=2, train_images=0, val_images=0, test_images=0)
    pairs = ShardPairs([ensure_puppets(spec, root, ())], "train")
    labels: dict[str, PretrainSpec] = {}
    for name in ("ablation_guidance_puppets", "ablation_guidance_map_puppets", "puppets_guidance_long"):
        for job in plan(load_suite(name)):
            if isinstance(job.spec, PretrainSpec) and (world == "still" or "map" in name):
                labels[re.search(r"([\d.]+) points", job.name).group(1)] = job.spec
    assert {"0", "13.5", "50", "200"} <= set(labels)
    for label, run_spec in labels.items():
        config = CMP.Config.model_validate(run_spec.method_config)
        counts = [
            CMP.describe_sample(config, sample, generator(0, "test", number))["guidance points"]
            for number, sample in enumerate(pairs)
        ]
        # 48 images say it to about a tenth; a moving camera makes more edges, hence more points.
        assert np.mean(counts) == pytest.approx(float(label), rel=0.15 if world == "still" else 0.3), label


def test_the_frozen_layer_suites_freeze_every_stage_for_every_start():
    stages = list(outline_backbone(BackboneSpec(arch="alexnet_mini")).channels)
    for scale, expected in (("puppets", stages), ("paper", ["conv1", "conv2", "conv3", "conv4", "conv5"])):
        suite = load_suite(f"ablation_layers_{scale}")
        for entry in suite.transfer:
            assert entry.vary["freeze_to"] == [None, *expected]
            assert set(entry.inits) >= {"random", *suite.pretrain}


def test_matched_compute_gives_all_the_time_of_cmp():
    """Steps of equal time by the runs that the suite names: the first six of 250 steps of each method."""
    from ssl_motion.record import read_record

    files = sorted((Path(__file__).parents[2] / "reports" / "records").glob("*.json"))
    records = sorted((read_record(file) for file in files), key=lambda record: record.origin.provenance.finished)
    seconds: dict[str, dict[str, float]] = {}
    for record in records:
        before = record.pretraining
        if before is not None and before.spec.get("iterations") == 250 and "control" not in before.spec["data"]:
            seconds.setdefault(record.method, {}).setdefault(before.run, before.wall_seconds)
    typical = {method: median(list(of.values())[:6]) for method, of in seconds.items()}
    lengths: dict[str, set[int]] = {}
    for job in plan(load_suite("ablation_compute_puppets")):
        if job.verb == "pretrain":
            lengths.setdefault(job.spec.method, set()).add(job.spec.iterations)
    assert lengths.pop("cmp") == {250}
    for method, steps in lengths.items():
        (other,) = steps - {250}
        assert typical[method] * other / 250 == pytest.approx(typical["cmp"], rel=0.15), method


def test_ablate_is_run_by_another_name(tmp_path):
    options = ["--dry-run", "--json", "--runs", str(tmp_path)]
    assert (
        CliRunner().invoke(ablate, ["strides", *options]).stdout
        == CliRunner().invoke(run, ["ablation_strides_puppets", *options]).stdout
        != ""
    )
    listed = CliRunner().invoke(ablate, []).stdout
    assert sorted(line.split()[0] for line in listed.splitlines()) == ABLATIONS
    wrong = CliRunner().invoke(ablate, ["guidence"])
    assert isinstance(wrong.exception, UsageError)
    assert "Did you mean 'guidance'" in str(wrong.exception)


def test_a_plan_is_shown_even_where_data_are_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(ablate, ["guidance", "--scale", "paper", "--dry-run"])
    assert "transfer voc12_fcn32s_alexnet_zhan from 0 points seed 0" in shown.stdout
    assert isinstance(shown.exception, UsageError)
    assert "data/yfcc" in str(shown.exception)
