"""Words and progress for the person at the terminal, kept out of what notebooks store.

A kernel's standard error ends up in the stored notebook. So the program that runs notebooks passes the name of its terminal
in ``NEURAL_SCALING_TERMINAL`` and everything here is written there. Without that variable it goes to standard error. Where
the output is no terminal (a log file, CI) progress comes as sparse lines instead of a bar.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from tqdm import tqdm

from neural_scaling.base import checks

__all__ = ["SweepProgress", "aligned", "output", "progress", "say", "share"]

#: Names the terminal device on which a notebook's progress is shown.
TERMINAL_VARIABLE = "NEURAL_SCALING_TERMINAL"
#: Seconds between lines where the output is no terminal.
_SPARSE_SECONDS = 30.0


def output() -> TextIO | None:
    """Return where to write: the named terminal, else standard error unless a kernel would store it (None)."""
    name = os.environ.get(TERMINAL_VARIABLE, "")
    if name:
        return _opened(name)
    return None if _in_kernel() else sys.stderr


def say(message: str) -> None:
    """Write one line for the person at the terminal, above any progress bar."""
    checks.text(message, "message")
    file = output()
    if file is not None:
        tqdm.write(message, file=file)
        file.flush()


def progress(work: Iterable[Any] | int, description: str) -> tqdm[Any]:
    """Return a progress bar with an estimate of the time left; hidden where there is no terminal.

    Parameters
    ----------
    work
        What to iterate over, or the total number of units for a bar that is advanced with ``update``.
    description
        A few words shown in front of the bar.

    Returns
    -------
    tqdm.tqdm
        To iterate over, or to use as a context manager.
    """
    file = output()
    hidden = file is None or not file.isatty()
    if isinstance(work, Iterable) and not isinstance(work, str | bytes) and getattr(work, "ndim", 1) > 0:
        iterable: Iterable[Any] | None = work
        total = None
    else:
        iterable, total = None, checks.whole(work, "work", least=0)
    return tqdm(
        iterable,
        total=total,
        desc=checks.text(description, "description"),
        file=file,
        disable=hidden,
        leave=False,
        dynamic_ncols=True,
        miniters=1,  # work comes in uneven portions, from which tqdm's own guess would skip redraws
    )


class SweepProgress:
    """Progress of several runs: one bar, or a line now and then where there is no terminal.

    Parameters
    ----------
    name
        What is being run.
    runs
        Number of runs.
    work
        Units of work in all of them.
    """

    def __init__(self, name: str, runs: int, work: int) -> None:
        self._name, self._runs = checks.text(name, "name"), checks.whole(runs, "runs", least=0)
        self._work = checks.whole(work, "work", least=0)
        self._done, self._units, self._started = 0, 0, time.monotonic()
        self._said = self._started
        self._bar = progress(self._work, name)
        self._run: tuple[str, int, int, float] | None = None
        self._describe("")

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, units: int) -> None:
        """Count units of work done in the run that was named last."""
        units = checks.whole(units, "units", least=0)
        if self._run is not None:
            label, work, before, started = self._run
            self._describe(share(label, self._units + units - before, work, time.monotonic() - started))
        self.at(self._units + units)

    def at(self, units: int) -> None:
        """Set the units of work done so far, in all runs."""
        units = checks.whole(units, "units", least=0)
        self._bar.update(units - self._units)
        self._units = units
        now = time.monotonic()
        if self._bar.disable and now - self._said >= _SPARSE_SECONDS and self._units:
            self._said = now
            say(f"{self._name}: {self._done} of {self._runs} runs, {share('', units, self._work, now - self._started)}")

    def running(self, label: str, work: int) -> None:
        """Name the run being computed and its units of work."""
        self._run = (checks.text(label, "label"), checks.whole(work, "work", least=0), self._units, time.monotonic())
        self._describe(label)

    def running_elsewhere(self, shares: Iterable[str]) -> None:
        """Show how far runs in other processes are."""
        self._describe(", ".join(checks.instances(shares, "shares", str, "give a list of text", fewest=0)))

    def finished(self) -> None:
        """Count one run as finished."""
        self._done, self._run = self._done + 1, None
        self._describe("")

    def _describe(self, label: str) -> None:
        # Without a redraw: the bar draws itself when it is due, not at every step of a run.
        self._bar.set_description(f"{self._name} {self._done}/{self._runs} {label}".rstrip(), refresh=False)


def share(label: str, units: int, work: int, seconds: float) -> str:
    """Return in words how far something is and how long it still takes.

    Parameters
    ----------
    label
        What it is, may be empty.
    units, work
        Units done and in all.
    seconds
        Time spent on the units done.

    Returns
    -------
    str
        For example ``simulation N=64 40 %, 1.5 min left``.
    """
    checks.text(label, "label")
    units, work = checks.whole(units, "units", least=0), checks.whole(work, "work", least=0)
    seconds = checks.real(seconds, "seconds", least=0.0)
    percent = 100 * units / work if work else 100.0
    left = f", {seconds * (work - units) / units / 60:.1f} min left" if units else ""
    return f"{label} {percent:.0f} %{left}".lstrip()


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines with aligned columns.

    Parameters
    ----------
    rows
        All of the same length, at least one.
    """
    rows = [checks.instances(row, "rows", str, "give rows of text") for row in _listed(rows)]
    checks.require(
        len({len(row) for row in rows}) == 1, "rows", "rows of different lengths", "give one cell for each column"
    )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _listed(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return checks.instances(rows, "rows", (list, tuple), "give a list of rows of text")


def _in_kernel() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


@functools.cache
def _opened(terminal: str) -> TextIO | None:
    # Opened once per process: a bar has no good moment to close a file it shares with the next bar.
    try:
        return open(terminal, "w", encoding="utf-8")
    except OSError:  # the terminal was closed meanwhile: computing goes on, unseen
        return None
