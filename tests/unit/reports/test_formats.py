"""Every format prints the same figures, and prints names as they are, whatever they contain."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from ssl_motion.errors import RunError
from ssl_motion.record import MetricValue
from ssl_motion_reports.board import build_board
from ssl_motion_reports.formatting import abridged, amount, duration, fact, figure, latex, markdown, number, plain
from ssl_motion_reports.leaderboard import as_data, write_leaderboard
from ssl_motion_reports.terminal import print_board

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "a|b || c\\",
    "\\input{/etc/passwd} \\newpage",
    "$x^2$ & 100% #1_a ~tilde^ {b}",
    "**bold** _it_ `code` [text](http://x.y) ![i](j) www.example.org",
    "[red]markup[/red]",
    "one\nline | two\r\n## three",
    "-- --- `` '' \"quoted\"",
    "&lt;b&gt; &amp; &#60;",
    "{{ 7 * 7 }} {% raw %}",
    "\u202eright to left\u202c \u200bhidden",
]


def _name(text):
    return " ".join(plain(text).split())


def _files(records, folder):
    return {
        path.suffix: path.read_bytes().decode()
        for path in write_leaderboard(records, folder)
        if path.suffix not in (".png", ".svg")
    }


class _Page(HTMLParser):
    """Collects the text of elements, and every tag."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.cells, self.scripts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("th", "td"):
            self.cells.append("")
        if tag == "script":
            self.scripts.append("")
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts[-1] += data
        elif "th" in self.open or "td" in self.open:
            self.cells[-1] += data


def test_a_planted_figure_is_in_every_format(make_record, make_reported, tmp_path, monkeypatch):
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    # Else other processes draw, whose texts are not seen from here.
    monkeypatch.setattr("ssl_motion_reports.forked._can_fork", lambda: False)
    drawn = []
    save = Figure.savefig

    def spy(self, *args, **options):
        drawn.extend(text.get_text() for text in self.findobj(Text))
        return save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    # Mean 61.37, sample standard deviation 0.42 exactly; a published 67.123 is printed as it is.
    records = [make_record("oddity", seed, 61.37 + (seed - 1) * 0.42) for seed in (0, 1, 2)]
    records.append(make_reported("elsewhere", 67.123))
    files = _files(records, tmp_path)
    assert set(files) == {".html", ".md", ".csv", ".tex"}
    assert "61.37 ± 0.42" in files[".md"]
    assert "61.37 $\\pm$ 0.42" in files[".tex"]
    assert "61.37 ± 0.42" in [cell.strip() for cell in _Page(files[".html"]).cells]
    assert "61.37 ± 0.42" in drawn
    (line,) = [
        row
        for row in csv.DictReader(io.StringIO(files[".csv"]))
        if row["method"] == "oddity" and row["metric"] == "mIoU"
    ]
    assert float(line["mean"]) == pytest.approx(61.37, abs=1e-9)
    assert float(line["std"]) == pytest.approx(0.42, abs=1e-9)
    assert (line["n"], line["rank"], line["scale"]) == ("3", "", "builtin")
    for suffix in (".md", ".tex", ".html", ".csv"):
        assert "67.123" in files[suffix]
    assert not any("67.1" in text for text in drawn)  # the picture shows own results alone
    terminal = Console(file=io.StringIO(), width=200)
    print_board(build_board(records), terminal)
    assert "61.37 ± 0.42" in terminal.file.getvalue()
    values = json.loads(json.dumps(as_data(build_board(records))))["groups"][0]["entries"][0]["metrics"]["mIoU"]
    assert values["mean"] == pytest.approx(61.37, abs=1e-9)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_printed_as_they_are(make_record, make_reported, tmp_path, name):
    protocol = {name: name, "other": 1}
    records = [make_record(name, seed, 40.0, protocol=protocol, protocol_name=name, task=name) for seed in (0, 1)]
    records.append(make_reported("x", of={"publication": name, "row": name, "confounds": name}))
    harmless = [
        make_record("m", seed, 40.0, protocol={"n": "n", "other": 1}, protocol_name="n", task="n") for seed in (0, 1)
    ]
    harmless.append(make_reported("x", of={"confounds": "n"}))
    files, plain_files = _files(records, tmp_path / "a"), _files(harmless, tmp_path / "b")

    page, other = _Page(files[".html"]), _Page(plain_files[".html"])
    assert name.replace("\r\n", "\n") in [cell.replace("\r\n", "\n") for cell in page.cells]
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in other.tags]  # no name became markup
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert page.scripts[1] == other.scripts[1]
    titles = [entry["title"] for entry in json.loads(page.scripts[0])["entries"].values()]
    assert name in titles

    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(files[".md"])
    inline = [token for token in tokens if token.type == "inline"]
    shown = [_name("".join(child.content for child in token.children)) for token in inline]
    assert _name(name) in shown
    assert {child.type for token in inline for child in token.children} <= {
        "text",
        "text_special",
        "strong_open",
        "strong_close",
        "code_inline",
    }
    other_tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(plain_files[".md"])
    assert [token.type for token in tokens] == [token.type for token in other_tokens]

    rows = list(csv.DictReader(io.StringIO(files[".csv"], newline="")))
    as_text = f"'{name}" if name[0] in "=+-@" else name
    assert as_text in {row["method"] for row in rows}
    assert _name(name) in {_name(_unlatex(cell)) for line in files[".tex"].splitlines() for cell in line.split(" & ")}
    terminal = Console(file=io.StringIO(), width=400)
    print_board(build_board(records), terminal)
    assert _name(name) in _name(terminal.file.getvalue())


