"""Suites in several processes a run: batches are shared, and what cannot share its work runs in one."""

import pytest

from ssl_motion.errors import UsageError
from ssl_motion.launching import command_line
from ssl_motion.several_processes import processes_of, share_batches
from ssl_motion.spec import PretrainSpec
from ssl_motion.sweep import SuiteSpec, plan

TASKS = [
    {"task": "voc_fcn", "task_config": {"preset": "puppets_fcn"}},
    {"task": "dense_linear", "task_config": {"preset": "puppets_dense"}},
    {"task": "voc07_cls", "task_config": {"preset": "puppets_cls"}},
    {"task": "voc07_cls", "task_config": {"preset": "puppets_svm"}},
]


def _jobs(batch_size: int = 32, **changes):
    suite = SuiteSpec(
        title="t",
        puppets={},
        pretrain_set={"batch_size": batch_size, **changes},
        pretrain={"cmp": {"config": "cmp_puppets"}},
        transfer=[{**task, "inits": ["cmp"]} for task in TASKS],
    )
    return plan(suite)


@pytest.mark.parametrize(("before", "processes", "batch"), [(1, 4, 8), (4, 4, 32), (8, 4, 64), (8, 1, 256)])
def test_images_per_step_stay_as_many(before: int, processes: int, batch: int):
    jobs = _jobs(processes=before)
    shared = share_batches(jobs, processes)
    for job in shared:
        if isinstance(job.spec, PretrainSpec):
            assert (job.spec.processes, job.spec.batch_size) == (processes, batch)
            assert job.spec.processes * job.spec.batch_size == before * 32
    assert [job.spec for job in shared if job.verb == "transfer"] == [
        job.spec for job in jobs if job.verb == "transfer"
    ]


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(UsageError, match="a batch of 32 images cannot be shared among 3 processes"):
        share_batches(_jobs(), 3)


def test_frozen_read_outs_take_one_process():
    jobs = share_batches(_jobs(), 4)
    wanted = {job.name.split(" from ")[0]: processes_of(job, 4) for job in jobs}
    assert wanted == {
        "pretrain cmp seed 0": 4,
        "transfer puppets_fcn": 4,
        "transfer puppets_dense": 1,
        "transfer puppets_cls": 4,
        "transfer puppets_svm": 1,
    }


def test_without_a_wish_pretrainings_run_as_their_specs_say():
    assert [processes_of(job, None) for job in _jobs(processes=2)] == [2, 1, 1, 1, 1]


def test_torchrun_is_used_where_there_are_several():
    assert command_line(["pretrain", "x"])[1:] == ["-m", "ssl_motion", "pretrain", "x"]
    assert command_line(["pretrain", "x"], 2)[1:] == [
        *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *("-m", "ssl_motion", "pretrain", "x"),
    ]
