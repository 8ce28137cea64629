"""The papers' tables as Markdown, CSV, LaTeX and a fragment of HTML."""

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ssl_motion_reports.formatting import LATEX_SIGN, latex, latex_breaking, markdown, number, plain
from ssl_motion_reports.paper.tables import Line, PaperTable
from ssl_motion_reports.texts import csv_name, link

HOW_TO_READ = (
    "Printed rows are as published. Rows that were measured with this software stand below the printed row of their "
    "method, marked by an arrow: means over seeds with their sample standard deviation. Only rows of one protocol "
    "(named by its fingerprint) are comparable with each other; rows of the built-in world and scaled-down ones are "
    "comparable with no printed number."
)
OTHERS = "Measured here; the paper has no such row"
ARROW = "\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}"
COLUMNS = [
    *("publication", "table", "place", "origin", "row", "supervision", "column", "value", "n", "seeds", "values"),
    *(
        "low",
        "high",
        "level",
        "interval_over",
        "learned_from",
        "protocol",
        "scale",
        "fingerprint",
        "remarks",
        "records",
    ),
]
_TEXTS = ("supervision", "learned from", "protocol", "remarks")


def _shown(line: Line, name: str) -> str:
    found = line.figures.get(name)
    return "" if found is None else found.text


def _protocol(line: Line) -> str:
    if line.origin == "reported":
        return ""
    seeds = f"{len(line.seeds)} seed{'s' if len(line.seeds) != 1 else ''}"
    return f"{line.protocol}, {seeds} (protocol {line.fingerprint})"


def _intervals(line: Line) -> list[str]:
    """Intervals of a line's figures, in words."""
    return [
        f"{found.interval.level:.0%} interval{f' in {name}' if len(line.figures) > 1 else ''} over "
        f"{' and '.join(found.interval.sources)}: {number(found.interval.low)} to {number(found.interval.high)}"
        for name, found in line.figures.items()
        if found.interval is not None
    ]


def _cells(line: Line) -> list[str]:
    return [line.supervision, line.learned_from, _protocol(line), "; ".join((*line.remarks, *_intervals(line)))]


def to_markdown(tables: Sequence[PaperTable], folder: Path, sources: Mapping[str, Path]) -> str:
    """Write tables as Markdown; reproduced rows link to their records where these lie on disk."""
    lines = ["# The papers' tables, with reproduced rows", "", markdown(HOW_TO_READ), ""]
    for table in tables:
        layout = table.layout
        lines += [f"## {markdown(f'{layout.publication}, {layout.table}')}", "", markdown(layout.title), ""]
        heads = ["row", *(column.heading for column in layout.columns), *_TEXTS]
        lines.append("| " + " | ".join(markdown(head) for head in heads) + " |")
        lines.append("|" + "|".join(["---"] + ["---:"] * len(layout.columns) + ["---"] * len(_TEXTS)) + "|")
        lines += [_markdown_row(line, table, folder, sources) for line in table.lines]
        if table.others:
            lines.append("| " + " | ".join([f"*{OTHERS}*"] + [""] * (len(heads) - 1)) + " |")
            lines += [_markdown_row(line, table, folder, sources) for line in table.others]
        lines.append("")
        lines += [f"- {markdown(remark)}" for remark in table.remarks]
        lines += [""] if table.remarks else []
    return "\n".join(lines)


def _markdown_row(line: Line, table: PaperTable, folder: Path, sources: Mapping[str, Path]) -> str:
    links = [
        f"[seed {record.seed}]({link(sources[record.identity], folder)})"
        for record in line.records
        if record.identity in sources
    ]
    texts = [markdown(text) for text in _cells(line)]
    texts[2] += ": " + ", ".join(links) if links else ""
    label = markdown(line.label) if line.origin == "reported" else f"{ARROW} **{markdown(line.label)}**"
    return "| " + " | ".join([label, *(_shown(line, column.name) for column in table.layout.columns), *texts]) + " |"