@pytest.mark.parametrize("sign", "=+-@")
def test_a_spreadsheet_runs_no_name_as_a_formula(make_record, tmp_path, sign):
    metrics = [MetricValue(name="gain", value=-1.5, primary=True)]
    formula = f"{sign}1+cmd|' /C calc'!A0"
    files = _files([make_record(formula, seed, metrics=metrics) for seed in (0, 1)], tmp_path)
    (row,) = csv.DictReader(io.StringIO(files[".csv"]))
    assert row["method"] == f"'{formula}"
    assert (row["mean"], row["values"]) == ("-1.5", "-1.5 -1.5"), "figures stay figures"


_ESCAPES = {
    "\\textbackslash{}": "\\", "\\textasciitilde{}": "~", "\\textasciicircum{}": "^", "\\textless{}": "<",
    "\\textgreater{}": ">", "\\textbar{}": "|", "\\textquotedbl{}": '"', "\\textasciigrave{}": "`",
    "\\textquotesingle{}": "'", "{-}": "-", "{,}": ",", "{[}": "[", "{*}": "*", "$\\pm$": "±", "\\textdagger{}": "†",
    "{--}": "\N{EN DASH}", "--": "\N{EN DASH}", "\\ldots{}": "…",
    "$-$": "\N{MINUS SIGN}", "$\\leq$": "≤", "$\\geq$": "≥",
    **{"\\" + sign: sign for sign in "{}$&#%_"},
}  # fmt: skip
_ESCAPE = re.compile("|".join(re.escape(text) for text in sorted(_ESCAPES, key=len, reverse=True)))
_NAMED = re.compile(r"\\unicodesign\{[0-9A-F]{4,6}\}\{(.)\}", re.DOTALL)


def _unlatex(text):
    """What LaTeX would print; anything that is no known escape must be free of LaTeX's special signs."""
    bare = _NAMED.sub(r"\1", text.strip().removesuffix(" \\\\").replace("\\allowbreak{}", ""))
    return _ESCAPE.sub(lambda match: _ESCAPES[match.group()], bare)


@given(st.text(max_size=40) | st.text("-,\N{EN DASH}\N{EM DASH}…[*\\{}_", max_size=12))
def test_latex_escapes_are_complete_and_lose_nothing(text):
    escaped = latex(text)
    assert not re.search(r"[\\{}$&#%_~^<>|\"`'*\[]|--|,,", _ESCAPE.sub(" ", _NAMED.sub(" ", escaped)))
    assert _unlatex(escaped) == plain(text).strip()


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_markdown_escapes_lose_nothing(text):
    table = f"| a | b |\n|---|---|\n| {markdown(text)} | end |\n"
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(table)
    cells = ["".join(child.content for child in token.children) for token in tokens if token.type == "inline"]
    assert cells[2:] == [plain(text).strip(), "end"]


