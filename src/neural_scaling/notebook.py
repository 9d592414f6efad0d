"""What notebooks need around them: progress that stays out of the stored output, a line of provenance."""

from __future__ import annotations

import datetime
import functools
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from tqdm import tqdm

from neural_scaling import __version__

#: Names the terminal device on which a notebook's progress is shown; empty or unset means none.
TERMINAL_VARIABLE = "NEURAL_SCALING_TERMINAL"


def progress(work: Iterable[Any] | int, description: str) -> tqdm[Any]:
    """Return a progress bar that is drawn on the terminal and never in a notebook's output.

    A kernel's standard error ends up in the stored notebook. So the program that runs the notebooks passes
    the name of its terminal in ``NEURAL_SCALING_TERMINAL`` and the bar is written there. Without that
    variable it is written to standard error if that is a terminal; otherwise there is no bar.

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
    name = os.environ.get(TERMINAL_VARIABLE, "")
    file = _opened(name) if name else (sys.stderr if sys.stderr.isatty() else None)
    iterable, total = (None, work) if isinstance(work, int) else (work, None)
    return tqdm(
        iterable,
        total=total,
        desc=description,
        file=file,
        disable=file is None,
        leave=False,
        dynamic_ncols=True,
    )


def provenance(scale: str, seeds: int | Sequence[int] | None = None) -> str:
    """Return what produced a page, as one line of text to be displayed in a cell tagged ``provenance``.

    It differs from machine to machine, so that tag keeps its output out of the committed references.

    Parameters
    ----------
    scale
        ``small`` or ``full``.
    seeds
        A seed, several, or None where nothing is random.

    Returns
    -------
    str
        Scale, seeds, library version, commit (``unknown`` outside a checkout), hardware and date.
    """
    # Imported here because the runs draw their progress with this module.
    from neural_scaling.runs.provenance import commit, hardware

    parts = [f"scale: {scale}"]
    if seeds is not None:
        listed = [seeds] if isinstance(seeds, int) else list(seeds)
        parts.append(f"seeds: {_abbreviated(listed)}" if len(listed) > 1 else f"seed: {listed[0]}")
    parts += [f"neural-scaling {__version__}", f"commit {commit()}", hardware()]
    parts.append(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"))
    return " · ".join(parts)


def _abbreviated(seeds: list[int]) -> str:
    consecutive = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive and len(seeds) > 2 else ", ".join(map(str, seeds))


@functools.cache
def _opened(terminal: str) -> TextIO | None:
    # Opened once per process: a bar has no good moment to close a file it shares with the next bar.
    try:
        return open(terminal, "w", encoding="utf-8")
    except OSError:  # the terminal was closed meanwhile: computing goes on, unseen
        return None
