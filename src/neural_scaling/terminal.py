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
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

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
    iterable, total = (None, work) if isinstance(work, int) else (work, None)
    return tqdm(iterable, total=total, desc=description, file=file, disable=hidden, leave=False, dynamic_ncols=True)


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
        self._name, self._runs, self._work = name, runs, work
        self._done, self._units, self._started = 0, 0, time.monotonic()
        self._said = self._started
        self._bar = progress(work, name)
        self._describe("")

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, units: int) -> None:
        """Count units of work done."""
        self.at(self._units + units)

    def at(self, units: int) -> None:
        """Set the units of work done so far."""
        self._bar.update(units - self._units)
        self._units = units
        now = time.monotonic()
        if self._bar.disable and now - self._said >= _SPARSE_SECONDS and self._units:
            self._said = now
            left = (now - self._started) * (self._work - self._units) / self._units
            share = 100 * self._units / self._work
            say(
                f"{self._name}: {self._done} of {self._runs} runs, {share:.0f} % of the work, about {left / 60:.1f} min left"
            )

    def running(self, label: str) -> None:
        """Name the run being computed."""
        self._describe(label)

    def finished(self) -> None:
        """Count one run as finished."""
        self._done += 1
        self._describe("")

    def _describe(self, label: str) -> None:
        self._bar.set_description(f"{self._name} {self._done}/{self._runs} {label}".rstrip())


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
