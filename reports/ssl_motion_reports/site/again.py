"""How to run recorded results again: the specs as files, and the commands that read them."""

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from ssl_motion.record import Pretraining, Reproduced, ResultRecord

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
PRETRAIN, TRANSFER = "pretrain.yaml", "transfer.yaml"
"""Names under which pages hand out specs."""


def as_yaml(spec: dict[str, Any]) -> str:
    """Write a spec as the YAML that `pretrain` and `transfer` read."""
    text: str = yaml.dump(spec, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return text


def pretraining_command(before: Pretraining) -> str:
    """The command that pretrains as a record says, from the spec of any seed."""
    processes = before.spec.get("processes", 1)
    launch = ["ssl-bench"]
    if isinstance(processes, int) and processes > 1:
        launch = ["torchrun", "--standalone", "--nproc_per_node", str(processes), "-m", "ssl_motion"]
    return shlex.join([*launch, "pretrain", PRETRAIN, *_seed(before.spec)])


def commands(records: Sequence[ResultRecord]) -> list[str]:
    """Commands that make records again, in order, where neither they nor what they start from are there.

    Args:
        records: that differ in nothing but their seeds and what they start from.
    """
    return list(_once(line for record in records for line in _commands(record)))


def _commands(record: ResultRecord) -> list[str]:
    lines = []
    if isinstance(record.origin, Reproduced) and re.fullmatch("[0-9a-f]{40}", record.origin.provenance.commit):
        lines.append(f"git checkout {record.origin.provenance.commit}")
    if "ensemble" in record.spec:
        members = record.spec.get("init")
        return [*lines, shlex.join(["ssl-bench", "ensemble", *map(str, members if isinstance(members, list) else [])])]
    transfer = ["ssl-bench", "transfer", TRANSFER]
    before = record.pretraining
    if before is not None and before.run is not None and before.spec:
        lines.append(pretraining_command(before))
        transfer += ["--init", before.run]
    elif "init" in record.spec:
        transfer += ["--init", str(record.spec["init"])]
    transfer += _seed(record.spec)
    if record.scale != "builtin":
        transfer += ["--data-root", "DIR"]
    return [*lines, shlex.join(transfer)]


def _seed(spec: dict[str, Any]) -> list[str]:
    return ["--seed", str(spec["seed"])] if spec.get("seed") is not None else []


def _once(lines: Iterable[str]) -> Iterable[str]:
    """Leave out a checkout of what is checked out already, and a command that was given before."""
    commit, given = "", set()
    for line in lines:
        if line.startswith("git checkout "):
            if line != commit:
                yield line
            commit = line
        elif line not in given:
            yield line
            given.add(line)
