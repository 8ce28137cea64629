"""The papers' tables and curves as printed, with reproduced rows in their places, in every format."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ssl_motion.fileio import write_text
from ssl_motion.record import ResultRecord
from ssl_motion_reports.curves import Declared
from ssl_motion_reports.paper.curves import curve_tables
from ssl_motion_reports.paper.tables import PaperTable, build_tables
from ssl_motion_reports.paper.texts import to_csv, to_html, to_latex, to_markdown

__all__ = ["PaperTable", "build_tables", "to_csv", "to_html", "to_latex", "to_markdown", "write_paper"]


def write_paper(
    records: Sequence[ResultRecord],
    out: Path,
    sources: Mapping[str, Path] | None = None,
    cache: Path | None = None,
    curves: Mapping[str, Declared] | None = None,
) -> list[Path]:
    """Write the papers' tables, and their curves as tables.

    Args:
        records: reproduced ones.
        out: folder to write into, made when missing.
        sources: identity -> record file, to link to; missing files are no error.
        cache: folder that keeps what was computed of the per-image files beside them; None keeps nothing.
        curves: that suites declare, by name, for the reproduced points of the papers' curves.

    Returns:
        Markdown, CSV, LaTeX, and a fragment of HTML. The same records give the same bytes.

    Raises:
        RunError: The folder cannot be written.
    """
    files = {identity: path for identity, path in (sources or {}).items() if path.is_file()}
    tables = [*build_tables(records, files, cache), *curve_tables(curves or {}, records, files, cache)]
    texts = {
        "md": to_markdown(tables, out, files),
        "csv": to_csv(tables),
        "tex": to_latex(tables),
        "html": to_html(tables, out, files),
    }
    for suffix, text in texts.items():
        write_text(out / f"paper.{suffix}", text)
    return [out / f"paper.{suffix}" for suffix in texts]
