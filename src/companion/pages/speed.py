"""Measured cost of the mean field solver, as kept by the benchmark."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from companion.style import INK, RICH, drawing, plain_ticks
from neural_scaling.base.checks import require
from neural_scaling.fits import PowerLawFit, fit_power_law

#: What the series of the benchmark vary, and the axis of each.
AXES = {"steps": "steps $T$", "modes": "modes $M$", "width": "width $N$", "time": r"last time $\eta t$"}
#: Sizes from which on a fit is made: below, fixed costs count.
FIT_FROM = {"steps": 512, "modes": 128, "width": 4, "time": 1e3}


def kept(path: Path) -> dict[str, Any]:
    """Read a file that a benchmark has kept."""
    require(path.is_file(), "path", f"{path.name} is not there", "run the benchmark with --keep")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def growth(numbers: dict[str, Any]) -> dict[str, tuple[list[float], list[float], PowerLawFit]]:
    """Return sizes, seconds and fitted power of every series."""
    found = {}
    for name, label in AXES.items():
        sizes, seconds = (list(column) for column in zip(*numbers["growth"][name], strict=True))
        found[label] = (sizes, seconds, fit_power_law(sizes, seconds, (FIT_FROM[name], sizes[-1])))
    return found


def textbook_table(numbers: dict[str, Any]) -> pd.DataFrame:
    """Return time and memory of a solution beside those of the textbook one."""
    textbook, full, memory = numbers["textbook"], numbers["full"], numbers["memory"]
    one = 1e3 * textbook["seconds_per_mode_and_iteration"]
    rows = [
        ("largest relative difference at the small size", textbook["agreement"]),
        (f"seconds here, M = {full['modes']}, T = {full['steps']}", full["seconds"]),
        (
            f"seconds of the textbook, {textbook['iterations']} iterations of {one:.0f} ms a mode",
            full["textbook_seconds"],
        ),
        ("ratio of the two", full["textbook_seconds"] / full["seconds"]),
        (f"memory here at T = {memory['steps']}, MiB", memory["mebibytes"]),
        ("of which libraries, MiB", memory["of_it_libraries"]),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])


def powers(series: Mapping[str, tuple[Sequence[float], Sequence[float], PowerLawFit]]) -> pd.DataFrame:
    """Return the power with which the seconds of every series grow."""
    rows = []
    for label, (_, _, fit) in series.items():
        low, high = fit.interval
        rows.append((label.replace("$", "").replace(r"\eta", "η"), -fit.exponent, (-high, -low), fit.window))
    return pd.DataFrame(rows, columns=["size", "power", "interval", "window"])


def tally(settings: dict[str, Any]) -> pd.DataFrame:
    """Count how the random settings came out, and how many on logarithmic grids have a small estimated error."""
    errors = [row["error"] for row in settings["settings"] if row["error"] is not None and not row["unit_steps"]]
    rows = list(settings["tally"].items())
    for limit, words in ((1e-3, "0.1 %"), (1e-2, "1 %")):
        within = sum(error <= limit for error in errors)
        rows.append((f"estimated error at most {words}, of {len(errors)} results on logarithmic grids", within))
    return pd.DataFrame(rows, columns=["outcome", "settings"])


def cost_figure(panels: Mapping[str, tuple[Sequence[float], Sequence[float], PowerLawFit]]) -> Figure:
    """Draw seconds against size with the fitted power, one panel for each kind of size."""
    with drawing(7.2, 2, 2) as (figure, sheet):
        for axes, (label, (sizes, seconds, fit)) in zip(sheet.flat, panels.items(), strict=True):
            axes.loglog(sizes, seconds, "o-", color=RICH)
            window = np.array(fit.window)
            axes.loglog(window, fit.prefactor * window**-fit.exponent, "--", color=INK, linewidth=1.4)
            axes.set(xlabel=label, ylabel="seconds")
            middle = math.sqrt(min(seconds) * max(seconds))
            axes.set_ylim(
                min(0.8 * min(seconds), middle / 4), max(1.25 * max(seconds), middle * 4)
            )  # noise is not growth
            axes.xaxis.set_major_locator(FixedLocator(sizes[:: 1 + len(sizes) // 6]))  # room for five numbers
            axes.xaxis.set_major_formatter(FuncFormatter(_size))
            axes.xaxis.set_minor_locator(NullLocator())
            plain_ticks(axes.yaxis)
            axes.set_title(f"power {-fit.exponent:.2f}")
    return figure


def _size(size: float, _: int) -> str:
    power = math.log10(size)
    return rf"$10^{{{round(power)}}}$" if power >= 2 and abs(power - round(power)) < 1e-9 else f"{size:g}"
