"""Estimated times: from the same settings before similar ones, from here before elsewhere, and side by side."""

import json
from pathlib import Path
from statistics import median

import pytest

from ssl_motion.cli.suite_plan import counted, duration, estimate
from ssl_motion.costs import Costs, makespan, timed_pretrainings, timed_records
from ssl_motion.record import read_record
from ssl_motion.spec import BackboneSpec, DataSpec, PretrainSpec, PuppetsSpec, TransferSpec
from ssl_motion.store import Store
from ssl_motion.sweep import Job

RECORDS = Path(__file__).parents[2] / "reports" / "records"


def pretraining(name: str = "p", **changes) -> Job:
    content = {
        "method": "m",
        "backbone": BackboneSpec(arch="a"),
        "data": DataSpec(puppets=PuppetsSpec()),
        "iterations": 10,
        "batch_size": 4,
    }
    return Job(name, "pretrain", PretrainSpec(**{**content, **changes}))


def transfer(name: str = "t", parents: tuple[str, ...] = (), **task_config) -> Job:
    config = {"preset": "a", **task_config}
    return Job(name, "transfer", TransferSpec(task="task", task_config=config, puppets=PuppetsSpec()), parents)


def test_pretrainings_are_timed_by_the_image():
    costs = Costs()
    assert costs.seconds(pretraining()) is None
    costs.learn(pretraining(), 8.0)
    assert costs.seconds(pretraining(seed=3, iterations=20)) == pytest.approx(16)
    assert costs.seconds(pretraining(accumulate=2)) == pytest.approx(16)
    assert costs.seconds(pretraining(method="another")) is None
    # Of another size of image there is nothing, so one that is alike tells.
    assert costs.seconds(pretraining(data=DataSpec(puppets=PuppetsSpec(size=64)))) == pytest.approx(8)


def test_the_same_settings_tell_before_similar_ones():
    costs = Costs()
    costs.learn(transfer(iterations=5), 5.0)
    assert costs.seconds(transfer(iterations=7)) == 5
    costs.learn(transfer(), 100.0)
    assert costs.seconds(transfer(iterations=5)) == 5
    assert costs.seconds(transfer()) == costs.seconds(transfer(lr=None)) == 100, "what is not set makes no other run"
    assert costs.seconds(transfer(preset="b")) is None


def test_runs_of_here_tell_before_others(tmp_path: Path):
    record = read_record(next(RECORDS.glob("puppets_fcn-random-*.json")))

    def timed(seconds: float, **task_config):
        origin = record.origin.model_copy(
            update={"provenance": record.origin.provenance.model_copy(update={"wall_seconds": seconds})}
        )
        spec = {**record.spec, "task_config": {**record.spec["task_config"], **task_config}}
        return timed_records([record.model_copy(update={"origin": origin, "spec": spec})], "cpu")

    job = Job("t", "transfer", TransferSpec.model_validate(record.spec))
    assert Costs(timed(1.0), timed(2.0)).seconds(job) == 1
    assert Costs(timed(1.0, iterations=9), timed(2.0)).seconds(job) == 2, "the same elsewhere before similar ones here"
    assert Costs(timed(1.0, iterations=9), timed(2.0, iterations=9)).seconds(job) == 1
    costs = Costs(timed(1.0), timed(2.0))
    costs.learn(job, 3.0)
    assert costs.seconds(job) == 3, "this suite's own runs tell first"


def test_committed_records_tell_what_their_runs_took():
    records = [read_record(path) for path in sorted(RECORDS.glob("*.json"))]
    costs = Costs([], timed_records(records, "cpu"))
    read_out = [record for record in records if record.protocol_name == "puppets_linear"]
    spec = {**read_out[0].spec, "task_config": {"preset": "puppets_linear"}}
    linear = Job("t", "transfer", TransferSpec.model_validate(spec))
    seconds = sorted(record.origin.provenance.wall_seconds for record in read_out)
    assert seconds[0] <= costs.seconds(linear) <= seconds[-1]
    walkers = {each.run: each for each in (r.pretraining for r in records if r.method == "walker")}
    longer = PretrainSpec.model_validate({**next(iter(walkers.values())).spec, "iterations": 500})
    # Several runs, each behind several records, of which none took so many steps.
    known = [each.wall_seconds / each.spec["iterations"] for each in walkers.values()]
    assert len(known) >= 6
    assert costs.seconds(Job("p", "pretrain", longer)) == pytest.approx(500 * median(known))
    assert timed_records(records, "cuda") == []


def test_finished_pretrainings_of_a_folder_tell(tmp_path: Path):
    spec = pretraining().spec.model_dump(mode="json")
    for number, device in enumerate(("cpu", "cuda", "cpu")):
        identity = f"{number}" * 16
        folder = tmp_path / "pretrain" / f"m-{identity}"
        folder.mkdir(parents=True)
        facts = {"spec": spec, "device": device, "run": identity, "wall_seconds": 8.0 * 10**number, "images_seen": 40}
        if number < 2:
            (folder / "weights.json").write_text(json.dumps({"pretraining": facts}))
    timed = timed_pretrainings(Store(tmp_path), "cpu")
    assert [seconds for _, seconds in timed] == [0.2], "the second ran elsewhere, the third has not ended"
    assert Costs(timed).seconds(pretraining()) == pytest.approx(8)


def test_jobs_side_by_side():
    jobs = [pretraining("a"), pretraining("b"), transfer("c", ("a",)), transfer("d", ("a", "b"))]
    seconds = {"a": 3.0, "b": 1.0, "c": 4.0, "d": 1.0}
    assert makespan(jobs, seconds, 1) == 9
    assert makespan(jobs, seconds, 2) == 7, "a and b at once, c and d once a has ended"
    assert makespan(jobs, {"c": 4.0, "d": 1.0}, 2) == 4, "what is there already takes no time"
    assert makespan(jobs, {}, 2) == 0


def test_what_is_known_and_what_is_not():
    jobs = [pretraining("a"), transfer("b", ("a",)), transfer("c", preset="other")]
    costs = Costs()
    costs.learn(jobs[0], 60.0)
    costs.learn(jobs[1], 120.0)
    found = estimate(jobs, {}, costs, 2)
    assert (found.seconds, found.unknown, found.total) == ({"a": 60.0, "b": 120.0}, 1, 180.0)
    assert counted(jobs, {}, found).endswith(
        "0 finished already, 3 to run: about 3 min, 2 side by side, without 1 of which no earlier run tells"
    )
    done = {job.name: "runs/x" for job in jobs}
    assert (
        counted(jobs, done, estimate(jobs, done, costs, 2)) == "3 runs: 1 pretrainings, 2 transfers; 3 finished already"
    )
    assert [duration(seconds) for seconds in (0.2, 70, 100, 5 * 3600)] == ["1 s", "70 s", "2 min", "5.0 h"]
