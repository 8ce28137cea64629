"""`ssl-bench prepare` as a user calls it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ssl_motion.data.shards import ShardSet


class TestCommandLine:
    def run(self, *arguments: object) -> Any:
        from ssl_motion.cli.prepare_verb import command

        return CliRunner().invoke(command, [str(argument) for argument in arguments])

    def test_as_a_user_would(self, videos: Path, tmp_path: Path) -> None:
        options = ("--gap", 2, "--short-side", 64, "--val-fraction", 0.3, "--processes", 1)
        dry = self.run(videos, "--out", tmp_path / "out", *options, "--dry-run")
        assert dry.exit_code == 0, dry.output
        assert "clip3.mkv: video" in dry.output
        made = self.run(f"{videos}/*.mkv", "--out", tmp_path / "out", *options, "--json")
        assert made.exit_code == 0, made.output
        content = json.loads(made.stdout)
        assert content["pairs"]["train"] + content["pairs"]["val"] == 24
        assert content["fingerprint"] == ShardSet(tmp_path / "out").fingerprint
        stats = self.run("--stats", tmp_path / "out", "--json")
        assert stats.exit_code == 0, stats.output
        summary = json.loads(stats.stdout)
        assert summary["pairs_read"] == 24
        # Whole images of 64 x 106 are cropped to 64 x 64; the grid alone gives each of them a guidance point.
        assert summary["method"]["figures"]["guidance points"]["min"] >= 1

    def test_a_damaged_index_is_written_anew(self, videos: Path, tmp_path: Path) -> None:
        arguments = (videos, "--out", tmp_path / "out", "--gap", 2, "--short-side", 64, "--processes", 1)
        assert self.run(*arguments).exit_code == 0
        index = tmp_path / "out" / "index.json"
        whole = index.read_bytes()
        index.write_bytes(whole[:300])
        again = self.run(*arguments)
        assert again.exit_code == 0, again.exception
        assert index.read_bytes() == whole

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--gap", "2"], "--out DIR"),
            (["--out", "o", "--gap", "2", "--gap-seconds", "0.1"], "not both"),
            (["--out", "o", "--flow", "diss"], "Did you mean 'dis'?"),
            (["--out", "o", "--flow-option", "presett=fine"], "presett"),
            (["--out", "o", "--set", "still.distanc=3"], "Did you mean 'distance'?"),
            (["--out", "o", "--import-list", "x"], "two data sets"),
            (["--out", "o", "--flow-name", "x"], "--flow-name does not apply"),
            (["--out", "o", "--val-fraction", "1.5"], "val_fraction"),
        ],
    )
    def test_wrong_usage(
        self, videos: Path, tmp_path: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        result = self.run(videos, *arguments)
        message = result.output + str(result.exception)
        assert words in message
        assert getattr(result.exception, "exit_code", result.exit_code) == 2
        assert not (tmp_path / "o").exists()
