"""CMP's loss against the plain formula, in the same run: `pytest -m perf tests/perf -s`."""

import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ssl_motion_methods.cmp.bins import FlowBins
from ssl_motion_methods.cmp.loss import flow_cross_entropy

REFERENCE_FILE = Path(__file__).resolve().parents[1] / "cmp_reference.py"
REFERENCE = runpy.run_path(str(REFERENCE_FILE))
plain_loss, gradient_of = REFERENCE["plain_loss"], REFERENCE["gradient_of"]
BINS = FlowBins()

# One training step (without the optimiser) of a whole model, alone in its process: prints its least CPU seconds and
# the process' peak memory in KiB.
WHOLE_STEP = """
import pathlib, re, runpy, sys, time
import torch
from ssl_motion.backbones import build_backbone
from ssl_motion.spec import BackboneSpec
from ssl_motion_methods.cmp import CMP
from ssl_motion_methods.cmp.config import CMPConfig
from ssl_motion_methods.cmp.loss import flow_cross_entropy

which, batch, steps, reference = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(1)
torch.manual_seed(0)
loss = flow_cross_entropy if which == "ours" else runpy.run_path(reference)["plain_loss"]
config = CMPConfig()
method = CMP(config, build_backbone(BackboneSpec(arch="alexnet_32x"))).train()
data = {
    "image": torch.randn(batch, 3, 384, 384),
    "guidance": torch.zeros(batch, config.guidance_channels, 384, 384),
    "flow": torch.rand(batch, 2, 384, 384) * 40 - 20,
}
times = []
for _ in range(steps):
    method.zero_grad(set_to_none=True)
    start = time.process_time()
    loss_x, loss_y = loss(method.logits(data), data["flow"], method.bins)
    (loss_x + loss_y).backward()
    times.append(time.process_time() - start)
# Not getrusage's maximum: that starts at the peak of the process this one was started from.
print(min(times), re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text()).group(1))
"""


def problem(batch, source, size, device="cpu", dtype=torch.float32):
    torch.manual_seed(0)
    logits = torch.randn(batch, 198, source, source, device=device).to(dtype)
    return logits, torch.rand(batch, 2, size, size, device=device) * 120 - 60


def cpu_time(function, repeats):
    """Least CPU time of a call: other load on the machine only adds to it."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.perf
@pytest.mark.parametrize(
    ("batch", "source", "size", "limit"),
    [
        pytest.param(12, 12, 384, 0.2, id="alexnet-32x"),
        pytest.param(2, 48, 384, 0.25, id="resnet-8x"),
        pytest.param(1, 192, 384, 0.6, id="skip-decoder"),
        pytest.param(32, 12, 96, 0.25, id="small-images"),
    ],
)
def test_loss_takes_a_fraction_of_the_plain_formula(batch, source, size, limit, benchmark, capsys):
    logits, flow = problem(batch, source, size)
    expected = gradient_of(plain_loss, logits, flow, BINS)
    got = gradient_of(flow_cross_entropy, logits, flow, BINS)
    for value, truth in zip(got[:2], expected[:2], strict=True):
        assert value.item() == pytest.approx(truth.item(), rel=1e-5)
    # The plain formula's own float32 error is larger than ours where many logits meet in a pixel.
    assert (got[2] - expected[2]).abs().max() <= 3e-5 * expected[2].abs().max()

    ours = cpu_time(lambda: gradient_of(flow_cross_entropy, logits, flow, BINS), 5)
    plain = cpu_time(lambda: gradient_of(plain_loss, logits, flow, BINS), 2)
    benchmark.extra_info["ratio to the plain formula"] = ours / plain
    benchmark.pedantic(gradient_of, args=(flow_cross_entropy, logits, flow, BINS), rounds=3)
    with capsys.disabled():
        print(
            f"\nloss, {batch} x {source}x{source} logits to {size}x{size}: {ours / batch * 1e3:.1f} ms an image, "
            f"plain {plain / batch * 1e3:.1f} ms, ratio {ours / plain:.3f}"
        )
    assert ours <= limit * plain


@pytest.mark.perf
def test_whole_alexnet_step_takes_less_time_and_memory(capsys):
    measured = {}
    for which in ("plain", "ours"):
        done = subprocess.run(
            [sys.executable, "-c", WHOLE_STEP, which, "12", "2", str(REFERENCE_FILE)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, peak_kib = done.stdout.split()
        measured[which] = float(seconds), int(peak_kib) / 2**20
    time_ratio = measured["ours"][0] / measured["plain"][0]
    memory_ratio = measured["ours"][1] / measured["plain"][1]
    with capsys.disabled():
        print(
            f"\nAlexNet-32x step, 384x384, batch 12, forward + loss + backward: {measured['ours'][0]:.2f} CPU s and "
            f"{measured['ours'][1]:.2f} GiB at most; plain {measured['plain'][0]:.2f} s and "
            f"{measured['plain'][1]:.2f} GiB; ratios {time_ratio:.3f} and {memory_ratio:.3f}"
        )
    assert time_ratio <= 0.7
    assert memory_ratio <= 0.5


@pytest.mark.perf
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("batch", "source", "size"), [(12, 12, 384), (8, 48, 384), (4, 192, 384), (64, 12, 96)])
def test_on_a_gpu_it_is_no_slower_and_smaller(batch, source, size, dtype, capsys):
    logits, flow = problem(batch, source, size, "cuda", dtype)

    def least(loss):
        times = []
        for _ in range(8):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            gradient_of(loss, logits, flow, BINS)
            stop.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(stop))
        return min(times)

    def peak(loss):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        gradient_of(loss, logits, flow, BINS)
        return (torch.cuda.max_memory_allocated() - before) / 2**20

    time_ratio = least(flow_cross_entropy) / least(plain_loss)
    memory = peak(flow_cross_entropy), peak(plain_loss)
    with capsys.disabled():
        print(f"\nGPU loss, {batch} x {source} to {size}, {dtype}: time ratio {time_ratio:.3f}, MiB {memory}")
    assert time_ratio <= 1.0
    assert memory[0] <= memory[1]
