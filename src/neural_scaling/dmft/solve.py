"""One entry to the mean field theory at finite width, batch and number of samples."""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from neural_scaling.checks import require
from neural_scaling.dmft.diverged import DIVERGED, DynamicsDiverged
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.dmft.implicit import NotConverged
from neural_scaling.dmft.march import March, Setting
from neural_scaling.dmft.stability import check_finite, check_setting, suggested_eta
from neural_scaling.monitor import Arrays, Monitor, Parts, scalar
from neural_scaling.spectra import Array, ModeQuadrature, Spectrum

_REFINEMENTS = 3  # how often the cells from one that is not found on are halved


@dataclass(frozen=True)
class OrderParameters:
    """Order parameters on the rows of a grid, each R x R.

    Responses act on functions given at the rows, weights of integrals included; correlations are values at pairs of rows.
    On a log-spaced grid the white noise of SGD stands on the diagonal of ``feature_correlation`` as its strength over the weight
    of the row.

    Attributes
    ----------
    response
        ``R_3``, of v3 to its own noise (identity at infinite width).
    data_response
        ``R_1``, of the training error to its own noise (identity unless samples are reused).
    drive
        ``X = S + gamma W o C_w``: how the errors of a mode move its learned weight.
    weight_response
        ``S``, of w to v3.
    feature_correlation
        ``C_3 = v3 . v3 / N``.
    weight_correlation
        ``C_w = w . w / N``.
    """

    response: Array
    data_response: Array
    drive: Array
    weight_response: Array
    feature_correlation: Array
    weight_correlation: Array


@dataclass(frozen=True)
class Solution:
    """Outcome of :func:`solve`.

    Attributes
    ----------
    time
        ``eta * t``, shape (R,): every step, or 0 and the end of every cell of a log-spaced grid.
    loss
        Test loss (eq. 5), shape (R,).
    train_loss
        Loss on the reused samples, shape (R,), or None when every step has fresh data.
    weight_norm
        ``|w|^2/N``, the diagonal of ``C_w``, shape (R,); ``1 + gamma`` times it is the growth of the kernel's scale.
    error
        Estimated relative error of ``loss``, shape (R,): on a log-spaced grid the difference from a grid with cells
        twice as wide, which overestimates the error of the finer one; zero on unit steps.
    learned
        ``1 - H_k 1``, the learned part of the target's mode at every node, shape (K, R).
    grid
        The grid of the order parameters.
    order
        The order parameters on all rows of the grid.
    residual
        Largest residual of the correlations of a cell, relative; zero on unit steps.
    seconds
        Time that the solution took, that of the error included.
    """

    time: Array
    loss: Array
    train_loss: Array | None
    weight_norm: Array
    error: Array
    learned: Array
    grid: TimeGrid
    order: OrderParameters
    residual: float
    seconds: float

    @property
    def step(self) -> Array:
        """Steps of discrete training, ``time / eta``."""
        return self.time / self.grid.eta


def solve(
    modes: ModeQuadrature | Spectrum,
    gamma: float,
    grid: TimeGrid,
    *,
    width: float = math.inf,
    batch: float = math.inf,
    samples: float = math.inf,
    fourth_moment: bool = False,
    estimate_error: bool = True,
    monitor: Monitor | None = None,
) -> Solution:
    """Solve the mean field theory of the projected linear model (eqs. 18-31 online, eq. 41 with reused samples).

    In unit steps the solution is exact. On a log-spaced grid it is that of gradient flow with white SGD noise of strength
    ``eta/B``, to the error that is reported.

    Parameters
    ----------
    modes
        A quadrature over modes that resolves the last time times the growth of the kernel, or a spectrum, all of whose modes
        are kept.
    gamma
        Richness, 0 for random features.
    grid
        :meth:`TimeGrid.unit_steps` or :meth:`TimeGrid.log_spaced`.
    width
        N, or infinity.
    batch
        B of online SGD, or infinity.
    samples
        P of full-batch gradient descent on reused samples, or infinity.
    fourth_moment
        Include the fourth moment of Gaussian features in the noise of a batch, which the paper drops: exact at gamma = 0 and
        infinite width, elsewhere without the correlation between modes that the shared factor makes.
    estimate_error
        Solve on a coarser grid too; without it ``error`` is NaN on a log-spaced grid.
    monitor
        Told of progress in rows; may keep the state and give it back.

    Returns
    -------
    Solution

    Raises
    ------
    InputError
        If an argument is out of range, ``eta`` is unstable, or both B and P are finite.
    DynamicsDiverged
        If the loss blows up.
    NotConverged
        If a cell of a log-spaced grid is not found, on finer grids neither.
    """
    begin = clock.perf_counter()
    quadrature = modes.quadrature() if isinstance(modes, Spectrum) else modes
    check_setting(quadrature, grid, gamma, width, batch, samples)
    require(
        not fourth_moment or batch < math.inf,
        "fourth_moment",
        "asked for at infinite batch, where there is no noise",
        "give a finite batch, or leave it out",
    )
    setting = Setting(gamma, 1 / width, 1 / batch, 1 / samples, fourth_moment)
    monitor = monitor or Monitor()
    if grid.explicit:
        march = _unit_steps(quadrature, grid, setting, monitor)
        rows = np.arange(grid.rows)
        error = np.zeros(grid.rows)
    else:
        march, coarse = _log_spaced(quadrature, grid, setting, monitor, estimate_error)
        grid = march.grid
        rows = np.arange(grid.block - 1, grid.rows, grid.block)
        error = _difference(march, coarse) if coarse else np.full(rows.size, math.nan)
    solution = _solution(march, rows, error, clock.perf_counter() - begin)
    return solution if grid.explicit else _from_the_start(solution, quadrature)


