"""A board on a terminal."""

from rich.console import Console, RenderableType
from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from ssl_motion_reports.collector import paused_collector
from ssl_motion_reports.formatting import plain
from ssl_motion_reports.shapes import Board, Group
from ssl_motion_reports.texts import (
    REPORTED,
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

# Below this width data and cost give way, so that figures stay on one line.
WIDE = 120
# More tables than this nobody reads on a terminal.
MOST = 16


@paused_collector()
def print_board(board: Board, console: Console | None = None) -> None:
    """Print the groups that hold own results, and say how many others there are; all of them where none is ours."""
    console = console or Console()
    own = [group for group in board.groups if group.reproduced]
    shown_groups = (own or board.groups)[:MOST]
    for group in shown_groups:
        console.print(_group(group, wide=console.width >= WIDE))
    if more := len(own or board.groups) - len(shown_groups):
        console.print(f"{more} more tables like these are in the written leaderboard.", style="dim")
    rest = len(board.groups) - len(own)
    if own and rest:
        console.print(f"{rest} more tables of published numbers are in the written leaderboard.", style="dim")


def _group(group: Group, *, wide: bool) -> RenderableType:
    title = Text(plain(group.title), style="bold")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim", title_style="")
    table.add_column("#", justify="right")
    table.add_column("method", min_width=6, overflow="fold")
    metrics = group.metrics if wide else [metric for metric in group.metrics if metric.name == group.primary]
    for metric in metrics:
        table.add_column(Text(plain(heading(metric))), justify="right", no_wrap=True)
    said = letter_columns(group) if wide else letter_columns(group)[:1]
    for name in said:
        table.add_column(name, no_wrap=name != REPORTED, overflow="fold")
    for name in ("learned from", "cost") if wide else ():
        table.add_column(name, overflow="fold")
    table.add_column("origin", overflow="fold")
    for entry in group.entries:
        # Text, not str: a name in square brackets is not markup.
        cells = [Text(ranks(entry)), Text(plain(entry.label))]
        cells += [Text(shown(entry, each), style="bold" if each.name == group.primary else "") for each in metrics]
        cells += [Text(cell) for cell in letter_cells(entry, group)[: len(said)]]
        cells += [Text(plain(learned_from(entry))), Text(cost(entry))] if wide else []
        table.add_row(*cells, Text(plain(origin(entry))))
    known = [*group.remarks, how_to_read_letters(group, said)]
    remarks = [Text(plain(f"  {remark}"), style="dim") for remark in known if remark]
    return Lines(table, *remarks, Text(f"  protocol {group.fingerprint}", style="dim"), Text(""))
