"""LaTeX of the reports goes through pdfLaTeX with the packages that it names, prints names as they are, and fits."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ssl_motion.record import ResultRecord, read_record
from ssl_motion_reports.leaderboard import committed_records, write_leaderboard
from ssl_motion_reports.paper import write_paper
from ssl_motion_reports.published import published_records

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive-latex-recommended"
    ),
]
# Signs that LaTeX reads as commands, joins with their neighbours, or takes for the argument of what stands before.
NAMES = [
    "100%_of #1 & $x^2$ ~a {b} \\c",
    "[red]markup",
    "**bold** ± 1 → 2 ≤ 3 ≥ 2 \N{MINUS SIGN} 1 …",
    "-- --- ,, '' `` << >> \"q\"",
    "Œuvre ñ ß Žluťoučký kůň",
    "方法 Ελλάδα 🐎",
    "\\input{/etc/passwd}",
    "a_very_long_name_without_any_space_that_goes_on_and_on_and_on_and_on",
]
# What pdfLaTeX cannot print is named by its number; with bitmap fonts the text of a PDF has no accents and arrows.
PRINTED = {NAMES[2]: "**bold** ±", NAMES[4]: "uvre", NAMES[5]: "[U+65B9][U+6CD5]"}


@pytest.fixture(scope="module")
def records() -> list[ResultRecord]:
    return [read_record(file) for file in committed_records()]


def planted(records: list[ResultRecord], name: str) -> list[ResultRecord]:
    """Three seeds of a method of that name, under a protocol of that name."""
    seeds = [each for each in records if each.method == "cmp" and each.protocol_name == "puppets_fcn"][:3]
    changes = {"method": name, "protocol_name": name, "protocol": {"name": name}, "task": name}
    return [each.model_copy(update={**changes, "identity": f"{name}{place}"}) for place, each in enumerate(seeds)]


def compiled(table: Path) -> tuple[str, str]:
    """Compile a minimal document with the packages that the first line names; its text, and what LaTeX said."""
    source = table.read_text(encoding="utf-8")
    packages = re.findall(r"\\usepackage(?:\[\w+\])?\{[\w,]+\}", source.splitlines()[0])
    assert packages
    lines = ["\\documentclass{article}", *packages, "\\begin{document}", f"\\input{{{table.stem}}}", "\\end{document}"]
    (table.parent / "document.tex").write_text("\n".join(lines), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document"]
    done = subprocess.run(command, cwd=table.parent, capture_output=True, text=True, errors="replace", timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    text = ""
    if shutil.which("pdftotext"):
        said = subprocess.run(
            ["pdftotext", "-raw", "document.pdf", "-"], cwd=table.parent, capture_output=True, check=True
        )
        text = said.stdout.decode()
    return text, (table.parent / "document.log").read_text(encoding="utf-8", errors="replace")


def widest(log: str) -> float:
    """By how many points something stands over the margin."""
    return max(map(float, re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)), default=0.0)


def test_leaderboards_compile_and_fit(records: list[ResultRecord], tmp_path: Path) -> None:
    hostile = [each for name in NAMES for each in planted(records, name)]
    write_leaderboard([*records, *hostile, *published_records()], tmp_path)
    text, log = compiled(tmp_path / "leaderboard.tex")
    assert "Missing character" not in log
    assert widest(log) < 20  # points; only names in captions that cannot be broken stand out at all
    if text:
        for name in NAMES:
            assert PRINTED.get(name, name).replace(" ", "") in re.sub(r"\s", "", text), name
        assert "421 cells" not in text
        assert "44.5" in text


def test_the_papers_tables_compile_and_fit(records: list[ResultRecord], tmp_path: Path) -> None:
    (place,) = [number for number, each in enumerate(records) if each.identity == records[0].identity]
    hostile = [records[place].model_copy(update={"method": name, "identity": name}) for name in NAMES]
    write_paper([*records, *hostile], tmp_path)
    text, log = compiled(tmp_path / "paper.tex")
    assert "Missing character" not in log
    assert widest(log) < 5
    if text:
        assert "Ours (CMP)" in text