def _unit_steps(quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor) -> March:
    march = March(quadrature, grid, setting)
    if (kept := monitor.restored()) is not None:
        march.restore(kept)
    with np.errstate(over="ignore", invalid="ignore"):
        while march.count < grid.rows:
            march.advance()
            if not march.loss[march.count - 1] <= DIVERGED * march.loss[0]:
                seen = march.loss[: march.count]
                check_finite(seen, quadrature, grid.eta, setting.gamma, setting.width, setting.batch)
            monitor.advance(1)
            monitor.safe_point(march.state)
    return march


def _log_spaced(
    quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor, with_coarse: bool
) -> tuple[March, _Coarse | None]:
    coarse, parts = None, Parts(monitor)
    if with_coarse:
        first = grid.coarsened()

        def solved(monitor: Monitor) -> Arrays:
            march = _refining(quadrature, first, setting, monitor)
            return _grid_state(march.grid) | {"loss": march.loss}

        found = parts.run("coarse", solved, counted=False)
        coarse = _Coarse(_grid_restored(first, found), found["loss"])
        if coarse.grid.rows > first.rows:
            grid = coarse.grid.refined(0.0)  # keep cells twice as fine as those of the coarse solution
    # The last part, which gives no arrays but the march itself.
    return _refining(quadrature, grid, setting, parts.last("fine")), coarse


class _Coarse(NamedTuple):
    """What the estimate of the error needs of the coarser solution."""

    grid: TimeGrid
    loss: Array


def _grid_state(grid: TimeGrid) -> Arrays:
    return {"grid time": grid.time, "grid weight": grid.weight}


def _grid_restored(grid: TimeGrid, state: Arrays) -> TimeGrid:
    return replace(grid, time=state["grid time"], weight=state["grid weight"])


def _refining(quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor) -> March:
    """Solve on a grid, made finer from the first cell on that is not found."""
    kept, first = monitor.restored(), 0
    if kept is not None:
        grid, first = _grid_restored(grid, kept), int(kept["refinement"])
    for refinement in range(first, _REFINEMENTS + 1):
        try:
            march = March(quadrature, grid, setting)
            if kept is not None:
                march.restore(kept)
                kept = None
            further = _grid_state(grid) | {"refinement": scalar(refinement)}
            return _cells(march, monitor, further)
        except NotConverged as failure:
            if refinement == _REFINEMENTS:
                raise
            grid = grid.refined(failure.time)
    raise AssertionError("unreachable")


def _cells(march: March, monitor: Monitor, further: Arrays) -> March:
    quadrature, grid, setting = march.quadrature, march.grid, march.setting
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        while march.count < grid.rows:
            march.advance()
            if not march.loss[march.count - 1] <= DIVERGED * quadrature.initial_loss:
                stable = suggested_eta(quadrature, setting.gamma, grid.horizon, setting.width, setting.batch)
                time = float(grid.time[march.count - 1])
                raise DynamicsDiverged(
                    f"the loss blows up at eta * t = {time:.3g} with eta = {grid.eta:g}: the noise of SGD feeds on itself "
                    f"as the kernel grows; try eta <= {min(stable, grid.eta / 2):.2g}, a larger batch or a smaller gamma."
                )
            monitor.advance(grid.block)
            monitor.safe_point(lambda: march.state() | further)
    return march


def _difference(march: March, coarse: _Coarse) -> Array:
    """Return the relative difference of the losses at the ends of cells, interpolated to those of the finer grid."""
    ends = slice(march.grid.block - 1, None, march.grid.block)
    fine_time, coarse_time = march.grid.time[ends], coarse.grid.time[ends]
    shared = np.searchsorted(fine_time, coarse_time * (1 - 1e-9)).astype(int)
    difference = np.abs(coarse.loss[ends] / march.loss[ends][shared] - 1)
    # Where the curves cross the difference vanishes, the error does not: the largest nearby counts.
    return np.asarray(np.interp(fine_time, coarse_time, maximum_filter1d(difference, 5)))


def _solution(march: March, rows: npt.NDArray[np.intp], error: Array, seconds: float) -> Solution:
    setting = march.setting
    train = None
    if setting.per_sample:
        train = np.einsum(
            "ij,jk,ik->i", march.data_response, march.loss_correlation, march.data_response, optimize=True
        )[rows]
    order = OrderParameters(
        march.response,
        march.data_response,
        march.drive,
        march.weight_response,
        march.feature_correlation,
        march.weight_correlation,
    )
    return Solution(
        time=march.grid.time[rows],
        loss=march.loss[rows],
        train_loss=train,
        weight_norm=march.weight_norm[rows],
        error=error,
        learned=1 - march.unlearned[:, rows],
        grid=march.grid,
        order=order,
        residual=march.residual,
        seconds=seconds,
    )


def _from_the_start(solution: Solution, quadrature: ModeQuadrature) -> Solution:
    """Put the untrained model before the first cell."""
    first = quadrature.initial_loss
    return replace(
        solution,
        time=np.append(0.0, solution.time),
        loss=np.append(first, solution.loss),
        train_loss=None if solution.train_loss is None else np.append(first, solution.train_loss),
        weight_norm=np.append(0.0, solution.weight_norm),
        error=np.append(0.0, solution.error),
        learned=np.concatenate([np.zeros((quadrature.nodes.size, 1)), solution.learned], axis=1),
    )
