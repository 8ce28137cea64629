"""Why a job failed is read off its log: its own message, an exception, or the signal; not the last progress line."""

from pathlib import Path

import pytest

from ssl_motion.job_logs import failure, last_line

TRACEBACK = """pretrain cmp: 3/9 it
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in f
    raise RuntimeError("second")
RuntimeError: second
and more of its message
pretrain cmp: 4/9 it
"""


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (TRACEBACK, 1, "RuntimeError: second"),
        ("a: 1/2 it\nssl-bench: no such file: x\na: 2/2 it\n", 2, "no such file: x"),
        ("ssl-bench: spec: 1 fault(s)\n  seedz: unknown key\n  n: is missing\n", 2,
         "spec: 1 fault(s) seedz: unknown key n: is missing"),
        (TRACEBACK + "ssl-bench: the disk is full\n", 1, "the disk is full"),
        ("a: 1/2 it\n", -9, "killed by SIGKILL (by the system, where memory ran out); its last message: a: 1/2 it"),
        ("", -15, "killed by SIGTERM; its last message: none"),
        ("only this\n\n", 1, "only this"),
        ("", 1, "it printed nothing"),
    ],
)  # fmt: skip
def test_the_reason_of_a_failure(tmp_path: Path, text: str, code: int, expected: str):
    log = tmp_path / "job.log"
    log.write_text(text)
    assert failure(log, code) == expected


def test_a_log_that_is_not_there_or_not_text(tmp_path: Path):
    assert last_line(tmp_path / "none.log") == ""
    log = tmp_path / "job.log"
    log.write_bytes(b"x" * 200_000 + b"\n\xff\xfe end\n\n")
    assert last_line(log).endswith("end")
