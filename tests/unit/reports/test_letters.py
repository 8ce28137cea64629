"""What is resolved is said beside each row, in every format, and only where something can be said."""

import csv
import dataclasses
import io
import json

import pytest
from rich.console import Console

from ssl_motion.record import MetricValue, Pretraining
from ssl_motion_reports.board import build_board
from ssl_motion_reports.leaderboard import as_data, write_leaderboard
from ssl_motion_reports.terminal import print_board
from ssl_motion_reports.texts import how_to_read_letters

MEANS = {"cmp": 40.0, "walker": 40.2, "pathak": 30.0, "random": 20.0, "cmp, shuffled flow": 20.1}
EXPECTED = {
    "cmp": ("a", "better"),
    "walker": ("a", "better"),
    "pathak": ("b", "better"),
    "random": ("c", ""),
    "cmp, shuffled flow": ("c", "not told apart"),
}


@pytest.fixture
def records(make_record):
    return [make_record(name, seed, mean + 0.5 * (seed - 1)) for name, mean in MEANS.items() for seed in (0, 1, 2)]


def _said(group):
    return {entry.label: ("".join(entry.letters), entry.versus_random) for entry in group.entries}


def test_planted_groups_get_their_letters(records):
    (group,) = build_board(records).groups
    assert _said(group) == EXPECTED
    assert group.differences.spread == pytest.approx(0.5)
    assert group.differences.freedom == 10


def test_where_less_is_better_so_is_the_comparison_with_random(make_record):
    records = [
        make_record(
            name,
            seed,
            metrics=[MetricValue(name="EPE", value=mean + 0.1 * seed, unit="px", higher_is_better=False, primary=True)],
        )
        for name, mean in (("good", 1.0), ("random", 5.0), ("bad", 9.0))
        for seed in (0, 1, 2)
    ]
    (group,) = build_board(records).groups
    assert _said(group) == {"good": ("a", "better"), "random": ("b", ""), "bad": ("c", "worse")}


def test_one_seed_and_published_rows_get_no_statement(records, make_record, make_reported):
    single = make_record("lonely", 0, 90.0, scale="full")
    others = [record.model_copy(update={"scale": "full"}) for record in records]
    (group,) = build_board([single, make_reported("walker", 99.0), *others]).groups
    said = _said(group)
    assert said["lonely"] == ("", "")
    assert [entry.letters for entry in group.entries if entry.origin == "reported"] == [()]
    assert said["pathak"] == EXPECTED["pathak"]
    assert "2 rows without letters" in how_to_read_letters(group)
    (alone,) = build_board([single]).groups
    assert alone.differences is None
    assert how_to_read_letters(alone) == ""


def test_seeds_of_one_pretraining_get_no_statement(make_record):
    first = make_record(seed=0)
    tuned = [make_record(seed=seed).model_copy(update={"pretraining": first.pretraining}) for seed in (0, 1, 2)]
    rest = [make_record(name, seed, 10.0 + seed) for name in ("a", "random") for seed in (0, 1)]
    (group,) = build_board([*tuned, *rest]).groups
    assert _said(group)["cmp"] == ("", "")
    assert _said(group)["a"][0] == "a"


def test_seeds_that_share_a_pretraining_get_no_statement(make_record):
    """Two pretrainings behind three seeds, and a file of weights behind three seeds: fewer trunks than figures."""
    first = make_record(seed=0)
    third = make_record(seed=2).model_copy(update={"pretraining": first.pretraining})
    weights = Pretraining(data="ImageNet", flow_supervision="not used")
    files = [
        make_record("imagenet", seed, 50.0 + seed, spec={}).model_copy(
            update={"pretraining": weights, "spec": {"init": "imagenet", "seed": seed}}
        )
        for seed in (0, 1, 2)
    ]
    rest = [make_record(name, seed, 10.0 + seed) for name in ("a", "random") for seed in (0, 1)]
    (group,) = build_board([first, make_record(seed=1), third, *files, *rest]).groups
    assert {label: said for label, said in _said(group).items() if label in ("cmp", "imagenet")} == {
        "cmp": ("", ""),
        "imagenet": ("", ""),
    }
    assert _said(group)["a"][0] == _said(group)["random"][0] == "a", "a random start has no pretraining to share"
    remarks = {entry.label: entry.remarks for entry in group.entries}
    assert remarks["cmp"] == ("2 pretrainings for 3 seeds: they are not independent",)
    assert remarks["imagenet"] == ("one pretraining: the spread is that of fine-tuning alone",)


