"""What the site says about running a result again gives the very run that it shows."""

import html
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ssl_motion.cli import cli
from ssl_motion.store import Store

WORLD = {"size": 32, "pairs": 12, "val_pairs": 4, "train_images": 8, "val_images": 4, "test_images": 6}


def ssl_bench(*arguments: str) -> str:
    result = CliRunner().invoke(cli, [*arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def preformatted(page: Path) -> tuple[list[str], str]:
    """The commands and the spec of a page."""
    commands, spec = re.findall(r"<pre[^>]*>(.*?)</pre>", page.read_text(), re.S)
    return [line for line in html.unescape(commands).splitlines() if line.startswith("ssl-bench")], html.unescape(spec)


@pytest.mark.slow
def test_specs_and_commands_of_the_site_name_the_same_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_MOTION_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("ssl_motion_reports.leaderboard.committed_records", list)
    world = [f"--set=data.puppets.{name}={value}" for name, value in WORLD.items()]
    for seed in ("0", "1"):
        ssl_bench("pretrain", "walker_puppets", "--seed", seed, "--iterations", "2", "--set=batch_size=4", *world)
    store = Store(tmp_path / "runs")
    pretrained = {run.identity for run in store.runs("pretrain")}
    spec = {"task": "dense_linear", "task_config": {"iterations": 2, "batch_size": 4}, "puppets": WORLD}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    for run in store.runs("pretrain"):
        seed = str(yaml.safe_load((run.path / "spec.yaml").read_text())["seed"])
        ssl_bench("transfer", "spec.yaml", "--init", run.identity, "--seed", seed)
    transferred = {run.identity for run in store.runs("transfer")}
    assert (len(pretrained), len(transferred)) == (2, 2)
    ssl_bench("report", "site", "--no-published")
    site = tmp_path / "runs" / "reports" / "site"
    found: dict[str, set[str]] = {"pretrain": set(), "transfer": set()}
    (again,) = [path for path in (site / "runs").glob("*.html") if path.name != "index.html"]
    (before,) = [path for path in (site / "pretraining").glob("*.html") if path.name != "index.html"]
    commands, transfer = preformatted(again)
    pretraining_commands, pretrain = preformatted(before)
    (tmp_path / "pretrain.yaml").write_text(pretrain)
    (tmp_path / "transfer.yaml").write_text(transfer)
    assert [command for command in commands if " pretrain " in command] == pretraining_commands
    for command in commands:
        words = shlex.split(command)[1:]
        plan = json.loads(ssl_bench(*words, "--dry-run", "--json"))
        found[words[0]].add(plan["identity"])
    assert found == {"pretrain": pretrained, "transfer": transferred}
    assert "loss over 2 iterations" in before.read_text()
