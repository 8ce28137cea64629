"""Numbers and names as they are printed, and their escaping for each format."""

import math
import re
import unicodedata
from functools import lru_cache

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def plain(text: str) -> str:
    """Make a name safe for one line of any output: control and direction-changing characters become spaces."""
    if text.isprintable():  # true of nearly all, and then there is nothing to replace
        return text
    return "".join(" " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") else sign for sign in text)


def number(value: float, *, measured: bool = True) -> str:
    """Format a figure.

    Args:
        value: the figure.
        measured: True prints two decimals below 1000; False prints a published number as it was printed, with the
            digits it has (at least one decimal).
    """
    if math.isnan(value):
        return "-"
    if not measured:
        text = f"{value:.4f}".rstrip("0")
        return text + "0" if text.endswith(".") else text
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.0f}"


def figure(mean: float, std: float | None, *, measured: bool = True) -> str:
    """Format mean and spread: "36.21 +- 1.43" with the proper sign; the mean alone where there is no spread."""
    text = number(mean, measured=measured)
    return text if std is None else f"{text} {PLUS_MINUS} {number(std)}"


def fact(value: object) -> str:
    """Format a fact of a protocol in full, a mapping with a type as "SGD(lr=0.01)"; what is empty gives nothing."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name}={text}" for name, each in value.items() if name != "type" and (text := fact(each)))
        return f"{value['type']}({inner})" if "type" in value else inner
    if isinstance(value, list | tuple):
        return ", ".join(fact(each) for each in value)
    return "" if value is None else str(value)


def abridged(value: object) -> str:
    """Format a fact of a protocol in short: of mappings with a type, the type alone."""
    if isinstance(value, dict) and "type" in value:
        return str(value["type"])
    if isinstance(value, list | tuple):
        return ", ".join(abridged(each) for each in value)
    text = fact(value)
    return text if len(text) <= 48 else text[:47] + "\N{HORIZONTAL ELLIPSIS}"


def amount(count: int | None) -> str:
    """Format a number of pairs: 8,000, 1.26M; "?" where unknown."""
    if count is None:
        return "?"
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e6:.2f}".rstrip("0").rstrip(".") + "M"


def duration(seconds: float | None) -> str:
    """Format a time: "42 s", "3 min 20 s", "2 h 05 min"; empty where unknown."""
    if seconds is None or math.isnan(seconds):
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@lru_cache(maxsize=10_000)
def markdown(text: str) -> str:
    """Escape text for a Markdown table cell, so that it renders as it is."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|~&$#!])", r"\\\1", plain(text).strip())
    # GitHub turns bare addresses into links; a zero-width escape is not needed where the scheme is broken up.
    return re.sub(
        r"(https?|ftp)://|\bwww\.", lambda match: match.group().replace(":", "&#58;").replace(".", "&#46;"), escaped
    )


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    # What a command before them would take for its star or its optional argument.
    "[": "{[}",
    "*": "{*}",
    PLUS_MINUS: r"$\pm$",
    "\N{DAGGER}": r"\textdagger{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
}
# Signs that LaTeX draws together with those beside them: "--" is a dash, ",," a quotation mark.
_JOINING = {"-": "-\N{EN DASH}", "\N{EN DASH}": "-\N{EN DASH}", ",": ","}
# What pdfLaTeX prints as it is with T1 fonts and textcomp (its t1enc.dfu and ts1enc.dfu).
_PRINTED = re.compile(
    "[ -~\u00a0-\u00b7\u00b9-\u0125\u0128-\u0131\u0134-\u0137\u0139-\u013e\u0141-\u0148\u014a-\u0165\u0168-\u017e"
    "\u2014\u2018\u2019\u201a\u201c-\u201e\u2020-\u2022\u2030\u2039\u203a\u20ac\u2122\u2190-\u2193]"
)
LATEX_SIGN = r"\providecommand{\unicodesign}[2]{\ifdefined\Umathchar#2\else\allowbreak[U+#1]\fi}"
"""Definition that texts of `latex` may need: signs that XeLaTeX and LuaLaTeX print, and pdfLaTeX names."""


@lru_cache(maxsize=10_000)
def latex(text: str) -> str:
    """Escape text for LaTeX, so that it is printed as it is (packages: textcomp; T1 font encoding; `LATEX_SIGN`)."""
    cleaned = plain(text).strip()
    signs = []
    for index, sign in enumerate(cleaned):
        if sign in _JOINING:
            written = "--" if sign == "\N{EN DASH}" else sign
            beside = cleaned[max(0, index - 1) : index] + cleaned[index + 1 : index + 2]
            signs.append(f"{{{written}}}" if any(each in _JOINING[sign] for each in beside) else written)
        elif sign in _LATEX:
            signs.append(_LATEX[sign])
        else:
            signs.append(sign if _PRINTED.match(sign) else f"\\unicodesign{{{ord(sign):04X}}}{{{sign}}}")
    return "".join(signs)


def latex_breaking(text: str) -> str:
    """Escape text for LaTeX where lines are filled: a long name may break behind its underscores."""
    return latex(text).replace("\\_", "\\_\\allowbreak{}")