def test_every_format_says_it(records, tmp_path):
    files = {path.suffix: path for path in write_leaderboard(records, tmp_path)}
    markdown = files[".md"].read_text()
    assert "| letters | versus random |" in markdown
    assert "| b | better |" in markdown
    assert "Tukey" in markdown
    latex = files[".tex"].read_text()
    assert "& c & not told apart &" in latex
    assert "Letters: rows that share one" in latex
    lines = list(csv.DictReader(io.StringIO(files[".csv"].read_text())))
    primary = {line["method"]: (line["letters"], line["versus_random"]) for line in lines if line["metric"] == "mIoU"}
    assert primary == EXPECTED
    assert {line["letters"] for line in lines if line["metric"] != "mIoU"} == {""}
    page = files[".html"].read_text()
    assert '<td class="said">not told apart</td>' in page
    assert page.count('<p class="letters">') == 1
    for width, shown in ((200, ("letters", "versus random")), (80, ("letters",))):
        terminal = Console(file=io.StringIO(), width=width)
        print_board(build_board(records), terminal)
        text = terminal.file.getvalue()
        assert all(name in text for name in shown)
        assert "Tukey" in text
    entries = json.loads(json.dumps(as_data(build_board(records))))["groups"][0]["entries"]
    assert {entry["label"]: ("".join(entry["letters"]), entry["versus_random"]) for entry in entries} == EXPECTED


def test_only_columns_that_are_shown_are_explained(records):
    said = {}
    for width in (80, 200):
        terminal = Console(file=io.StringIO(), width=width)
        print_board(build_board(records), terminal)
        said[width] = " ".join(terminal.file.getvalue().split())
    assert "95 % intervals: of mIoU" in said[200]
    assert "95 % interval" not in said[80]
    assert "Letters: rows that share one" in said[80]


def test_why_two_least_differences_differ_is_said(records, make_record):
    (group,) = build_board(records).groups
    least = f"{group.differences.smallest:.2f}"
    assert f"No difference below {least} is resolved." in how_to_read_letters(group)
    (group,) = build_board([*records, make_record("cmp", 3, 40.0), make_record("pathak", 3, 30.0)]).groups
    least, enough = group.differences.smallest, group.differences.enough
    assert least < enough
    said = how_to_read_letters(group)
    assert f"separates differences above {enough:.2f}" in said
    assert (
        f"No difference below {least:.2f} is resolved; from there to {enough:.2f} it depends on the pair: how many "
        "seeds they have." in said
    )
    over_images = dataclasses.replace(group, differences=dataclasses.replace(group.differences, images=435))
    assert "how alike the two do on the same images" in how_to_read_letters(over_images)


def test_costs_of_pretraining_are_columns_and_facts(make_record, tmp_path):
    records = []
    for seed, (speed, memory) in enumerate([(100.0, 900.0), (200.0, 1000.0)]):
        record = make_record(seed=seed)
        known = {"images_per_second": speed, "peak_memory_mib": memory, "device": "cpu", "images_seen": 12800}
        records.append(record.model_copy(update={"pretraining": record.pretraining.model_copy(update=known)}))
    files = {path.suffix: path for path in write_leaderboard(records, tmp_path)}
    line = next(iter(csv.DictReader(io.StringIO(files[".csv"].read_text()))))
    assert {name: line[name] for name in ("images_seen", "images_per_second", "peak_memory_mib", "device")} == {
        "images_seen": "12800",
        "images_per_second": "150.0",
        "peak_memory_mib": "1000.0",
        "device": "cpu",
    }
    page = files[".html"].read_text()
    for fact in ('["images seen", "12,800"]', '["images per second", "150.00"]', '["peak memory", "1,000 MiB"]'):
        assert fact in page
