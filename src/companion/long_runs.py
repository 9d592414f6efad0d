"""Long mean-field runs that the pages on the loss law share: one task, several widths or batches, a log grid of times."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from neural_scaling import dmft
from neural_scaling.base.arrays import Array
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.runs import Experiment
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import effective_time


@dataclass(frozen=True)
class LongRun(Experiment):
    """:func:`neural_scaling.dmft.solve` in continuous time for several pairs of width and batch on one grid."""

    kind: ClassVar[str] = "long mean field"
    algorithm: ClassVar[int] = 2
    # alpha, beta: capacity and source; infinitely many modes
    alpha: float
    beta: float
    gamma: float  # richness
    end: float  # last time, eta * steps
    # widths, noises: N and eta/B of each curve, either infinite and 0 in the limit, the same number of each
    widths: tuple[float, ...]
    noises: tuple[float, ...]
    until: float = math.inf  # only the cells of the grid that end by this time are solved

    @property
    def work(self) -> int:
        """Curves."""
        return len(self.widths)

    @property
    def label(self) -> str:
        """Task and richness."""
        return f"alpha={self.alpha:g} beta={self.beta:g} gamma={self.gamma:g}"

    def slice(self) -> Self:
        """Return the first cells of the first curve."""
        return replace(self, widths=self.widths[:1], noises=self.noises[:1], until=10.0)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the loss of the curves and times that both hold."""
        count = recomputed["loss"].shape[0]
        rows = np.searchsorted(arrays["time"], recomputed["time"] * (1 - 1e-9))
        return float(np.max(np.abs(recomputed["loss"] / arrays["loss"][:count, rows] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``time`` (T,), and ``loss``, ``weight_norm``, ``error`` (NaN but for the first), each of shape (curves, T)."""
        reached = float(effective_time(self.beta, self.gamma, 1.0, self.end))
        modes = PowerLaw(self.alpha, self.beta).quadrature(4 * reached, nodes_per_bin=8)
        found: dict[str, list[Array]] = {"time": [], "loss": [], "weight_norm": [], "error": []}
        parts = Parts(monitor)
        for number, (width, noise) in enumerate(zip(self.widths, self.noises, strict=True)):
            # On a log grid the learning rate does nothing but set the noise eta/B.
            batch = math.inf if noise == 0 else 1.0
            grid = dmft.TimeGrid.log_spaced(1.0 if noise == 0 else noise, self.end).head(self.until)
            # The error comes from a second solution on a coarser grid; that of the first curve stands for all.
            how = {"width": width, "batch": batch, "estimate_error": number == 0}

            def solved(rows: Monitor, grid: dmft.TimeGrid = grid, how: dict[str, Any] = how) -> Arrays:
                solution = dmft.solve(modes, self.gamma, grid, **how, monitor=rows)
                monitor.advance(1)
                return {name: getattr(solution, name) for name in found}

            for name, values in parts.run(f"curve {number}", solved, counted=False).items():
                found[name].append(values)
        return _on_common_times(found)


@dataclass(frozen=True)
class Task:
    """What a curve of one task knows of it."""

    alpha: float  # capacity
    beta: float  # source

    @property
    def name(self) -> str:
        """Task in symbols."""
        return rf"$\alpha = {self.alpha:g},\ \beta = {self.beta:g}$"


def _on_common_times(found: dict[str, list[Array]]) -> Arrays:
    """Keep the times that all curves have: the solver refines the grid of a curve where it must, between the times asked for."""
    times = [np.round(np.log(np.maximum(time, 1e-9)), 6) for time in found["time"]]
    common = functools.reduce(np.intersect1d, times)
    kept = [np.searchsorted(time, common) for time in times]
    arrays = {
        name: np.array([values[rows] for values, rows in zip(found[name], kept, strict=True)])
        for name in ("loss", "weight_norm", "error")
    }
    return arrays | {"time": found["time"][0][kept[0]]}