def test_the_same_records_give_the_same_bytes(make_record, make_reported, tmp_path):
    records = [make_record(method, seed, 10.0 + seed) for method in ("cmp", "random") for seed in (0, 1)]
    first = write_leaderboard([*records, make_reported()], tmp_path / "a")
    second = write_leaderboard([*reversed(records), make_reported()], tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    assert {path.suffix for path in first} == {".html", ".md", ".csv", ".tex", ".png", ".svg"}
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_figures_link_to_their_records(make_record, tmp_path):
    records = [make_record(seed=0), make_record(seed=1)]
    runs = tmp_path / "runs with space" / "transfer"
    sources = {}
    for record in records:
        file = runs / f"cmp-{record.identity}" / "record.json"
        file.parent.mkdir(parents=True)
        file.write_text(record.model_dump_json())
        sources[record.identity] = file
    sources["feedbeeffeedbeef"] = tmp_path / "not there.json"
    write_leaderboard(records, tmp_path / "out", sources=sources)
    address = f"../runs%20with%20space/transfer/cmp-{records[0].identity}/record.json"
    assert f"[seed 0]({address})" in (tmp_path / "out" / "leaderboard.md").read_text()
    panels = json.loads(_Page((tmp_path / "out" / "leaderboard.html").read_text()).scripts[0])
    (entry,) = panels["entries"].values()
    assert entry["records"][0]["file"] == address
    folds = dict(entry["records"][0]["folds"])
    assert panels["protocols"][entry["protocol"]] == records[0].protocol
    assert folds["spec"] == records[0].spec
    assert folds["pretraining"]["spec"]["iterations"] == 800
    assert ["code", "c0ffee" * 6 + "abcd"] in entry["records"][0]["facts"]


def test_the_page_fetches_nothing(make_record, make_reported, tmp_path):
    text = _files([make_record(), make_reported()], tmp_path)[".html"]
    page = _Page(text)
    addresses = [
        value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href", "srcset")
    ]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "url(" not in text
    assert "@import" not in text
    policy = next(attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_no_picture_of_published_numbers_alone(make_record, make_reported, tmp_path):
    write_leaderboard([make_record()], tmp_path)
    assert (tmp_path / "leaderboard.png").read_bytes().startswith(b"\x89PNG")
    files = write_leaderboard([make_reported()], tmp_path)
    assert not [path for path in files if path.suffix == ".png"]
    assert not (tmp_path / "leaderboard.png").exists()  # the old one would not belong to the new tables


@pytest.mark.parametrize("values", [[50.0], [50.0, 50.0], [0.0, 0.0], [-3.0, -1.0], [1e-6, 3e-6], [99999.0, 1.0]])
def test_the_picture_copes_with_odd_values(make_record, tmp_path, values):
    files = write_leaderboard([make_record(seed=seed, value=value) for seed, value in enumerate(values)], tmp_path)
    assert {"leaderboard.png", "cost.png"} <= {path.name for path in files}


def test_numbers_are_printed_as_people_write_them():
    assert [amount(n) for n in (None, 8000, 1_260_000, 3_220_000, 1_600_000)] == [
        "?",
        "8,000",
        "1.26M",
        "3.22M",
        "1.6M",
    ]
    assert [duration(s) for s in (None, 41.7, 200, 7500)] == ["", "42 s", "3 min 20 s", "2 h 05 min"]
    assert [number(v, measured=False) for v in (44.5, 67.16, 49.0, 79.70)] == ["44.5", "67.16", "49.0", "79.7"]
    assert figure(36.125, None) == "36.12"
    assert figure(36.0, 1.25) == "36.00 ± 1.25"
    assert number(float("nan")) == "-"


def test_facts_of_a_protocol_are_readable():
    head = {"type": "FCNHead", "channels": 64, "norm": {"type": "BN", "eps": None}, "resize": []}
    assert fact(head) == "FCNHead(channels=64, norm=BN())"
    assert abridged(head) == "FCNHead"
    assert abridged([head, {"type": "Flip", "prob": 0.5}]) == "FCNHead, Flip"
    assert fact({"a": 1, "b": [2, 3]}) == "a=1, b=2, 3"
    assert (fact(None), fact({}), fact(False), fact(0)) == ("", "", "False", "0")
    assert len(abridged("x" * 100)) == 48


def test_a_folder_that_cannot_be_written_is_named(make_record, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"cannot write .*/file: Not a directory"):
        write_leaderboard([make_record()], tmp_path / "file")
