"""Errors of dynamics that blow up, and of equations that are not solved."""

from __future__ import annotations

from neural_scaling.base.checks import Explained

#: A loss this many times the first one counts as diverged.
DIVERGED = 1e6


class DynamicsDiverged(Explained, ArithmeticError):
    """The dynamics truly diverges at this step size; the message names the step and a smaller ``eta``."""


class NotConverged(Explained, ArithmeticError):
    """The correlations of a cell could not be found; the message says where and what to change.

    Attributes
    ----------
    time
        Start of the cell, in eta * steps.
    """

    def __init__(self, time: float, found: str) -> None:
        super().__init__(
            f"the correlations from eta * t = {time:.4g} on were not found ({found}), on a finer grid neither: "
            "end the grid there, or take a smaller eta / batch or gamma."
        )
        self.time = time
        self._found = found

    def __reduce__(self) -> tuple[type[NotConverged], tuple[float, str]]:
        return NotConverged, (self.time, self._found)  # as errors are sent between processes
