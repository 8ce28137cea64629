"""Progress of long work: a bar with rate and time left on a terminal, plain lines in a log."""

import sys
import time
from types import TracebackType

from typing_extensions import Self

LINE_EVERY_SECONDS = 10.0


class Progress:
    """Counts steps towards a total and shows it on standard error.

    Use as a context manager and call `advance`. On a terminal a bar with rate and
    remaining time is drawn (rich); elsewhere a plain line appears at most every ten seconds and at the end.
    """

    def __init__(self, label: str, total: int, unit: str = "it", done: int = 0) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = self._start_done = done
        self._note = ""
        self._began = self._last_line = time.monotonic()
        self._bar: object | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            bar.start()
            self._task = bar.add_task(self.label, total=self.total, completed=self.done, rate="", note="")
            self._bar = bar
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()  # type: ignore[attr-defined]
        elif kind is None:
            self._line()

    @property
    def rate(self) -> float:
        """Steps per second since the start."""
        return (self.done - self._start_done) / max(time.monotonic() - self._began, 1e-9)

    @property
    def pace(self) -> str:
        """The rate in words, or its inverse where that is easier to read."""
        if 0 < self.rate < 0.95:
            return f"{1 / self.rate:.1f} s/{_one_of(self.unit)}"
        return f"{self.rate:.1f} {self.unit}/s"

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps; `note` (such as "loss 3.21") is shown behind them."""
        self.done += steps
        self._note = note or self._note
        if self._bar is not None:
            self._bar.update(  # type: ignore[attr-defined]
                self._task, completed=self.done, rate=self.pace, note=self._note
            )
        elif time.monotonic() - self._last_line >= LINE_EVERY_SECONDS:
            self._line()

    def _line(self) -> None:
        self._last_line = time.monotonic()
        left = (self.total - self.done) / self.rate if self.rate > 0 else 0.0
        line = f"{self.label}: {self.done}/{self.total} {self.unit}, {self.pace}, {left:.0f} s left"
        print(f"{line}, {self._note}" if self._note else line, file=sys.stderr, flush=True)


def _one_of(unit: str) -> str:
    """The singular of a unit: "images" -> "image", "batches" -> "batch"."""
    return unit.removesuffix("es") if unit.endswith(("ches", "sses")) else unit.removesuffix("s")
