"""Measured cost of the mean field solver, as kept by the benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neural_scaling.checks import require
from neural_scaling.fits import PowerLawFit, fit_power_law

#: What the series of the benchmark vary, and the axis of each.
AXES = {"steps": "steps $T$", "modes": "modes $M$", "width": "width $N$", "time": r"last time $\eta t$"}
#: Sizes from which on a fit is made: below, fixed costs count.
FIT_FROM = {"steps": 512, "modes": 128, "width": 4, "time": 1e3}


def kept(path: Path) -> dict[str, Any]:
    """Read a file that a benchmark has kept.

    Parameters
    ----------
    path
        A file in ``data/benchmarks``.

    Raises
    ------
    InputError
        If it is not there.
    """
    require(path.is_file(), "path", f"{path.name} is not there", "run the benchmark with --keep")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def growth(numbers: dict[str, Any]) -> dict[str, tuple[list[float], list[float], PowerLawFit]]:
    """Return sizes, seconds and fitted power of every series.

    Parameters
    ----------
    numbers
        What the benchmark of the solver kept.

    Returns
    -------
    dict
        By label of the axis; the exponent of the fit is that of decay, so its negative is the growth of the cost.
    """
    found = {}
    for name, label in AXES.items():
        sizes, seconds = (list(column) for column in zip(*numbers["growth"][name], strict=True))
        found[label] = (sizes, seconds, fit_power_law(sizes, seconds, (FIT_FROM[name], sizes[-1])))
    return found
