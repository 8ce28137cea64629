"""A board as LaTeX: one floating table for each protocol, no wider than a line of text."""

from collections.abc import Mapping, Sequence

from ssl_motion.record import MetricValue
from ssl_motion_reports.formatting import LATEX_SIGN, latex, latex_breaking
from ssl_motion_reports.shapes import Board, Group
from ssl_motion_reports.texts import (
    HOW_TO_READ,
    cost,
    heading,
    how_to_read_letters,
    learned_from,
    letter_cells,
    letter_columns,
    origin,
    ranks,
    shown,
)

# LaTeX holds back at most some dozens of floats that it could not place yet.
_FLOATS_IN_A_ROW = 12
Column = tuple[str, Sequence[str]]
_LONG = 40
"""Characters that stay on one line."""
_BESIDE = 5
"""Columns of figures and words that one table holds beside ranks and names."""
_FITTED = (
    r"\providecommand{\fitted}[1]{\sbox0{#1}"
    r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi}"
)
"""Prints a table as large as it is, and a wider one than the line as wide as the line."""


def to_latex(board: Board) -> str:
    """Write a board as LaTeX tables (packages: booktabs, graphicx, textcomp; T1 font encoding).

    A column that says the same of all rows stands in the caption.
    """
    lines = [
        "% Needs \\usepackage{booktabs,graphicx,textcomp} and \\usepackage[T1]{fontenc}.",
        f"% {HOW_TO_READ}",
        LATEX_SIGN,
        _FITTED,
    ]
    for place, group in enumerate(board.groups):
        if place and place % _FLOATS_IN_A_ROW == 0:
            lines.append("\\clearpage")
        lines += _table(group)
    return "\n".join(lines) + "\n"


def _table(group: Group) -> list[str]:
    columns, common = _texts(group)
    caption = f"{group.title}. Protocol {group.fingerprint}" + "".join(f"; {remark}" for remark in group.remarks) + "."
    caption += "".join(f" All rows: {name} {text}." for name, text in common.items())
    if explanation := how_to_read_letters(group):
        caption += f" {explanation}"
    label = [f"  \\label{{tab:{group.task.replace('_', '-')}-{group.fingerprint}}}"] if _is_label(group.task) else []
    # Where a row comes from stands in a second part below where one would be too wide to be read.
    beside = list(columns) if len(columns) + len(group.metrics) <= _BESIDE else list(letter_columns(group))
    first = {name: cells for name, cells in columns.items() if name in beside}
    second = {name: cells for name, cells in columns.items() if name not in beside}
    methods = ("method", [latex_breaking(entry.label) for entry in group.entries])
    named = _column([entry.label for entry in group.entries])
    figures = [(heading(metric), _figures(metric, group)) for metric in group.metrics]
    ranked = [("rank", [latex(ranks(entry)) for entry in group.entries])] if group.ranked else []
    alignment = "r" * len(ranked) + named + "r" * len(figures) + "".join(map(_column, first.values()))
    parts = _part([*ranked, methods, *figures, *_words(first)], alignment)
    if second:
        parts += [
            "  \\par\\medskip",
            *_part([methods, *_words(second)], named + "".join(map(_column, second.values()))),
        ]
    start = ["\\begin{table}[htbp]", "  \\centering", f"  \\caption{{{latex_breaking(caption)}}}", *label]
    return [*start, "  \\footnotesize\\vspace{1ex}", *parts, "\\end{table}", ""]


def _part(columns: Sequence[Column], alignment: str) -> list[str]:
    """A part of a table: heads with their cells, which are escaped."""
    return [
        f"  \\fitted{{\\begin{{tabular}}{{{alignment}}}",
        "    \\toprule",
        "    " + " & ".join(latex(head) for head, _ in columns) + " \\\\",
        "    \\midrule",
        *("    " + " & ".join(row) + " \\\\" for row in zip(*(cells for _, cells in columns), strict=True)),
        "    \\bottomrule",
        "  \\end{tabular}}",
    ]


def _words(columns: Mapping[str, Sequence[str]]) -> list[Column]:
    return [(name, [latex_breaking(cell) for cell in cells]) for name, cells in columns.items()]


def _figures(metric: MetricValue, group: Group) -> list[str]:
    texts = [latex(shown(entry, metric)) for entry in group.entries]
    best = [entry.rank == 1 and metric.name == group.primary for entry in group.entries]
    return [f"\\textbf{{{text}}}" if is_best else text for text, is_best in zip(texts, best, strict=True)]


def _texts(group: Group) -> tuple[dict[str, Sequence[str]], dict[str, str]]:
    """Columns of words by their heads, and those that say one thing of all rows."""
    said = [letter_cells(entry, group) for entry in group.entries]
    columns: dict[str, Sequence[str]] = {
        name: [cells[place] for cells in said] for place, name in enumerate(letter_columns(group))
    }
    columns["learned from"] = [learned_from(entry) for entry in group.entries]
    columns["flow supervision"] = [entry.flow_supervision for entry in group.entries]
    columns["cost"] = [cost(entry) for entry in group.entries]
    columns["origin"] = [origin(entry) for entry in group.entries]
    columns["remarks"] = ["; ".join(entry.remarks) for entry in group.entries]
    same = {name: cells[0] for name, cells in columns.items() if len(set(cells)) == 1 and (cells[1:] or not cells[0])}
    return (
        {name: cells for name, cells in columns.items() if name not in same},
        {name: text for name, text in same.items() if text},
    )


def _column(cells: Sequence[str]) -> str:
    """How a column of words is set: long ones as paragraphs, which would make the table tiny otherwise."""
    return "p{16em}" if max(map(len, cells)) > _LONG else "l"


def _is_label(task: str) -> bool:
    return task.replace("_", "").isalnum() and task.isascii()
