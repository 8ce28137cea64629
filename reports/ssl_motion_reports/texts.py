"""A board as text: Markdown and CSV (`latex_tables` has LaTeX)."""

import csv
import io
from collections.abc import Mapping, Sequence
from os.path import relpath
from pathlib import Path
from urllib.parse import quote

from ssl_motion.record import MetricValue
from ssl_motion_reports.differences import Differences
from ssl_motion_reports.formatting import abridged, amount, duration, figure, markdown, number
from ssl_motion_reports.shapes import Board, Entry, Group
from ssl_motion_reports.statistics.bootstrap import Interval

REPORTED = "less the reported"
"""Head of the column that compares with published numbers."""
HOW_TO_READ = (
    "Figures are means over seeds with their sample standard deviation. Ranks hold inside one table only: each table "
    "is one protocol, named by its fingerprint. Published numbers are as printed, and stand in the same table as "
    "reproduced ones only where the whole protocol is known to agree."
)


def link(target: Path, folder: Path) -> str:
    """Address of a file for a page that lies in `folder`: relative, with "/" and escaped signs."""
    return quote(Path(relpath(target.resolve(), folder.resolve())).as_posix())


def links(sources: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Addresses of many files for a page in `folder`, by the names that the files have in `sources`."""
    # Thousands of records lie in few folders: only these are resolved one by one.
    folders = {parent: link(parent, folder) for parent in {target.parent for target in sources.values()}}
    return {
        name: link(target, folder)
        if target.is_symlink()
        else f"{folders[target.parent]}/{quote(target.name)}".removeprefix("./")
        for name, target in sources.items()
    }


def shown(entry: Entry, metric: MetricValue) -> str:
    """A figure of an entry as text; empty where it was not measured."""
    value = entry.values.get(metric.name)
    return "" if value is None else figure(value.mean, value.std, measured=entry.origin == "reproduced")


def heading(metric: MetricValue) -> str:
    """Name, unit and direction of a metric."""
    unit = f" ({metric.unit})" if metric.unit else ""
    return metric.name + unit + ("" if metric.higher_is_better else ", lower is better")


def facts_line(group: Group) -> str:
    """The protocol in one line, abridged; the page has it in full."""
    return "; ".join(f"{name}: {text}" for name, value in sorted(group.facts.items()) if (text := abridged(value)))


def learned_from(entry: Entry) -> str:
    """Data and amount that the features were learned from."""
    if entry.pairs is None:
        return entry.data
    return f"{entry.data}, {amount(entry.pairs)}"


def cost(entry: Entry) -> str:
    """Wall time of pretraining and transfer, means over seeds."""
    parts = [duration(entry.pretraining_seconds), duration(entry.transfer_seconds)]
    return " + ".join(part for part in parts if part)


def origin(entry: Entry) -> str:
    """Where an entry's figures come from: seeds, or the publication."""
    if entry.origin == "reported":
        return entry.source
    return f"reproduced, {len(entry.records)} seed{'s' if len(entry.records) != 1 else ''}"


def letters(entry: Entry) -> str:
    """The letters of an entry in one word."""
    return ("" if all(len(letter) == 1 for letter in entry.letters) else " ").join(entry.letters)


def ranks(entry: Entry) -> str:
    """The rank of an entry, and in brackets those that are possible; empty where it has none."""
    if entry.rank is None:
        return ""
    return str(entry.rank) + (f" ({spanned(entry.rank_interval)})" if entry.rank_interval else "")


def spanned(places: tuple[int, int]) -> str:
    """First and last of some places, or the only one."""
    return str(places[0]) if places[0] == places[1] else f"{places[0]}\N{EN DASH}{places[1]}"


def interval(entry: Entry, group: Group) -> str:
    """The interval of an entry, with what it is over where that is not the group's usual; empty where it has none."""
    known = entry.interval
    if known is None:
        return ""
    over = "" if known.sources == group.usual_sources else f" ({' and '.join(known.sources)})"
    return f"{number(known.low)} to {number(known.high)}{over}"


def reported(entry: Entry) -> str:
    """How far an entry is from the published numbers that it repeats, and what speaks against comparing the two."""
    return "; ".join(
        f"{each.difference:+.1f} from {number(each.value, measured=False)} in {each.source} ({'; '.join(each.differs)})"
        for each in entry.reported
    )


_OVER = {
    ("seeds", "images"): "for other seeds and other test images",
    ("seeds",): "for other seeds on these test images",
    ("images",): "for these networks on other test images",
}


def how_compared(known: Differences) -> str:
    """By which test rows are told apart, the same words in every format."""
    return ("over seeds and test images" if known.images else "Tukey's HSD over seeds") + ", family-wise 95 %"


def how_to_read_letters(group: Group, columns: Sequence[str] | None = None) -> str:
    """What the letters, ranks and intervals of a group mean, and what it resolves; empty where it has none.

    Args:
        group: a table.
        columns: of `letter_columns` those that the table shows; all by default. Nothing else is explained.
    """
    known, usual = group.differences, group.usual_sources
    shown_columns = letter_columns(group) if columns is None else columns
    parts = [group.resolution] if group.resolution else []
    if known is not None and "letters" in shown_columns:
        silent = sum(not entry.letters for entry in group.entries)
        rest = f"; {silent} row{'s' if silent > 1 else ''} without letters: too few seeds of its own" if silent else ""
        parts.append(
            f"Letters: rows that share one are not told apart in {group.primary} ({how_compared(known)}; pooled "
            f"spread {number(known.spread)}){rest}. {_least(known)}"
        )
    if any(entry.rank_interval for entry in group.entries):
        parts.append("In brackets behind a rank: all that are possible, by the same comparison.")
    if usual and "95 % interval" in shown_columns:
        parts.append(f"95 % intervals: of {group.primary}, {_OVER[usual]}.")
    return " ".join(parts)


def _least(known: Differences) -> str:
    """The least difference that is resolved, and why it is not the one that is resolved between any two rows."""
    least, enough = number(known.smallest), number(known.enough)
    if least == enough:
        return f"No difference below {least} is resolved."
    alike = "how alike the two do on the same images, and " if known.images else ""
    return (
        f"No difference below {least} is resolved; from there to {enough} it depends on the pair: {alike}how many "
        "seeds they have."
    )


def letter_columns(group: Group) -> tuple[str, ...]:
    """Heads of the columns that say how sure a group's figures are, and how far from published ones, where known."""
    versus = ("versus random",) if any(entry.versus_random for entry in group.entries) else ()
    told_apart = ("letters", *versus) if group.differences is not None else ()
    sure = (*told_apart, *(("95 % interval",) if group.usual_sources else ()))
    return (*sure, *((REPORTED,) if any(entry.reported for entry in group.entries) else ()))


def letter_cells(entry: Entry, group: Group) -> list[str]:
    """An entry's cells of `letter_columns`."""
    cells = {"letters": letters(entry), "versus random": entry.versus_random, "95 % interval": interval(entry, group)}
    cells[REPORTED] = reported(entry)
    return [cells[name] for name in letter_columns(group)]


_COLUMNS = ("learned from", "flow supervision", "cost", "origin", "remarks")


def to_markdown(
    board: Board, addresses: Mapping[str, str], title: str = "Leaderboard", notes: Sequence[str] = ()
) -> str:
    """Write a board as Markdown; seeds link to their records where these have an address (identity -> address)."""
    lines = [f"# {markdown(title)}", "", HOW_TO_READ, ""]
    lines += [*(f"- {markdown(note)}" for note in notes), ""] if notes else []
    for task in board.tasks:
        lines += [f"## {markdown(task.title)}", ""]
        for group in task.groups:
            lines += [f"### {markdown(group.title)}", ""]
            lines += [f"Protocol `{group.fingerprint}`: {markdown(facts_line(group))}", ""]
            lines += [f"- {markdown(remark)}" for remark in group.remarks]
            lines += [""] if group.remarks else []
            names = ["rank", "method"]
            names += [
                f"**{markdown(heading(m))}**" if m.name == group.primary else markdown(heading(m))
                for m in group.metrics
            ]
            texts = [*letter_columns(group), *_COLUMNS]
            names += texts
            lines.append("| " + " | ".join(names) + " |")
            lines.append("|" + "|".join(["---:", "---"] + ["---:"] * len(group.metrics) + ["---"] * len(texts)) + "|")
            lines += [_markdown_row(entry, group, addresses) for entry in group.entries]
            lines.append("")
            if explanation := how_to_read_letters(group):
                lines += [markdown(explanation), ""]
    return "\n".join(lines)


def _markdown_row(entry: Entry, group: Group, addresses: Mapping[str, str]) -> str:
    seeds = []
    for record in entry.records:
        if record.identity in addresses:
            name = "record" if record.seed is None else f"seed {record.seed}"
            seeds.append(f"[{name}]({addresses[record.identity]})")
    where = markdown(origin(entry)) + (": " + ", ".join(seeds) if seeds else "")
    cells = [ranks(entry), markdown(entry.label), *(shown(entry, metric) for metric in group.metrics)]
    cells += letter_cells(entry, group)
    cells += [markdown(learned_from(entry)), markdown(entry.flow_supervision), cost(entry), where]
    cells += [markdown("; ".join(entry.remarks))]
    return "| " + " | ".join(cells) + " |"


def csv_name(text: str) -> str:
    """Keep a spreadsheet from running a name as a formula; an apostrophe in front makes it text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def to_csv(board: Board) -> str:
    """Write a board as CSV: one line for each entry and metric, figures in full precision."""
    columns = ["task", "protocol", "fingerprint", "scale", "backbone", "rank", "method", "label", "origin", "metric"]
    columns += ["unit", "primary", "mean", "std", "n", "seeds", "values", "pretraining_data", "pairs"]
    columns += ["flow_supervision", "pretrainings", "pretraining_seconds", "transfer_seconds", "source", "remarks"]
    columns += ["images_seen", "images_per_second", "peak_memory_mib", "device", "letters", "versus_random", "records"]
    columns += ["rank_low", "rank_high", "interval_low", "interval_high", "interval_over", "resolution", "reported"]
    columns += ["less_reported", "reported_in", "reported_differs"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    name = csv_name
    for group in board.groups:
        for entry in group.entries:
            for metric in group.metrics:
                value = entry.values.get(metric.name)
                if value is None:
                    continue
                line: list[object] = [name(group.task), name(group.name), group.fingerprint, group.scale]
                line += [name(group.backbone), entry.rank, name(entry.method), name(entry.label), entry.origin]
                line += [name(metric.name), name(metric.unit), metric.name == group.primary]
                line += [value.mean, value.std, len(value.values), " ".join(map(str, entry.seeds))]
                line += [" ".join(map(repr, value.values)), name(entry.data), entry.pairs, name(entry.flow_supervision)]
                line += [entry.pretrainings, entry.pretraining_seconds, entry.transfer_seconds, name(entry.source)]
                line += [name("; ".join(entry.remarks)), entry.images_seen, entry.images_per_second]
                line += [entry.peak_memory_mib, name(entry.device)]
                # They are about the metric that ranks.
                ranking = metric.name == group.primary
                line += [letters(entry), entry.versus_random] if ranking else ["", ""]
                line.append(" ".join(record.identity for record in entry.records))
                line += [*(entry.rank_interval or ("", "")), *_interval_cells(entry.interval)] if ranking else [""] * 5
                line.append(name(group.resolution) if ranking else "")
                line += _reported_cells(entry) if ranking else [""] * 4
                writer.writerow(line)
    return text.getvalue()


def _reported_cells(entry: Entry) -> list[object]:
    rows = entry.reported
    numbers = [" ".join(map(repr, each)) for each in ([row.value for row in rows], [row.difference for row in rows])]
    differs = " | ".join("; ".join(row.differs) for row in rows)
    return [*numbers, csv_name(" | ".join(row.source for row in rows)), csv_name(differs)]


def _interval_cells(known: Interval | None) -> list[object]:
    return ["", "", ""] if known is None else [known.low, known.high, " and ".join(known.sources)]
