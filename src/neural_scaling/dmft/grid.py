r"""Time grids of the order-parameter equations, as values.

All equations of the theory are built from integrals over the past, :math:`\int_0^{\tau} f(\tau')\,d\tau'` with
:math:`\tau = \eta t`. A grid says at which times functions are represented and with which weights such an integral is
taken. Two grids go through the same equations:

* **unit steps**: every step t of discrete training, with weight eta for each earlier step. Nothing is approximated;
* **log-spaced**: cells that grow geometrically from ``eta * t`` of order 0.1 on. In each cell functions are polynomials
  through the three points of the Radau IIA rule, so that integration has order five at the ends of the cells and a mode that is
  fast compared with its cell relaxes to its fixed point without oscillation (the rule is L-stable).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import require, require_positive

#: Width of the first cell in units of one over the largest eigenvalue of the kernel: the dynamics is analytic there.
_FIRST_CELL = 0.1
#: A first cell is at most this wide in units of the time on which anything moves at first: the rule's error, ``x^6/7200`` for a
#: mode that grows or decays by ``x``, is then 2e-6.
_WIDEST_START = 0.5
_CELLS_PER_DECADE = 6.0

_ROOT6 = math.sqrt(6.0)
#: Nodes, weights and Butcher matrix of the three-point Radau IIA rule (Hairer and Wanner, Solving ODEs II, IV.5).
RADAU_NODES: Array = np.array([(4 - _ROOT6) / 10, (4 + _ROOT6) / 10, 1.0])
RADAU_MATRIX: Array = np.array(
    [
        [(88 - 7 * _ROOT6) / 360, (296 - 169 * _ROOT6) / 1800, (-2 + 3 * _ROOT6) / 225],
        [(296 + 169 * _ROOT6) / 1800, (88 + 7 * _ROOT6) / 360, (-2 - 3 * _ROOT6) / 225],
        [(16 - _ROOT6) / 36, (16 + _ROOT6) / 36, 1 / 9],
    ]
)


@dataclass(frozen=True, eq=False)
class TimeGrid(ArrayValue):
    """Times at which the order parameters are represented, and how integrals over the past are taken.

    Make one by :meth:`unit_steps` or :meth:`log_spaced`.

    Attributes
    ----------
    eta
        Learning rate. On a log-spaced grid it only sets the strength ``eta/B`` of SGD noise.
    time
        ``eta * t`` of every row, shape (R,), ascending.
    weight
        Weight of a row in integrals to any later cell, shape (R,).
    cell
        Weights of the integral from the start of a cell to each of its rows, in units of the cell's width, shape (s, s); zero
        for unit steps, where a row integrates over earlier rows only.
    horizon
        End of the grid of which this is the :meth:`head`, else its own.
    cells_per_decade
        Of a log-spaced grid whose first cell is left to the solver, else 0.
    """

    eta: float
    time: Array
    weight: Array
    cell: Array
    horizon: float
    cells_per_decade: float = 0.0

    @classmethod
    def unit_steps(cls, eta: float, steps: int) -> TimeGrid:
        """Return the grid of discrete training, steps 0 .. T.

        Parameters
        ----------
        eta
            Learning rate.
        steps
            Number of steps T, at least 1.
        """
        eta, steps = require_positive(eta, "eta", "give a positive learning rate"), checks.whole(steps, "steps")
        time = eta * np.arange(steps + 1, dtype=np.float64)
        return cls(eta, time, np.full(steps + 1, eta), np.zeros((1, 1)), float(time[-1]))

    @classmethod
    def log_spaced(
        cls, eta: float, end: float, cells_per_decade: float = _CELLS_PER_DECADE, first: float | None = None
    ) -> TimeGrid:
        """Return a grid of geometrically growing cells from 0 to ``end``, for gradient flow with white SGD noise.

        Parameters
        ----------
        eta
            Learning rate: the noise of SGD has the strength ``eta/B``.
        end
            Last time, in eta * steps.
        cells_per_decade
            Cells a decade, three rows each.
        first
            Width of the first cell, in eta * steps. By default the solver makes it a tenth of one over the largest eigenvalue.
            In either case it puts shorter cells before one in which the dynamics moves too far.
        """
        eta = require_positive(eta, "eta", "give a positive learning rate")
        end = require_positive(end, "end", "give the last value of eta * steps")
        cells = require_positive(cells_per_decade, "cells_per_decade", "give a positive number of cells")
        if first is None:
            return cls._geometric(eta, end, cells, _FIRST_CELL, cells)
        return cls._geometric(eta, end, cells, require_positive(first, "first", "give the width of the first cell"))

    @classmethod
    def _geometric(cls, eta: float, end: float, cells_per_decade: float, first: float, kept: float = 0.0) -> TimeGrid:
        if end <= first:
            edges = np.array([0.0, end])
        else:
            cells = max(1, math.ceil(cells_per_decade * math.log10(end / first)))
            edges = np.concatenate([[0.0], np.geomspace(first, end, cells + 1)])
        return cls._of_cells(eta, edges, end, kept)

    def fitted(self, largest: float, rate: float) -> TimeGrid:
        """Return the log-spaced grid with the first cell that a setting needs.

        Parameters
        ----------
        largest
            Largest eigenvalue of the kernel.
        rate
            One over the time on which anything moves at first.
        """
        require(not self.explicit, "grid", "unit steps have no cells", "take a smaller eta")
        grid = self
        if self.cells_per_decade:
            whole = self._geometric(self.eta, self.horizon, self.cells_per_decade, _FIRST_CELL / largest)
            grid = whole if self.time[-1] == self.horizon else whole.head(float(self.time[-1]))
        edges = known = np.append(0.0, grid.time[grid.block - 1 :: grid.block])
        widest = _WIDEST_START / rate
        if edges[1] > widest:
            cells = math.ceil((self.cells_per_decade or _CELLS_PER_DECADE) * math.log10(edges[1] / widest))
            edges = np.concatenate([[0.0], np.geomspace(widest, edges[1], cells + 1), edges[2:]])
        if edges.size == 2:
            edges = np.insert(edges, 1, edges[1] / 2)  # a grid of one cell has no coarser one to be compared with
        return grid if edges is known else self._of_cells(self.eta, edges, self.horizon)

    @classmethod
    def _of_cells(cls, eta: float, edges: Array, horizon: float, cells_per_decade: float = 0.0) -> TimeGrid:
        widths = np.diff(edges)
        time = (edges[:-1, None] + widths[:, None] * RADAU_NODES).ravel()
        weight = (widths[:, None] * RADAU_MATRIX[-1]).ravel()
        return cls(eta, time, weight, RADAU_MATRIX, horizon, cells_per_decade)

    @property
    def explicit(self) -> bool:
        """Whether rows depend on earlier rows only, as in unit steps."""
        return not self.cell.any()

    @property
    def block(self) -> int:
        """Rows of a cell, which are solved together."""
        return int(self.cell.shape[0])

    @property
    def rows(self) -> int:
        """Number of rows R."""
        return int(self.time.size)

    def coarsened(self) -> TimeGrid:
        """Return the log-spaced grid whose cells are pairs of this one's, for the estimate of the error.

        Raises
        ------
        InputError
            On a grid of unit steps, which has no error.
        """
        require(not self.explicit, "grid", "unit steps are exact", "coarsen a log-spaced grid")
        ends = self.time[self.block - 1 :: self.block]
        kept = ends[::-1][::2][::-1]  # the last end stays
        return self._of_cells(self.eta, np.concatenate([[0.0], kept]), self.horizon)

    def head(self, until: float) -> TimeGrid:
        """Return the first cells of a log-spaced grid, those that end by ``until``; at least one.

        Parameters
        ----------
        until
            A time, in eta * steps.
        """
        require(not self.explicit, "grid", "unit steps have no cells", "take fewer steps")
        until = checks.real(until, "until", least=0.0, infinite=True)
        ends = self.time[self.block - 1 :: self.block]
        kept = ends[: max(1, int(np.searchsorted(ends, until * (1 + 1e-9), side="right")))]
        return self._of_cells(self.eta, np.append(0.0, kept), self.horizon, self.cells_per_decade)

    def refined(self, after: float) -> TimeGrid:
        """Return the log-spaced grid with every cell that starts at ``after`` or later halved.

        Parameters
        ----------
        after
            A time, in eta * steps.
        """
        require(not self.explicit, "grid", "unit steps are exact", "refine a log-spaced grid")
        after = checks.real(after, "after", least=0.0)
        edges = np.append(0.0, self.time[self.block - 1 :: self.block])
        late = edges[:-1] >= after * (1 - 1e-9)
        middles = np.where(edges[:-1] > 0, np.sqrt(edges[:-1] * edges[1:]), edges[1:] / 2)[late]
        return self._of_cells(self.eta, np.sort(np.append(edges, middles)), self.horizon)


def ascending_times(time: ArrayLike) -> Array:
    """Return times as a read-only array after checking them."""
    return checks.array(time, "time", least=0.0, order="rising")
