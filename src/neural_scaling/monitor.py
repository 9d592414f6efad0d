"""What a long computation says and asks while it runs.

The numerical modules know this interface only. They call :meth:`Monitor.advance` as work gets done and
:meth:`Monitor.safe_point` where their state can be written down; :mod:`neural_scaling.runs` turns that into progress,
checkpoints and clean interruption.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


class Monitor:
    """A monitor that says nothing, keeps nothing and never interrupts; the base of those that do."""

    def advance(self, units: int) -> None:
        """Count units of work as done."""

    def safe_point(self, state: Callable[[], Arrays]) -> None:
        """Offer the state of the computation.

        Parameters
        ----------
        state
            Called only if the state is wanted. Everything needed to go on: arrays, positions, random streams.
        """

    def restored(self) -> Arrays | None:
        """Return the state to go on from, or None to start afresh."""
        return None


def scalar(value: float) -> npt.NDArray[Any]:
    """Return a number as an array without dimensions, as states hold it."""
    return np.asarray(value)
