"""Time grids on which curves are recorded."""

from __future__ import annotations

import math

import numpy as np

from neural_scaling.checks import require
from neural_scaling.spectra import Array


def log_spaced_steps(steps: int, per_decade: int = 40) -> Array:
    """Return 0 and about ``per_decade`` whole steps a decade up to ``steps``, each once.

    Parameters
    ----------
    steps
        Last step, at least 1.
    per_decade
        Density; near the start every whole step is taken.

    Returns
    -------
    Array
        Ascending whole numbers, shape (R,), in steps.

    Raises
    ------
    InputError
        If ``steps`` is below 1.
    """
    require(steps >= 1, "steps", f"got {steps!r}", "give a whole number of at least 1")
    count = max(2, math.ceil(per_decade * math.log10(max(steps, 2))))
    return np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, steps, count))]))
