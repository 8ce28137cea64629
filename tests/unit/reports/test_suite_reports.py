"""What a finished suite writes: rows of included suites in its leaderboard."""

import json
from pathlib import Path

from ssl_motion.cli.suite_reports import write_reports
from ssl_motion.executors import JobStatus
from ssl_motion.sweep import load_suite, plan


def test_baselines_of_an_included_suite_stand_beside_its_rows_and_variants_do_not(make_record, tmp_path: Path) -> None:
    part = {
        "title": "part",
        "transfer": [{"task": "voc_fcn", "task_config": {"preset": "puppets_fcn"}, "inits": ["few", "random"]}],
    }
    part["pretrain"] = {"few": {"config": "cmp_puppets", "set": {"iterations": 9}}}
    part["puppets"] = {"size": 32}
    whole = {**part, "title": "whole", "include": [str(tmp_path / "part.yaml")]}
    whole["pretrain"] = {"cmp": {"config": "cmp_puppets"}}
    whole["transfer"] = [{**part["transfer"][0], "inits": ["cmp"]}]
    for name, content in (("part", part), ("whole", whole)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content))
    suite = load_suite(str(tmp_path / "whole.yaml"))
    made = {"cmp": make_record(value=31.0), "few": make_record(value=32.0, spec={"iterations": 9})}
    made["random"] = make_record("random", value=33.0)
    statuses = []
    for job in plan(suite):
        if job.verb == "transfer":
            start = next(start for start in made if f"from {start} " in job.name)
            run = tmp_path / "runs" / "transfer" / start
            run.mkdir(parents=True)
            (run / "record.json").write_text(made[start].model_dump_json())
            statuses.append(JobStatus(job, tmp_path / "log", "done", str(run)))
    write_reports("whole", statuses, suite, tmp_path / "out", as_json=True)
    board = (tmp_path / "out" / "leaderboard.csv").read_text()
    assert ("31.0" in board, "33.0" in board, "32.0" in board) == (True, True, False)
    pages = "".join(page.read_text() for page in (tmp_path / "out" / "site").rglob("*.html"))
    assert "32.0" in pages
