"""The command line as a user meets it: quick help, exit codes, near misses."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ssl_motion.cli import VERBS, main


def bench(*arguments: str, **options):
    return subprocess.run([sys.executable, "-m", "ssl_motion", *arguments], capture_output=True, text=True, **options)


def processor_time() -> float:
    """Seconds that finished children have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_answers_at_once(verb):
    arguments = [verb, "--help"] if verb else ["--help"]
    times = []
    for _ in range(3):
        began = processor_time()
        done = bench(*arguments)
        times.append(processor_time() - began)
        assert done.returncode == 0, done.stderr
        assert "Usage: ssl-bench" in done.stdout
        if times[-1] < 0.4:
            break
    # The promise is 0.4 s. Other work may share the machine: it is the processor's time, and there are three tries.
    assert min(times) < 0.4


@pytest.mark.parametrize("verb", VERBS)
def test_help_needs_no_heavy_import(verb):
    code = (
        "import sys; from ssl_motion.cli import cli\n"
        f"sys.argv = ['ssl-bench', {verb!r}, '--help']\n"
        "try: cli()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'cv2', 'pydantic', 'mmengine', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrian"], "Did you mean 'pretrain'"),
        (["pretrain", "--method", "cpm"], "unknown method 'cpm'. Did you mean 'cmp'"),
        (["pretrain", "--method", "cmp", "--set", "iteration=3"], "Did you mean 'iterations'"),
        (["pretrain", "--method", "cmp", "--set", "method_config.binz=3"], "binz: unknown key"),
        (["run", "quickstrat"], "Did you mean 'quickstart'"),
        (["transfer", "--task", "voc_fnc"], "Did you mean 'voc_fcn'"),
        (["show", "no-such-run"], "is no run"),
        (["prepare", "/no/such/folder", "--out", "out"], "/no/such/folder"),
    ],
)
def test_wrong_usage_exits_with_2_and_helps(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ssl-bench", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "wrong usage leaves nothing behind"


def test_ctrl_c_says_what_is_kept(monkeypatch, capsys):
    import ssl_motion.cli.list_verb as verb

    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "_rows", stopped)
    monkeypatch.setattr(sys, "argv", ["ssl-bench", "list", "configs"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    said = capsys.readouterr().err
    assert "What is finished is kept; the same command continues" in said
    assert "Aborted" not in said


def test_doctor_finds_this_environment_in_order(tmp_path):
    done = bench("doctor", "--json", cwd=tmp_path)
    findings = {finding["topic"]: finding for finding in json.loads(done.stdout)}
    for topic in ("python", "torch", "mmcv", "mmengine", "mmdet", "mmsegmentation", "operators"):
        assert findings[topic]["status"] == "ok", findings[topic]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_a_message():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ssl_motion", "list", "configs"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode != 0
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