def to_csv(tables: Sequence[PaperTable]) -> str:
    """Write tables as CSV: one line for each number, in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for table in tables:
        for place, line in enumerate(table.all_lines, start=1):
            for name, found in line.figures.items():
                interval = found.interval
                row: list[object] = [table.layout.publication, table.layout.table, place, line.origin]
                row += [csv_name(line.label), csv_name(line.supervision), name, found.value, len(line.seeds) or ""]
                row += [" ".join(map(str, line.seeds)), " ".join(map(repr, found.values))]
                row += [interval.low, interval.high, interval.level] if interval else ["", "", ""]
                row += [" ".join(interval.sources) if interval else "", csv_name(line.learned_from)]
                row += [csv_name(line.protocol), line.scale, line.fingerprint, csv_name("; ".join(line.remarks))]
                writer.writerow([*row, " ".join(record.identity for record in line.records)])
    return text.getvalue()


def to_latex(tables: Sequence[PaperTable]) -> str:
    """Write tables as LaTeX (packages: array, booktabs, longtable, textcomp; T1 font encoding).

    They are as wide as a line of text, and break over pages.
    """
    lines = [
        "% Needs \\usepackage{array,booktabs,longtable,textcomp} and \\usepackage[T1]{fontenc}.",
        f"% {HOW_TO_READ}",
        LATEX_SIGN,
    ]
    for table in tables:
        layout = table.layout
        heads = ["row", *(column.heading for column in layout.columns), "protocol"]
        caption = f"{layout.title}: {layout.publication}, {layout.table}, with reproduced rows (indented)."
        lines += [
            "{\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\begin{{longtable}}{{{_latex_columns(len(layout.columns))}}}",
            f"  \\caption{{{latex(caption)}}}\\label{{tab:{layout.name.replace('_', '-')}}}\\\\",
            "  \\toprule",
            "  " + " & ".join(latex(head) for head in heads) + " \\\\",
            "  \\midrule",
            "  \\endhead",
        ]
        lines += [_latex_row(line, table) for line in table.lines]
        if table.others:
            lines += ["  \\midrule", f"  \\multicolumn{{{len(heads)}}}{{l}}{{\\emph{{{latex(OTHERS)}}}}} \\\\"]
            lines += [_latex_row(line, table) for line in table.others]
        lines += ["  \\bottomrule", "\\end{longtable}}", ""]
    return "\n".join(lines)


def _latex_columns(figures: int) -> str:
    """Columns that fill a line together: the row's name, figures, the protocol; all of them break where they must."""
    figure = min(0.16, 0.5 / figures)
    words = (1 - figures * figure) / 2
    shares = [words, *[figure] * figures, words]
    sides = ["raggedright", *["raggedleft"] * figures, "raggedright"]
    return "".join(
        f">{{\\{side}\\arraybackslash}}p{{\\dimexpr{share:.3f}\\linewidth-2\\tabcolsep}}"
        for side, share in zip(sides, shares, strict=True)
    )


def _latex_row(line: Line, table: PaperTable) -> str:
    indent = "" if line.origin == "reported" else "\\quad "
    figures = [latex(_shown(line, column.name)) for column in table.layout.columns]
    return "  " + " & ".join([indent + latex_breaking(line.label), *figures, latex_breaking(_protocol(line))]) + " \\\\"


def to_html(tables: Sequence[PaperTable], folder: Path, sources: Mapping[str, Path]) -> str:
    """Write tables as a fragment of HTML: one <section> each, without styles, in ASCII, for any page to take in."""
    parts = [f'<p class="how-to-read">{_html(HOW_TO_READ)}</p>']
    for table in tables:
        layout = table.layout
        heads = ["row", *(column.heading for column in layout.columns), *_TEXTS]
        parts += [
            f'<section class="paper-table" id="{layout.name}">',
            f"<h2>{_html(f'{layout.publication}, {layout.table}')}</h2>",
            "<table>",
            f"<caption>{_html(layout.title)}</caption>",
            "<thead><tr>" + "".join(f'<th scope="col">{_html(head)}</th>' for head in heads) + "</tr></thead>",
            "<tbody>",
            *(_html_row(line, table, folder, sources) for line in table.lines),
        ]
        if table.others:
            parts.append(f'<tr class="others"><th scope="colgroup" colspan="{len(heads)}">{_html(OTHERS)}</th></tr>')
            parts += [_html_row(line, table, folder, sources) for line in table.others]
        parts += ["</tbody>", "</table>", *(f"<p>{_html(remark)}</p>" for remark in table.remarks), "</section>"]
    return "\n".join(parts) + "\n"


def _html(text: str) -> str:
    return escape(plain(text)).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _html_row(line: Line, table: PaperTable, folder: Path, sources: Mapping[str, Path]) -> str:
    figures = "".join(f'<td class="figure">{_html(_shown(line, column.name))}</td>' for column in table.layout.columns)
    texts = [_html(text) for text in _cells(line)]
    links = [
        f'<a href="{_html(link(sources[record.identity], folder))}">seed {record.seed}</a>'
        for record in line.records
        if record.identity in sources
    ]
    texts[2] += ": " + ", ".join(links) if links else ""
    label = ("" if line.origin == "reported" else f"{ARROW} ") + line.label
    cells = "".join(f"<td>{text}</td>" for text in texts)
    return f'<tr class="{line.origin}"><th scope="row">{_html(label)}</th>{figures}{cells}</tr>'
