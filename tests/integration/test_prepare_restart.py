"""Preparing a data set that was interrupted, damaged, changed or in use."""

import errno
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_motion.data.shards import ShardSet
from ssl_motion.errors import RunError, UsageError
from ssl_motion.prepare import PrepareSpec, describe, prepare
from ssl_motion.prepare.folder import OutputFolder

_clips = runpy.run_path(str(Path(__file__).parents[1] / "panning_clips.py"))
hashes, panning_video, small = (_clips[name] for name in ("hashes", "panning_video", "small"))


class TestRestart:
    def test_shards_do_not_depend_on_the_number_of_processes(self, videos: Path, tmp_path: Path) -> None:
        one = prepare([videos], small(), tmp_path / "one", processes=1)
        two = prepare([videos], small(), tmp_path / "two", processes=2)
        assert len(hashes(one.folder)) >= 4
        assert hashes(one.folder) == hashes(two.folder)
        assert one.fingerprint == two.fingerprint

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_killed_run_continues_and_ends_the_same(self, videos: Path, tmp_path: Path, processes: int) -> None:
        for number in range(4, 9):
            panning_video(videos / f"clip{number}.mkv", frames=21, seed=number)
        spec = small(flow_options={"preset": "fine"}, pairs_per_shard=4)
        whole = prepare([videos], spec, tmp_path / "whole")
        out = tmp_path / "killed"
        script = (
            "import sys\nfrom pathlib import Path\nfrom ssl_motion.prepare import PrepareSpec, prepare\n"
            "if __name__ == '__main__':\n"
            "    spec = PrepareSpec.model_validate_json(sys.argv[2])\n"
            f"    prepare([sys.argv[1]], spec, Path(sys.argv[3]), processes={processes})\n"
        )
        path = tmp_path / "run.py"
        path.write_text(script)
        child = subprocess.Popen(
            [sys.executable, str(path), str(videos), spec.model_dump_json(), str(out)], stderr=subprocess.DEVNULL
        )
        reports = out / "work" / "shards"
        deadline = time.monotonic() + 60
        while len(list(reports.glob("*.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not (out / "index.json").exists()
        with pytest.raises(UsageError, match="did not finish"):
            ShardSet(out)
        # Workers notice that their parent is gone.
        time.sleep(1.0 if processes > 1 else 0.0)
        done = {report.stem: (out / f"{report.stem}.tar").stat().st_mtime_ns for report in reports.glob("*.json")}
        assert 3 <= len(done) < len(hashes(whole.folder))
        (out / ".train-000099.tar.1.part").write_bytes(b"half")
        result = prepare([videos], spec, out)
        assert result.reused >= len(done)
        assert result.made == len(hashes(whole.folder)) - result.reused
        assert {stem: (out / f"{stem}.tar").stat().st_mtime_ns for stem in done} == done, (
            "finished shards are not redone"
        )
        assert hashes(out) == hashes(whole.folder)
        assert result.fingerprint == whole.fingerprint
        assert (out / "rejected.jsonl").read_bytes() == (whole.folder / "rejected.jsonl").read_bytes()
        assert (out / "clips.jsonl").read_bytes() == (whole.folder / "clips.jsonl").read_bytes()
        assert not list(out.rglob("*.part"))

    def test_a_finished_data_set_is_reused(self, videos: Path, tmp_path: Path) -> None:
        first = prepare([videos], small(), tmp_path / "out")
        again = prepare([videos], small(), tmp_path / "out")
        assert not first.cached
        assert again.cached
        assert again.fingerprint == first.fingerprint

    def test_a_lost_or_cut_shard_is_made_again(self, videos: Path, tmp_path: Path) -> None:
        first = prepare([videos], small(), tmp_path / "out")
        before = hashes(first.folder)
        shard = first.folder / "train-000001.tar"
        shard.write_bytes(shard.read_bytes()[:1000])
        again = prepare([videos], small(), tmp_path / "out")
        assert again.made == 1
        assert hashes(first.folder) == before

    def test_a_broken_scan_is_made_again(self, videos: Path, tmp_path: Path) -> None:
        first = prepare([videos], small(), tmp_path / "out")
        before = hashes(first.folder)
        for scan in (tmp_path / "out" / "work" / "scans").iterdir():
            scan.write_bytes(scan.read_bytes()[:100])
        (first.folder / "train-000000.tar").unlink()
        again = prepare([videos], small(), tmp_path / "out")
        assert again.made == 1
        assert hashes(first.folder) == before

    def test_other_settings_or_input_are_refused(self, videos: Path, tmp_path: Path) -> None:
        prepare([videos], small(), tmp_path / "out")
        with pytest.raises(UsageError, match=r"pairs\.gap was 2, is now 3"):
            prepare([videos], small(pairs={"gap": 3}), tmp_path / "out")
        panning_video(videos / "clip9.mkv", seed=9)
        with pytest.raises(UsageError, match="other clips"):
            prepare([videos], small(), tmp_path / "out")

    @pytest.mark.parametrize("text", ["", "{}", "[]"])
    def test_damaged_settings_are_named(self, videos: Path, tmp_path: Path, text: str) -> None:
        (tmp_path / "prepare.json").write_text(text, encoding="utf-8")
        with pytest.raises(RunError, match=r"prepare\.json is damaged.*another output folder"):
            prepare([videos], PrepareSpec(), tmp_path)

    def test_before_the_first_shard_settings_may_change(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        with pytest.raises(RunError, match="empty file"):
            prepare([tmp_path / "empty.mp4"], small(), tmp_path / "out")
        assert prepare([videos], small(pairs={"gap": 3}), tmp_path / "out").pairs["train"] > 0

    def test_a_full_disk_loses_nothing(self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ssl_motion import fileio

        whole = prepare([videos], small(), tmp_path / "whole")
        calls = iter(range(1000))
        original = os.fsync

        def full(descriptor: int) -> None:
            # Scans, settings and the first shards fit; then the disk is full.
            if next(calls) > 14:
                raise OSError(errno.ENOSPC, "No space left on device")
            original(descriptor)

        monkeypatch.setattr(fileio.os, "fsync", full)
        with pytest.raises(RunError, match="No space left on device"):
            prepare([videos], small(), tmp_path / "out")
        monkeypatch.setattr(fileio.os, "fsync", original)
        result = prepare([videos], small(), tmp_path / "out")
        assert result.reused >= 1
        assert hashes(result.folder) == hashes(whole.folder)

    def test_two_runs_at_once(self, videos: Path, tmp_path: Path) -> None:
        folder = OutputFolder(tmp_path / "out")
        with folder.locked({"kind": "test"}), pytest.raises(RunError, match=rf"in use by process {os.getpid()} on "):
            prepare([videos], small(), tmp_path / "out")

    def test_output_folders_that_are_none(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for out, words in [("file", "is a file"), ("file/below", "below a file"), ("videos", "holds other things")]:
            with pytest.raises(UsageError, match=words):
                prepare([videos], small(), tmp_path / out)
        assert sorted(os.listdir(videos)) == [f"clip{number}.mkv" for number in range(4)]

    def test_a_dry_run_writes_nothing(self, videos: Path, tmp_path: Path) -> None:
        (videos / "empty.mp4").touch()
        plan = describe([videos], small(), tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert not plan["started"]
        assert [clip.get("problem") for clip in plan["clips"]] == [None] * 4 + ["empty file (0 bytes)"]
